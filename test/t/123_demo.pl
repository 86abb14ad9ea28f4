# make demo, its part with an application that does not know of the cache: first slow, then from the cache, then
# after an UPDATE right again. The script checks each answer itself.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', 'cached_query.memory = 64MB');
my ($out, $err);

plan skip_all => 'the demo is not here' unless -x "$FindBin::RealBin/../demo";

local %ENV = (%ENV, DEMO_ON_SERVER => 1, ROWS => 100000, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => 'postgres');
ok(IPC::Run::run([ "$FindBin::RealBin/../demo" ], '>', \$out, '2>', \$err), 'the demo ends well') or diag("$out\n$err");
cmp_ok(() = $out =~ /^  run \d: /mg, '<=', 12, 'at most twelve runs');
is(() = $out =~ /from the cache$/mg, 3, 'three of them from the cache');
like($out, qr/^> /m, 'the sums changed');
log_is_quiet($node, 'nothing to complain about');
$node->stop;
done_testing();
