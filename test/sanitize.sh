# shellcheck shell=bash
#
# sanitize.sh - the parts of test/run that look for memory errors and undefined behaviour in the
# server: make test-sanitize runs them after the unit tests and fuzz targets, which are built with
# AddressSanitizer and UBSan anyway.
#
#   sanitize   regress and isolation tests, the library built with AddressSanitizer and UBSan and
#              with our assertions.  The server itself is Debian's: it gets ASan's run time preloaded,
#              so that the functions of libc are checked, and our stack and static data; what UBSan
#              finds goes to the server's log and fails the test.
#   valgrind   regress tests with the server under valgrind's memcheck.  Debian's server doesn't tell
#              valgrind about memory contexts, and has errors of its own that are none (padding written
#              to files): what counts is an error with a frame of our library in its stack.
#
# Under valgrind everything is some 30 times slower; VALGRIND_LIMIT is in seconds.  VALGRIND_OPTIONS
# are further ones.  A server built with USE_VALGRIND and assertions (PG_CONFIG says where) shows what
# happens in memory contexts, too; for such a one PostgreSQL has a file of suppressions.

# -fno-wrapv: PostgreSQL's flags make an overflow defined, here it is to be seen.
# shellcheck disable=SC2034 # for test/run
SANITIZE="-fsanitize=address,undefined -fsanitize=float-cast-overflow -fno-wrapv -fno-omit-frame-pointer"
VALGRIND_LIMIT=${VALGRIND_LIMIT:-1800}
VALGRIND_OPTIONS=${VALGRIND_OPTIONS:-}

# Puts a script in the place of the copied server's postgres, which runs that one as it says when
# it is to serve (initdb's calls and -V go to it as they are): wrap_server BUILD COMMAND...
wrap_server()
{
	local bin
	bin=$("${CONFIG[$1]}" --bindir)
	shift
	[ -e "$bin/postgres.real" ] || as_user mv "$bin/postgres" "$bin/postgres.real"
	{
		say '#!/bin/sh'
		say 'real=$(dirname "$0")/postgres.real'
		say '[ "$1" = -D ] || exec "$real" "$@"'
		say "exec $* \"\$real\" \"\$@\""
	} | as_user tee "$bin/postgres" >/dev/null
	as_user chmod 755 "$bin/postgres"
}

# A failed dlsym() while libasan starts leaves glibc's lock of message catalogs unlocked once too
# often, and the server's first bindtextdomain() would wait forever.  The tests need no translation.
without_gettext()
{
	as_user gcc -shared -fPIC -x c - -o "$1" <<'END'
char *bindtextdomain(const char *domain, const char *directory) { return (char *) directory; }
char *bind_textdomain_codeset(const char *domain, const char *codeset) { return (char *) codeset; }
char *textdomain(const char *domain) { return (char *) domain; }
END
}

run_sanitize()
{
	local asan shim=$WORK/sanitize/without_gettext.so
	local -a names
	asan=$(g++ -print-file-name=libasan.so)
	without_gettext "$shim" || die "cannot link $shim"
	# The server frees nothing at exit, so leaks are no finding.
	wrap_server sanitize env "LD_PRELOAD='$asan:$shim'" \
		ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1
	mapfile -t names < <(chosen sql .sql | grep -vx init)
	[ ${#names[@]} -eq 0 ] || run_pg_regress regress sanitize . init "${names[@]}"
	mapfile -t names < <(chosen test/isolation/specs .spec)
	[ ${#names[@]} -eq 0 ] || run_pg_regress isolation sanitize output_iso "${names[@]}"
}

# Errors in valgrind's XML files that have a frame of our library: one paragraph each, the same
# stack only once.
valgrind_errors()
{
	as_user perl -e '
		my %seen;
		for my $file (@ARGV)
		{
			open my $fh, "<", $file or die "$file: $!\n";
			local $/ = "</error>";
			while (my $error = <$fh>)
			{
				next unless $error =~ s/^.*<error>//s and $error =~ m{<obj>[^<]*/cached_query\.so</obj>};
				next if $error =~ /<kind>Leak_/; # a server built for valgrind asks for these itself
				my $text = "";
				for my $line (split /\n/, $error)
				{
					$text .= "$1\n" if $line =~ m{<(?:text|what|auxwhat)>(.*)</};
					if ($line =~ m{<frame>}) { $text .= "   "; }
					$text .= " $1" if $line =~ m{<(?:fn|file|line)>(.*)</};
					if ($line =~ m{</frame>}) { $text .= "\n"; }
				}
				print "$text\n" unless $seen{$text}++;
			}
		}' "$@"
}

run_valgrind()
{
	local reports=$WORK/valgrind/reports count processes LIMIT=$VALGRIND_LIMIT
	local -a names
	as_user rm -rf "$reports"
	as_user mkdir -p "$reports"
	wrap_server valgrind valgrind -q --leak-check=no --num-callers=25 --error-limit=no \
		"--suppressions='$WORK/valgrind/src/test/valgrind.supp'" --xml=yes "--xml-file='$reports/%p.xml'" \
		"$VALGRIND_OPTIONS"
	mapfile -t names < <(chosen sql .sql | grep -vx init)
	PGCTLTIMEOUT=300 run_pg_regress regress valgrind . init "${names[@]}"
	processes=$(find "$reports" -name '*.xml' | wc -l)
	[ "$processes" -gt ${#names[@]} ] || die "valgrind watched $processes processes only"
	valgrind_errors "$reports"/*.xml >"$WORK/log/valgrind"
	count=$(grep -c '^$' "$WORK/log/valgrind")
	report "valgrind, errors in $processes processes" $((count == 0)) "$count" $SECONDS
	head -n 100 "$WORK/log/valgrind"
}
