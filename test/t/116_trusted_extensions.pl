# The functions of other extensions that docs/clients.md says can be trusted: there are such functions,
# exact mode refuses them until they are trusted, and then a result follows what it depends on: arguments, tables, settings, dictionaries.
# An extension that this server has not is skipped.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main');
my ($section) = slurp_file("$FindBin::RealBin/../../docs/clients.md") =~ /^## Functions of other extensions\n(.*?)(?=^## |\z)/ms;
my %trusted = $section =~ /^\| (\w+) \| `([^`]+)` \|/mg;

# For each: a query, then statements of which each changes what the query returns.
my %queries = (
	pg_trgm => [
		[ q{SELECT w FROM words WHERE w % 'word'}, q{INSERT INTO words VALUES ('wordy')}, q{SET pg_trgm.similarity_threshold = 1}, q{SELECT set_limit(0.01)} ],
		[ q{SELECT w FROM words WHERE 'word' <% w}, q{SET pg_trgm.word_similarity_threshold = 1}, q{SET pg_trgm.word_similarity_threshold = 0.01} ],
		[ q{SELECT w FROM words WHERE w %> 'word'}, q{SET pg_trgm.word_similarity_threshold = 1} ],
		[ q{SELECT w FROM words WHERE 'word' <<% w}, q{SET pg_trgm.strict_word_similarity_threshold = 1} ],
		[ q{SELECT w FROM words WHERE w %>> 'word'}, q{SET pg_trgm.strict_word_similarity_threshold = 1} ],
		[ q{SELECT show_limit()::text}, q{SELECT set_limit(0.5)} ],
	],
	unaccent => [
		[ q{SELECT unaccent(w) FROM words}, q{INSERT INTO words VALUES ('Stra} . "\xc3\x9f" . q{e')}, q{ALTER TEXT SEARCH DICTIONARY unaccent (RULES = 'xsyn_sample')} ],
		[ q{SELECT unaccent('unaccent', w) FROM words}, q{UPDATE words SET w = w || 'x'} ],
	],
	tablefunc => [
		[ q{SELECT x || b FROM crosstab('SELECT 1, w, w FROM words ORDER BY 2') AS c(x int, b text)}, q{UPDATE words SET w = 'a' || w} ],
		[ q{SELECT category_1 FROM crosstab2('SELECT w, 1, w FROM words ORDER BY 1')}, q{UPDATE words SET w = 'b' || w} ],
	],
	postgis => [
		map { [ "SELECT $_ FROM shapes", q{INSERT INTO shapes VALUES (ST_MakePoint(9, random()))} ] }
		  'ST_AsText(ST_Collect(g))', 'ST_AsText(ST_MakeLine(g ORDER BY g))', 'ST_AsText(ST_Collect(ST_MakeLine(g, g)))', 'ST_ClusterWithin(g, 1)::text',
		  'ST_ClusterIntersecting(g)::text', '(ST_NPoints(ST_Polygonize(g)) + count(*))::text', '(ST_ClusterKMeans(g, 2) OVER ())::text'
	],
	hll => [ [ 'SELECT hll_cardinality(hll_add_agg(hll_hash_integer(a)))::text FROM numbers', 'INSERT INTO numbers VALUES (7)' ] ]);

is_deeply([ sort map { lc } keys %trusted ], [ sort keys %queries ], 'the extensions of the document are those that are tested');
$node->safe_psql('postgres', q{CREATE TABLE words (w text); INSERT INTO words VALUES ('word'), ('wort'), ('H} . "\xc3\xb4" . q{tel');
	CREATE TABLE numbers (a int); INSERT INTO numbers VALUES (1), (2)});

foreach my $name (sort keys %trusted)
{
	my $extension = lc $name;
	my @names = split /, */, $trusted{$name};

  SKIP:
	{
		skip "this server has no $extension", 1
		  if $node->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions WHERE name = '$extension'") == 0;
		$node->safe_psql('postgres', "SET client_min_messages = error; CREATE EXTENSION $extension");
		$node->safe_psql('postgres', q{CREATE TABLE shapes (g geometry); INSERT INTO shapes VALUES (ST_MakePoint(1, 2)), (ST_MakePoint(1, 3)), (ST_MakePoint(3, 3))})
		  if $extension eq 'postgis';
		is( $node->safe_psql('postgres', qq{
				SELECT string_agg(n, ' ') FROM unnest('{$trusted{$name}}'::text[]) AS n WHERE NOT EXISTS (
					SELECT FROM pg_proc AS p JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
					JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = '$extension' WHERE p.proname = n)}),
			'', "$extension: has the functions");
		check($extension, $trusted{$name}, @$_) foreach @{ $queries{$extension} };
	}
}
$node->stop;
done_testing();

sub check
{
	my ($extension, $list, $query, @changes) = @_;
	my $call = "SELECT * FROM cached_query(\$q\$$query\$q\$, '1h') AS t(s text)";
	my $state = "SELECT state FROM cached_query_explain(\$q\$$query\$q\$)";
	my $judged = "SELECT cacheable AND consistency = 'exact' FROM cached_query_explain(\$q\$$query\$q\$)";
	my $sql = "SET cached_query.consistency = exact; SET cached_query.trusted_functions = '$list';";
	my ($step, @good) = (0);

	isnt($node->safe_psql('postgres', $judged), 't', "$extension: exact mode does not take: $query");
	is($node->safe_psql('postgres', "$sql $judged"), 't', "$extension: trusted, it does");

	# All in one session: settings are the session's.
	foreach my $change ('SELECT 1', @changes)
	{
		$sql .= "\n$change;\n\\echo cached\n$call;\n$call;\n\\echo state\n$state;\n\\echo direct\n$query;\n$query;\n\\echo end\n";
	}
	my $output = $node->safe_psql('postgres', $sql);
	my @rows = $output =~ /^cached\n(.*?)\n?^state\n(.*?)\n?^direct\n(.*?)\n?^end$/msg;
	while (my ($cached, $entry, $direct) = splice @rows, 0, 3)
	{
		push @good, $cached eq $direct && $entry eq 'fresh' ? 'good' : "step $step: '$cached' for '$direct', $entry";
		$step++;
	}
	is(join(', ', @good), join(', ', ('good') x (@changes + 1)), "$extension: and follows: $query");
}
