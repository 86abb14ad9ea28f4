# shellcheck shell=bash disable=SC2154,SC2016 # RAW, TABLE, HOST, .. are of run, which sources this
#
# scale.sh - the part of test/bench/run that asks what costs more when more is cached
#
# Two servers with the same settings, one with 1,000 entries and one with many: of each number in ENTRIES.
# Statements run on both in turn.  Each entry is one row of one number; for 4,000,000 the cache is 3.1 GB, and to fill
# it takes some minutes.

ENTRIES=${ENTRIES:-1000000 4000000}
FEW=1000
# Entries have one of so many tags, so that an invalidation can void a part of them.
TAGS=100

# run_on SERVER ARGUMENT...: psql there
run_on()
{
	local host=${HOST[$1]}
	shift
	PGHOST=$host run_psql "$@"
}

scale_entries() { run_on "$1" -c "SELECT entries FROM cached_query_stats"; }

start_scale_server()
{
	local mb=$((($3 * 800 >> 20) + 64))
	start_server "$1" "$CONFIG" "jit = off" "autovacuum = off" "cached_query.memory = ${mb}MB"
	HOST[$1]=$PGHOST
	run_psql -c "CREATE EXTENSION cached_query" -c "CREATE SEQUENCE fresh START 1000000000" \
		-c "CREATE TABLE empty ()" -c "CREATE TABLE t AS SELECT 0 AS v"
	job run_psql -c "DO \$\$ DECLARE part bigint := $2 / $TAGS; n bigint; BEGIN FOR tag IN 1..$TAGS LOOP
		PERFORM set_config('cached_query.tag', 'part ' || tag, false);
		SELECT count(*) INTO n FROM generate_series((tag - 1) * part + 1, tag * part) AS g,
			cached_query('SELECT v + \$1 FROM t', '$TTL', g) AS c(v bigint);
		COMMIT; END LOOP; END \$\$" || die "the cache could not be filled"
	[ "$(scale_entries "$1")" -ge $(($2 * 99 / 100)) ] || die "the cache is not full: $(scale_entries "$1") entries"
}

# One statement on both servers: compare_scale GOAL WHAT LIMIT_US N STATEMENT [BEFORE...].  The limit is
# for the server with many entries.
compare_scale()
{
	local goal=$1 what=$2 limit=$3 executions=$4 statement=$5
	local -a before=(-w 3)
	shift 5
	# what is run to warm up has nothing before it: it would be committed
	[ $# -eq 0 ] || before=(-w 0)
	while [ $# -gt 0 ]; do
		before+=(-b "$1")
		shift
	done
	lat scale -n "$executions" -c 0 -x "SET client_min_messages = error" "${before[@]}" simple "few@host=${HOST[few]}" "$statement" \
		simple "many@host=${HOST[many]}" "$statement"
	report_ratio "" "$what, $COUNT / $FEW entries" many "" ""
	report "$goal" "  microseconds" "$(figure many median)" "$(figure many p25) $(figure many p75)" "<=" "$limit" \
		"p99 $(figure many p99)"
}

# Hits of one answer on the server with many entries: scale_hits LABEL ROUND
scale_hits()
{
	lat scale_hits -r 1 -n "${HITS:-20000}" -w 200 -c 0 prepared "hit@host=${HOST[many]}" \
		"SELECT * FROM cached_query('SELECT \$1::int', '$TTL', 1) AS c(v int)"
	raw "scale_$COUNT" "$1.p50" "$2" "$(figure hit median)"
	raw "scale_$COUNT" "$1.p99" "$2" "$(figure hit p99)"
	raw "scale_$COUNT" "$1.p99.9" "$2" "$(figure hit p999)"
}

# The same while a statement runs again and again beside it: hits_beside LABEL ROUND STATEMENT
hits_beside()
{
	local pid
	run_on many -c "DO \$do\$ BEGIN LOOP $3; COMMIT; END LOOP; END \$do\$" >/dev/null 2>&1 &
	pid=$!
	sleep 0.3
	scale_hits "$1" "$2"
	run_on many -c "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'DO %LOOP%'" >/dev/null
	wait $pid
}

report_hits()
{
	local p
	for p in p50 p99 p99.9; do
		report_tps "$([ $p != p99.9 ] || echo S4)" "hits beside $2, $p / alone" "scale_$COUNT" "$1.$p" "alone.$p" \
			"$([ $p != p99.9 ] || echo '<=')" "$([ $p != p99.9 ] || echo 2)"
	done
}

measure_calls()
{
	compare_scale S1 "invalidate a query, nothing matches" 1000 50 "SELECT cached_query_invalidate('SELECT v + \$1 FROM t', -1)"
	compare_scale S1 "invalidate a query that is there" 1000 50 "SELECT cached_query_invalidate('SELECT v + \$1 FROM t', 1::bigint)"
	compare_scale S1 "invalidate a tag, nothing matches" 10000 50 "SELECT cached_query_invalidate_tag('nobody')"
	compare_scale S1 "invalidate a relation, nothing matches" 10000 50 "SELECT cached_query_invalidate_relation('empty')"
	compare_scale S1 "invalidate a tag, 1 % matches" 10000 50 "SELECT cached_query_invalidate_tag('part 1')" BEGIN
	compare_scale S1 "invalidate a relation, all read it" 10000 50 "SELECT cached_query_invalidate_relation('t')" ROLLBACK BEGIN
	compare_scale S1 "clear" 10000 50 "SELECT cached_query_clear()" ROLLBACK BEGIN
	compare_scale S2 "COMMIT after a tag" 2000 50 "COMMIT" BEGIN "SELECT cached_query_invalidate_tag('part 2')"
	compare_scale S2 "COMMIT after a relation" 2000 50 "COMMIT" BEGIN "SELECT cached_query_invalidate_relation('empty')"
	compare_scale S3 "1,000 times one tag in one transaction" 100000 10 "$(in_a_loop 1000 "PERFORM cached_query_invalidate_tag('nobody')")"
	compare_scale S3 "1,000 tags in one transaction" 100000 10 "$(in_a_loop 1000 "PERFORM cached_query_invalidate_tag('no ' || i)")" ROLLBACK BEGIN
	compare_scale S5 "first row of cached_query_entries" 10000 50 "SELECT * FROM cached_query_entries LIMIT 1"
	compare_scale S5 "cached_query_stats" 10000 50 "SELECT * FROM cached_query_stats"
}

measure_view()
{
	local us
	us=$(run_on many -c "\timing on" -c "SELECT count(*) FROM cached_query_entries" | sed -nE 's/^Time: ([0-9.]+) ms.*/\1/p')
	report "" "all of cached_query_entries, microseconds a row" \
		"$(awk -v ms="$us" -v n="$(scale_entries many)" 'BEGIN { print ms * 1000 / n }')" "" "" "" "$us ms"
}

# 500 new answers.
STORE_MANY="SELECT count(*) FROM (SELECT nextval('fresh') AS n FROM generate_series(1, 500)) AS g, cached_query('SELECT v + \$1 FROM t', '1d', n) AS c(v bigint)"

measure_stores()
{
	local tries
	for ((tries = 0; tries < 100; tries++)); do
		[ "$(run_on many -c "SELECT evictions > 0 FROM cached_query_stats")" != t ] || break
		run_on many -c "${STORE_MANY/500/$((COUNT / 50))}" >/dev/null
	done
	lat scale_store -n 20 -w 3 -c 0 -d 500 simple "free@host=${HOST[few]}" "$STORE_MANY" simple "full@host=${HOST[many]}" "$STORE_MANY"
	report_ratio "" "a store into a full cache / into free memory" full "" ""
	run_on many -c "SELECT cached_query_clear()" >/dev/null
	lat scale_store -r 1 -n 20 -w 0 -c 0 -d 500 simple "free@host=${HOST[few]}" "$STORE_MANY" simple "void@host=${HOST[many]}" "$STORE_MANY"
	report_ratio "" "  the same right after cached_query_clear()" void "" ""
}

# What cached_query_clear() voids comes back by itself, with hits going on.
measure_sweep()
{
	local start=$SECONDS before
	before=$(scale_entries many)
	run_on many -c "SELECT cached_query_clear()" >/dev/null
	scale_hits swept 1
	while [ "$(scale_entries many)" -gt 100 ] && [ $((SECONDS - start)) -lt 300 ]; do
		sleep 0.5
	done
	report "" "seconds until $before void entries are gone" $((SECONDS - start)) "" "" ""
}

part_scale()
{
	local round
	for COUNT in $ENTRIES; do
		title "a cache of $COUNT entries"
		start_scale_server few $FEW "$COUNT"
		start_scale_server many "$COUNT" "$COUNT"
		measure_calls
		measure_view
		for ((round = 1; round <= ROUNDS; round++)); do
			scale_hits alone $round
			hits_beside view $round "PERFORM count(*) FROM (SELECT * FROM cached_query_entries LIMIT 100000) AS e"
			hits_beside tag $round "PERFORM cached_query_invalidate_tag('part ' || 10 + floor(random() * 30)); PERFORM pg_sleep(0.01)"
		done
		report_hits view "readers of cached_query_entries"
		report_hits tag "invalidations by tag, 100 a second"
		measure_sweep
		report_hits swept "the sweep of everything"
		stop_server many
		start_scale_server many "$COUNT" "$COUNT"
		measure_stores
		stop_server many
		stop_server few
	done
	export PGHOST=$MAIN_HOST
}
