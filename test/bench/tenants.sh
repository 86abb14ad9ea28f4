# shellcheck shell=bash disable=SC2154,SC2153,SC2016 # RAW, TABLE, .. are of run, which sources this
#
# tenants.sh - part tenants: one table of many tenants, 10 % single-row writes; and part bulk: what the trigger of
# a tracked table costs those who write many rows; part of run

TENANTS=${TENANTS:-1000}
# Of each tenant.  Its sum takes a few milliseconds, as queries that are worth caching do: the rows lie scattered.
# Pgpool-II caches it, too: it would not with max() or min(), of which there are some for timestamptz.
TENANT_ROWS=${TENANT_ROWS:-2000}
# Of each side, in each round, after all tenants were asked for once.
TENANT_SECONDS=${TENANT_SECONDS:-4}
TENANT_QUERY="SELECT sum(version), count(*), sum(amount), avg(amount) FROM orders WHERE tenant_id = "
TENANT_CALL="SELECT * FROM cached_query(\$q\$$TENANT_QUERY\$1\$q\$, '1d', {t}::int)
	AS t(versions bigint, orders bigint, amount numeric, average numeric)"

make_orders()
{
	run_psql -v tenants="$TENANTS" -v rows="$((TENANTS * TENANT_ROWS))" <<'SQL'
CREATE EXTENSION cached_query;
CREATE TABLE orders (id int NOT NULL, tenant_id int NOT NULL, version int NOT NULL, amount numeric(12,2) NOT NULL,
	placed timestamp NOT NULL, note text NOT NULL) WITH (fillfactor = 90);
INSERT INTO orders SELECT n, 1 + (n - 1) % :tenants, 0, n % 100000 * 0.01, timestamp '2024-01-01' + n * interval '1 s', 'order ' || n
  FROM generate_series(1, :rows) AS n;
ALTER TABLE orders ADD PRIMARY KEY (id);
CREATE INDEX ON orders (tenant_id);
VACUUM (FREEZE, ANALYZE) orders;
CHECKPOINT;
SQL
}

# Eight clients on all tenants, 10 % writes: tenants LABEL ROUND READ_HOST WRITE_HOST STATEMENT [OPTION...]
tenants()
{
	as_user "$WORK/mix" -o "$CSV" -u -k "$TENANTS" -n "$TENANT_ROWS" -c 8 -s "$TENANT_SECONDS" -w 10 -t tenants -l "$1" \
		-r "$2" "${@:6}" "$3" "$4" "$5" || die "mix failed: $1"
}

# One side of ours: our_tenants LABEL ROUND
our_tenants()
{
	local before
	run_psql -c "SELECT cached_query_clear()" >/dev/null
	before=$(our_hits)
	tenants "$1" "$2" "host=$PGHOST options='-c cached_query.consistency=exact'" "host=$PGHOST" "$TENANT_CALL" -p
	add tenants "$1" "$2" hits $(($(our_hits) - before))
}

part_tenants()
{
	local round pool before direct="host="
	begin_side tenants
	start_redis
	start_server tenants "$CONFIG" "shared_buffers = 1GB" "cached_query.memory = 128MB" "jit = off" "autovacuum = off" \
		"max_wal_size = 8GB" "max_parallel_workers_per_gather = 0"
	job make_orders || die "the table could not be made"
	direct="host=$PGHOST"
	for ((round = 1; round <= LONG_ROUNDS; round++)); do
		run_psql -c "VACUUM orders"
		tenants direct $round "$direct" "$direct" "$TENANT_QUERY{t}" -p
		our_tenants exact $round
		run_psql -c "SELECT cached_query_track('orders', keys => '{tenant_id}')" >/dev/null
		our_tenants tracked $round
		run_psql -c "SELECT cached_query_untrack('orders')" >/dev/null
		pool=$(free_port)
		start_pgpool "$pool" 20 "memqcache_auto_cache_invalidation = on" "memqcache_expire = 0" \
			"memqcache_cache_block_size = 1MB" "memqcache_maxcache = 400kB"
		before=$(PGHOST=$WORK/pgpool PGPORT=$pool pool_hits)
		tenants pgpool $round "host=$WORK/pgpool port=$pool" "host=$WORK/pgpool port=$pool" "$TENANT_QUERY{t}"
		add tenants pgpool $round hits $(($(PGHOST=$WORK/pgpool PGPORT=$pool pool_hits) - before))
		stop_pgpool
		redis_cli FLUSHALL >/dev/null
		tenants redis $round "$direct" "$direct" "$TENANT_QUERY{t}" -p -q "$REDIS_PORT"
	done
	finish_side tenants
	stop_redis
	stop_server tenants
	export PGHOST=$MAIN_HOST
}

# ---- The trigger, in bulk ----

BULK_ROWS=${BULK_ROWS:-1000000}
# Without a trigger; with the same trigger, which is not as cached_query_track() makes it and so returns at once: what
# PostgreSQL takes for an AFTER ROW trigger in C; tracked.
BULK_TABLES=(plain idle tracked)

make_bulk()
{
	local table
	run_psql -c "CREATE EXTENSION IF NOT EXISTS cached_query"
	for table in "${BULK_TABLES[@]}"; do
		run_psql -c "CREATE UNLOGGED TABLE bulk_$table (tenant_id int, id int, v int, at timestamptz, note text)"
	done
	run_psql -c "CREATE TRIGGER idle AFTER INSERT OR UPDATE OR DELETE ON bulk_idle FOR EACH ROW
		EXECUTE FUNCTION cached_query_tracker('tenant_id')"
	run_psql -c "SELECT cached_query_track('bulk_tracked', keys => '{tenant_id}')" >/dev/null
}

# A statement, with the processor time that its backend takes for it: bulk_timed NAME TABLE ROUND STATEMENT.  The script.
bulk_timed()
{
	cat <<PSQL
\\set before \`cut -d ' ' -f 1 /proc/:pid/schedstat\`
$4;
\\set after \`cut -d ' ' -f 1 /proc/:pid/schedstat\`
SELECT 'bulk,$2,$3,$1,' || round((:after - :before) / 1000.0 / $BULK_ROWS, 4);
PSQL
}

# All four statements on one table, whose rows are of so many tenants: bulk_round TENANTS TABLE ROUND.  The script.
bulk_round()
{
	local table=bulk_$2
	say "TRUNCATE $table;"
	bulk_timed "copy.$1" "$2" "$3" "COPY $table FROM '$WORK/tmp/bulk.$1'"
	bulk_timed "update.$1" "$2" "$3" "UPDATE $table SET v = v + 1"
	bulk_timed "delete.$1" "$2" "$3" "DELETE FROM $table"
	say "TRUNCATE $table;"
	bulk_timed "insert.$1" "$2" "$3" "INSERT INTO $table SELECT n % $1, n, 0, now(), 'note ' || n FROM generate_series(1, $BULK_ROWS) AS n"
}

# CPU time of the backend for each row; the tables in turn, each comes first in every third round.
part_bulk()
{
	local round tenants what
	begin_side bulk
	start_server bulk "$CONFIG" "shared_buffers = 512MB" "jit = off" "autovacuum = off" "max_wal_size = 4GB"
	make_bulk || die "the tables could not be made"
	for tenants in 1 "$TENANTS"; do
		run_psql -c "COPY (SELECT n % $tenants, n, 0, now(), 'note ' || n FROM generate_series(1, $BULK_ROWS) AS n)
			TO '$WORK/tmp/bulk.$tenants'"
	done
	for ((round = 0; round <= ROUNDS; round++)); do
		BULK_TABLES=("${BULK_TABLES[@]:1}" "${BULK_TABLES[0]}")
		{
			say "SELECT pg_backend_pid() AS pid \\gset"
			for tenants in 1 "$TENANTS"; do
				for what in "${BULK_TABLES[@]}"; do
					bulk_round "$tenants" "$what" $round
				done
			done
		} | run_psql | grep ^bulk, | { [ $round -eq 0 ] && cat >/dev/null || as_user tee -a "$CSV" >/dev/null; }
	done
	finish_side bulk
	stop_server bulk
	export PGHOST=$MAIN_HOST
}
