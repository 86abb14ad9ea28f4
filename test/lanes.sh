# shellcheck shell=bash
#
# lanes.sh - TAP tests side by side, for test/run and test/installed: most of them wait most of the
# time, and two at once take half of it.
#
# Use: source it after report.sh; define tap_lane NUMBER, which prints a directory of that lane, and
# run_one DIRECTORY NAME, which runs test/t/NAME.pl, writes what it says to $WORK/log/tap_NAME.log, and leaves
# its servers' logs in DIRECTORY/tmp_check/log.

# TAP tests that run at the same time.
TAP_LANES=${TAP_LANES:-2}

# What a test that was stopped by its time limit may have left running: hanging NAME [DIRECTORY]
hanging()
{
	say "$1: stopped after $LIMIT s"
	stop_servers "${2:-$WORK}"
}

# One test after the other, of those that no other lane has taken: run_lane NUMBER NAME...  What became of
# one stands in $WORK/log/tap_NAME.status: its status and its seconds.
# shellcheck disable=SC2317 # called by run_lanes
run_lane()
{
	local name start status dir
	dir=$(tap_lane "$1")
	shift
	for name in "$@"; do
		mkdir "$WORK/tap_taken/$name" 2>/dev/null || continue
		start=$SECONDS
		run_one "$dir" "$name"
		status=$?
		[ "$status" -ne 124 ] || hanging "$name" "$dir"
		as_user rm -rf "$WORK/log/tap_$name"
		as_user mv "$dir/tmp_check/log" "$WORK/log/tap_$name"
		say "$status $((SECONDS - start))" >"$WORK/log/tap_$name.status"
		say "$name: $((SECONDS - start)) s"
	done
}

# shellcheck disable=SC2317 # called by job
run_lanes()
{
	local lane
	for ((lane = 1; lane <= TAP_LANES; lane++)); do
		run_lane "$lane" "$@" &
	done
	wait
}

# Runs these tests and reports each of them: tap_in_lanes NAME...
tap_in_lanes()
{
	local name log status seconds
	rm -rf "$WORK/tap_taken" && mkdir "$WORK/tap_taken"
	as_user mkdir -p "$WORK/ports"
	for name in "$@"; do
		rm -f "$WORK/log/tap_$name.status"
	done
	job run_lanes "$@"
	for name in "$@"; do
		log=$WORK/log/tap_$name.log
		read -r status seconds <"$WORK/log/tap_$name.status" || status=1 seconds=0
		tally "$name" "$log" "$status" $((SECONDS - seconds)) ||
			find "$WORK/log/tap_$name" -name '*.log' ! -name 'regress_log_*' -exec tail -n 20 {} +
		skipped "$log" || check_logs "$name" "$WORK/log/tap_$name"
	done
}
