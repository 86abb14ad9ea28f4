# shellcheck shell=bash disable=SC2154,SC2034,SC2016 # RAW, TABLE, .. are of run, which sources this
#
# wire.sh - part wire: beside Pgpool-II and a server that only writes the bytes; part of run

# A port that nobody listens on, of 127.0.0.1.
free_port()
{
	local port
	while port=$((20000 + RANDOM % 12000)); do
		! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || continue
		echo "$port"
		return
	done
}

# Pgpool-II before the server that PGHOST and PGPORT name, with its query cache in shared memory and
# limits that let 100,000 rows in: start_pgpool PORT [CHILDREN [LINE...]].  Prints nothing; ends with
# stop_pgpool.
start_pgpool()
{
	local port=$1 children=${2:-8} dir=$WORK/pgpool
	shift $(($# < 2 ? 1 : 2))
	rm -rf "$dir"
	as_user mkdir -p "$dir/oid"
	as_user tee "$dir/pgpool.conf" >/dev/null <<CONF
backend_clustering_mode = 'raw'
listen_addresses = '127.0.0.1'
port = $port
socket_dir = '$dir'
pcp_listen_addresses = ''
pcp_port = $(free_port)
pcp_socket_dir = '$dir'
backend_hostname0 = '$PGHOST'
backend_port0 = ${PGPORT:-5432}
backend_data_directory0 = '$(dirname "$PGHOST")/data'
num_init_children = $children
max_pool = 1
pid_file_name = '$dir/pgpool.pid'
logdir = '$dir'
work_dir = '$dir'
sr_check_period = 0
health_check_period = 0
memory_cache_enabled = on
memqcache_method = 'shmem'
memqcache_total_size = 512MB
memqcache_maxcache = 60MB
memqcache_cache_block_size = 64MB
memqcache_expire = 0
memqcache_auto_cache_invalidation = off
memqcache_oiddir = '$dir/oid'
$(printf '%s\n' "$@")
CONF
	as_user touch "$dir/pcp.conf" "$dir/pool_hba.conf"
	# in a session of its own, as a daemon is and as each backend is: Linux may give processors to sessions
	as_user setsid ${POOL_PROCESSOR:+taskset -c "$POOL_PROCESSOR"} pgpool -n -f "$dir/pgpool.conf" -F "$dir/pcp.conf" -a "$dir/pool_hba.conf" \
		>"$WORK/log/pgpool.log" 2>&1 </dev/null &
	UNDO+=("stop_pgpool")
	for _ in {1..100}; do
		PGHOST=$dir PGPORT=$port run_psql -c "SELECT 1" >/dev/null 2>&1 && return
		sleep 0.1
	done
	tail -n 20 "$WORK/log/pgpool.log"
	die "Pgpool-II did not start"
}

stop_pgpool()
{
	local file=$WORK/pgpool/pgpool.pid
	[ -e "$file" ] || return 0
	as_user kill -INT "$(tr -d '\0' <"$file")" 2>/dev/null
	for _ in {1..50}; do
		[ -e "$file" ] || return 0
		sleep 0.1
	done
	rm -f "$file"
}

pool_hits() { run_psql -c "SHOW pool_cache" | tr -d '\0' | cut -d '|' -f 1; }

# A server that only writes the bytes of this statement's answer, which it asks for here: start_floor
# PORT STATEMENT.  Its socket is in $WORK/floor; ends with stop_floor.
start_floor()
{
	local dir=$WORK/floor
	as_user gcc -std=gnu11 -Wall -Wextra -Werror -O2 -I"$("$PG_CONFIG" --includedir)" \
		"$WORK/src/test/bench/floor.c" -o "$WORK/tmp/floor" -L"$("$PG_CONFIG" --libdir)" \
		-Wl,-rpath,"$("$PG_CONFIG" --libdir)" -lpq || die "floor.c does not compile"
	rm -rf "$dir"
	as_user mkdir -p "$dir"
	UNDO+=("stop_floor")
	as_user "$WORK/tmp/floor" "$dir" "$1" "$2" >"$WORK/log/floor.log" 2>&1 </dev/null &
	for _ in {1..100}; do
		[ ! -e "$dir/floor.pid" ] || return 0
		sleep 0.1
	done
	cat "$WORK/log/floor.log"
	die "the floor did not start"
}

stop_floor()
{
	local file=$WORK/floor/floor.pid
	[ ! -e "$file" ] || as_user kill "$(cat "$file")" 2>/dev/null
	rm -f "$file"
}

# Times of two statements of the last measurement against each other, for information
report_times()
{
	report "" "$1" "$(awk -v a="$(figure "$2" median)" -v b="$(figure "$3" median)" 'BEGIN { print a / b }')" "" "" ""
}

part_wire()
{
	local list view="SELECT * FROM payments_view" port pool floor how host least hits goal
	local only="options='-c cached_query.mode=only_cached'"
	port=$(free_port)
	pool=$(free_port)
	floor=$(free_port)
	start_server wire "$CONFIG" "shared_buffers = 512MB" "cached_query.memory = 512MB" \
		"cached_query.max_entry_size = 256MB" "jit = off" "autovacuum = off" "max_wal_size = 4GB" \
		"listen_addresses = '127.0.0.1'" "port = $port"
	export PGPORT=$port
	make_tables "$ROWS" >/dev/null || die "the tables could not be made"
	start_pgpool "$pool"
	list=$(cached_as "$LIST_QUERY" payments)
	fill "$list"
	same "$LIST_QUERY" "$list"
	start_floor "$floor" "$list"
	for how in unix TCP; do
		host=$PGHOST
		least="floor@host=$WORK/floor port=$floor"
		[ $how = unix ] || host=127.0.0.1
		[ $how = unix ] || least="floor@host=127.0.0.1 port=$floor"
		lat "wire_$how" -n 2 -w 3 -c 2 simple "view@host=$host" "$view" simple "list@host=$host $only" "$list" \
			simple "$least" "$list"
		report_ratio G6 "100,000 x 14, $how, time / materialized view" list "<=" 0.35
		report_ratio "" "  of a server that only writes these bytes" floor "" ""
		report G6 "  the same, CPU time of the backend" "$(figure list cpu_ratio)" "" "<=" 0.12
		report "" "  of a server that only writes" "$(figure floor cpu_ratio)" "" "" ""
		lat "drain_$how" -n 2 -w 3 -c 0 drain "view@host=$host" "$view" drain "list@host=$host $only" "$list" \
			drain "$least" "$list"
		report_ratio "" "  time of a client that only reads" list "" ""
		report_ratio "" "  of a server that only writes" floor "" ""
		[ $how = TCP ] || host=$WORK/pgpool
		hits=$(PGHOST=$host PGPORT=$pool pool_hits)
		lat "pgpool_$how" -n 2 -w 3 -c 0 simple "pgpool@host=$host port=$pool" "$LIST_QUERY" \
			simple "list@host=${host/#$WORK\/pgpool/$PGHOST} $only" "$list" simple "$least" "$list"
		hits=$(($(PGHOST=$host PGPORT=$pool pool_hits) - hits))
		[ "$hits" -ge $((2 * ROUNDS)) ] || die "Pgpool-II had $hits hits only"
		report_ratio G7 "100,000 x 14, $how, time / Pgpool-II's hit" list "<=" 0.7
		report_ratio "" "  of a server that only writes these bytes" floor "" ""
		report_times "  a hit / a server that only writes" list floor
		report_times "  Pgpool-II's hit / a server that only writes" pgpool floor
		lat "pgpool_drain_$how" -n 2 -w 3 -c 0 drain "pgpool@host=$host port=$pool" "$LIST_QUERY" \
			drain "list@host=${host/#$WORK\/pgpool/$PGHOST} $only" "$list" drain "$least" "$list"
		report_ratio "" "  time of a client that only reads" list "" ""
		report_ratio "" "  of a server that only writes" floor "" ""
	done
	stop_floor
	lat wire_direct -n 1 -w 1 -c 0 simple "list@$only" "$list" simple direct "$LIST_QUERY"
	goal=("" "")
	[ "$ROWS" -lt 13000000 ] || goal=(">=" 15)
	report_ratio G8 "the query itself, of $((ROWS / 1000000)) million rows / a hit" direct "${goal[0]}" "${goal[1]}"
	stop_pgpool
	stop_server wire
	unset PGPORT
	export PGHOST=$MAIN_HOST
}
