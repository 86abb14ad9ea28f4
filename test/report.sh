# shellcheck shell=bash
#
# report.sh - what the scripts that run tests share: counting checks, one line for each file or
# step, looking through the logs of servers, and "N passed, N failed" as the last line.
#
# Use: source it after lib.sh.

PASSED=0
FAILED=0

on_exit()
{
	[ "$1" -eq 0 ] || [ "$FAILED" -gt 0 ] || FAILED=1
	say ""
	say "$PASSED passed, $FAILED failed"
	[ "$FAILED" -eq 0 ] && [ "$PASSED" -gt 0 ]
}

# One line about a file or step, and its checks added to the sums: report NAME PASSED FAILED START
report()
{
	local verdict=ok
	PASSED=$((PASSED + $2))
	FAILED=$((FAILED + $3))
	[ "$3" -eq 0 ] || verdict="FAILED ($3 of $(($2 + $3)))"
	printf '%-50s %4d checks %5d s  %s\n' "$1" $(($2 + $3)) $((SECONDS - $4)) "$verdict"
}

# Did a TAP test skip itself as a whole?
skipped() { grep -q '^Result: NOTESTS$' "$1"; }

# Counts the TAP lines of a log: tally NAME LOG STATUS START.  A test that ends early, with a bad
# status or without the plan it announced, has failed in at least one check.
tally()
{
	local name=$1 log=$2 status=$3 good bad plan
	if skipped "$log" && [ "$status" -eq 0 ]; then
		say "$name: $(sed -nE 's/.* (skipped: .*)/\1/p' "$log" | tail -n 1)"
		return
	fi
	good=$(grep -acE '^(ok ([0-9]+|-)|not ok .*# TODO)' "$log")
	bad=$(grep -aE '^not ok' "$log" | grep -vc '# TODO')
	plan=$(sed -nE 's/^1\.\.([0-9]+).*/\1/p' "$log" | tail -n 1)
	if [ "$bad" -eq 0 ] && { [ "$status" -ne 0 ] || [ "${plan:--1}" -ne "$good" ]; }; then
		bad=1
	fi
	report "$name" "$good" "$bad" "$4"
	[ "$bad" -eq 0 ] || {
		[ "$(wc -l <"$log")" -le 60 ] || grep -aE -A 15 '^not ok' "$log" | head -n 100
		say "--- end of the output of $name (status $status, plan ${plan:-missing})"
		tail -n 60 "$log"
		return 1
	}
}

# Has a server crashed or complained of a leak?  None of the tests does that on purpose.
check_logs()
{
	local name=$1 dir=$2 found
	found=$(find "$dir" -name '*.log' -exec grep -HnE \
		'(TRAP|PANIC): |was terminated by signal (4|5|6|7|8|11)\>|reference leak|AddressSanitizer|runtime error:' {} + 2>/dev/null)
	[ -n "$(find "$dir" -name '*.log' -print -quit)" ] || found="no log in $dir"
	if [ -n "$found" ]; then
		report "$name: server log" 0 1 $SECONDS
		printf '%s\n' "$found" | head -n 20
	else
		report "$name: server log" 1 0 $SECONDS
	fi
}

# The lines with which pg_regress reports a test, up to 15 and from 16 on.
REGRESS_LINE='^(test |     ).* \.\.\. |^(not )?ok +[0-9]+ '

# Files of a part, restricted by TESTS: chosen DIR SUFFIX
chosen()
{
	local file name
	for file in "$ROOT/$1"/*"$2"; do
		name=$(basename "$file" "$2")
		[ -e "$file" ] || continue
		[ -z "${TESTS:-}" ] || [[ " $TESTS " == *" $name "* ]] || [[ " $TESTS " == *" ${name%_test} "* ]] || continue
		printf '%s\n' "$name"
	done
}
