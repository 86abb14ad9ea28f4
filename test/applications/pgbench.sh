#!/bin/bash
#
# pgbench.sh - pgbench's own scripts, by a role with cached_query.auto and by one without
#
#   pgbench.sh SOCKET-DIRECTORY [SECONDS] [ROUNDS]
#
# User postgres is a superuser there.  Makes a database cq_pgbench and the roles cq_pgbench_off, _exact (the
# defaults of cached_query.auto = exact) and _forced (auto_min_time = 0).  Each script runs with each protocol and
# role in turn; at the end the sums of the balances must agree, and what each role reads of a sum that the two
# others compute.  The last line is "N passed, N failed".

export PGHOST=$1 PGUSER=postgres PGDATABASE=cq_pgbench
seconds=${2:-3} rounds=${3:-2} passed=0 failed=0
bin=${PGBIN:-/usr/lib/postgresql/15/bin}
sums="SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(bbalance) FROM pgbench_branches),
	(SELECT sum(tbalance) FROM pgbench_tellers), (SELECT sum(delta) FROM pgbench_history)"

check()
{
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "$1: $2, not $3"
	fi
}

psql -Xqd postgres -c 'DROP DATABASE IF EXISTS cq_pgbench' -c 'CREATE DATABASE cq_pgbench' || exit 1
for role in off exact forced; do
	psql -Xqd postgres -c "DROP ROLE IF EXISTS cq_pgbench_$role" -c "CREATE ROLE cq_pgbench_$role SUPERUSER LOGIN"
done
psql -Xqd postgres -c "ALTER ROLE cq_pgbench_exact SET cached_query.auto = exact" \
	-c "ALTER ROLE cq_pgbench_forced SET cached_query.auto = exact" \
	-c "ALTER ROLE cq_pgbench_forced SET cached_query.auto_min_time = 0"
psql -Xqc 'CREATE EXTENSION cached_query'
"$bin/pgbench" -i -q -s 2 >/dev/null 2>&1

for script in select-only simple-update tpcb-like; do
	for protocol in simple extended prepared; do
		line="$script, $protocol, tps:"
		for ((round = 0; round < rounds; round++)); do
			for role in off exact forced; do
				out=$("$bin/pgbench" -n -U cq_pgbench_$role -b $script -M $protocol -c 4 -T "$seconds" 2>&1)
				check "$script $protocol $role: aborted" "$(grep -c -E 'aborted|ERROR|FATAL' <<<"$out")" 0
				line+=" $role $(sed -nE 's/^tps = ([0-9]+).*/\1/p' <<<"$out")"
			done
		done
		echo "$line"
		off=$(psql -XAtU cq_pgbench_off -c "$sums")
		for role in exact forced forced exact; do
			check "$script $protocol: sums by $role" "$(psql -XAtU cq_pgbench_$role -c "$sums")" "$off"
		done
		[ $script != tpcb-like ] ||
			check "$script $protocol: balances" "$(cut -d'|' -f2 <<<"$off")" "$(cut -d'|' -f3 <<<"$off")"
	done
done
psql -XAtc "SELECT string_agg(reason || ' ' || statements, ', ' ORDER BY statements DESC) FROM cached_query_reasons WHERE statements > 0"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
