# BuiltinSamples.pm - built-in functions and their lists, sample values of every built-in type, and calls
# made of them: for tests that go through all of PostgreSQL's functions, types and operators.

package BuiltinSamples;

use strict;
use warnings;
use FindBin;

use Exporter 'import';
use PostgreSQL::Test::Utils;

our @EXPORT = qw(read_lists read_functions read_types samples calls_of types_without_samples);

# The lists of src/query/builtins.def: OID -> name -> list; then what stands on two of them.
sub read_lists
{
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
	return (\%list, \@twice);
}

# Everything that a query can call, or that an aggregate is made of.  What takes or returns `internal`
# is for PostgreSQL's own calls.
sub read_functions
{
	my ($node) = @_;
	my $functions = q{
		SELECT p.oid, p.proname, p.provolatile, p.prokind, p.proretset, p.proargtypes::text, p.oid::regprocedure
		FROM pg_proc AS p
		WHERE p.oid < 12000 AND p.prokind <> 'a'
			AND (NOT ARRAY[p.prorettype] || string_to_array(p.proargtypes::text, ' ')::oid[] && ARRAY['internal', 'trigger', 'event_trigger',
				'language_handler', 'fdw_handler', 'index_am_handler', 'tsm_handler', 'table_am_handler']::regtype[]::oid[]
				OR p.oid IN (SELECT unnest(ARRAY[aggtransfn, aggfinalfn, aggcombinefn, aggserialfn, aggdeserialfn, aggmtransfn, aggminvtransfn, aggmfinalfn]) FROM pg_aggregate))
		ORDER BY 1};

	return map { my %f; @f{qw(oid name volatile kind set args signature)} = split /\|/; \%f } split /\n/, $node->safe_psql('postgres', $functions);
}

# Two values of each type, written in a way that all settings read alike.
our %sample = (
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
	regconfig => ['3748::regconfig'], regdictionary => ['3765::regdictionary'], regproc => ['1242::regproc'], regprocedure => ['1242::regprocedure'], regoper => ['96::regoper'], regoperator => ['96::regoperator'], regcollation => ['100::regcollation'], regnamespace => ['11::regnamespace'], regrole => ['10::regrole'], regdatabase => ['1::regdatabase'], oid8 => [q{'7'::oid8}], aclitem => ['makeaclitem(10, 10, \'SELECT\', false)'], refcursor => [q{'c'::refcursor}],
	int4range => [ q{'[1,5)'::int4range}, q{'[3,9)'::int4range} ], int8range => [q{'[1,5)'::int8range}], numrange => [q{'[1,5)'::numrange}], daterange => [q{'[2020-01-01,2020-02-01)'::daterange}],
	tsrange => [q{'[2020-01-01,2020-02-01)'::tsrange}], tstzrange => [q{'[2020-01-01 00:00+00,2020-02-01 00:00+00)'::tstzrange}], int4multirange => [ q{'{[1,5)}'::int4multirange}, q{'{[3,9)}'::int4multirange} ],
	nummultirange => [q{'{[1,5)}'::nummultirange}], int8multirange => [q{'{[1,5)}'::int8multirange}], datemultirange => [q{'{[2020-01-01,2020-02-01)}'::datemultirange}], tsmultirange => [q{'{[2020-01-01,2020-02-01)}'::tsmultirange}],
	tstzmultirange => [q{'{[2020-01-01 00:00+00,2020-02-01 00:00+00)}'::tstzmultirange}], anyelement => [ 5, q{'2020-03-29'::date} ], anynonarray => [5], anycompatible => [5], anycompatiblenonarray => [5], anyenum => [q{'ok'::public.mood}, q{'sad'::public.mood}], anyarray => [ 'ARRAY[5,1]', q{ARRAY['2020-03-29'::date]} ],
	anycompatiblearray => ['ARRAY[5,1]'], anyrange => [ q{'[1,5)'::int4range}, q{'[3,9)'::int4range} ], anycompatiblerange => [q{'[1,5)'::int4range}], anymultirange => [ q{'{[1,5)}'::int4multirange}, q{'{[3,9)}'::int4multirange} ],
	anycompatiblemultirange => [q{'{[1,5)}'::int4multirange}], any => [ 5, q{'x'::text} ], record => [ q{ROW(1,'x'::text)}, q{ROW(2,'2020-01-01'::date)} ], unknown => [q{'u'}], gtsvector => [], pg_node_tree => ['(SELECT ev_action FROM pg_catalog.pg_rewrite LIMIT 1)'],
	pg_ndistinct => [], pg_dependencies => [], pg_mcv_list => [], pg_brin_bloom_summary => [], pg_brin_minmax_multi_summary => [], pg_ddl_command => [], void => [], internal => []);
my (%type, %element, %unknown_type);

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

# Asks the server which types there are; before samples() and calls_of().
sub read_types
{
	my ($node) = @_;

	%type = map { split /\|/ } split /\n/, $node->safe_psql('postgres', q{SELECT oid, typname FROM pg_type WHERE oid < 12000});
	%element = map { split /\|/ } split /\n/, $node->safe_psql('postgres',
		q{SELECT a.typname, e.typname FROM pg_type AS a JOIN pg_type AS e ON e.oid = a.typelem AND e.typarray = a.oid WHERE a.oid < 12000});
	return;
}

sub types_without_samples { return join ' ', sort keys %unknown_type; }

1;
