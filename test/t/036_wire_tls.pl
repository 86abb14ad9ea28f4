# Stored messages over TLS: they go through PostgreSQL's own buffer, and so through the connection's
# encryption, in pieces of any size.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use Digest::MD5 qw(md5_hex);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'needs openssl' if system('openssl version >/dev/null 2>&1') != 0;

my $node = start_node('main', 'cached_query.memory = 64MB', "listen_addresses = '127.0.0.1'");

plan skip_all => 'needs a server with TLS'
  if $node->safe_psql('postgres', q{SELECT count(*) FROM pg_settings WHERE name = 'ssl_library' AND setting <> ''}) eq '0';

my $dir = $node->data_dir;

system("openssl req -new -x509 -days 2 -nodes -subj /CN=localhost -keyout $dir/server.key -out $dir/server.crt >/dev/null 2>&1") == 0
  or plan skip_all => 'openssl makes no certificate';
chmod 0600, "$dir/server.key";
$node->append_conf('postgresql.conf', 'ssl = on');
$node->append_conf('pg_hba.conf', 'hostssl all all 127.0.0.1/32 trust');
$node->restart;

my $connection = "host=127.0.0.1 port=" . $node->port . " dbname=postgres sslmode=require gssencmode=disable";

# One session, so that each answer but the first is of a known kind.
sub answers
{
	my ($statement) = @_;
	my ($out, $err);
	my @all;

	foreach my $mode ('off', ('on') x 5)
	{
		$node->psql('postgres', "SET cached_query.mode = $mode; SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid(); $statement",
			connstr => $connection, stdout => \$out, stderr => \$err);
		is($err, '', "no error in mode $mode");
		push @all, md5_hex($out) . ' ' . substr($out, 0, 1);
	}
	return @all;
}

foreach my $case (
	[ 'many rows', rows_of(q{SELECT g, repeat('x', g % 500), g / 7.0 FROM generate_series(1, 10000) AS g}, '1h', 'a int, b text, c numeric'), 2 ],
	[ 'large values', rows_of(q{SELECT g, repeat(md5(g::text), 20000) FROM generate_series(1, 4) AS g}, '1h', 'a int, b text'), 2 ],
	[ 'a document', q{SELECT cached_query_json('SELECT g, md5(g::text) FROM generate_series(1, 50000) AS g', '1h')}, 0 ])
{
	my ($name, $statement, $images) = @$case;
	my $before = $node->safe_psql('postgres', 'SELECT image_hits FROM cached_query_stats');
	my @all = answers($statement);

	like($all[0], qr/ t$/, "$name: over TLS");
	is(scalar(grep { $_ ne $all[0] } @all), 0, "$name: the same each time");
	is($node->safe_psql('postgres', 'SELECT image_hits FROM cached_query_stats') - $before, $images, "$name: from images");
}
store_is_idle($node, 'nothing pinned, nothing lost');
log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
