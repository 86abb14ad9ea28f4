# shellcheck shell=bash disable=SC2154,SC2016 # CONFIG, ROUNDS, .. are of run, which sources this
#
# ranges.sh - part ranges: what those pay who append rows one by one to a table that is tracked by ranges; part of run

# Of rows in each round, each in a transaction of its own.
APPENDS=${APPENDS:-5000}
RANGE_TABLES=(plain key range)

make_logs()
{
	local table
	run_psql <<'SQL'
CREATE EXTENSION cached_query;
CREATE UNLOGGED TABLE log_plain (tenant int, at timestamptz, v int);
CREATE UNLOGGED TABLE log_key (LIKE log_plain);
CREATE UNLOGGED TABLE log_range (LIKE log_plain);
SELECT cached_query_track('log_key', '{tenant}'), cached_query_track('log_range', '{tenant}', ranges => '{at}');
CREATE TABLE figures (clients int, log text, round int, us float8);
CREATE FUNCTION cpu() RETURNS float8 LANGUAGE sql AS $$ SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::float8 / 1000 $$;
SET cached_query.consistency = exact;
SELECT * FROM cached_query('SELECT count(*) FROM log_plain') AS t(n bigint);
SQL
	for table in "${RANGE_TABLES[@]}"; do
		run_psql <<SQL
CREATE PROCEDURE append_$table(clients int, round int, n int) LANGUAGE plpgsql AS \$\$
DECLARE began float8;
BEGIN
	began := cpu();
	FOR i IN 1 .. n LOOP INSERT INTO log_$table VALUES (1 + round(random() * 999), now(), i); COMMIT; END LOOP;
	INSERT INTO figures VALUES (clients, '$table', round, (cpu() - began) / n);
END \$\$;
SQL
	done
}

# append CLIENTS TABLE ROUND
append()
{
	local i clients=()
	for ((i = 0; i < $1; i++)); do
		run_psql -c "CALL append_$2($1, $3, $APPENDS)" &
		clients+=($!)
	done
	wait "${clients[@]}" || die "append failed: $2"
}

# The median of processor time for a transaction: append_figure CLIENTS TABLE
append_figure()
{
	run_psql -c "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY us) FROM figures WHERE clients = $1 AND log = '$2' AND round > 0"
}

# All of them append to one hour, so to the same slots; no reader takes out what is listed there.
part_ranges()
{
	local round clients table
	start_server ranges "$CONFIG" "jit = off" "autovacuum = off" "synchronous_commit = off"
	make_logs || die "the tables could not be made"
	for ((round = 0; round <= ROUNDS; round++)); do
		for clients in 1 8; do
			for table in "${RANGE_TABLES[@]}"; do append $clients "$table" $round; done
		done
	done
	for clients in 1 8; do
		for table in "${RANGE_TABLES[@]}"; do
			report "" "one row and COMMIT, $clients clients, us: $table" "$(append_figure $clients "$table")" "" "" ""
		done
	done
	stop_server ranges
	export PGHOST=$MAIN_HOST
}
