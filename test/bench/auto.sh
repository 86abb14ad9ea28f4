# shellcheck shell=bash disable=SC2154,SC2034 # RAW, TABLE, .. are of run, which sources this
#
# auto.sh - part auto: statements that make no call, by cached_query.auto; part of run

# Its own connection with cached_query.auto and further settings: on LABEL [SETTING...]
on()
{
	local label=$1 options="-c cached_query.auto=exact"
	shift
	[ $# -eq 0 ] || options+=$(printf -- ' -c cached_query.%s' "$@")
	printf "%s@options='%s'" "$label" "$options"
}

# Twice by somebody else, so that it is kept.
keep()
{
	local statement i
	for statement; do
		for i in 1 2 3; do
			PGOPTIONS="-c cached_query.auto=exact -c cached_query.auto_min_time=0" run_psql -c "$statement" >/dev/null
		done
	done
}

part_auto()
{
	local sum join list mode off="options='-c cached_query.auto=off'"
	sum="SELECT region, count(*), sum(amount) FROM payments GROUP BY region ORDER BY region"
	join="SELECT count(*), sum(a.amount) FROM payments AS a JOIN payments AS b USING (payment_id) JOIN payments AS c USING (payment_id)
		JOIN payments AS d USING (payment_id) JOIN payments AS e USING (payment_id) JOIN payments AS f USING (payment_id)
		JOIN payments AS g USING (payment_id) JOIN payments AS h USING (payment_id) WHERE a.payment_id BETWEEN 1000 AND 3000"
	list=$LIST_QUERY
	keep "$sum" "$join" "$list"

	# what analysis takes is seen in a statement that plans nothing: EXPLAIN would; so it is that of the hit less SELECT 1
	for mode in prepared simple; do
		lat "auto_hit_$mode" -p "$PROCESSOR" -n 1000 -w 200 $mode "select1@$off" "SELECT 1" \
			$mode "$(on one auto_min_time=0)" "$sum" $mode "$(on join auto_min_time=0)" "$join" \
			$mode "call@$off" "$(cached "$sum" "region text, n bigint, total numeric")"
		if [ $mode = prepared ]; then
			report_ratio A1 "hit, 1 relation, prepared / SELECT 1" one "<=" 1.15
			report_ratio A2 "hit, 8 relations, prepared / SELECT 1" join "<=" 1.45
		else
			report_ratio "" "  hit, 1 relation, simple / SELECT 1" one "" ""
			report_ratio "" "  hit, 8 relations, simple / SELECT 1" join "" ""
		fi
		report_ratio "" "  the same by a call, $mode / SELECT 1" call "" ""
	done
	lat auto_list -n 2 -w 4 -c 2 simple "call@$off" "$(cached_as "$list" payments)" simple "$(on list auto_min_time=0)" "$list"
	report_ratio A3 "100,000 x 14 to a client / by a call" list "<=" 1.05

	# a statement that is no candidate, as it is too fast
	for mode in prepared simple; do
		lat "auto_key_$mode" -p "$PROCESSOR" -n 2000 -w 200 $mode "off@$off" "$ROW_QUERY" $mode "$(on key)" "$ROW_QUERY"
		report_ratio A4 "a row by primary key, $mode: on / off" key "<=" 1.01
	done

	# misses: a ghost for each text; and rows that are kept while they are sent
	lat auto_ghost -p "$PROCESSOR" -n 500 -w 100 simple "off@$off" "SELECT count(*) FROM payments WHERE payment_id = {n}" \
		simple "$(on ghost auto_min_time=0)" "SELECT count(*) FROM payments WHERE payment_id = {n}"
	report_ratio "" "  a ghost for a row by primary key: on / off" ghost "" ""
	lat auto_keep -n 3 -w 2 -c 0 simple "off@$off" "$list" simple "$(on kept auto_min_time=0 mode=refresh)" "$list"
	report_ratio A5 "100,000 x 14 kept while it is sent / plain" kept "<=" 1.08
}
