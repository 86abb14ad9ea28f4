# shellcheck shell=bash disable=SC2154,SC2034,SC2016 # RAW, TABLE, .. are of run, which sources this
#
# measure.sh - statements, tables, timings and the table of ratios; part of run

# ---- The statements ----

# A statement's text inside cached_query() and its kin; no query here has $q$ in it.
quoted() { printf "\$q\$%s\$q\$, '%s'" "$1" "$TTL"; }
cached() { printf 'SELECT * FROM cached_query(%s) AS t(%s)' "$(quoted "$1")" "$2"; }
cached_as() { printf 'SELECT * FROM cached_query_as(NULL::%s, %s)' "$2" "$(quoted "$1")"; }
refreshed()
{
	printf "SELECT * FROM cached_query_with('{\"mode\": \"refresh\"}', %s) AS t(%s)" "$(quoted "$1")" "$2"
}

ONE_QUERY="SELECT payment_id FROM payments WHERE payment_id = 4711"
ONE_COLUMNS="payment_id bigint"
ROW_QUERY="SELECT * FROM payments WHERE payment_id = 4711"
LIST_QUERY="SELECT * FROM payments WHERE investor_id = 'DEMO_INV'"
# An aggregate over a part of the table that takes about 60 ms; calibrate() sets PART.
PART=400000
sum_query()
{
	printf '%s' "SELECT region, count(*), sum(amount), avg(fee) FROM payments
		WHERE payment_id <= $PART GROUP BY region ORDER BY region"
}
SUM_COLUMNS="region text, payments bigint, amount numeric, fee numeric"

# Payments of 14 columns, of which 100,000 are one investor's, and those once more as a materialized
# view: make_tables NUMBER, a multiple of a million.
make_tables()
{
	run_psql -v rows="$1" <<'SQL'
CREATE EXTENSION cached_query;
CREATE TABLE payments (
	payment_id       bigint NOT NULL,
	loan_id          bigint NOT NULL,
	investor_id      text NOT NULL,
	borrower_name    text NOT NULL,
	region           text NOT NULL,
	payment_method   text NOT NULL,
	status           text NOT NULL,
	transaction_date date NOT NULL,
	created_at       timestamptz NOT NULL,
	amount           numeric(14,2) NOT NULL,
	principal        numeric(14,2) NOT NULL,
	interest         numeric(14,2) NOT NULL,
	fee              numeric(14,2),
	settled          boolean NOT NULL
);
INSERT INTO payments
SELECT i, i % 65000, CASE i % (:rows / 100000) WHEN 7 THEN 'DEMO_INV' ELSE 'INVESTOR_' || i % 10 END,
	'borrower ' || i % 65000, ('{north,east,south,west}'::text[])[1 + h / 8 % 4],
	('{transfer,card,direct debit}'::text[])[1 + h / 32 % 3],
	('{paid,paid,paid,late,partial}'::text[])[1 + h / 128 % 5],
	date '2020-01-01' + h % 1825, timestamptz '2020-01-01 12:00+00' + (h % 1825) * interval '1 day',
	cents * 0.010, cents * 0.008, cents * 0.002, CASE WHEN h % 3 = 0 THEN 1.50 END, h % 50 <> 0
  FROM (SELECT i, h, 1000 + h % 249989 AS cents
		  FROM (SELECT i, hashint4(i) & 2147483647 AS h FROM generate_series(1, :rows) AS i) AS a) AS b;
ALTER TABLE payments ADD PRIMARY KEY (payment_id);
CREATE MATERIALIZED VIEW payments_view AS SELECT * FROM payments WHERE investor_id = 'DEMO_INV';
VACUUM (FREEZE, ANALYZE) payments;
VACUUM (FREEZE, ANALYZE) payments_view;
CHECKPOINT;
SQL
}

# How many rows must the aggregate read to take about 60 ms here?
calibrate()
{
	local ms
	local explain
	explain="EXPLAIN (ANALYZE, TIMING OFF) $(sum_query)"
	ms=$(run_psql -c "$explain" -c "$explain" |
		sed -nE 's/^Execution Time: ([0-9.]+) ms/\1/p' | tail -n 1)
	PART=$(awk -v ms="$ms" -v part="$PART" '
		BEGIN { n = int(part * 60 / ms); print (n > 1000000 ? 1000000 : n) }')
}

# Runs statements once, so that their answers are in the cache.
fill() { printf '%s;\n' "$@" | run_psql >/dev/null || die "cannot fill"; }

# Is the answer of the cache that of the query?  same QUERY CACHED
same()
{
	local direct hit
	direct=$(run_psql -c "$1" | sort | md5sum)
	hit=$(run_psql -c "SET cached_query.mode = only_cached" -c "$2" | sort | md5sum)
	[ "$direct" = "$hit" ] || die "the cache's answer differs: $1"
}

# ---- Measuring and reporting ----

declare -A COLUMN=([p25]=2 [median]=3 [p75]=4 [cpu]=5 [ratio25]=6 [ratio]=7 [ratio75]=8 [cpu_ratio]=9
	[difference]=10 [p99]=11 [mean]=12 [p999]=13)
MEASURED=

# lat's lines go to MEASURED: lat TEST OPTION... STATEMENT...
lat()
{
	local test=$1
	shift
	MEASURED=$(as_user "$WORK/lat" -t "$test" -o "$RAW" -r "$ROUNDS" "$@") || die "$test was not measured"
}

# One figure of the last measurement: figure LABEL NAME
figure()
{
	awk -F '\t' -v label="$1" -v column="${COLUMN[$2]}" '$1 == label { print $column }' <<<"$MEASURED"
}

# One line of the table: report GOAL WHAT FIGURE QUARTILES RELATION LIMIT [NOTE].  With no relation
# it is for information.
report()
{
	awk -v goal="$1" -v what="$2" -v value="$3" -v quartiles="$4" -v relation="$5" -v limit="$6" -v note="${7:-}" '
		function number(v) { return v >= 100 ? sprintf("%.0f", v) : v >= 10 ? sprintf("%.1f", v) : sprintf("%.3f", v) }
		BEGIN {
			met = relation == "" ? "" : (relation == "<=" ? value + 0 <= limit + 0 : value + 0 >= limit + 0) ? "met" : "NOT MET"
			count = split(quartiles, q, " ")
			printf "%-4s %-52s %8s %-15s %-8s %-7s %s\n", goal, what, number(value), \
				count == 2 ? "[" number(q[1]) "-" number(q[2]) "]" : "", \
				relation == "" ? "" : relation " " limit, met, note
		}' | as_user tee -a "$TABLE"
}

# The ratio of a labelled statement to the first one: report_ratio GOAL WHAT LABEL RELATION LIMIT
report_ratio()
{
	report "$1" "$2" "$(figure "$3" ratio)" "$(figure "$3" ratio25) $(figure "$3" ratio75)" "$4" "$5" \
		"$(awk -v base="$(head -n 1 <<<"$MEASURED" | cut -f 3)" -v us="$(figure "$3" median)" '
			function time(us) { return us >= 10000 ? sprintf("%.1f ms", us / 1000) : sprintf("%.1f us", us) }
			BEGIN { print time(us) " / " time(base) }')"
}
