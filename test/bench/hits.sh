# shellcheck shell=bash disable=SC2154,SC2034,SC2016 # RAW, TABLE, .. are of run, which sources this
#
# hits.sh - parts small, large, throughput and backend: hits; part of run

part_small()
{
	local row row_as one columns mode
	columns=$(run_psql -c "SELECT cached_query_columns('$ROW_QUERY')")
	one=$(cached "$ONE_QUERY" "$ONE_COLUMNS")
	row=$(cached "$ROW_QUERY" "$columns")
	row_as=$(cached_as "$ROW_QUERY" payments)
	fill "$one" "$row"
	same "$ROW_QUERY" "$row"
	for mode in prepared simple; do
		lat "small_$mode" -p "$PROCESSOR" -n 1000 -w 200 -x "SET cached_query.mode = only_cached" \
			$mode select1 "SELECT 1" $mode one "$one" $mode row "$row" $mode row_as "$row_as" \
			$mode key "$ROW_QUERY"
		if [ $mode = prepared ]; then
			report_ratio G1 "1 x 1, prepared / SELECT 1" one "<=" 1.10
			report_ratio G2 "1 x 14, prepared / SELECT 1" row "<=" 1.35
		else
			report_ratio G3 "1 x 1, simple / SELECT 1" one "<=" 1.6
			report_ratio G3 "1 x 14, simple / SELECT 1" row "<=" 2.6
			report_ratio G3 "1 x 14 by row type, simple / SELECT 1" row_as "<=" 1.8
		fi
		report_ratio "" "  the row by primary key, uncached, $mode / SELECT 1" key "" ""
	done
}

part_large()
{
	local list view="SELECT * FROM payments_view"
	list=$(cached_as "$LIST_QUERY" payments)
	fill "$list"
	same "$LIST_QUERY" "$list"
	lat large_server -n 15 -w 3 -c 0 -x "SET cached_query.mode = only_cached" \
		explain view "$view" explain list "$list"
	report_ratio G5 "100,000 x 14, server only / materialized view" list "<=" 0.6
	lat large_client -n 2 -w 1 -c 2 -x "SET cached_query.mode = only_cached" \
		simple view "$view" simple list "$list"
	report_ratio G6 "100,000 x 14 to a client, time / materialized view" list "<=" 0.35
	report G6 "  the same, CPU time of the backend" "$(figure list cpu_ratio)" "" "<=" 0.12
	# each in a session of its own, which differ in one setting; a refresh takes the image away
	report_images
}

# What images do: hits without them, and the hit that makes one.
report_images()
{
	local list making off="options='-c cached_query.mode=only_cached -c cached_query.wire_image=off'"
	list=$(cached_as "$LIST_QUERY" payments)
	lat large_image -n 3 -w 2 -c 2 simple "tuples@$off" "$list" \
		simple "image@options='-c cached_query.mode=only_cached'" "$list"
	report_ratio "" "  hit by stored messages / by tuples" image "" ""
	report "" "  the same, CPU time of the backend" "$(figure image cpu_ratio)" "" "" ""
	# the first two hits of a new entry: the second makes the image
	making="SELECT cached_query_refresh($(quoted "$LIST_QUERY"))"
	lat large_making -n 3 -w 1 -c 0 -b "$making" -b "SELECT count(*) FROM ($list) AS l" \
		simple "tuples@options='-c cached_query.wire_image=off'" "$list" simple making "$list"
	report_ratio "" "  hit that stores its messages / by tuples" making "<=" 1.10
	# under a LIMIT the document is a value like any other
	making="SELECT cached_query_json($(quoted "$LIST_QUERY"))"
	lat large_document -n 3 -w 2 -c 2 simple value "$making LIMIT 1" simple document "$making"
	report_ratio "" "100,000 x 14 as JSON, from the entry / as a value" document "" ""
	report "" "  the same, CPU time of the backend" "$(figure document cpu_ratio)" "" "" ""
}

# Transactions per second of pgbench for a second or so: tps OPTION...
tps()
{
	as_user pgbench -n "$@" 2>>"$WORK/log/pgbench.log" | sed -nE 's/^tps = ([0-9.]+) .*/\1/p'
}

# Adds one round's figure to RAW: raw TEST LABEL ROUND VALUE
raw() { printf '%s,%s,tps,%d,1,,,%s,,,,\n' "$@" | as_user tee -a "$RAW" >/dev/null; }

# Of a test's figures in RAW, "p25 median p75" of the ratios by round: ratios TEST LABEL BASE.  A test
# may have phases, named TEST.PHASE: a round's ratio is the geometric mean of theirs then.
ratios()
{
	awk -F , -v test="$1" -v label="$2" -v base="$3" '
		{ sub(/[.].*/, "", $1) }
		$1 == test && $2 == label { a[$4] += log($8); n[$4]++ }
		$1 == test && $2 == base { b[$4] += log($8) }
		END { for (i in a) print exp((a[i] - b[i]) / n[i]) }' "$RAW" | sort -g | awk '
		function quantile(q, at, below) {
			at = 1 + q * (NR - 1)
			below = int(at)
			return below == NR ? v[NR] : v[below] + (at - below) * (v[below + 1] - v[below])
		}
		{ v[NR] = $1 }
		END { print quantile(0.25), quantile(0.5), quantile(0.75) }'
}

# report_tps GOAL WHAT TEST LABEL BASE RELATION LIMIT
report_tps()
{
	local p25 median p75
	read -r p25 median p75 < <(ratios "$3" "$4" "$5")
	report "$1" "$2" "$median" "$p25 $p75" "$6" "$7"
}

part_throughput()
{
	local mode round
	calibrate
	fill "$(cached "$(sum_query)" "$SUM_COLUMNS")"
	same "$(sum_query)" "$(cached "$(sum_query)" "$SUM_COLUMNS")"
	printf '%s;\n' "$(sum_query | tr '\n\t' '  ')" | as_user tee "$WORK/tmp/direct.sql" >/dev/null
	printf '%s;\n' "$(cached "$(sum_query)" "$SUM_COLUMNS" | tr '\n\t' '  ')" |
		as_user tee "$WORK/tmp/hit.sql" >/dev/null
	# pgbench sends the text as it is here, so it must have been filled in that form
	as_user pgbench -n -t 1 -f "$WORK/tmp/hit.sql" >/dev/null 2>&1
	for mode in prepared simple; do
		for ((round = 1; round <= ROUNDS; round++)); do
			raw throughput_$mode direct $round "$(tps -M $mode -T 1 -f "$WORK/tmp/direct.sql")"
			raw throughput_$mode hit $round "$(tps -M $mode -T 1 -f "$WORK/tmp/hit.sql")"
		done
		report_tps G11 "aggregate, hits / direct per second, $mode" throughput_$mode hit direct ">=" 500
	done
	lat throughput_time -n 3 -w 1 -c 0 simple direct "$(sum_query)"
	report "" "  the aggregate, direct, in ms" "$(awk -v us="$(figure direct median)" 'BEGIN { print us / 1000 }')" "" "" ""
}

# LIMIT 0 starts and ends the same plan but never asks for a row, so the difference to LIMIT 1 is the
# call: arguments, look-up, validity, permissions on the relations, pin, first row, unpin.
part_backend()
{
	local consistency one loops=20000 limit
	one=$(cached "$ONE_QUERY" "$ONE_COLUMNS")
	for consistency in ttl exact; do
		as_user env PGOPTIONS="-c cached_query.consistency=$consistency -c cached_query.mode=refresh" \
			psql -qXAt -c "$one" >/dev/null
		lat "backend_$consistency" -n 3 -w 1 -c 0 -d $loops -x "SET cached_query.mode = only_cached" \
			-x "SET cached_query.consistency = $consistency" \
			simple none "$(in_a_loop $loops "${one/SELECT \*/PERFORM payment_id} LIMIT 0")" \
			simple hit "$(in_a_loop $loops "${one/SELECT \*/PERFORM payment_id} LIMIT 1")" \
			simple series "$(in_a_loop $loops "PERFORM a FROM generate_series(1, 1) AS t(a)")" \
			simple key "$(in_a_loop $loops "PERFORM payment_id FROM payments WHERE payment_id = 4711")"
		limit=3
		[ $consistency = ttl ] || limit=4
		report G12 "a call's work in the backend, $consistency, us" "$(figure hit difference)" "" "<=" $limit \
			"whole statement $(figure hit median), generate_series $(figure series median), by key $(figure key median) us"
	done
}
