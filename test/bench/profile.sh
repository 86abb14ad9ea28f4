# shellcheck shell=bash disable=SC2016
#
# profile.sh - instruction counts of hits, by callgrind: part `profile` of test/run, and test/bench/profile
#
# Times on a busy machine are noise; the instructions that a hit takes in user space are the same each
# time.  A server runs under valgrind, and a backend counts what it executes between two calls
# (callgrind.c, repeat.c).  Counts of N and of 2 N executions are taken, so start and end cancel out.
# What the C library chooses by CPU is pinned, so that machines agree.  budget.txt has what each case
# may take, by major version of PostgreSQL; more fails.

# What valgrind and the C library see of the CPU.
PROFILE_TUNABLES=glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX2,-AVX,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,-RTM,-BMI2,-MOVBE,-LZCNT:glibc.cpu.x86_non_temporal_threshold=0x100000000

need_profile()
{
	if ! command -v valgrind >/dev/null && ! can_install valgrind; then
		return 1
	fi
	need valgrind test -e /usr/include/valgrind/callgrind.h
	need gcc command -v gcc
	need libpq-dev pg_config --includedir
}

# Rows of the large result.
PROFILE_ROWS=20000

profile_tables()
{
	cat <<SQL
CREATE EXTENSION cached_query;
CREATE TABLE payments AS SELECT i AS payment_id, i % 65000 AS loan_id, 'INVESTOR_' || i % 24 AS investor_id,
	'borrower ' || i % 6500 AS borrower_name, (ARRAY['north', 'east', 'south', 'west'])[1 + i % 4] AS region,
	'transfer'::text AS payment_method, 'paid'::text AS status, date '2020-01-01' + i % 1825 AS transaction_date,
	timestamptz '2020-01-01 12:00+00' + i * interval '1 minute' AS created_at, (i * 0.01)::numeric(14,2) AS amount,
	(i * 0.008)::numeric(14,2) AS principal, (i * 0.002)::numeric(14,2) AS interest,
	CASE WHEN i % 3 = 0 THEN 1.50::numeric(14,2) END AS fee, i % 50 <> 0 AS settled
  FROM generate_series(1, $PROFILE_ROWS) AS i;
ALTER TABLE payments ADD PRIMARY KEY (payment_id);
VACUUM (FREEZE, ANALYZE) payments;
SQL
}

counting_functions()
{
	local pkglibdir=$1
	cat <<SQL
CREATE FUNCTION count_begin() RETURNS void AS '$pkglibdir/callgrind' LANGUAGE C VOLATILE;
CREATE FUNCTION count_end(text) RETURNS void AS '$pkglibdir/callgrind' LANGUAGE C VOLATILE;
SQL
}

# Starts the server of profile_server once more, under valgrind.
start_under_valgrind()
{
	local tries
	as_user env GLIBC_TUNABLES="$PROFILE_TUNABLES" valgrind --tool=callgrind --instr-atstart=no \
		--callgrind-out-file="$PROFILE_DIR/counts.%p" --log-file="$WORK/log/valgrind.%p" \
		"$PROFILE_BIN/postgres" -D "$WORK/profile/data" >"$WORK/log/profile.valgrind" 2>&1 </dev/null &
	for ((tries = 0; tries < 600; tries++)); do
		! as_user psql -qXAt -c "SELECT 1" >/dev/null 2>&1 || return 0
		sleep 0.1
	done
	tail -n 20 "$WORK/log/profile.valgrind" "$WORK/log/profile.log"
	die "the server did not start under valgrind"
}

# A server with tables, under valgrind: profile_server PG_CONFIG SOURCES COMMAND, where COMMAND prints what makes them
profile_server()
{
	local config=$1 sources=$2 tables=$3
	PROFILE_BIN=$("$config" --bindir)
	PROFILE_DIR=$WORK/profile_counts
	rm -rf "$PROFILE_DIR"
	as_user mkdir -p "$PROFILE_DIR"
	as_user gcc -O2 -fPIC -shared -Wall -I"$("$PG_CONFIG" --includedir-server)" \
		"$sources/test/bench/callgrind.c" -o "$("$config" --pkglibdir)/callgrind.so" || die "callgrind.c does not compile"
	as_user gcc -std=gnu11 -Wall -Wextra -Werror -O2 -I"$("$PG_CONFIG" --includedir)" "$sources/test/bench/repeat.c" \
		-o "$WORK/repeat" -L"$("$PG_CONFIG" --libdir)" -Wl,-rpath,"$("$PG_CONFIG" --libdir)" -lpq ||
		die "repeat.c does not compile"
	start_server profile "$config" "jit = off" "autovacuum = off" "cached_query.memory = 64MB" \
		"cached_query.max_entry_size = 32MB" "max_parallel_workers_per_gather = 0" "shared_buffers = 64MB" \
		"stats_fetch_consistency = none" "bgwriter_delay = 10s" "statement_timeout = 0"
	{ counting_functions "$("$config" --pkglibdir)" && "$tables"; } | as_user psql -qX -v ON_ERROR_STOP=1 >/dev/null ||
		die "no table to profile with"
	stop_server profile
	start_under_valgrind
}

profile_begin() { profile_server "$1" "$2" profile_tables; }

# Instructions in the user space of the backend, of one execution: instructions NAME KIND COUNT STATEMENT [SETTING...]
instructions()
{
	local name=$1 first second
	as_user timeout 120 "$WORK/repeat" "$@" >/dev/null || die "$name was not counted"
	first=$(counted "$name.1") && second=$(counted "$name.2") || die "callgrind wrote no count of $name"
	echo $(((second - first) / $3))
}

# The total of the dump with this name.
counted()
{
	local file
	file=$(grep -lE "^desc: Trigger: .*: $1\$" "$PROFILE_DIR"/counts.* | tail -n 1)
	[ -n "$file" ] && sed -nE 's/^(summary|totals): ([0-9]+).*/\2/p' "$file" | tail -n 1
}

# One line: is a count within what budget.txt allows?  budget MAJOR CASE COUNT
budget()
{
	awk -v major="$1" -v name="$2" -v count="$3" '
		/^#/ || NF < 4 { next }
		$1 == major && $2 == name { limit = $3; tolerance = $4 }
		END {
			if (limit == "") {
				printf "%-12s %9d  no budget for PostgreSQL %s\n", name, count, major
				exit 0
			}
			change = 100 * (count / limit - 1)
			bad = change > tolerance
			printf "%-12s %9d  budget %d, %+.1f %% (at most +%s)%s\n", name, count, limit, change, tolerance, \
				bad ? ": TOO MANY" : change < -2 * tolerance ? ": lower the budget" : ""
			exit bad
		}' "$PROFILE_SOURCES/test/bench/budget.txt"
}

# Counts a case, of which one execution stands for DIVISOR: count_case NAME DIVISOR KIND COUNT STATEMENT [SETTING...]
declare -A COUNTS=()
count_case()
{
	local name=$1 divisor=$2 count
	shift 2
	count=$(instructions "$name" "$@") || return 1
	COUNTS[$name]=$((count / divisor))
}

# The median of three sessions, for a small difference of two large counts: sessions differ by where their memory
# lies.  median_case NAME KIND COUNT STATEMENT [SETTING...]
median_case()
{
	local name=$1 session
	local -a counts=()
	shift
	for session in a b c; do
		count_case "${name}_$session" 1 "$@" || return 1
		counts+=("${COUNTS[${name}_$session]}")
	done
	COUNTS[$name]=$(printf '%s\n' "${counts[@]}" | sort -n | sed -n 2p)
}

# All cases, each a TAP line: profile_cases MAJOR
profile_cases()
{
	local one list loop name line number=0 loops=1000
	local -a judged=(row row_exact row_simple call scan wire tuples auto auto_ttl auto_simple key key_simple key_rules key_rules_simple)
	local key="SELECT payment_id FROM payments WHERE payment_id = 4711"
	local -a auto=("cached_query.auto = exact" "cached_query.auto_min_time = 0")
	# counters of table accesses are sent once a second, which takes some instructions or none
	local uncounted="track_counts = off"
	one="SELECT * FROM cached_query('SELECT payment_id FROM payments WHERE payment_id = 4711', '1d') AS t(payment_id int)"
	list="cached_query_as(NULL::payments, 'SELECT * FROM payments', '1d') AS t"
	loop="DO \$do\$ BEGIN FOR i IN 1..$loops LOOP PERFORM payment_id ${one#SELECT \* } LIMIT"
	PGOPTIONS="-c cached_query.consistency=exact" as_user psql -qX -c "$one" >/dev/null || return 1

	count_case select1 1 prepared 300 "SELECT 1" &&
		count_case select1_simple 1 simple 100 "SELECT 1" &&
		count_case row 1 prepared 300 "$one" &&
		count_case row_exact 1 prepared 300 "$one" "cached_query.consistency = exact" &&
		count_case row_simple 1 simple 100 "$one" &&
		count_case empty 1 simple 1 "$loop 0; END LOOP; END \$do\$" &&
		count_case call 1 simple 1 "$loop 1; END LOOP; END \$do\$" &&
		count_case scan $((PROFILE_ROWS / 100)) simple 2 "SELECT count(*) FROM $list" &&
		count_case wire $((PROFILE_ROWS / 100)) simple 2 "SELECT * FROM $list" &&
		count_case tuples $((PROFILE_ROWS / 100)) simple 1 "SELECT * FROM $list" "cached_query.wire_image = off" &&
		count_case auto 1 prepared 300 "SELECT count(*) FROM payments" "${auto[@]}" &&
		count_case auto_ttl 1 prepared 300 "SELECT count(*) FROM payments" "cached_query.auto = ttl" "${auto[1]}" &&
		count_case auto_simple 1 simple 100 "SELECT count(*) FROM payments" "${auto[@]}" &&
		count_case key_off 1 prepared 300 "$key" "$uncounted" &&
		count_case key 1 prepared 300 "$key" "$uncounted" "${auto[0]}" "cached_query.auto_min_time = 10000" &&
		median_case key_off_simple simple 100 "$key" "$uncounted" &&
		median_case key_simple simple 100 "$key" "$uncounted" "${auto[0]}" "cached_query.auto_min_time = 10000" || return 1
	as_user psql -qX -c "INSERT INTO cached_query_rules (queryid, action) SELECT g, 'off' FROM generate_series(1, 500) AS g" \
		-c "INSERT INTO cached_query_rules (relation, action) VALUES ('payments', 'exact')" >/dev/null || return 1
	count_case key_rules 1 prepared 300 "$key" "$uncounted" "${auto[0]}" "cached_query.auto_min_time = 10000" &&
		median_case key_rules_simple simple 100 "$key" "$uncounted" "${auto[0]}" "cached_query.auto_min_time = 10000" || return 1
	as_user psql -qX -c "TRUNCATE cached_query_rules" >/dev/null || return 1
	# what is PostgreSQL's own cancels out, and with it what other minor versions of it do
	COUNTS[row]=$((COUNTS[row] - COUNTS[select1]))
	COUNTS[row_exact]=$((COUNTS[row_exact] - COUNTS[select1]))
	COUNTS[row_simple]=$((COUNTS[row_simple] - COUNTS[select1_simple]))
	COUNTS[auto]=$((COUNTS[auto] - COUNTS[select1]))
	COUNTS[auto_ttl]=$((COUNTS[auto_ttl] - COUNTS[select1]))
	COUNTS[auto_simple]=$((COUNTS[auto_simple] - COUNTS[select1_simple]))
	say "# a row by primary key takes ${COUNTS[key_off]}, by the simple protocol ${COUNTS[key_off_simple]}"
	COUNTS[key]=$((COUNTS[key] - COUNTS[key_off]))
	COUNTS[key_simple]=$((COUNTS[key_simple] - COUNTS[key_off_simple]))
	COUNTS[key_rules]=$((COUNTS[key_rules] - COUNTS[key_off]))
	COUNTS[key_rules_simple]=$((COUNTS[key_rules_simple] - COUNTS[key_off_simple]))
	# LIMIT 0 starts and ends the same plan but asks for no row: what is left is the call itself
	COUNTS[call]=$(((COUNTS[call] - COUNTS[empty]) / loops))

	say "# SELECT 1 takes ${COUNTS[select1]}, by the simple protocol ${COUNTS[select1_simple]}"
	say "1..${#judged[@]}"
	for name in "${judged[@]}"; do
		number=$((number + 1))
		if line=$(budget "$1" "$name" "${COUNTS[$name]}"); then
			say "ok $number - $line"
		else
			say "not ok $number - $line"
		fi
	done
}
