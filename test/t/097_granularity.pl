# What users may do in a database in which they may make objects, and whose answers of others it voids: those that
# may mean by a name what was made or dropped.  The table in src/exact/README.md says the same.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', { extra => [ '--encoding=UTF8', '--locale=C' ] });
$node->safe_psql('postgres', q{CREATE ROLE u LOGIN;
	GRANT CREATE ON DATABASE postgres TO u; GRANT CREATE ON SCHEMA public TO u;
	SET client_min_messages = error; CREATE EXTENSION pg_trgm; CREATE EXTENSION hstore;
	CREATE TABLE t (id int, s text); INSERT INTO t SELECT g, 'x' || g FROM generate_series(1, 20) g; GRANT SELECT ON t TO PUBLIC;
	CREATE FUNCTION sf(int) RETURNS bigint STABLE LANGUAGE sql AS 'SELECT count(*) FROM t WHERE id < $1';
	CREATE FUNCTION pf(int) RETURNS bigint STABLE LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM t WHERE id < $1); END';
	CREATE FUNCTION own_path() RETURNS text STABLE LANGUAGE plpgsql SET search_path = theirs, public AS 'BEGIN RETURN (SELECT max(s) FROM t); END';
	CREATE FUNCTION qualified() RETURNS bigint STABLE LANGUAGE sql SET search_path = pg_catalog AS 'SELECT count(*) FROM public.t';
	CREATE FUNCTION tree() RETURNS bigint STABLE LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM t; END;
	CREATE FUNCTION dynamic() RETURNS int STABLE LANGUAGE plpgsql AS $$DECLARE n int; BEGIN EXECUTE 'SELECT 1' INTO n; RETURN n; END$$;
	CREATE FUNCTION odd(int) RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'a' COLLATE "C" || $1$$;});

my %queries = (
	table => 'SELECT count(*) FROM t', words => q{SELECT s FROM t WHERE s LIKE 'x%' ORDER BY s},
	sf => 'SELECT sf(10)', pf => 'SELECT pf(10)', own_path => 'SELECT own_path()', qualified => 'SELECT qualified()',
	tree => 'SELECT tree()', dynamic => 'SELECT dynamic()', odd => 'SELECT odd(id) FROM t',
	trgm => q{SELECT similarity(s, 'x') FROM t}, hstore => q{SELECT 'a=>1'::hstore -> 'a'},
	search => q{SELECT to_tsvector('english', s)::text FROM t}, privilege => q{SELECT has_table_privilege('t', 'select')},
	convert => q{SELECT convert_to(s, 'LATIN1') FROM t});

my @names = sort keys %queries;
# Which of them are void?  They are filled again.
sub void_now
{
	my @void;
	foreach my $name (@names)
	{
		my ($outcome) = outcome_of($node, "SELECT count(cached_query_json(\$q\$$queries{$name}\$q\$, '1h'))");
		push @void, $name if $outcome ne 'hit';
	}
	return join ' ', @void;
}
void_now();
is(void_now(), '', 'all are found');

my $operator = 'CREATE FUNCTION public.oo(int, text) RETURNS bool LANGUAGE sql AS \'SELECT true\'; CREATE OPERATOR';
# the text bodies whose path has public
my $bodies = 'odd own_path pf sf';
my @cases = (
	[ 'CREATE SCHEMA su1', 'dynamic' ], [ 'GRANT USAGE ON SCHEMA su1 TO PUBLIC', 'convert dynamic privilege search' ], [ 'CREATE TABLE su1.t (a int)', 'dynamic privilege' ],
	[ 'DROP SCHEMA su1 CASCADE', 'convert dynamic privilege search' ],
	[ 'CREATE SCHEMA theirs', 'dynamic own_path' ], [ 'CREATE TABLE theirs.x (a int)', 'dynamic privilege' ], [ 'CREATE TABLE theirs.t (s text)', 'dynamic own_path privilege' ], [ 'DROP TABLE theirs.t', 'dynamic own_path privilege' ],
	[ 'CREATE TABLE tx (a int)', 'dynamic privilege' ], [ 'ALTER TABLE tx ADD b int', '' ], [ 'DROP TABLE tx', 'dynamic privilege' ],
	[ 'CREATE DOMAIN dx AS int', 'dynamic' ], [ 'CREATE TYPE ex AS ENUM (\'a\')', 'dynamic' ], [ 'ALTER TYPE ex ADD VALUE \'b\'', '' ], [ 'DROP TYPE ex', 'dynamic' ],
	[ 'CREATE FUNCTION fx() RETURNS int LANGUAGE sql AS \'SELECT 1\'', 'dynamic' ], [ 'CREATE OR REPLACE FUNCTION fx() RETURNS int LANGUAGE sql AS \'SELECT 2\'', '' ], [ 'DROP FUNCTION fx()', 'dynamic' ],
	[ 'CREATE FUNCTION count(int) RETURNS int LANGUAGE sql AS \'SELECT 1\'', 'dynamic pf sf' ], [ 'DROP FUNCTION count(int)', 'dynamic pf sf' ],
	[ "$operator ### (LEFTARG = int, RIGHTARG = text, FUNCTION = oo)", 'dynamic' ], [ 'DROP FUNCTION oo(int, text) CASCADE', 'dynamic' ],
	[ "$operator || (LEFTARG = int, RIGHTARG = text, FUNCTION = oo)", 'dynamic odd' ], [ 'DROP FUNCTION oo(int, text) CASCADE', 'dynamic odd' ],
	[ "$operator < (LEFTARG = int, RIGHTARG = text, FUNCTION = oo)", "dynamic $bodies" ], [ 'DROP FUNCTION oo(int, text) CASCADE', "dynamic $bodies" ],
	[ 'CREATE COLLATION cx FROM "C"', 'dynamic' ], [ 'DROP COLLATION cx', 'dynamic' ],
	[ 'CREATE CONVERSION cvx FOR \'LATIN1\' TO \'UTF8\' FROM iso8859_1_to_utf8', '' ], [ 'DROP CONVERSION cvx', '' ],
	[ 'CREATE DEFAULT CONVERSION cvx FOR \'LATIN1\' TO \'UTF8\' FROM iso8859_1_to_utf8', 'convert dynamic' ], [ 'DROP CONVERSION cvx', 'convert dynamic' ],
	[ 'CREATE TEXT SEARCH CONFIGURATION tsx (COPY = pg_catalog.english)', 'dynamic search' ], [ 'DROP TEXT SEARCH CONFIGURATION tsx', 'dynamic search' ],
	[ 'CREATE EXTENSION ltree', undef ], [ 'CREATE EXTENSION intarray', undef ],
);
foreach my $case (@cases)
{
	my ($statement, $expected) = @$case;
	my ($code) = $node->psql('postgres', "SET ROLE u; SET client_min_messages = error; $statement");
	my $void = void_now();

	if (defined $expected)
	{
		is($code, 0, $statement);
		is($void, join(' ', sort split / /, $expected), '... voids what may mean it');
	}
	else
	{
		unlike($void, qr/hstore|search|table|tree|trgm|words|qualified/, "$statement voids nothing that looks up no names");
	}
}
done_testing();
