# cached_query.quota: the answers of a role in a database take no more, and nobody else's go for them.
# cached_query_usage adds up exactly, whatever happens.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', 'cached_query.memory = 32MB', 'cached_query.refresh_workers = 2');

sub sql { return $node->safe_psql('postgres', @_) }

sub sql_as
{
	my ($role, $sql, $database) = @_;

	return $node->safe_psql($database || 'postgres', $sql, extra_params => [ '-U', $role ]);
}

# Calls for answers of $length bytes and a few hundred more, numbers from $from on.
sub fill
{
	my ($from, $count, $length) = @_;

	return "SELECT count(*) FROM generate_series($from, $from + $count - 1) AS g, "
	  . "LATERAL cached_query('SELECT repeat(chr(65 + \$1 % 26), $length)', '1h', g) AS t(x text)";
}

# entries|bytes|quota of a role, here or in another database; an empty string: nothing.
sub usage
{
	my ($role, $database) = @_;

	$database ||= 'postgres';
	return sql("SELECT entries, bytes, quota FROM cached_query_usage WHERE role = '$role' AND database = '$database'");
}

sub bytes { my ($entries, $bytes) = split /\|/, usage(@_); return $bytes || 0; }

# By role and database the same as by entry, images aside.
sub adds_up
{
	my ($name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is( sql(q{SELECT count(*) FROM (SELECT database, role, count(*), sum(bytes) FROM cached_query_entries GROUP BY 1, 2) AS e
		FULL JOIN (SELECT database, role, entries, bytes - image_bytes FROM cached_query_usage) AS u
		ON (e.database, e.role, e.count, e.sum) = (u.database, u.role, u.entries, u."?column?") WHERE e.role IS NULL OR u.role IS NULL}),
		0, $name);
	return;
}

sql(q{CREATE ROLE small LOGIN; CREATE ROLE other LOGIN; CREATE ROLE auditor LOGIN IN ROLE pg_read_all_stats;
	CREATE ROLE victim LOGIN; GRANT victim TO small;
	ALTER ROLE small SET cached_query.quota = '300kB'; CREATE DATABASE second});
add_extension($node, 'second');

# --- the limit ---------------------------------------------------------------------------------------
sql_as('other', fill(1, 100, 8000));
my $others = usage('other');
like($others, qr/^100\|\d+\|$/, "another role has $others, and no quota");
is(sql_as('small', 'SHOW cached_query.quota'), '300kB', 'ALTER ROLE sets it');
my ($status, undef, $error) = $node->psql('postgres', "SET cached_query.quota = '1GB'", extra_params => [ '-U', 'small' ]);
like($error, qr/permission denied to set parameter "cached_query.quota"/, 'the role itself can not');
($status, undef, $error) = $node->psql('postgres', 'ALTER ROLE small SET cached_query.quota = -1', extra_params => [ '-U', 'small' ]);
like($error, qr/permission denied/, 'nor for its next session');

foreach my $round (1 .. 3)
{
	sql_as('small', fill($round * 1000, 150, 8000));
	cmp_ok(bytes('small'), '<=', 300 * 1024, "round $round: it has no more than its quota");
	cmp_ok(bytes('small'), '>', 250 * 1024, '... and not much less');
}
like(usage('small'), qr/\|307200$/, 'the view knows the quota');
is(usage('other'), $others, 'nothing of the other role is gone');
adds_up('usage and entries agree');
is((outcome_of($node, fill(1000000, 1, 8000)))[0], 'miss_cold', 'a superuser has no quota');

# its least valuable go: what is asked for again and again stays
sql_as('small', fill(1, 1, 8000));
sql_as('small', fill(1, 1, 8000)) foreach 1 .. 20;
sql_as('small', fill(20000, 200, 8000));
my $before = outcomes($node)->{hit};
sql_as('small', fill(1, 1, 8000));
is(outcomes($node)->{hit}, $before + 1, 'an answer in use outlives 200 that are not');

# --- one that is larger than the quota -----------------------------------------------------------------
my $kept = usage('small');
$before = outcomes($node)->{over_quota} || 0;
sql_as('small', fill(30000, 2, 400000) . '; ' . fill(30000, 1, 400000));
is(outcomes($node)->{over_quota}, $before + 3, 'an answer larger than the quota is not kept');
is(usage('small'), $kept, 'and nothing goes for it');

# --- other ways --------------------------------------------------------------------------------------------
sql_as('small', 'SET ROLE victim; ' . fill(40000, 150, 8000));
is(usage('victim'), '', 'under another role it is still the session that pays');
cmp_ok(bytes('small'), '<=', 300 * 1024, 'within its quota');
sql_as('small', "SELECT cached_query_json('SELECT repeat(''x'', 5000), ' || g, '1h') FROM generate_series(1, 100) AS g");
cmp_ok(bytes('small'), '<=', 300 * 1024, 'documents count as well');

# images: of 200 rows, asked for often enough that its messages are kept
$node->safe_psql('postgres', q{SELECT * FROM cached_query('SELECT g, repeat(md5(g::text), 10) FROM generate_series(1, 300) AS g', '1h') AS t(g int, x text)},
	extra_params => [ '-U', 'small' ]) foreach 1 .. 6;
cmp_ok(bytes('small'), '<=', 300 * 1024, 'images count as well');

# a role in another database has another account
sql_as('small', fill(1, 10, 8000), 'second');
like(usage('small', 'second'), qr/^10\|/, 'each database has its own');
sql('ALTER ROLE small IN DATABASE second SET cached_query.quota = 0');
$before = outcomes($node)->{over_quota};
sql_as('small', fill(100, 5, 100), 'second');
is(outcomes($node)->{over_quota}, $before + 5, 'ALTER ROLE .. IN DATABASE: 0 keeps nothing');

# --- a worker renews for whoever paid -----------------------------------------------------------------------
sql(q{CREATE TABLE t AS SELECT 1 AS v; GRANT SELECT ON t TO small, victim});
my $refreshed = q{SET ROLE victim; SET cached_query.stale_for = '1h'; SET cached_query.refresh = background;
	SELECT * FROM cached_query('SELECT repeat(''y'', 3000), v FROM t', '100 ms') AS c(y text, v int)};
sql_as('small', $refreshed);
sql('UPDATE t SET v = 2');
ok(wait_until(sub { return sql_as('small', $refreshed) =~ /\|2$/ }, 60), 'a worker renews an answer');
is(usage('victim'), '', 'for the account that it was charged to');
is(sql('SELECT (SELECT sum(entries) || \' \' || sum(bytes - image_bytes) FROM cached_query_usage) = (SELECT count(*) || \' \' || sum(bytes) FROM cached_query_entries)'),
	't', 'all adds up with images and workers');

# --- who sees what --------------------------------------------------------------------------------------------
is(sql_as('other', 'SELECT DISTINCT role FROM cached_query_usage'), 'other', 'a role sees what it has');
cmp_ok(sql_as('auditor', 'SELECT count(DISTINCT role) FROM cached_query_usage'), '>=', 3, 'pg_read_all_stats sees all');

# --- a quota that comes later, and dropped roles ---------------------------------------------------------------
sql(q{ALTER ROLE other SET cached_query.quota = '100kB'});
sql_as('other', fill(60000, 1, 8000));
cmp_ok(bytes('other'), '<=', 100 * 1024, 'a new quota holds from the next fill on');
cmp_ok(bytes('other'), '>', 0, '... which is kept');
sql('DROP ROLE other');
like(sql('SELECT count(*) FROM cached_query_usage WHERE role IS NULL'), qr/^1$/, 'what a dropped role had is shown without a name');
sql('SELECT cached_query_clear()');
ok(wait_until(sub { return sql('SELECT count(*) FROM cached_query_usage') eq '0' }, 60), 'cleared: nobody has anything');

# --- more roles than accounts ------------------------------------------------------------------------------------
sql(q{DO $$BEGIN FOR i IN 1 .. 1500 LOOP EXECUTE 'CREATE ROLE many_' || i || ' LOGIN'; END LOOP; END$$});
my $client = CachedQueryTest::Deaf->connect($node);
foreach my $i (1 .. 1500)
{
	die unless $client->ask("SET SESSION AUTHORIZATION many_$i; " . fill($i, 1, 10))->{sqlstate} eq '';
	$client->ask('RESET SESSION AUTHORIZATION');
}
is(sql('SELECT sum(entries) FROM cached_query_usage'), 1500, '1,500 roles: all answers are in some account');
$before = outcomes($node)->{over_quota};
sql_as('small', fill(1, 10, 8000));
my $refused = outcomes($node)->{over_quota} - $before;
ok($refused == 10 || usage('small') =~ /^10\|/, 'a role with a quota has an account of its own, or keeps nothing');
store_is_idle($node, 'the store is sound, accounts included');

# --- at once ----------------------------------------------------------------------------------------------------------
sql('SELECT cached_query_clear()');
ok(wait_until(sub { return sql('SELECT count(*) FROM cached_query_usage') eq '0' }, 60), 'cleared again');
my @clients = map { CachedQueryTest::Deaf->connect($node) } 1 .. 6;
$_->ask("SET SESSION AUTHORIZATION small; SET cached_query.mode = refresh") foreach @clients;
$_->ask('RESET SESSION AUTHORIZATION; SET cached_query.quota = 300; SET SESSION AUTHORIZATION small') foreach @clients;
$_->send(fill(1, 300, 8000)) foreach @clients;
my $most = 0;
foreach (1 .. 20)
{
	my $now = bytes('small');

	$most = $now if $now > $most;
}
$_->until_ready foreach @clients;
cmp_ok($most, '<=', 300 * 1024, 'six sessions of a role at once stay within its quota at any moment');
cmp_ok(bytes('small'), '<=', 300 * 1024, 'and in the end');
store_is_idle($node, 'the store is sound after that');
log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
