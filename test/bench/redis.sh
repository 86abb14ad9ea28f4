# shellcheck shell=bash disable=SC2154,SC2034,SC2016 # RAW, TABLE, .. are of run, which sources this
#
# redis.sh - parts redis and client; part of run

# Time of 1,000 calls of 8 clients that look into this store and then run a query that takes no
# time, summed over the calls, in ms: calls_of STORE
calls_of()
{
	PGOPTIONS="-c cached_query.store=$1 -c cached_query.mode=read_only" as_user pgbench -n -M prepared -c 8 -j 2 \
		-t 125 -f "$WORK/tmp/unknown.sql" 2>>"$WORK/log/pgbench.log" |
		sed -nE 's/^latency average = ([0-9.]+) ms.*/\1/p' | awk '{ print $1 * 1000 }'
}

# How much longer when Redis hangs, in units of the timeout of one second.
hanging_redis()
{
	local round memory redis pid
	printf '%s;\n' "$(cached "SELECT 1" "a int")" | as_user tee "$WORK/tmp/unknown.sql" >/dev/null
	pid=$(cat "$WORK/redis/pid")
	for ((round = 1; round <= ROUNDS; round++)); do
		memory=$(calls_of memory)
		kill -STOP "$pid"
		redis=$(calls_of redis)
		kill -CONT "$pid"
		sleep 6
		calls_of redis >/dev/null
		raw redis_hanging timeouts $round "$(awk -v a="$redis" -v b="$memory" 'BEGIN { print (a - b) / 1000 }')"
		raw redis_hanging one $round 1
	done
	report_tps "" "1,000 calls of 8 clients, Redis hangs: added, timeouts" redis_hanging timeouts one "<=" 2
}

part_redis()
{
	local list one round floor bytes hit name
	local only="-c cached_query.mode=only_cached"
	as_user mkdir -p -m 700 "$WORK/redis"
	as_user redis-server --port 0 --unixsocket "$WORK/redis/s" --save "" --dir "$WORK/redis" --daemonize yes \
		--pidfile "$WORK/redis/pid" --logfile "$WORK/redis/log" >/dev/null || die "redis-server did not start"
	UNDO+=("kill -CONT \"\$(cat '$WORK/redis/pid')\"; kill \"\$(cat '$WORK/redis/pid')\"")
	compile redis_floor -lhiredis
	run_psql -c "ALTER SYSTEM SET cached_query.redis_url = 'unix://$WORK/redis/s'" -c "SELECT pg_reload_conf()" >/dev/null
	sleep 1
	list=$(cached_as "$LIST_QUERY" payments)
	one=$(cached "$ROW_QUERY" "$(run_psql -c "SELECT cached_query_columns('$ROW_QUERY')")")
	PGOPTIONS="-c cached_query.store=redis -c cached_query.mode=refresh" fill "$list"
	sleep 3
	for ((round = 1; round <= ROUNDS; round++)); do
		read -r floor bytes < <(as_user "$WORK/redis_floor" "$WORK/redis/s")
		lat redis_large -r 1 -n 9 -w 2 -c 0 explain "list@options='$only -c cached_query.store=redis'" "$list"
		hit=$(figure list median)
		raw redis_large floor $round "$floor"
		raw redis_large list_hit $round "$hit"
	done
	report_tps G9 "100,000 x 14 from Redis / hiredis, chunked, $bytes bytes" redis_large list_hit floor "<=" 2
	fill "$one"
	PGOPTIONS="-c cached_query.store=redis -c cached_query.mode=refresh" fill "$one"
	sleep 1
	fill "$one"
	lat redis_small -p "$PROCESSOR" -n 500 -w 100 -c 0 prepared "memory@options='$only'" "$one" \
		prepared "redis@options='$only -c cached_query.store=redis'" "$one"
	report "" "1 row from Redis, longer than from memory, us" "$(figure redis difference)" "" "" "" \
		"$(figure redis median) - $(figure memory median) us"
	# without the client's part, against the round trip itself
	name=$(as_user redis-cli -s "$WORK/redis/s" --raw KEYS 'cached_query:*}' | while read -r name; do
		[ "$(as_user redis-cli -s "$WORK/redis/s" STRLEN "$name")" -gt 10000 ] || echo "$name"; done | head -n 1)
	one=$(in_a_loop 2000 "${one/SELECT \*/PERFORM payment_id}")
	for ((round = 1; round <= ROUNDS; round++)); do
		read -r floor bytes < <(as_user "$WORK/redis_floor" "$WORK/redis/s" 5000 "$name")
		lat redis_loop -r 1 -n 3 -w 1 -c 0 -d 2000 simple "memory@options='$only'" "$one" \
			simple "redis@options='$only -c cached_query.store=redis'" "$one"
		raw redis_loop floor $round "$floor"
		raw redis_loop longer $round "$(figure redis difference)"
	done
	report_tps "" "  the same in the backend / hiredis's round trip" redis_loop longer floor "" ""
	hanging_redis
	run_psql -c "ALTER SYSTEM RESET cached_query.redis_url" -c "SELECT pg_reload_conf()" >/dev/null
}

# The client without a cache around it, and what authenticating costs.
part_client()
{
	local config
	start_redis
	config=$(copy_server "$WORK/debug/server") || exit 1
	copy_sources "$WORK/debug/src"
	build "$WORK/debug/src" "$config" CQ_DEBUG=1 || die "the debug build failed"
	start_server client "$config" "cached_query.redis_url = 'unix://$REDIS_DIR/s'"
	run_psql -c "CREATE EXTENSION cached_query" -c "CREATE FUNCTION cached_query_redis_many(text[], int, int)
		RETURNS bigint AS '\$libdir/cached_query' LANGUAGE C STRICT VOLATILE"
	compile redis_client -lpq -lhiredis
	as_user g++ -std=gnu++20 -Wall -Wextra -Werror -O2 "$WORK/src/test/bench/mac.cpp" -o "$WORK/mac" -lcrypto ||
		die "mac.cpp does not compile"
	as_user "$WORK/redis_client" "$REDIS_DIR/s" "$RAW" $((3 * ROUNDS)) || die "redis_client failed"
	report_tps "" "12 x 1 MB from Redis, ours / hiredis" client_big backend hiredis "" ""
	report_tps "" "177 bytes from Redis, ours / hiredis" client_small backend hiredis "" ""
	as_user "$WORK/mac" "$ROUNDS" | sed 's/^/     /' | as_user tee -a "$TABLE"
	stop_server client
	stop_redis
	export PGHOST=$MAIN_HOST
}
