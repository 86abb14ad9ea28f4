# A definition that changes waits for a synchronous standby that is dead: until it is done only answers that it
# is about are refused.  Others of the database are found as ever.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', { allows_streaming => 1 }, 'max_connections = 40', 'log_min_messages = warning');
my $boss = CachedQueryTest::Deaf->connect($node);

$boss->ask($_) foreach 'CREATE TABLE t (v int)', 'CREATE TABLE u (v int)', 'INSERT INTO t VALUES (1)', 'INSERT INTO u VALUES (1)',
  'CREATE FUNCTION f() RETURNS int LANGUAGE sql STABLE AS $$SELECT 1$$', 'CREATE FUNCTION g() RETURNS int LANGUAGE sql STABLE AS $$SELECT 1$$',
  'CREATE ROLE r', 'CREATE SCHEMA s';

my $on_t = rows_of('SELECT v, f() FROM t', '1h', 'v int, f int');
my $on_u = rows_of('SELECT v, g() FROM u', '1h', 'v int, g int');

sub outcome { return (outcome_of($node, $_[0]))[0]; }

foreach my $case (
	# what is done, and whether it is about the answers on t; undef: it locks the table, so nobody can ask
	[ 'ALTER TABLE t ALTER v TYPE int USING v + 1', undef ],
	[ 'TRUNCATE t', undef ],
	[ 'GRANT SELECT ON t TO r', 1 ],
	[ 'CREATE INDEX ON t (v)', 0 ],
	[ 'CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql STABLE AS $$SELECT 2$$', 1 ],
	[ 'CREATE TABLE another (a int)', 0 ],
	[ 'CREATE TABLE s.another (a int PRIMARY KEY)', 0 ],
	[ 'CREATE TYPE mood AS ENUM (\'sad\')', 0 ],
	[ 'CREATE FUNCTION unrelated() RETURNS int LANGUAGE sql AS $$SELECT 1$$', 0 ],
	[ 'ALTER ROLE r PASSWORD \'x\'', 0 ],
	[ 'CREATE ROLE another', 0 ],
	[ 'DROP ROLE another', 0 ])
{
	my ($what, $about) = @$case;
	my $client = CachedQueryTest::Deaf->connect($node);

	$node->safe_psql('postgres', "$on_t; $on_u");
	is(join(' ', outcome($on_t), outcome($on_u)), 'hit hit', "before $what");
	$node->safe_psql('postgres', q{ALTER SYSTEM SET synchronous_standby_names = 'dead'});
	$node->reload;
	$node->poll_query_until('postgres', q{SELECT current_setting('synchronous_standby_names') = 'dead'});
	$client->send($what);
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'}), "$what waits");
	is(outcome($on_u), 'hit', '... and others are found');
	isnt(outcome($on_t), 'hit', '... but not what it is about') if $about;
	is(outcome($on_t), 'hit', '... all of them') if defined $about && !$about;
	$node->safe_psql('postgres', q{SET synchronous_commit = local; ALTER SYSTEM SET synchronous_standby_names = ''});
	$node->reload;
	is($client->until_ready->{sqlstate}, '', '... until it is done');
}
$node->stop;
done_testing();
