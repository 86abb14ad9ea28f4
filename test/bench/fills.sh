# shellcheck shell=bash disable=SC2154,SC2034,SC2016 # RAW, TABLE, .. are of run, which sources this
#
# fills.sh - parts miss, cliff, memory and contention: what filling costs; part of run

# A statement repeated in PL/pgSQL: in_a_loop COUNT STATEMENT
# shellcheck disable=SC2016 # $do$ is for the server
in_a_loop() { printf 'DO $do$ BEGIN FOR i IN 1..%d LOOP %s; END LOOP; END $do$' "$@"; }

part_miss()
{
	local columns
	calibrate
	columns=$(run_psql -c "SELECT cached_query_columns(\$q\$$LIST_QUERY\$q\$)")
	lat miss_sum -n 5 -w 2 -c 0 simple plain "$(sum_query)" \
		simple miss "$(refreshed "$(sum_query)" "$SUM_COLUMNS")"
	report_ratio G13 "miss of the aggregate / plain" miss "<=" 1.05
	lat miss_server -n 5 -w 2 -c 0 explain plain "$LIST_QUERY" \
		explain miss "$(refreshed "$LIST_QUERY" "$columns")"
	report_ratio G13 "miss of 100,000 x 14, server only / plain" miss "<=" 1.15
	lat miss_client -n 2 -w 1 -c 2 simple plain "$LIST_QUERY" \
		simple miss "$(refreshed "$LIST_QUERY" "$columns")"
	report_ratio G13 "miss of 100,000 x 14 to a client / plain" miss "<=" 1.15
	report "" "  the same, CPU time of the backend" "$(figure miss cpu_ratio)" "" "" ""
}

# Hits that are slower than the query they replace.  Queries of less than 0.1 ms are shown but not judged.
part_cliff()
{
	local rows query hit miss executions relation
	for rows in 1 10 100 1000 10000 100000 1000000; do
		query="SELECT payment_id, region, amount FROM payments WHERE payment_id <= $rows"
		hit=$(cached "$query" "payment_id bigint, region text, amount numeric(14,2)")
		miss=$(refreshed "$query" "payment_id bigint, region text, amount numeric(14,2)")
		executions=$((200000 / rows))
		executions=$((executions > 200 ? 200 : executions < 1 ? 1 : executions))
		fill "$hit"
		[ $rows -gt 10000 ] || same "$query" "$hit"
		lat "cliff_$rows" -n $executions -w $((executions > 20 ? 20 : 1)) -c 0 prepared plain "$query" \
			prepared hit "$hit" prepared miss "$miss"
		relation="<="
		[ "$(figure plain median | cut -d . -f 1)" -ge 100 ] || relation=
		report_ratio cliff "$rows rows x 3, hit / plain, prepared" hit "$relation" 1.05
		report_ratio "" "  miss / plain" miss "" ""
		run_psql -c "SELECT cached_query_clear()" >/dev/null
	done
}

# A result of a million rows of 1 kB; the query itself streams.
part_memory()
{
	local query="SELECT generate_series(1, 1000000) AS i, repeat('x', 1000) AS t" miss i
	local -a peaks=()
	start_server memory "$CONFIG" "cached_query.memory = 2GB" "cached_query.max_entry_size = 2GB" \
		"jit = off" "autovacuum = off"
	run_psql -c "CREATE EXTENSION cached_query"
	miss="SELECT count(i) FROM cached_query_with('{\"mode\": \"refresh\"}', $(quoted "$query")) AS t(i int, t text)"
	# a new backend each time: a used one may have memory that it can use again
	for ((i = 0; i < ROUNDS; i++)); do
		ROUNDS=1 lat memory -n 1 -w 0 -c 0 memory plain "SELECT count(*) FROM ($query OFFSET 0) AS q" memory miss "$miss"
		peaks+=("$(figure miss median)")
	done
	report mem "private memory to fill 1 GB, MB, largest" \
		"$(printf '%s\n' "${peaks[@]}" | sort -g | awk 'END { print $1 / 1024 }')" "" "<=" 8 \
		"kept: $(run_psql -c "SELECT pg_size_pretty(sum(bytes)) FROM cached_query_entries"), temporary files: $(
			run_psql -c "SELECT pg_size_pretty(temp_bytes) FROM pg_stat_database WHERE datname = current_database()")"
	stop_server memory
	export PGHOST=$MAIN_HOST
}

# Where pgbench's sessions are, sampled: a second or so, into the table `samples`.
sample_waits()
{
	run_psql -c "DO \$do\$ BEGIN FOR i IN 1..400 LOOP
		PERFORM pg_stat_clear_snapshot();
		INSERT INTO samples SELECT '$1', wait_event_type, wait_event FROM pg_stat_activity
			WHERE application_name = 'pgbench' AND state = 'active';
		PERFORM pg_sleep(0.002); END LOOP; END \$do\$"
}

part_contention()
{
	local i round both one pid event
	run_psql -c "CREATE TABLE IF NOT EXISTS samples (test text, type text, event text)" -c "TRUNCATE samples"
	for i in 1 2; do
		one=$(cached "SELECT payment_id FROM payments WHERE payment_id = $i" "$ONE_COLUMNS")
		fill "$one"
		printf '%s;\n' "$one" | as_user tee "$WORK/tmp/key$i.sql" >/dev/null
	done
	for ((round = 1; round <= ROUNDS; round++)); do
		raw contention one $round "$(tps -M prepared -T 1 -f "$WORK/tmp/key1.sql")"
		sample_waits same &
		pid=$!
		raw contention same $round "$(tps -M prepared -T 1 -c 2 -j 2 -f "$WORK/tmp/key1.sql")"
		wait $pid
		sample_waits different &
		pid=$!
		tps -M prepared -T 1 -f "$WORK/tmp/key2.sql" >"$WORK/tmp/second" &
		both=$(tps -M prepared -T 1 -f "$WORK/tmp/key1.sql")
		wait $! $pid
		raw contention different $round "$(awk -v a="$both" '{ print a + $1 }' "$WORK/tmp/second")"
	done
	for event in same different; do
		report_tps "" "2 processes, $event key / 1 process, per second" contention $event one "" ""
		report lock "  LWLock waits among $(run_psql -c "SELECT count(*) FROM samples WHERE test = '$event'") samples" \
			"$(run_psql -c "SELECT count(*) FROM samples WHERE test = '$event' AND type = 'LWLock'")" "" "<=" 0 \
			"$(run_psql -c "SELECT string_agg(DISTINCT event, ' ') FROM samples WHERE test = '$event' AND type = 'LWLock'")"
	done
}
