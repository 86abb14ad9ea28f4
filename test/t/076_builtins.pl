# The lists of built-in functions (src/query/builtins.def) against this server's pg_proc: each function
# that can be called stands on one of them, and what is said to depend on its arguments only does so.
# The latter is tried: each function of the lists `pure` and `compares` is called with arguments of its
# types under two sets of settings, search paths and roles, and must say the same.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use BuiltinSamples;
use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', { extra => [ '--encoding=UTF8', '--locale=C' ] });

# ---- The lists ----

my ($lists, $twice) = read_lists();
my %list = %$lists;

cmp_ok(scalar keys %list, '>', 2500, 'the lists were read');
is("@$twice", '', 'no function stands on two lists');

my @functions = read_functions($node);
my @unlisted = map { "$_->{signature} ($_->{oid})" } grep { $_->{volatile} ne 'v' && !exists $list{ $_->{oid} }{ $_->{name} } } @functions;

cmp_ok(scalar @functions, '>', 2500, 'the functions were read');
is("@unlisted", '', 'each IMMUTABLE or STABLE function stands on a list');

# Names that say more than "nothing" must not come to stand on `pure` by a slip.
my @suspicious = grep { /^(has_\w+_privilege|pg_get_|pg_stat_|to_reg|reg\w+(in|out)$|current_|pg_\w+_is_visible|\w+_to_xml)/ }
  map { $_->{name} } grep { ($list{ $_->{oid} }{ $_->{name} } || '') =~ /^(pure|compares)$/ } @functions;
is("@suspicious", 'current_database', 'what reads catalogs, statistics or settings by its name is not listed as pure');

# ---- What they read ----

$node->safe_psql('postgres', q{
	CREATE ROLE plain;
	CREATE SCHEMA other;
	CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
	CREATE TABLE other.pg_class (a int);
	GRANT USAGE ON SCHEMA other TO plain;
	-- The binary form of what the call returns, which no setting changes but client_encoding; text where there is none.
	CREATE FUNCTION public.try_call(call text, clause text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		result text;
		form text;
	BEGIN
		FOREACH form IN ARRAY ARRAY['pg_catalog.encode(pg_catalog.record_send(ROW(%s%s)), ''hex'')', '(%s%s)::pg_catalog.text'] LOOP
			BEGIN
				EXECUTE pg_catalog.format('SELECT pg_catalog.string_agg(x, '','') FROM (SELECT ' || form || ' AS x) AS s', call, clause) INTO result;
				RETURN result;
			EXCEPTION
				WHEN undefined_function OR feature_not_supported THEN result := SQLSTATE;
				WHEN OTHERS THEN RETURN SQLSTATE;
			END;
		END LOOP;
		RETURN result;
	END $$;
	CREATE TABLE public.calls (oid oid, call text, clause text, one text, two text);
	GRANT ALL ON public.calls TO plain;
});

my (@rows, %calls);

read_types($node);

foreach my $function (@functions)
{
	my $on = $list{ $function->{oid} }{ $function->{name} } || next;

	next if $on !~ /^(pure|compares|regional)$/ || $function->{volatile} eq 'v';
	my $clause = $function->{kind} eq 'w' ? ' OVER ()' : '';

	foreach my $call (calls_of($function))
	{
		$call =~ s/'/''/g;
		push @rows, "($function->{oid}, '$call', '$clause')";
		$calls{ $function->{oid} }++;
	}
}
is(types_without_samples(), '', 'there are sample values of every type');
cmp_ok(scalar keys %calls, '>', 1400, 'nearly all functions can be called');

my %profile = (
	one => q{SET TimeZone = 'UTC'; SET search_path = public, pg_catalog;},
	two => q{SET DateStyle = 'German, DMY'; SET IntervalStyle = 'sql_standard'; SET TimeZone = 'America/New_York'; SET extra_float_digits = -10; SET bytea_output = 'escape';
		SET xmlbinary = 'hex'; SET xmloption = 'document'; SET quote_all_identifiers = on; SET timezone_abbreviations = 'India'; SET default_text_search_config = 'pg_catalog.simple';
		SET array_nulls = off; SET transform_null_equals = on; SET row_security = off; SET application_name = 'two'; SET search_path = other, pg_catalog;
		SET ROLE plain;});

$node->safe_psql('postgres', 'INSERT INTO public.calls (oid, call, clause) VALUES ' . join(",\n", @rows));
$node->safe_psql('postgres', "$profile{$_} UPDATE public.calls SET $_ = public.try_call(call, clause)") foreach qw(one two);

my %differs = map { my ($oid, $example) = split /\|/, $_, 2; ($oid => $example) } split /\n/,
  $node->safe_psql('postgres', q{SELECT oid, min(call || ': ' || coalesce(one, 'NULL') || ' or ' || coalesce(two, 'NULL')) FROM public.calls WHERE one IS DISTINCT FROM two GROUP BY oid});
my @wrong = map { $differs{ $_->{oid} } } grep { $list{ $_->{oid} }{ $_->{name} } ne 'regional' } grep { exists $differs{ $_->{oid} } } @functions;

is(join("\n", @wrong), '', 'what is listed as pure says the same under all settings');

# The same calls would have found the ones that do read settings.
my %found = map { $_->{name} => 1 } grep { exists $differs{ $_->{oid} } } @functions;
ok($found{$_}, "$_() was seen to read a setting") foreach qw(float8out byteaout quote_ident age timezone timestamptz_out interval_out to_char date_trunc to_tsvector timestamptz_pl_interval);
my $ok = $node->safe_psql('postgres', q{SELECT count(DISTINCT oid) FROM public.calls WHERE one !~ '^[0-9A-Z]{5}$'});
cmp_ok($ok, '>', 1100, 'most calls return something');

log_is_quiet($node, 'quiet');
$node->stop;
done_testing();
