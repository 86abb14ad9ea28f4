# shellcheck shell=bash disable=SC2154,SC2016 # RAW, TABLE, HOST, .. are of run, which sources this
#
# first.sh - the part of test/bench/run that asks what the first call of a text costs
#
# Two builds beside each other: the sources as they are, and those of the revision BASE of this
# repository, each on a server of its own.  A session calls one text after the other, which differ
# in a number: each call is the first one of its text, with the catalog cache warm from those
# before.  When the texts are called for the first time they miss; another session that calls the
# same ones hits.  Both builds in turn: time, and CPU time of the backend.  Then, where valgrind is there,
# the instructions of the same calls (profile.sh), which a busy machine does not change.

BASE=${BASE:-d48d5a13d9b1}
FIRST_TEXTS=40
declare -A HOST FIRST_CONFIG

first_tables()
{
	cat <<'SQL'
CREATE EXTENSION cached_query;
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, region text NOT NULL);
CREATE TABLE products (id int PRIMARY KEY, name text NOT NULL, price numeric(10,2) NOT NULL);
CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL REFERENCES customers, day date NOT NULL);
CREATE TABLE lines (order_id int REFERENCES orders, line int, product int NOT NULL REFERENCES products,
	quantity int NOT NULL, PRIMARY KEY (order_id, line));
CREATE TABLE events (id int NOT NULL, note text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
SELECT format('CREATE TABLE events_%s PARTITION OF events FOR VALUES FROM (%s) TO (%s)', i, i * 1000, i * 1000 + 1000)
  FROM generate_series(0, 11) AS i \gexec
INSERT INTO customers SELECT i, 'customer ' || i, 'region ' || i % 4 FROM generate_series(1, 1000) AS i;
INSERT INTO products SELECT i, 'product ' || i, i * 1.10 FROM generate_series(1, 100) AS i;
INSERT INTO orders SELECT i, 1 + i % 1000, date '2024-01-01' + i % 365 FROM generate_series(1, 5000) AS i;
INSERT INTO lines SELECT o, l, 1 + (o + l) % 100, l FROM generate_series(1, 5000) AS o, generate_series(1, 3) AS l;
INSERT INTO events SELECT i, 'event ' || i FROM generate_series(0, 11999) AS i;
CREATE VIEW totals AS SELECT o.id, c.name, sum(l.quantity * p.price) AS total FROM orders AS o
	JOIN customers AS c ON c.id = o.customer JOIN lines AS l ON l.order_id = o.id
	JOIN products AS p ON p.id = l.product GROUP BY o.id, c.name;
CREATE FUNCTION total(int) RETURNS numeric LANGUAGE sql STABLE AS
	'SELECT sum(l.quantity * p.price) FROM lines AS l JOIN products AS p ON p.id = l.product WHERE l.order_id = $1';
CREATE FUNCTION rebate(o int) RETURNS numeric LANGUAGE plpgsql STABLE AS $$
DECLARE
	sum numeric := 0;
	one record;
BEGIN
	FOR one IN SELECT l.quantity, p.price FROM lines AS l JOIN products AS p ON p.id = l.product WHERE l.order_id = o LOOP
		sum := sum + one.quantity * one.price;
	END LOOP;
	IF sum > 100 THEN
		RETURN round(sum * 0.05, 2);
	END IF;
	RETURN 0;
END $$;
VACUUM (FREEZE, ANALYZE);
SQL
}

FIRST_SHAPES=(key join list view partitioned sql plpgsql)
declare -A FIRST_NAME=([key]="key look-up" [join]="join of 4 tables" [list]="IN list of 200 constants" [view]="view"
	[partitioned]="partitioned table" [sql]="function in SQL" [plpgsql]="function in PL/pgSQL")

# first_statement SHAPE: with {n} where lat and repeat put the number of the call
first_statement()
{
	case $1 in
		key) cached "SELECT customer FROM orders WHERE id = {n}" "customer int" ;;
		join) cached "SELECT o.day, c.name, p.name AS product, l.quantity FROM orders AS o JOIN customers AS c ON c.id = o.customer
			JOIN lines AS l ON l.order_id = o.id JOIN products AS p ON p.id = l.product WHERE o.id = {n} ORDER BY l.line" \
			"day date, name text, product text, quantity int" ;;
		list) cached "SELECT count(*) FROM orders WHERE id IN ({n}$(printf ', %d' {1..199}))" "count bigint" ;;
		view) cached "SELECT name, total FROM totals WHERE id = {n}" "name text, total numeric" ;;
		partitioned) cached "SELECT note FROM events WHERE id = {n}" "note text" ;;
		sql) cached "SELECT total({n})" "total numeric" ;;
		plpgsql) cached "SELECT rebate({n})" "rebate numeric" ;;
	esac
}

# The other build: its pg_config in FIRST_CONFIG[base].
build_base()
{
	local repository=(git -c safe.directory="$ROOT" -C "$ROOT")
	"${repository[@]}" rev-parse -q --verify "$BASE^{commit}" >/dev/null ||
		die "part first compares with the revision BASE, and there is no $BASE"
	title "building revision $BASE"
	FIRST_CONFIG[base]=$(copy_server "$WORK/base_server") || exit 1
	FIRST_CONFIG[now]=$CONFIG
	as_user mkdir -p "$WORK/base_src"
	"${repository[@]}" archive "$BASE" | as_user tar -C "$WORK/base_src" -xf - || die "no sources of $BASE"
	build "$WORK/base_src" "${FIRST_CONFIG[base]}" || die "the build of $BASE failed"
}

time_first()
{
	local build shape outcome statement
	for build in base now; do
		start_server "first_$build" "${FIRST_CONFIG[$build]}" "jit = off" "autovacuum = off" "cached_query.memory = 128MB"
		HOST[$build]=$PGHOST
		first_tables | run_psql >/dev/null || die "the tables could not be made"
	done
	for shape in "${FIRST_SHAPES[@]}"; do
		statement=$(first_statement "$shape")
		for outcome in miss hit; do
			lat "first_${shape}_$outcome" -n $FIRST_TEXTS -w 5 -c $FIRST_TEXTS simple "base@host=${HOST[base]}" "$statement" \
				simple "now@host=${HOST[now]}" "$statement"
			report_ratio F1 "${FIRST_NAME[$shape]}, $outcome, now / base" now "<=" 1.5
			report "" "  CPU time of the backend" "$(figure now cpu_ratio)" "" "" "" \
				"$(figure now cpu) us / $(figure base cpu) us"
		done
	done
	stop_server first_base
	stop_server first_now
}

# Instructions in the user space of the backend: count_first BUILD
declare -A FIRST_COUNT=()
count_first()
{
	local build=$1 shape outcome statement
	profile_server "${FIRST_CONFIG[$build]}" "$WORK/src" first_tables
	for shape in "${FIRST_SHAPES[@]}"; do
		statement=$(first_statement "$shape")
		# the second run is another session with the same texts
		for outcome in miss hit; do
			FIRST_COUNT[$build.$shape.$outcome]=$(instructions "$shape.$outcome" simple $FIRST_TEXTS "$statement") || exit 1
		done
	done
	stop_server profile
}

part_first()
{
	local shape outcome now base
	build_base
	time_first
	if command -v valgrind >/dev/null && [ -e /usr/include/valgrind/callgrind.h ]; then
		count_first base
		count_first now
		for shape in "${FIRST_SHAPES[@]}"; do
			for outcome in miss hit; do
				now=${FIRST_COUNT[now.$shape.$outcome]} base=${FIRST_COUNT[base.$shape.$outcome]}
				report F1 "${FIRST_NAME[$shape]}, $outcome, instructions" "$(awk "BEGIN { print $now / $base }")" "" "<=" 1.5 \
					"$((now / 1000))k / $((base / 1000))k"
			done
		done
	fi
	export PGHOST=$MAIN_HOST
}
