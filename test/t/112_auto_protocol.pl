# Statements that are answered from the cache: what the server sends is the same byte for byte as without,
# whatever way of the protocol a client takes.  Each exchange is made with cached_query.auto = off, and then
# three times with exact: the first leaves a ghost, the second is kept, the third is a hit.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use IO::Socket::UNIX;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', { extra => [ '--encoding=UTF8', '--locale=C' ] }, 'cached_query.memory = 64MB',
	'cached_query.auto_min_time = 0');

$node->safe_psql('postgres', q{
	CREATE TABLE t AS SELECT g AS id, g % 7 AS k, nullif('v' || g, 'v3') AS v, g * 1.5::numeric AS n FROM generate_series(1, 200) AS g;
	CREATE TABLE wide AS SELECT g AS id, repeat(md5(g::text), 8) AS a FROM generate_series(1, 2000) AS g;
	ANALYZE;
});

# ---- The protocol ----

sub message
{
	my ($type, $body) = @_;

	return $type . pack('N', length($body) + 4) . $body;
}

sub Query { return message('Q', "$_[0]\0") }
sub Sync { return message('S', '') }
sub Flush { return message('H', '') }
sub Parse { my ($name, $sql, @types) = @_; return message('P', "$name\0$sql\0" . pack('n N*', scalar @types, @types)) }
sub Describe { my ($what, $name) = @_; return message('D', "$what$name\0") }
sub Execute { my ($portal, $rows) = @_; return message('E', "$portal\0" . pack('N', $rows || 0)) }
sub Close { my ($what, $name) = @_; return message('C', "$what$name\0") }

sub Bind
{
	my ($portal, $name, $values, $format) = @_;

	return message('B', "$portal\0$name\0" . pack('n', 0) . pack('n', scalar @$values)
		  . join('', map { defined $_ ? pack('N', length $_) . $_ : pack('N', 0xFFFFFFFF) } @$values)
		  . pack('n n', 1, $format || 0));
}

sub opened
{
	my ($auto) = @_;
	my $socket = IO::Socket::UNIX->new(Peer => $node->host . '/.s.PGSQL.' . $node->port) or die "no connection: $!";
	my $user = getpwuid($<);
	my $body = pack('N', 196608) . "user\0$user\0database\0postgres\0options\0-c cached_query.auto=$auto\0\0";

	print $socket pack('N', length($body) + 4) . $body;
	$socket->flush;
	replies($socket, 1);
	return $socket;
}

# All that comes until the server is ready as many times.
sub replies
{
	my ($socket, $ready) = @_;
	my $all = '';

	while ($ready > 0)
	{
		my $head = exactly($socket, 5);
		my ($type, $length) = unpack('a N', $head);

		$all .= $head . exactly($socket, $length - 4);
		$ready-- if $type eq 'Z';
	}
	return $all;
}

sub exactly
{
	my ($socket, $bytes) = @_;
	my $data = '';

	while (length $data < $bytes)
	{
		read($socket, $data, $bytes - length $data, length $data) or die 'the server has gone';
	}
	return $data;
}

# ---- What is exchanged: a name, whether it ends in hits, and messages, with how many times it is ready ----

my $big = 'SELECT id, v, n, k FROM t WHERE k < 5 ORDER BY id';
my @exchanges = (
	[ 'simple query', 1, 1, Query($big) ],
	[ 'two statements in one message', 1, 1, Query("$big; SELECT count(*) FROM t WHERE k = 2") ],
	[ 'no rows', 1, 1, Query('SELECT v, n FROM t WHERE id < 0') ],
	[ 'no columns, which is no candidate', 0, 1, Query('SELECT FROM t WHERE id < 3') ],
	[ 'junk columns', 1, 1, Query('SELECT v AS "Value" FROM t ORDER BY n DESC, id LIMIT 5') ],
	[ 'many rows, which are sent as they were sent before', 1, 1, Query('SELECT id, a FROM wide ORDER BY id') ],
	[ 'unnamed', 1, 1, Parse('', $big), Bind('', '', []), Describe('P', ''), Execute(''), Sync() ],
	[ 'binary', 1, 1, Parse('', $big), Bind('', '', [], 1), Describe('P', ''), Execute(''), Sync() ],
	[ 'one parameter', 1, 1, Parse('', 'SELECT id, v FROM t WHERE k = $1 ORDER BY id'), Bind('', '', ['3']), Describe('P', ''), Execute(''), Sync() ],
	[ 'parameters with types', 1, 1, Parse('', 'SELECT id, $2 AS x FROM t WHERE k = $1 ORDER BY id', 20, 25), Bind('', '', [ '3', undef ], 1), Execute(''), Sync() ],
	[ 'Describe before Bind', 1, 1, Parse('p1', 'SELECT v, n FROM t WHERE k = $1 ORDER BY id'), Describe('S', 'p1'), Bind('', 'p1', ['2']), Execute(''), Close('S', 'p1'), Sync() ],
	[ 'executed twice', 1, 1, Parse('p2', 'SELECT v FROM t WHERE k = $1 ORDER BY id'), Bind('', 'p2', ['1']), Execute(''), Bind('', 'p2', ['1']), Execute(''), Close('S', 'p2'), Sync() ],
	[ 'without Sync between', 1, 1, (map { (Parse('', "SELECT v FROM t WHERE id = $_"), Bind('', '', []), Describe('P', ''), Execute('')) } 11 .. 15), Sync() ],
	[ 'Sync after each, sent at once', 1, 3, (map { (Parse('', "SELECT v FROM t WHERE id = $_"), Bind('', '', []), Execute(''), Sync()) } 21 .. 23) ],
	[ 'an error between', 0, 1, Parse('', 'SELECT v FROM t WHERE id = 31'), Bind('', '', []), Execute(''), Parse('', 'SELECT 1 / (id - 32) FROM t WHERE id = 32'), Bind('', '', []), Execute(''), Sync() ],
	[ 'an error after some rows', 0, 1, Query('SELECT 1 / (id - 40) FROM t ORDER BY id') ],
	[ 'row limit, to the end', 1, 1, Parse('', $big), Bind('a', '', []), Execute('a', 3), Execute('a', 50), Execute('a', 0), Sync() ],
	[ 'row limit, never finished', 0, 1, Parse('', 'SELECT id FROM t WHERE k = 6 ORDER BY id'), Bind('a', '', []), Execute('a', 3), Execute('a', 3), Close('P', 'a'), Sync() ],
	[ 'row limit of all rows', 0, 1, Parse('', 'SELECT id FROM t WHERE id < 4 ORDER BY id'), Bind('a', '', []), Execute('a', 3), Sync() ],
	[ 'two portals in turn', 1, 3, Query('BEGIN'), Parse('', 'SELECT id, v FROM t WHERE k = 4 ORDER BY id'), Bind('a', '', []), Parse('', 'SELECT id, n FROM t WHERE k = 5 ORDER BY id'), Bind('b', '', [], 1),
		Execute('a', 2), Execute('b', 1), Execute('a', 3), Execute('b', 0), Execute('a', 0), Sync(), Query('COMMIT') ],
	[ 'writes between the rows', 0, 5, Query('BEGIN'), Parse('', 'SELECT id, v FROM t WHERE k = 2 ORDER BY id'), Bind('a', '', []), Execute('a', 2), Sync(),
		Query("UPDATE t SET v = v WHERE id = 2"), Execute('a', 0), Sync(), Query('ROLLBACK') ],
	[ 'a portal over its transaction', 0, 3, Query('BEGIN'), Parse('', $big), Bind('a', '', []), Execute('a', 2), Sync(), Query('ROLLBACK') ],
	[ 'a cursor', 0, 1, Query('BEGIN; DECLARE c CURSOR FOR SELECT id FROM t ORDER BY id; FETCH 3 FROM c; FETCH 2 FROM c; COMMIT') ],
	[ 'SQL-level PREPARE', 1, 1, Query("PREPARE s(int) AS SELECT v FROM t WHERE id = \$1; EXECUTE s(51); EXECUTE s(51); DEALLOCATE s") ]);

my $off = opened('off');
my $on = opened('exact');
my $before;

sub exchange
{
	my ($socket, $ready, @messages) = @_;

	print $socket join('', @messages);
	$socket->flush;
	return replies($socket, $ready);
}

sub hits
{
	return $node->safe_psql('postgres', q{SELECT statements FROM cached_query_reasons WHERE reason = 'hit'});
}

foreach my $e (@exchanges)
{
	my ($name, $hit, $ready, @messages) = @$e;
	my $expected = exchange($off, $ready, @messages);
	my @same;
	my $hits;

	foreach my $round (1 .. 5)
	{
		$hits = hits() if $round == 5;
		push @same, exchange($on, $ready, @messages) eq $expected ? 1 : 0;
	}
	is("@same", '1 1 1 1 1', "$name: the same bytes");
	cmp_ok(hits(), '>', $hits, "$name: it was a hit") if $hit;
	is(hits(), $hits, "$name: it was no hit") if !$hit && $name !~ /error|portal over|writes/;
}
cmp_ok($node->safe_psql('postgres', 'SELECT image_hits FROM cached_query_stats'), '>', 0, 'stored messages were sent');
store_is_idle($node, 'nothing is left pinned');

# ---- The setting by connection string, role and database; hits of another session ----

my $other = opened('exact');
my $hits = hits();
my $expected = exchange($off, 1, Query($big));

is(exchange($other, 1, Query($big)), $expected, 'the first statement of another session: the same bytes');
is(hits(), $hits + 1, '... and a hit');
$node->safe_psql('postgres', 'ALTER DATABASE postgres SET cached_query.auto = exact; CREATE ROLE bi LOGIN; ALTER ROLE bi SET cached_query.auto = off');
is($node->safe_psql('postgres', 'SHOW cached_query.auto'), 'exact', 'set for the database');
is($node->safe_psql('postgres', 'SHOW cached_query.auto', extra_params => [ '-U', 'bi' ]), 'off', 'and otherwise for a role');

# ---- Settings that change between the rows of one portal: rows of both are not kept ----

my $set = "SELECT id, v FROM t WHERE k = current_setting('cq.k')::int";
my @first = (Query('BEGIN'), Parse('', $set), Bind('a', '', []), Execute('a', 2), Sync());
my @rest = (Execute('a', 0), Sync(), Query('COMMIT'));

foreach my $session ($off, $on)
{
	exchange($session, 1, Query("SET cq.k = '1'"));
}
foreach my $between ([ "SET cq.k = '2'" ], [ "SELECT set_config('cq.k', '3', true)" ], [ "SET cq.k = '4'", Execute('a', 2), Sync(), Query("SET cq.k = '1'") ])
{
	my ($command, @more) = @$between;

	foreach my $round (1 .. 3)
	{
		exchange($on, @more ? 8 : 6, @first, Query($command), @more, @rest, Query("SET cq.k = '1'"));
	}
	is(exchange($on, 1, Query($set)), exchange($off, 1, Query($set)), "$command between the rows: the rows of the statement itself");
	$node->safe_psql('postgres', 'UPDATE t SET v = v WHERE id = 1');
}
# the first rows were kept by nobody, so they are now
$hits = hits();
exchange($on, 1, Query($set)) foreach 1 .. 3;
cmp_ok(hits(), '>', $hits, '... and it can be a hit');
store_is_idle($node, 'nothing is left pinned after that');

# ---- Settings or the role change after a portal was bound: it has the rows of when it is executed, and leaves them to nobody ----

$node->safe_psql('postgres', q{
	CREATE TABLE secret AS SELECT g AS id, 'tenant' || g % 3 AS owner FROM generate_series(1, 30) AS g;
	ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
	CREATE POLICY p ON secret USING (owner = current_user);
	GRANT SELECT ON secret TO PUBLIC;
	CREATE ROLE tenant1; CREATE ROLE tenant2;
});
foreach my $case ([ $set, "SET cq.k = '5'", "SET cq.k = '6'" ], [ 'SELECT id FROM secret', 'SET ROLE tenant1', 'SET ROLE tenant2' ],
	[ "SELECT '2000-01-01'::timestamptz + id * interval '1 hour' FROM t WHERE k = 5", "SET TimeZone = 'UTC'", "SET TimeZone = 'Asia/Tokyo'" ])
{
	my ($sql, $one, $two) = @$case;
	my @bound = (Query('BEGIN'), Parse('', $sql), Bind('a', '', []), Describe('P', 'a'), Sync());
	my @executed = (Execute('a', 0), Sync(), Query('COMMIT'));
	my $late = sub { my $socket = shift; exchange($socket, 1, Query($one)); return exchange($socket, 5, @bound, Query($two), @executed); };
	my $now = sub { my ($socket, $set) = @_; exchange($socket, 1, Query($set)); return exchange($socket, 1, Query($sql)); };
	my $expected = $late->($off);

	is(join(' ', map { $late->($on) eq $expected ? 1 : 0 } 1 .. 3), '1 1 1', "$two after Bind: the rows of then");
	is($now->($on, $_), $now->($off, $_), "... nobody else gets them, $_") foreach $one, $two, $one;
	$now->($on, $one) foreach 1 .. 2;
	$hits = hits();
	is($now->($on, $one), $now->($off, $one), '... what is kept is a hit');
	is(hits(), $hits + 1, '... of the statement itself');
	is($late->($on), $expected, '... and no rows for the portal');
	exchange($_, 1, Query('RESET ALL; RESET ROLE')) foreach $on, $off;
}
store_is_idle($node, 'nothing is left pinned by bound portals');

unlike(slurp_file($node->logfile), qr/TRAP: |PANIC: |terminated by signal|leak/, 'no crash, no leak');
$node->stop;
done_testing();
