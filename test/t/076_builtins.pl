# The lists of built-in functions (src/query/builtins.def) against this server's pg_proc: each function
# that can be called stands on one of them, and what is said to depend on its arguments only does so.
# The latter is tried: each function of the lists `pure` and `compares` is called with arguments of its
# types under two sets of settings, search paths and roles, and must say the same.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', { extra => [ '--encoding=UTF8', '--locale=C' ] });

# ---- The lists ----

my (%list, @twice);
my $def = slurp_file("$FindBin::RealBin/../../src/query/builtins.def");

while ($def =~ /^CQ_BUILTIN\((\w+), "(\w+)", ([\d,\s]+)\)/mg)
{
	my ($name, $function, $oids) = ($1, $2, $3);

	foreach my $oid (split /\D+/, $oids)
	{
		push @twice, "$function $oid" if exists $list{$oid}{$function};
		$list{$oid}{$function} = $name;
	}
}
cmp_ok(scalar keys %list, '>', 2500, 'the lists were read');
is("@twice", '', 'no function stands on two lists');

# Everything that a query can call, or that an aggregate is made of.  What takes or returns `internal`
# is for PostgreSQL's own calls.
my $functions = q{
	SELECT p.oid, p.proname, p.provolatile, p.prokind, p.proretset, p.proargtypes::text, p.oid::regprocedure
	FROM pg_proc AS p
	WHERE p.oid < 12000 AND p.prokind <> 'a'
		AND (NOT ARRAY[p.prorettype] || string_to_array(p.proargtypes::text, ' ')::oid[] && ARRAY['internal', 'trigger', 'event_trigger',
			'language_handler', 'fdw_handler', 'index_am_handler', 'tsm_handler', 'table_am_handler']::regtype[]::oid[]
			OR p.oid IN (SELECT unnest(ARRAY[aggtransfn, aggfinalfn, aggcombinefn, aggserialfn, aggdeserialfn, aggmtransfn, aggminvtransfn, aggmfinalfn]) FROM pg_aggregate))
	ORDER BY 1};
my @functions = map { my %f; @f{qw(oid name volatile kind set args signature)} = split /\|/; \%f } split /\n/, $node->safe_psql('postgres', $functions);
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

# Two values of each type, written in a way that all settings read alike.
my %sample = (
	bool => ['true', 'false'], '"char"' => [q{'a'::"char"}], name => [q{'pg_class'::name}, q{'UTF8'::name}],
	int2 => ['2::int2', '(-3)::int2'], int4 => [ 5, '-1' ], int8 => [ '7::int8', '0::int8' ], oid => ['1259::oid'], float4 => ['1.1::float4'],
	float8 => [ '(1/3.0)::float8', '0.25::float8' ], numeric => [ '3.14', '-2.50' ], money => [q{1234.56::numeric::money}], text => [ q{'Abc é 1'::text}, q{'a, b'::text}, q{'IST'::text}, q{'day'::text} ],
	varchar => [q{'Abc'::varchar}], bpchar => [q{'ab '::bpchar}], bytea => [q{'abc'::bytea}], cstring => [ q{'12'::cstring}, q{'2020-03-04'::cstring}, q{'1.5'::cstring}, q{'t'::cstring} ],
	date => [ q{'2020-03-29'::date}, q{'1999-12-31'::date} ], time => [q{'02:30:00'::time}], timetz => [q{'02:30:00+05'::timetz}],
	timestamp => [ q{'2020-03-29 02:30:00'::timestamp}, q{'2019-11-03 01:30:00'::timestamp} ], timestamptz => [ q{'2020-03-29 02:30:00+00'::timestamptz}, q{'2020-01-31 23:30:00+00'::timestamptz}, q{'2019-11-03 05:30:00+00'::timestamptz} ],
	interval => [ q{'P1Y2M3DT4H'::interval}, q{'P1D'::interval} ], uuid => [q{'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid}],
	inet => [q{'10.1.2.3/8'::inet}], cidr => [q{'10.0.0.0/8'::cidr}], macaddr => [q{'08:00:2b:01:02:03'::macaddr}], macaddr8 => [q{'08:00:2b:01:02:03:04:05'::macaddr8}],
	bit => [q{B'101'}], varbit => [q{B'0110'::varbit}], json => [ q{'{"a":1.50}'::json}, q{'[1,"x"]'::json} ], jsonb => [ q{'{"a":[1.50,"2020-01-01"]}'::jsonb}, q{'[1,"x"]'::jsonb} ],
	jsonpath => [ q{'$.a[*]'::jsonpath}, q{'$'::jsonpath} ], xml => [q{'<a>1</a>'::xml}], tsvector => [q{'fat:1 cats:2'::tsvector}], tsquery => [q{'fat & rat'::tsquery}],
	point => [q{'(1,2)'::point}], lseg => [q{'((1,2),(3,4.5))'::lseg}], path => [q{'((0,0),(1,1),(2,0))'::path}], box => [q{'(1,1),(0,0)'::box}], polygon => [q{'((0,0),(1,1),(2,0))'::polygon}],
	line => [q{'{1,-1,0}'::line}], circle => [q{'<(1,1),2>'::circle}], pg_lsn => [q{'0/16B3748'::pg_lsn}], tid => [q{'(1,2)'::tid}], xid => [q{'7'::xid}], xid8 => [q{'7'::xid8}], cid => [q{'3'::cid}],
	pg_snapshot => [q{'10:20:10,14'::pg_snapshot}], txid_snapshot => [q{'10:20:10,14'::txid_snapshot}], oidvector => [q{'1 2'::oidvector}], int2vector => [q{'1 2'::int2vector}], regclass => ['1259::regclass'], regtype => ['23::regtype'],
	regconfig => ['3748::regconfig'], regdictionary => ['3765::regdictionary'], regproc => ['1242::regproc'], regprocedure => ['1242::regprocedure'], regoper => ['96::regoper'], regoperator => ['96::regoperator'], regcollation => ['100::regcollation'], regnamespace => ['11::regnamespace'], regrole => ['10::regrole'], aclitem => ['makeaclitem(10, 10, \'SELECT\', false)'], refcursor => [q{'c'::refcursor}],
	int4range => [ q{'[1,5)'::int4range}, q{'[3,9)'::int4range} ], int8range => [q{'[1,5)'::int8range}], numrange => [q{'[1,5)'::numrange}], daterange => [q{'[2020-01-01,2020-02-01)'::daterange}],
	tsrange => [q{'[2020-01-01,2020-02-01)'::tsrange}], tstzrange => [q{'[2020-01-01 00:00+00,2020-02-01 00:00+00)'::tstzrange}], int4multirange => [ q{'{[1,5)}'::int4multirange}, q{'{[3,9)}'::int4multirange} ],
	anyelement => [ 5, q{'2020-03-29'::date} ], anynonarray => [5], anycompatible => [5], anycompatiblenonarray => [5], anyenum => [q{'ok'::public.mood}, q{'sad'::public.mood}], anyarray => [ 'ARRAY[5,1]', q{ARRAY['2020-03-29'::date]} ],
	anycompatiblearray => ['ARRAY[5,1]'], anyrange => [ q{'[1,5)'::int4range}, q{'[3,9)'::int4range} ], anycompatiblerange => [q{'[1,5)'::int4range}], anymultirange => [ q{'{[1,5)}'::int4multirange}, q{'{[3,9)}'::int4multirange} ],
	anycompatiblemultirange => [q{'{[1,5)}'::int4multirange}], any => [ 5, q{'x'::text} ], record => [ q{ROW(1,'x'::text)}, q{ROW(2,'2020-01-01'::date)} ], unknown => [q{'u'}], gtsvector => [], pg_node_tree => ['(SELECT ev_action FROM pg_catalog.pg_rewrite LIMIT 1)'],
	pg_ndistinct => [], pg_dependencies => [], pg_mcv_list => [], pg_brin_bloom_summary => [], pg_brin_minmax_multi_summary => [], pg_ddl_command => [], void => [], internal => []);
my %type = map { split /\|/ } split /\n/, $node->safe_psql('postgres', q{SELECT oid, typname FROM pg_type WHERE oid < 12000});
my %element = map { split /\|/ } split /\n/, $node->safe_psql('postgres', q{SELECT a.typname, e.typname FROM pg_type AS a JOIN pg_type AS e ON e.oid = a.typelem AND e.typarray = a.oid WHERE a.oid < 12000});
my %unknown_type;

sub samples
{
	my ($oid) = @_;
	my $type = $type{$oid};
	my $name = $type eq 'char' ? '"char"' : $type;

	return @{ $sample{$name} } if exists $sample{$name};
	return ('ARRAY[\'a\'::"char"]') if $type eq '_char';
	if (exists $element{$type} && exists $sample{ $element{$type} })
	{
		my @elements = @{ $sample{ $element{$type} } };

		return @elements ? ('ARRAY[' . join(',', @elements[0 .. ($#elements > 1 ? 1 : $#elements)]) . ']') : ();
	}
	$unknown_type{$type} = 1;
	return ();
}

# All combinations of sample arguments, but not more than 16 of them.
sub calls_of
{
	my ($function) = @_;
	my @calls = ('');

	foreach my $oid (split ' ', $function->{args})
	{
		my @values = samples($oid);

		@calls = map { my $call = $_; map { $call eq '' ? $_ : "$call, $_" } @values } @calls;
		@calls = @calls[0 .. 15] if @calls > 16;
	}
	my $name = $function->{name} =~ /^[a-z_0-9]+$/ ? $function->{name} : "\"$function->{name}\"";

	return map { qq{pg_catalog."$function->{name}"($_)} } grep { $_ ne '' || $function->{args} eq '' } @calls;
}

my (@rows, %calls);

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
is(join(' ', sort keys %unknown_type), '', 'there are sample values of every type');
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
