# shellcheck shell=bash
#
# lib.sh - what test/run, test/demo and test/bench/run share: finding or installing a server,
# a private copy of it and of our sources, throw-away clusters, and cleaning up.
#
# Everything lives in one private directory, $WORK: the copies, the clusters with their sockets,
# the logs, and $TMPDIR for whatever the tools below create.  Nothing is installed into a server
# that the machine uses, no existing cluster is touched, and nothing listens on TCP.  PostgreSQL
# refuses to run as root, so root does all but the installation of packages as $RUN_USER.
#
# Use: source it, call `work_begin`, `find_server`, then copy_server, copy_sources, build,
# start_server.  A caller may define `on_exit`, called with the exit status after the cleaning up.
#
# Settings from the environment: PG_CONFIG (the server to copy), PG_MAJOR (which of Debian's
# servers), KEEP=1 (leave $WORK), CQ_WORK=dir (use and keep that directory, rebuild only what
# changed).

set -uo pipefail
umask 022

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
WORK=
RUN_USER=
JOB=
APT_UPDATED=
LEAVE_RUNNING=
declare -a UNDO=()

say() { printf '%s\n' "$*"; }
title() { printf '\n== %s\n' "$*"; }
die()
{
	printf 'error: %s\n' "$*" >&2
	exit 1
}
is_root() { [ "$(id -u)" -eq 0 ]; }

# Runs a command as root: directly, or through sudo.
as_root()
{
	if is_root; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "missing packages, and neither root nor sudo to install them with"
	fi
}

# Runs a command as the unprivileged user who owns $WORK.
as_user()
{
	if is_root; then
		setpriv --reuid="$RUN_USER" --regid="$(id -g "$RUN_USER")" --init-groups \
			env HOME="$WORK/home" USER="$RUN_USER" LOGNAME="$RUN_USER" "$@"
	else
		"$@"
	fi
}

# Runs a function or command as a job with a process group of its own and no stdin, so that a
# signal is acted on at once and stops the whole group.
job()
{
	local status
	set -m
	"$@" </dev/null &
	JOB=$!
	set +m
	wait "$JOB"
	status=$?
	JOB=
	return $status
}

# Runs a command as $RUN_USER with its output in a file; lines that match a pattern are shown:
# logged LOG PATTERN COMMAND...
logged() { job log_output "$@"; }

# shellcheck disable=SC2317 # called by logged
log_output()
{
	local log=$1 pattern=$2
	shift 2
	as_user "$@" 2>&1 | tee "$log" | { grep --line-buffered -E "$pattern" || true; }
	return "${PIPESTATUS[0]}"
}

# ---- Cleaning up ----

# Stops the servers whose data directories are in $WORK, or in a directory there, and no others.
stop_servers()
{
	local file pid signal tries dir=${1:-$WORK}
	[ -n "$dir" ] && [ -d "$dir" ] || return 0
	while IFS= read -r file; do
		pid=$(head -n 1 "$file")
		case $(readlink "/proc/$pid/cwd" 2>/dev/null) in
			"$dir"/*) ;;
			*) continue ;;
		esac
		for signal in INT QUIT KILL; do
			kill -s "$signal" "$pid" 2>/dev/null
			for ((tries = 0; tries < 100; tries++)); do
				kill -0 "$pid" 2>/dev/null || continue 3
				sleep 0.1
			done
		done
	done < <(find "$dir" -name postmaster.pid 2>/dev/null)
}

clean_up()
{
	local status=$? i
	trap '' INT TERM HUP
	trap - EXIT
	if [ -n "$JOB" ]; then
		kill -TERM -- "-$JOB" 2>/dev/null
		wait "$JOB" 2>/dev/null
	fi
	for ((i = ${#UNDO[@]} - 1; i >= 0; i--)); do
		eval "${UNDO[i]}"
	done
	if [ -z "$LEAVE_RUNNING" ]; then
		stop_servers
		if [ -n "$WORK" ] && [ -n "${KEEP:-}${CQ_WORK:-}" ]; then
			say "kept: $WORK"
		elif [ -n "$WORK" ]; then
			rm -rf "$WORK"
		fi
	fi
	if declare -F on_exit >/dev/null; then
		on_exit "$status"
		status=$?
	fi
	exit "$status"
}

interrupted()
{
	unset -f on_exit
	say "interrupted"
	exit $((128 + $1))
}

# ---- Packages ----

apt()
{
	as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
		apt-get -q -y -o DPkg::Lock::Timeout=300 -o APT::Install-Recommends=false "$@" </dev/null
}

apt_update()
{
	[ -z "$APT_UPDATED" ] || return 0
	command -v apt-get >/dev/null || die "this is no Debian, install by hand: $*"
	say "apt-get update"
	apt update >"$WORK/apt.log" 2>&1 || {
		cat "$WORK/apt.log"
		die "apt-get update failed"
	}
	APT_UPDATED=1
}

# Puts a file in place for the time of an installation; the UNDO list brings back the old one.
replace_file()
{
	local file=$1 mode=$2 content=$3
	if [ -e "$file" ]; then
		as_root cp -a "$file" "$file.cached_query-saved" || return 1
		UNDO+=("as_root mv -f '$file.cached_query-saved' '$file'")
	else
		UNDO+=("as_root rm -f '$file'")
	fi
	printf '%s\n' "$content" | as_root tee "$file.cached_query-new" >/dev/null &&
		as_root chmod "$mode" "$file.cached_query-new" &&
		as_root mv -f "$file.cached_query-new" "$file"
}

# Installs Debian packages, with no daemon started and no cluster created by their scripts, and
# undoes what keeps them from it, also when it fails.
try_install()
{
	local conf=/etc/postgresql-common/createcluster.conf undone=${#UNDO[@]} i status=0
	say "apt-get install $*"
	{
		replace_file /usr/sbin/policy-rc.d 755 $'#!/bin/sh\nexit 101' &&
			# The file belongs to postgresql-common, so that must be there before the server comes.
			case " $* " in
				*" postgresql-"[1-9]*)
					apt install postgresql-common >"$WORK/apt.log" 2>&1 &&
						replace_file "$conf" 644 "$(grep -v '^ *create_main_cluster' "$conf")
create_main_cluster = false"
					;;
			esac &&
			apt install "$@" >"$WORK/apt.log" 2>&1
	} || status=1
	for ((i = ${#UNDO[@]} - 1; i >= undone; i--)); do
		eval "${UNDO[i]}"
		unset "UNDO[i]"
	done
	return $status
}

install_packages()
{
	apt_update "$@"
	try_install "$@" || {
		tail -n 30 "$WORK/apt.log"
		die "apt-get install $* failed"
	}
}

# Installs a package unless the test for what it brings succeeds: need PACKAGE COMMAND...
declare -a MISSING=()
need()
{
	local package=$1
	shift
	"$@" >/dev/null 2>&1 || MISSING+=("$package")
}

# Does the compiler find a header?  has_header FILE
has_header() { echo "#include <$1>" | g++ -E -x c++ - >/dev/null 2>&1; }

# What building the extension takes besides a server.
need_build()
{
	need g++ command -v g++
	need make command -v make
	need libhiredis-dev has_header hiredis/hiredis.h
	need libssl-dev has_header openssl/ssl.h
	need liblz4-dev has_header lz4.h
	need libzstd-dev has_header zstd.h
}

# Does Debian, or what this is, have all of these packages?
can_install()
{
	local package
	command -v apt-get >/dev/null || return 1
	apt_update "$@"
	for package in "$@"; do
		[ -n "$(apt-cache madison "$package")" ] || return 1
	done
}

install_missing()
{
	[ ${#MISSING[@]} -eq 0 ] || install_packages "${MISSING[@]}"
	MISSING=()
}

# The same for what a test can be skipped without: want PACKAGE COMMAND..., then install_wanted.
declare -a WANTED=()
want()
{
	local package=$1
	shift
	"$@" >/dev/null 2>&1 || WANTED+=("$package")
}

install_wanted()
{
	local package
	local -a found=()
	[ ${#WANTED[@]} -gt 0 ] || return 0
	if ! command -v apt-get >/dev/null || { ! is_root && ! command -v sudo >/dev/null; } ||
		! (apt_update "${WANTED[@]}"); then
		say "not installed, what needs them is skipped: ${WANTED[*]}"
		return 0
	fi
	APT_UPDATED=1
	for package in "${WANTED[@]}"; do
		if [ -n "$(apt-cache madison "$package")" ]; then
			found+=("$package")
		else
			say "there is no package $package, what needs it is skipped"
		fi
	done
	WANTED=()
	[ ${#found[@]} -eq 0 ] || try_install "${found[@]}" ||
		say "apt-get install failed, what needs these packages is skipped"
}

# ---- Server and sources ----

# Does this pg_config belong to a complete server of 15 or later, with PGXS, pg_regress and headers?
# Debian's client package has all of that but the headers.
is_server()
{
	local bin pgxs version
	bin=$("$1" --bindir 2>/dev/null) && pgxs=$("$1" --pgxs 2>/dev/null) || return 1
	version=$("$1" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
	[ "$version" -ge 15 ] && [ -x "$bin/postgres" ] && [ -x "$bin/initdb" ] &&
		[ -x "$bin/psql" ] && [ -f "$pgxs" ] &&
		[ -x "$(dirname "$pgxs")/../test/regress/pg_regress" ] &&
		[ -f "$("$1" --includedir-server)/postgres.h" ]
}

# Sets PG_CONFIG to a server to copy, and installs one if there is none.
find_server()
{
	local candidate major=${PG_MAJOR:-15}
	if [ -n "${PG_CONFIG:-}" ]; then
		is_server "$PG_CONFIG" || die "$PG_CONFIG: not a complete PostgreSQL 15 or later with PGXS"
		return
	fi
	while IFS= read -r candidate; do
		if is_server "$candidate"; then
			PG_CONFIG=$candidate
			return
		fi
	done < <(
		printf '%s\n' "/usr/lib/postgresql/${PG_MAJOR:-15}/bin/pg_config"
		[ -n "${PG_MAJOR:-}" ] || printf '%s\n' /usr/lib/postgresql/*/bin/pg_config | sort -rV
		[ -n "${PG_MAJOR:-}" ] || type -P pg_config
	)
	apt_update "PostgreSQL"
	if [ -z "${PG_MAJOR:-}" ] && ! apt-cache show postgresql-15 >/dev/null 2>&1; then
		major=$(apt-cache depends postgresql | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p')
	fi
	install_packages "postgresql-$major" "postgresql-client-$major" "postgresql-server-dev-$major"
	PG_CONFIG=/usr/lib/postgresql/$major/bin/pg_config
	is_server "$PG_CONFIG" || die "the packages of PostgreSQL $major are not complete"
}

# Makes $WORK and sets the traps and the environment.
work_begin()
{
	local variable
	trap clean_up EXIT
	trap 'interrupted 1' HUP
	trap 'interrupted 2' INT
	trap 'interrupted 15' TERM

	# No setting of the caller's may reach the servers, psql or make.
	for variable in $(compgen -e | grep -E '^(PG|LC_|LANG|MAKE|MFLAGS|GNUMAKEFLAGS)'); do
		case $variable in
			PG_CONFIG | PG_MAJOR) ;;
			*) unset "$variable" ;;
		esac
	done
	export LC_ALL=C.UTF-8
	if is_root; then
		export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
		unset TMPDIR
	fi
	if [ -n "${CQ_WORK:-}" ]; then
		mkdir -p "$CQ_WORK" || die "cannot use $CQ_WORK"
		WORK=$(cd "$CQ_WORK" && pwd -P)
	else
		WORK=$(mktemp -d "${TMPDIR:-/tmp}/cached_query.XXXXXX") || die "no work directory"
	fi
	cd / || exit 1
}

# Gives $WORK to the unprivileged user.  After find_server: Debian's packages make that user.
work_owner()
{
	if is_root; then
		RUN_USER=postgres
		id postgres >/dev/null 2>&1 || RUN_USER=nobody
		chown "$RUN_USER:" "$WORK"
	else
		RUN_USER=$(id -un)
	fi
	chmod 700 "$WORK"
	export TMPDIR=$WORK/tmp
	as_user mkdir -p "$WORK/tmp" "$WORK/home" "$WORK/log"
}

# Copies the server's tree to a directory, where it finds its files by their relative places and
# can be installed into: copy_server DIR.  Prints the copy's pg_config.
copy_server()
{
	local to=$1 dir common
	local -a dirs
	mapfile -t dirs < <("$PG_CONFIG" --bindir && "$PG_CONFIG" --pkglibdir &&
		"$PG_CONFIG" --sharedir && "$PG_CONFIG" --pkgincludedir && "$PG_CONFIG" --includedir-server)
	common=${dirs[0]}
	for dir in "${dirs[@]}"; do
		while [[ $dir/ != "$common"/* ]]; do
			common=$(dirname "$common")
			[ "$common" != / ] || common=
		done
	done
	if [ ! -e "$to/complete" ]; then
		for dir in "${dirs[@]}"; do
			[ ! -e "$to${dir#"$common"}" ] || continue
			as_user mkdir -p "$(dirname "$to${dir#"$common"}")"
			as_user cp -a "$dir" "$to${dir#"$common"}" || die "cannot copy $dir"
		done
		as_user touch "$to/complete"
	fi
	printf '%s\n' "$to${dirs[0]#"$common"}/pg_config"
}

# Copies our sources to a directory without what was built in them.  Objects of an earlier run
# there stay; file times are kept, so make rebuilds what has changed.
copy_sources()
{
	local to=$1
	as_user mkdir -p "$to"
	as_user find "$to" -type f ! -name '*.[od]' ! -name '*.so' ! -name .build_flags -delete
	tar -C "$ROOT" --exclude=./.git --exclude='*.[od]' --exclude='*.so' --exclude='*.bc' \
		--exclude=./.build_flags --exclude=./results --exclude=./log --exclude=./output_iso \
		--exclude='./tmp_check*' --exclude='./regression.*' -cf - . |
		as_user tar -C "$to" --no-same-owner -xf - || die "cannot copy $ROOT"
}

# Builds the sources in DIR and installs them into the copied server: build DIR PG_CONFIG [VAR=..]
build()
{
	local dir=$1 config=$2 log
	log=$WORK/log/build_$(basename "$dir").log
	shift 2
	logged "$log" '(error|warning):' make -C "$dir" -j "$(nproc)" PG_CONFIG="$config" WERROR=1 "$@" all &&
		logged "$log.install" '(error|warning):' make -C "$dir" PG_CONFIG="$config" WERROR=1 "$@" install && return
	tail -n 40 "$log"
	return 1
}

# ---- Throw-away clusters ----

# Makes and starts a cluster with the extension preloaded: start_server NAME PG_CONFIG [LINE...],
# where each LINE goes into postgresql.conf.  Sets PGHOST, PGUSER and PGDATABASE, and PATH to
# find that server's programs.  Its socket is in a directory that nobody else can enter.
start_server()
{
	local name=$1 bin data
	bin=$("$2" --bindir)
	data=$WORK/$name/data
	shift 2
	export PATH=$bin:$PATH PGHOST=$WORK/$name/socket PGUSER=postgres PGDATABASE=postgres
	rm -rf "${WORK:?}/$name"
	as_user mkdir -p "$PGHOST"
	as_user initdb -D "$data" -U postgres -A trust -E UTF8 --no-sync >"$WORK/log/$name.initdb" 2>&1 || {
		cat "$WORK/log/$name.initdb"
		die "initdb failed"
	}
	{
		say "shared_preload_libraries = 'cached_query'"
		say "listen_addresses = ''"
		say "unix_socket_directories = '$PGHOST'"
		say "fsync = off"
		printf '%s\n' "$@"
	} | as_user tee -a "$data/postgresql.conf" >/dev/null
	as_user pg_ctl -D "$data" -l "$WORK/log/$name.log" -w -t 120 start >"$WORK/log/$name.start" 2>&1 </dev/null || {
		tail -n 30 "$WORK/log/$name.start" "$WORK/log/$name.log"
		die "the server did not start"
	}
}

# A port of the loopback interface where nothing listens now.
free_port()
{
	local port
	while
		port=$((20000 + RANDOM % 12000))
		(: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null
	do
		:
	done
	say "$port"
}

stop_server()
{
	as_user pg_ctl -D "$WORK/$1/data" -m fast -w stop >/dev/null 2>&1
}

# ---- The table of the article ----

# A quarter of the machine's memory, as the manual advises, between 128 MB and 4 GB.
shared_buffers()
{
	awk '/^MemTotal/ { mb = int($2 / 4096); print (mb > 4096 ? 4096 : mb < 128 ? 128 : mb) "MB" }' /proc/meminfo
}

# One investor of 24 and one day of 1825, independent of each other: some 108,630 of 13,000,000
# rows match, spread over the whole table.  One transaction, so that wal_level = minimal spares
# the WAL.
table_script()
{
	local batch=$(((ROWS + 9) / 10)) from to
	cat <<'SQL'
BEGIN;
CREATE TABLE borrower_payments (
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
SQL
	for ((from = 1; from <= ROWS; from += batch)); do
		to=$((from + batch - 1 < ROWS ? from + batch - 1 : ROWS))
		cat <<SQL
INSERT INTO borrower_payments
SELECT i, i % 650000, CASE i % 24 WHEN 7 THEN 'DEMO_INV' ELSE 'INVESTOR_' || i % 24 END,
	'borrower ' || i % 650000, ('{north,east,south,west}'::text[])[1 + h / 8 % 4],
	('{transfer,card,direct debit}'::text[])[1 + h / 32 % 3],
	('{paid,paid,paid,late,partial}'::text[])[1 + h / 128 % 5],
	date '2020-01-01' + h % 1825, timestamptz '2020-01-01 12:00+00' + (h % 1825) * interval '1 day',
	cents * 0.010, cents * 0.008, cents * 0.002, CASE WHEN h % 3 = 0 THEN 1.50 END, h % 50 <> 0
  FROM (SELECT i, h, 1000 + h % 249989 AS cents
		  FROM (SELECT i, hashint4(i) & 2147483647 AS h FROM generate_series($from, $to) AS i) AS a) AS b;
\\echo '  $to of $ROWS rows'
SQL
	done
	say "COMMIT;"
	say "VACUUM (FREEZE, ANALYZE) borrower_payments;"
	say "CHECKPOINT;"
}
