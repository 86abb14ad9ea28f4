# shellcheck shell=bash disable=SC2154,SC2034,SC2016 # RAW, TABLE, .. are of run, which sources this
#
# writers.sh - parts idle and exact: what those pay who do not ask; part of run

# Sockets of servers that start_pgbench_server started, by name.
declare -A HOST=()

# A server with pgbench's tables and its TPC-B-like transaction as a PL/pgSQL function, so that the
# client's part is small and the library's shows: start_pgbench_server NAME [LINE...].
start_pgbench_server()
{
	start_server "$1" "$CONFIG" "jit = off" "autovacuum = off" "shared_buffers = 512MB" "${@:2}"
	HOST[$1]=$PGHOST
	as_user pgbench -q -i -s 10 >"$WORK/log/pgbench_$1" 2>&1 || die "pgbench -i failed"
	run_psql <<'SQL'
CREATE FUNCTION tpcb_like() RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	a int := 1 + floor(random() * 1000000);
	t int := 1 + floor(random() * 100);
	b int := 1 + floor(random() * 10);
	d int := floor(random() * 10001) - 5000;
	balance int;
BEGIN
	UPDATE pgbench_accounts SET abalance = abalance + d WHERE aid = a;
	SELECT abalance INTO balance FROM pgbench_accounts WHERE aid = a;
	UPDATE pgbench_tellers SET tbalance = tbalance + d WHERE tid = t;
	UPDATE pgbench_branches SET bbalance = bbalance + d WHERE bid = b;
	INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (t, b, a, d, CURRENT_TIMESTAMP);
	RETURN balance;
END $$;
SQL
}

# pgbench's two transactions on two servers that differ in shared_preload_libraries only, in turn
# statement by statement: pgbench itself for a second here and a second there drowns in noise.
part_idle()
{
	start_pgbench_server without "shared_preload_libraries = ''"
	start_pgbench_server with
	lat idle_select -f -p "$PROCESSOR" -r $((6 * ROUNDS)) -n 400 -w 50 \
		prepared "without@host=${HOST[without]}" "SELECT abalance FROM pgbench_accounts WHERE aid = 4711" \
		prepared "with@host=${HOST[with]}" "SELECT abalance FROM pgbench_accounts WHERE aid = 4711"
	report_ratio G14 "pgbench -S, loaded / not loaded" with "<=" 1.02
	report "" "  the same, CPU time of the backend" "$(figure with cpu_ratio)" "" "" ""
	lat idle_tpcb -f -p "$PROCESSOR" -r $((6 * ROUNDS)) -n 200 -w 50 \
		prepared "without@host=${HOST[without]}" "SELECT tpcb_like()" \
		prepared "with@host=${HOST[with]}" "SELECT tpcb_like()"
	report_ratio G14 "TPC-B-like, loaded / not loaded" with "<=" 1.02
	report "" "  the same, CPU time of the backend" "$(figure with cpu_ratio)" "" "" ""
	stop_server with
	stop_server without
	export PGHOST=$MAIN_HOST
}

# Answers that depend on the tables that the TPC-B-like transaction writes.
DEPENDANTS=("SELECT sum(abalance) FROM pgbench_accounts WHERE aid <= 1000"
	"SELECT sum(tbalance) FROM pgbench_tellers"
	"SELECT sum(bbalance) FROM pgbench_branches"
	"SELECT count(*) FROM (SELECT FROM pgbench_history LIMIT 1000) AS history")
# What a server is to the writers: without the library twice, whose ratio is the noise, with the
# library but no rows published, and with rows published.
ROLES=(without again off on)
CLUSTERS=(a b c d)

# Another session on each server asks for the dependants 20 times a second: exact answers where rows
# are published, the queries themselves elsewhere.
start_readers()
{
	local role query
	for role in "${ROLES[@]}"; do
		for query in "${DEPENDANTS[@]}"; do
			[ "$role" != on ] || query=$(cached "$query" "value bigint")
			say "$query;"
		done | as_user tee "$WORK/tmp/$role.sql" >/dev/null
		[ "$role" != on ] || export PGOPTIONS="-c cached_query.consistency=exact"
		PGHOST=${HOST[$role]} PGAPPNAME=reader as_user pgbench -n -M prepared -R 20 -T 3600 \
			-f "$WORK/tmp/$role.sql" >/dev/null 2>>"$WORK/log/pgbench.log" &
		unset PGOPTIONS
	done
}

stop_readers()
{
	local role
	for role in "${ROLES[@]}"; do
		PGHOST=${HOST[$role]} run_psql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE application_name = 'reader'" >/dev/null
	done
	wait
}

# Give each cluster another role than in other phases: HOST[ROLE] is then its socket.
take_roles()
{
	local phase=$1 i cluster role preload
	for ((i = 0; i < ${#CLUSTERS[@]}; i++)); do
		cluster=${CLUSTERS[i]}
		role=${ROLES[(i + phase) % ${#ROLES[@]}]}
		preload=cached_query
		[[ $role = o* ]] || preload=
		as_user pg_ctl -D "$WORK/$cluster/data" -l "$WORK/log/$cluster.log" -m fast -w restart \
			-o "-c shared_preload_libraries='$preload'" >/dev/null 2>&1 </dev/null || die "no restart of $cluster"
		HOST[$role]=$WORK/$cluster/socket
	done
	export PGHOST=${HOST[on]}
}

# What do exact answers cost those who write?  Clusters of the same contents differ by some per cent,
# whatever their server does, so each plays each role once.
exact_writers()
{
	local phase round role tables
	local -a cases roles
	for ((phase = 0; phase < ${#ROLES[@]}; phase++)); do
		take_roles $phase
		start_readers
		cases=()
		for role in "${ROLES[@]}"; do
			cases+=(prepared "$role@host=${HOST[$role]}" "SELECT tpcb_like()")
		done
		lat exact_tpcb.$phase -f -p "$PROCESSOR" -r $((3 * ROUNDS)) -n 200 -w 200 -c 0 "${cases[@]}"
		for ((round = 1; round <= ROUNDS; round++)); do
			# half a second of each, and each comes first at times
			roles=("${ROLES[@]:round % 4}" "${ROLES[@]:0:round % 4}")
			for role in "${roles[@]}"; do
				raw exact_pgbench.$phase "$role" $round \
					"$(PGHOST=${HOST[$role]} tps -b tpcb-like -M prepared -c 2 -j 2 -t 1000)"
			done
		done
		stop_readers
	done
	# the first are times, the second rates
	report_tps G15 "TPC-B-like per second, rows published / not loaded" exact_tpcb without on ">=" 0.98
	report_tps "" "  rows not published / not loaded" exact_tpcb without off "" ""
	report_tps "" "  rows published / not published" exact_tpcb off on "" ""
	report_tps "" "  not loaded / not loaded" exact_tpcb without again "" ""
	# shown but not judged: the noise is larger than what is looked for
	report_tps "" "pgbench, 2 clients, rows published / not loaded" exact_pgbench on without "" ""
	report_tps "" "  rows not published / not loaded" exact_pgbench off without "" ""
	report_tps "" "  not loaded / not loaded" exact_pgbench again without "" ""
	tables=$(run_psql -c "SELECT string_agg(DISTINCT relation, ' ' ORDER BY relation)
		FROM cached_query_entries, unnest(relation_names) AS relation WHERE consistency = 'exact'")
	say "       exact answers were kept of: ${tables:-nothing}" | as_user tee -a "$TABLE"
}

# The same entry, by sessions that differ in cached_query.consistency only.
exact_hits()
{
	local loops=20000 host=${HOST[on]} query call relations
	local ttl="-c cached_query.mode=only_cached"
	local exact="$ttl -c cached_query.consistency=exact"
	for relations in 1 4; do
		query="SELECT count(*) FROM pgbench_branches"
		[ $relations -eq 1 ] || query+=" JOIN pgbench_tellers USING (bid) JOIN pgbench_accounts USING (bid)
			JOIN pgbench_history USING (aid) WHERE aid = 4711"
		call=$(cached "$query" "value bigint")
		PGOPTIONS="-c cached_query.mode=refresh -c cached_query.consistency=exact" run_psql -c "$call" >/dev/null
		call=$(in_a_loop $loops "${call/SELECT \*/PERFORM value}")
		lat exact_hit_$relations -f -p "$PROCESSOR" -n 3 -w 1 -c 0 -d $loops \
			simple "ttl@host=$host options='$ttl'" "$call" simple "exact@host=$host options='$exact'" "$call"
		report G12 "exact hit - ttl hit in the backend, $relations tables, us" \
			"$(figure exact difference)" "" "<=" 1 "$(figure exact median) - $(figure ttl median) us"
	done
}

# An aggregate of the accounts, with a text of its own for each NUMBER: accounts_query NUMBER
accounts_query()
{
	printf '%s' "SELECT aid % 10 AS part, count(*) AS accounts, sum(abalance) AS balance
		FROM pgbench_accounts WHERE aid BETWEEN $1 AND 30000 GROUP BY part ORDER BY part"
}
ACCOUNTS_COLUMNS="part int, accounts bigint, balance bigint"

# Is what is kept what there is?  One statement, one snapshot: agrees NUMBER
agrees()
{
	local rows="array_agg(ROW(part, accounts, balance))"
	printf 'SELECT (SELECT %s FROM (%s) AS kept) = (SELECT %s FROM (%s) AS there)' \
		"$rows" "$(cached "$(accounts_query "$1")" "$ACCOUNTS_COLUMNS")" "$rows" "$(accounts_query 1)"
}

# Reads of a table that a tenth of the operations write, for each way of reading.
exact_reads()
{
	local n=180 warm_up=2 host=${HOST[on]} hits label what
	local -A hit_ratio=([ttl]=1)
	local ttl="-c cached_query.mode=only_cached" exact="-c cached_query.consistency=exact"
	fill "$(cached "$(accounts_query 0)" "$ACCOUNTS_COLUMNS")"
	hits=$(run_psql -c "SELECT hits FROM cached_query_stats")
	lat exact_reads -n $n -w $warm_up -c 0 -e 9 -W "SELECT tpcb_like()" prepared direct "$(accounts_query 1)" \
		prepared "exact@host=$host options='$exact'" "$(cached "$(accounts_query 1)" "$ACCOUNTS_COLUMNS")" \
		prepared "ttl@host=$host options='$ttl'" "$(cached "$(accounts_query 0)" "$ACCOUNTS_COLUMNS")"
	# those of ttl are all hits, a miss would have been an error
	hit_ratio[exact]=$(run_psql -c "SELECT round((hits - $hits)::numeric / $((ROUNDS * n + warm_up)) - 1, 3)
		FROM cached_query_stats")
	for label in exact ttl; do
		what="aggregate of a table with 10 % writes, $label / direct"
		report_ratio "" "$what" $label "" ""
		report "" "  p99" "$(awk -v a="$(figure $label p99)" -v b="$(figure direct p99)" 'BEGIN { print a / b }')" "" "" "" \
			"$(awk -v a="$(figure $label p99)" -v b="$(figure direct p99)" 'BEGIN { printf "%.1f ms / %.1f ms", a / 1000, b / 1000 }')"
		report "" "  reads per second" \
			"$(awk -v a="$(figure $label mean)" -v b="$(figure direct mean)" 'BEGIN { print b / a }')" "" "" "" \
			"hit ratio ${hit_ratio[$label]}"
	done
	lat exact_answers -n $((n / 2)) -w 2 -c 0 -e 9 -W "SELECT tpcb_like()" \
		differs "exact@host=$host options='$exact'" "$(agrees 1)" \
		differs "ttl@host=$host options='$ttl'" "$(agrees 0)"
	report exact "exact answers that differ from the direct one, share" "$(figure exact mean)" "" "<=" 0 \
		"of $((ROUNDS * n / 2)); of ttl's $(figure ttl mean)"
}

part_exact()
{
	local cluster
	for cluster in "${CLUSTERS[@]}"; do
		start_pgbench_server "$cluster"
		run_psql -c "CREATE EXTENSION cached_query"
	done
	exact_writers
	exact_hits
	exact_reads
	for cluster in "${CLUSTERS[@]}"; do
		stop_server "$cluster"
	done
	export PGHOST=$MAIN_HOST
}
