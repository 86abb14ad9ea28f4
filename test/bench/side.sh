# shellcheck shell=bash disable=SC2154,SC2153,SC2016 # RAW, TABLE, .. are of run, which sources this
#
# side.sh - the parts of test/bench/run that show cached_query beside what else one would take
#
# Each part appends the figures of its rounds to $CSV (test,label,round,metric,value) and ends with
# finish_side PART, which keeps them as results/PART.csv and has plot.py make of them results/PART.svg,
# results/PART.md and the part's lines of the table.  Daemons listen on 127.0.0.1 or on sockets only.

CSV=
REDIS_PORT=
APP_PORT=
PYTHON=/usr/bin/python3
# Rounds of parts in which one takes seconds.
LONG_ROUNDS=$(((ROUNDS * 5 + 6) / 7))

# "now" for the CSV: add TEST LABEL ROUND METRIC VALUE
add() { printf '%s,%s,%s,%s,%s\n' "$@" | as_user tee -a "$CSV" >/dev/null; }

begin_side()
{
	CSV=$WORK/tmp/$1.csv
	say "test,label,round,metric,value" | as_user tee "$CSV" >/dev/null
	SIDE_LOAD=$(cut -d ' ' -f 1-3 /proc/loadavg)
	SIDE_START=$SECONDS
}

# Keeps the part's figures, and shows them.
finish_side()
{
	local part=$1 lines line
	local -a words
	lines=$(as_user "$PYTHON" "$WORK/src/test/bench/plot.py" "$part" "$CSV" "$WORK/tmp" \
		"$(describe_machine | head -n 2 | sed 's/$/, /' | tr -d '\n')load average $SIDE_LOAD before, $(
			cut -d ' ' -f 1-3 /proc/loadavg) after; $(versions "$part")") || die "plot.py failed"
	while IFS= read -r line; do
		[ -n "$line" ] || continue
		mapfile -t -d '|' words < <(printf '%s' "$line")
		report "${words[@]}"
	done <<<"$lines"
	say "       $part took $((SECONDS - SIDE_START)) s" | as_user tee -a "$TABLE"
	if mkdir -p "$ROOT/test/bench/results" 2>/dev/null; then
		cp "$CSV" "$WORK/tmp/$part.md" "$ROOT/test/bench/results" &&
			cp "$WORK/tmp/$part"*.svg "$ROOT/test/bench/results"
	fi
}

# What took part, with its Debian version: versions PART
versions()
{
	local package
	case $1 in
		article) set -- redis-server python3-fastapi python3-uvicorn python3-psycopg2 python3-redis ;;
		peers | writes | tenants | loses) set -- pgpool2 redis-server libhiredis-dev ;;
		stampede) set -- pgpool2 redis-server python3-fastapi ;;
		*) set -- ;;
	esac
	for package in "$@"; do
		printf '%s %s, ' "${package#python3-}" "$(dpkg-query -W -f '${Version}' "$package" 2>/dev/null)"
	done
	"$CONFIG" --version
}

load() { as_user "$WORK/load" -o "$CSV" "$@" || die "load failed: $*"; }

# lat's rounds of tests with this prefix, as p50 in milliseconds: lat_to_csv PREFIX
lat_to_csv()
{
	awk -F , -v prefix="$1" 'index($1, prefix) == 1 { printf "%s,%s,%s,p50,%.6g\n", $1, $2, $4, $8 / 1000 }' "$RAW" |
		as_user tee -a "$CSV" >/dev/null
}

# ---- Daemons ----

# A Redis on TCP and on a socket, as the article has it but without a disk: start_redis
start_redis()
{
	REDIS_PORT=$(free_port)
	REDIS_DIR=$WORK/side_redis
	rm -rf "$REDIS_DIR"
	as_user mkdir -p -m 700 "$REDIS_DIR"
	as_user redis-server --port "$REDIS_PORT" --bind 127.0.0.1 --unixsocket "$REDIS_DIR/s" --save "" \
		--dir "$REDIS_DIR" --daemonize yes --pidfile "$REDIS_DIR/pid" --logfile "$REDIS_DIR/log" >/dev/null ||
		die "redis-server did not start"
	UNDO+=("stop_redis")
	for _ in {1..100}; do
		[ "$(redis_cli PING 2>/dev/null)" != PONG ] || return 0
		sleep 0.1
	done
	die "redis-server does not answer"
}

redis_cli() { as_user redis-cli -s "$REDIS_DIR/s" "$@"; }

stop_redis()
{
	local pid
	pid=$(cat "$REDIS_DIR/pid" 2>/dev/null) || return 0
	kill "$pid" 2>/dev/null
	for _ in {1..50}; do
		kill -0 "$pid" 2>/dev/null || return 0
		sleep 0.1
	done
}

# The web service: start_app DSN QUERY [SLOW_QUERY].  Its malloc keeps what is freed for the next request:
# else new pages for bodies of 37 MB, some 10,000 faults each time, are most of what the fast endpoints take.
start_app()
{
	APP_PORT=$(free_port)
	as_user env -C "$WORK/src/test/bench" DSN="$1" QUERY="$2" SLOW_QUERY="${3:-SELECT 1 AS a}" \
		REDIS_PORT="$REDIS_PORT" MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TRIM_THRESHOLD_=2000000000 \
		PYTHONDONTWRITEBYTECODE=1 "$PYTHON" -m uvicorn app:app --host 127.0.0.1 \
		--port "$APP_PORT" --log-level warning --no-access-log >"$WORK/log/app.log" 2>&1 </dev/null &
	APP_PID=$!
	UNDO+=("stop_app")
	for _ in {1..300}; do
		! (exec 3<>"/dev/tcp/127.0.0.1/$APP_PORT") 2>/dev/null || return 0
		sleep 0.1
	done
	tail -n 20 "$WORK/log/app.log"
	die "uvicorn did not start"
}

stop_app()
{
	[ -n "${APP_PID:-}" ] || return 0
	kill "$APP_PID" 2>/dev/null
	wait "$APP_PID" 2>/dev/null
	APP_PID=
}

http()
{
	local command=$1
	shift
	as_user env PYTHONDONTWRITEBYTECODE=1 "$PYTHON" "$WORK/src/test/bench/http_client.py" "$command" "$APP_PORT" "$@" || {
		tail -n 20 "$WORK/log/app.log"
		die "requests failed: $*"
	}
}

# ---- The article ----

ARTICLE_FROM="SELECT * FROM borrower_payments WHERE investor_id = 'DEMO_INV'
 AND transaction_date BETWEEN '2023-01-31' AND '2024-01-31'"

part_article()
{
	local port stored tries round
	local -a endpoints=(no_cache lru_cache redis_json redis_raw cached_rows cached_json cached_json_redis floor)
	begin_side article
	start_redis
	port=$(free_port)
	start_server article "$CONFIG" "shared_buffers = $(shared_buffers)" "cached_query.memory = 512MB" \
		"cached_query.max_entry_size = 256MB" "cached_query.redis_url = 'unix://$REDIS_DIR/s'" \
		"wal_level = minimal" "max_wal_senders = 0" "max_wal_size = 8GB" "autovacuum = off" \
		"listen_addresses = '127.0.0.1'" "port = $port"
	export PGPORT=$port
	run_psql -c "CREATE EXTENSION cached_query"
	table_script | run_psql >/dev/null || die "the table could not be made"
	DSN="host=127.0.0.1 port=$port user=postgres dbname=postgres"
	QUERY="$ARTICLE_FROM LIMIT 100000"
	start_app "$DSN" "$QUERY"

	# fill all caches, and have the results of /cached_json in Redis
	http get redis_json lru_cache cached_rows cached_json cached_json floor
	stored=$(run_psql -c "SELECT redis_stores FROM cached_query_stats")
	http get cached_json_redis
	for ((tries = 0; tries < 300; tries++)); do
		[ "$(run_psql -c "SELECT redis_stores > $stored FROM cached_query_stats")" != t ] || break
		sleep 0.1
	done
	http get cached_json_redis
	[ "$(run_psql -c "SELECT redis_hits > 0 FROM cached_query_stats")" = t ] || die "no hit from Redis"
	DSN=$DSN QUERY=$QUERY REFERENCE_QUERY=$ARTICLE_FROM http check "${endpoints[@]}"
	for ((round = 1; round <= LONG_ROUNDS; round++)); do
		add article direct $round server "$(explained "$QUERY")"
		add article cached $round server "$(explained "SELECT * FROM cached_query_as(NULL::borrower_payments, \$q\$$QUERY\$q\$, '1d')")"
	done
	http time "$CSV" "$LONG_ROUNDS" "${endpoints[@]}"
	add article table 1 rows "$(run_psql -c "SELECT count(*) FROM borrower_payments")"
	add article table 1 returned "$(run_psql -c "SELECT count(*) FROM ($QUERY) AS q")"
	finish_side article
	stop_app
	stop_redis
	stop_server article
	unset PGPORT DSN QUERY
	export PGHOST=$MAIN_HOST
}

# The server's part of a query, in milliseconds.
explained()
{
	run_psql -c "EXPLAIN (ANALYZE, TIMING OFF) $1" | sed -nE 's/^Execution Time: ([0-9.]+) ms/\1/p'
}

# ---- Peers ----

THOUSAND_QUERY="SELECT * FROM payments WHERE loan_id < 65"

part_peers()
{
	local pool result query mode clients rounds only="options='-c cached_query.mode=only_cached'" hits hit
	local exact="options='-c cached_query.consistency=exact'" keys=0
	local -A queries hit_of
	begin_side peers
	calibrate
	start_redis
	pool=$(free_port)
	start_pgpool "$pool" 12
	queries=([row]="$ROW_QUERY" [sum]="$(sum_query)" [thousand]="$THOUSAND_QUERY" [list]="$LIST_QUERY")
	for result in row sum thousand list; do
		query=${queries[$result]}
		run_psql -c "DROP MATERIALIZED VIEW IF EXISTS peers_$result" -c "CREATE MATERIALIZED VIEW peers_$result AS $query" 2>/dev/null
		hit=$(cached "$query" "$(run_psql -c "SELECT cached_query_columns(\$q\$$query\$q\$)")")
		hit_of[$result]=$hit
		PGOPTIONS="-c cached_query.consistency=exact" fill "$hit"
		same "$query" "$hit"
		run_psql -c "SELECT json_agg(q) FROM ($query) AS q" | tr -d '\n' | redis_cli -x SET "$result" >/dev/null
		keys=$((keys + 1))
	done
	[ "$(redis_cli DBSIZE)" -eq $keys ] || die "Redis has not all results"
	hits=$(PGHOST=$WORK/pgpool PGPORT=$pool pool_hits)
	for result in row sum thousand list; do
		rounds=$LONG_ROUNDS
		[ $result != list ] || rounds=$(((LONG_ROUNDS + 1) / 2))
		for mode in simple prepared; do
			for clients in 1 2 8; do
				load -t "peers.$result.$mode.$clients" -c $clients -r "$rounds" -s 0.3 \
					$mode "direct@host=$PGHOST" "${queries[$result]}" \
					$mode "view@host=$PGHOST" "SELECT * FROM peers_$result" \
					$mode "pgpool@host=$WORK/pgpool port=$pool" "${queries[$result]}" \
					redis "redis@$REDIS_DIR/s" "$result" \
					$mode "exact@host=$PGHOST $exact" "${hit_of[$result]}" \
					$mode "cached@host=$PGHOST $only" "${hit_of[$result]}"
			done
		done
	done
	[ $(($(PGHOST=$WORK/pgpool PGPORT=$pool pool_hits) - hits)) -ge $((16 * ROUNDS)) ] || die "Pgpool-II had no hits"
	# G4: request by request in turn, on one processor as in part small
	stop_pgpool
	POOL_PROCESSOR=$PROCESSOR start_pgpool "$pool"
	lat peers_g4 -p "$PROCESSOR" -n 300 -w 50 -c 0 prepared "cached@host=$PGHOST $only" "${hit_of[row]}" \
		prepared "pgpool@host=$WORK/pgpool port=$pool" "$ROW_QUERY"
	lat_to_csv peers_g4
	finish_side peers
	stop_pgpool
	stop_redis
}

# ---- Reads and writes ----

STOCK_QUERY="SELECT sum(version), count(*), avg(amount) FROM stock_{t}"
STOCK_COLUMNS="versions bigint, rows bigint, amount numeric"

make_stock()
{
	local i
	for i in {1..8}; do
		cat <<SQL
CREATE TABLE stock_$i (id int NOT NULL, version int NOT NULL, amount numeric(14,2) NOT NULL) WITH (fillfactor = 50);
INSERT INTO stock_$i SELECT n, 0, n * 1.01 FROM generate_series(1, 20000) AS n;
ALTER TABLE stock_$i ADD PRIMARY KEY (id);
VACUUM ANALYZE stock_$i;
SQL
	done
}

# Eight clients for a second: mix PERCENT LABEL ROUND READ_HOST WRITE_HOST STATEMENT [OPTION...]
mix()
{
	as_user "$WORK/mix" -o "$CSV" -c 8 -s 1 -w "$1" -t "writes.$1" -l "$2" -r "$3" "${@:7}" "$4" "$5" "$6" ||
		die "mix failed: $2"
}

our_hits() { run_psql -c "SELECT hits FROM cached_query_stats"; }

part_writes()
{
	local percent round pool expire before direct
	local exact_call ttl_call
	begin_side writes
	start_redis
	start_server writes "$CONFIG" "shared_buffers = 512MB" "cached_query.memory = 128MB" "jit = off" \
		"autovacuum = off" "max_wal_size = 4GB"
	run_psql -c "CREATE EXTENSION cached_query"
	make_stock | run_psql || die "the tables could not be made"
	exact_call="SELECT * FROM cached_query(\$q\$$STOCK_QUERY\$q\$, '1d') AS t($STOCK_COLUMNS)"
	ttl_call=${exact_call/1d/1s}
	direct="host=$PGHOST"
	for ((round = 1; round <= LONG_ROUNDS; round++)); do
		for percent in 0 1 10 50; do
			for i in {1..8}; do echo "VACUUM stock_$i;"; done | run_psql
			mix $percent direct $round "$direct" "$direct" "$STOCK_QUERY" -p
			run_psql -c "SELECT cached_query_clear()" >/dev/null
			before=$(our_hits)
			mix $percent exact $round "$direct options='-c cached_query.consistency=exact'" "$direct" "$exact_call" -p
			add writes.$percent exact $round hits $(($(our_hits) - before))
			run_psql -c "SELECT cached_query_clear()" >/dev/null
			before=$(our_hits)
			mix $percent ttl $round "$direct" "$direct" "$ttl_call" -p
			add writes.$percent ttl $round hits $(($(our_hits) - before))
			redis_cli FLUSHALL >/dev/null
			mix $percent redis $round "$direct" "$direct" "$STOCK_QUERY" -p -q "$REDIS_PORT"
			for expire in 0 1; do
				# with writes that it does not see, answers must at least expire
				pool=$(free_port)
				start_pgpool "$pool" 20 "memqcache_auto_cache_invalidation = on" "memqcache_expire = $expire"
				before=$(PGHOST=$WORK/pgpool PGPORT=$pool pool_hits)
				if [ $expire -eq 0 ]; then
					mix $percent pgpool $round "host=$WORK/pgpool port=$pool" "host=$WORK/pgpool port=$pool" "$STOCK_QUERY"
					add writes.$percent pgpool $round hits $(($(PGHOST=$WORK/pgpool PGPORT=$pool pool_hits) - before))
				else
					mix $percent pgpool_past $round "host=$WORK/pgpool port=$pool" "$direct" "$STOCK_QUERY"
					add writes.$percent pgpool_past $round hits $(($(PGHOST=$WORK/pgpool PGPORT=$pool pool_hits) - before))
				fi
				stop_pgpool
			done
		done
	done
	finish_side writes
	stop_redis
	stop_server writes
	export PGHOST=$MAIN_HOST
	part_tenants
	part_bulk
}

# ---- Stampede ----

# A sequential scan each, which PostgreSQL counts.
SLOW_QUERY="SELECT region, count(*) AS payments, sum(amount) AS amount FROM payments GROUP BY region ORDER BY region"
CROWD=100

scans() { run_psql -c "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'payments'"; }

# Runs a crowd and counts what it cost the server: stampede LABEL ROUND COMMAND...
stampede()
{
	local label=$1 round=$2 before
	before=$(scans)
	shift 2
	"$@"
	# backends report what they did when they end, at the latest
	[ "$label" != pgpool ] || stop_pgpool
	[[ $label != slow_* ]] || http get forget
	sleep 0.5
	add stampede "$label" "$round" executions $(($(scans) - before))
}

part_stampede()
{
	local round pool hit stale
	begin_side stampede
	start_redis
	hit=$(cached "$SLOW_QUERY" "region text, payments bigint, amount numeric")
	stale=${hit/"'$TTL'"/"'1ms'"}
	run_psql -c "ALTER SYSTEM SET max_parallel_workers_per_gather = 0" -c "SELECT pg_reload_conf()" >/dev/null
	start_app "host=$PGHOST user=postgres dbname=postgres" "SELECT 1 AS a" "$SLOW_QUERY"
	for ((round = 1; round <= (LONG_ROUNDS + 1) / 2; round++)); do
		stampede direct $round load -1 -t stampede -R $round -r 1 -c $CROWD simple "direct@host=$PGHOST" "$SLOW_QUERY"
		pool=$(free_port)
		start_pgpool "$pool" $((CROWD + 4))
		stampede pgpool $round load -1 -t stampede -R $round -r 1 -c $CROWD \
			simple "pgpool@host=$WORK/pgpool port=$pool" "$SLOW_QUERY"
		run_psql -c "SELECT cached_query_clear()" >/dev/null
		stampede cached $round load -1 -t stampede -R $round -r 1 -c $CROWD simple "cached@host=$PGHOST" "$hit"
		run_psql -c "SELECT cached_query_clear()" -c "SET cached_query.stale_for = '1h'" -c "$stale" >/dev/null
		stampede stale $round load -1 -t stampede -R $round -r 1 -c $CROWD \
			simple "stale@host=$PGHOST options='-c cached_query.stale_for=1h'" "$stale"
		for label in slow_redis slow_lru slow_cached; do
			http get forget
			run_psql -c "SELECT cached_query_clear()" >/dev/null
			stampede $label $round http crowd "$CSV" $round $CROWD $label
		done
	done
	finish_side stampede
	run_psql -c "ALTER SYSTEM RESET max_parallel_workers_per_gather" -c "SELECT pg_reload_conf()" >/dev/null
	stop_app
	stop_redis
}

# ---- Eviction ----

part_eviction()
{
	local round policy name value
	begin_side eviction
	start_server eviction "$CONFIG" "shared_buffers = 256MB" "cached_query.memory = 8MB" "jit = off" \
		"autovacuum = off" "max_parallel_workers_per_gather = 0" "cached_query.wire_image = off"
	run_psql <<'SQL'
CREATE EXTENSION cached_query;
CREATE TABLE events (id int NOT NULL, part int NOT NULL, amount numeric NOT NULL, note text NOT NULL);
INSERT INTO events SELECT i, hashint4(i) & 1023, i * 0.01, 'event number ' || i FROM generate_series(1, 100000) AS i;
ALTER TABLE events ADD PRIMARY KEY (id);
VACUUM ANALYZE events;
SQL
	as_user "$PYTHON" "$WORK/src/test/bench/trace.py" 2000 direct | as_user tee "$WORK/tmp/direct.trace" >/dev/null
	as_user "$PYTHON" "$WORK/src/test/bench/trace.py" 2000 cached | as_user tee "$WORK/tmp/cached.trace" >/dev/null
	for ((round = 1; round <= (LONG_ROUNDS + 1) / 2; round++)); do
		load -1 -t eviction -R $round -r 1 trace "none@host=$PGHOST" "$WORK/tmp/direct.trace"
		for policy in lru cost; do
			run_psql -c "ALTER SYSTEM SET cached_query.eviction = $policy" -c "SELECT pg_reload_conf()" \
				-c "SELECT cached_query_clear()" >/dev/null
			sleep 0.3
			run_psql -c "SELECT cached_query_stats_reset()" >/dev/null
			load -1 -t eviction -R $round -r 1 trace "$policy@host=$PGHOST" "$WORK/tmp/cached.trace"
			while IFS='|' read -r name value; do
				add eviction $policy $round "$name" "$value"
			done < <(run_psql -c "SELECT name, value FROM cached_query_stats, LATERAL (VALUES
				('hits', hits::float8), ('misses', misses), ('evictions', evictions), ('saved_ms', saved_ms)) AS v(name, value)")
		done
	done
	finish_side eviction
	stop_server eviction
	export PGHOST=$MAIN_HOST
}

# ---- Where it loses ----

# Rows by key, each once, in the backend: by_key WAY
by_key()
{
	local query="SELECT amount FROM payments WHERE payment_id = \$1"
	case $1 in
		direct) printf 'DO $do$ DECLARE k bigint; BEGIN FOR i IN 1..2000 LOOP k := 1 + floor(random() * 1000000);
			PERFORM amount FROM payments WHERE payment_id = k; END LOOP; END $do$' ;;
		*) printf 'DO $do$ DECLARE k bigint; BEGIN FOR i IN 1..2000 LOOP k := 1 + floor(random() * 1000000);
			PERFORM amount FROM cached_query(%s, %s, k) AS t(amount numeric(14,2)); END LOOP; END $do$' "'$query'" "'$TTL'" ;;
	esac
}

part_loses()
{
	local pool hit mode only="options='-c cached_query.mode=only_cached'"
	begin_side loses
	start_redis
	pool=$(free_port)
	start_pgpool "$pool" 12
	hit=$(cached "$ROW_QUERY" "$(run_psql -c "SELECT cached_query_columns('$ROW_QUERY')")")
	run_psql -c "SELECT cached_query_clear()" >/dev/null
	fill "$hit"
	for mode in prepared simple; do
		lat loses_hit_$mode -p "$PROCESSOR" -n 500 -w 100 -c 0 $mode "direct@host=$PGHOST" "$ROW_QUERY" \
			$mode "cached@host=$PGHOST $only" "$hit"
	done
	lat loses_pgpool -n 300 -w 50 -c 0 simple "pgpool@host=$WORK/pgpool port=$pool" "$ROW_QUERY" \
		simple "cached@host=$PGHOST $only" "$hit"
	lat loses_miss -n 3 -w 1 -c 0 -d 2000 simple "direct@host=$PGHOST" "$(by_key direct)" \
		simple "cached@host=$PGHOST" "$(by_key cached)"
	lat_to_csv loses_
	stop_pgpool
	fill "$(cached_as "$LIST_QUERY" payments)" "$(cached_as "$LIST_QUERY" payments)"
	as_user env PYTHONDONTWRITEBYTECODE=1 "$PYTHON" "$WORK/src/test/bench/decode.py" "host=$PGHOST user=postgres dbname=postgres" \
		"$REDIS_PORT" "$LIST_QUERY" "$CSV" "$LONG_ROUNDS" || die "decode.py failed"
	finish_side loses
	stop_redis
}
