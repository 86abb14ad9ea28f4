# The documentation names what there is: each setting with its default and context, each function with its
# arguments, each view with its columns, each reason code, option, wait event and background process. It
# names no setting, reason or option that there isn't. Links between the documents lead to a file and a heading that exist.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = "$FindBin::RealBin/../..";
my $node = start_node('main', 'cached_query.memory = 128MB');

sub rows { return map { [ split /\|/, $_, -1 ] } split /\n/, $node->safe_psql('postgres', $_[0]); }

sub document { return slurp_file("$root/$_[0]"); }

# The text below a heading, up to the next heading.
sub section
{
	my ($text, $heading) = @_;

	return $text =~ /^(#+) \Q$heading\E\n(.*?)(?=^#{1,6} |\z)/ms ? $2 : '';
}

# The first cells of a table's rows: what stands in backticks there.
sub first_cells
{
	my ($text) = @_;

	return map { /`([^`]+)`/g } $text =~ /^\| (`[^|]*) \|/mg;
}

sub missing
{
	my ($wanted, @there) = @_;
	my %there = map { $_ => 1 } @there;

	return [ grep { !$there{$_} } @$wanted ];
}

# ---- Settings: docs/settings.md has a row for each, with its default as SHOW tells it, and its context ----

# pg_settings leaves out the secret in some versions: the sources tell what else there is.
my @hidden = (qr/^cached_query\.redis_secret$/);
my %settings = map { $_->[0] => $_ } rows(q{SELECT name, current_setting(name), context, unit, array_to_string(enumvals, ' ') FROM pg_settings
	WHERE name LIKE 'cached_query.%' AND name NOT LIKE 'cached_query.debug%' ORDER BY name});
my @defined = sort grep { !/^cached_query\.debug_/ }
  map { slurp_file($_) =~ /DefineCustom\w+Variable\(\s*"(cached_query\.\w+)"/g }
  glob("$root/src/*.cpp $root/src/*/*.cpp");
foreach my $name (grep { !$settings{$_} } @defined)
{
	ok((grep { $name =~ $_ } @hidden), "setting $name is in pg_settings");
	$settings{$name} = [ $name, $node->safe_psql('postgres', "SHOW $name"), 'sighup', '', '' ];
}
is_deeply(missing([ keys %settings ], @defined), [], 'the sources define every setting');
my @settings = map { $settings{$_} } sort keys %settings;
my $settings = document('docs/settings.md');

cmp_ok(scalar @settings, '>', 20, 'there are settings');
foreach (@settings)
{
	my ($name, $default, $context, $unit, $values) = @$_;
	my ($documented) = $settings =~ /^\| `\Q$name\E` \| ([^\n]*)$/m;

	ok(defined $documented, "setting $name is documented") or next;
	my @cells = split / *\| */, $documented;

	is($cells[0] eq "''" ? '' : $cells[0], $default, "setting $name: default");
	like($cells[1], qr/^\Q$unit\E(?![A-Za-z])/, "setting $name: unit") if $unit ne '';
	like($cells[2], qr/^$context\b/, "setting $name: context");
	is_deeply(missing([ split / /, $values ], $cells[3] =~ /`(\w+)`/g), [], "setting $name: values") if $values ne '';
}
is_deeply(missing([ grep { /^cached_query\./ } first_cells($settings) ], map { $_->[0] } @settings), [],
	'every documented setting exists');

# ---- Functions ----

# The forms with VARIADIC have the same arguments before it.
my @functions = rows(q{SELECT p.proname, p.proname || '(' || coalesce((
		SELECT string_agg(n.name || ' ' || format_type(t.type, NULL)
				|| CASE WHEN t.i > p.pronargs - p.pronargdefaults THEN ' DEFAULT NULL' ELSE '' END, ', ' ORDER BY t.i)
		FROM unnest(p.proargtypes) WITH ORDINALITY AS t(type, i)
		JOIN unnest(p.proargnames) WITH ORDINALITY AS n(name, i) USING (i)), '') || ')', p.provariadic <> 0
	FROM pg_proc AS p JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	JOIN pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
	WHERE e.extname = 'cached_query' ORDER BY 1, 2});
my $functions = document('docs/functions.md');

cmp_ok(scalar @functions, '>', 20, 'there are functions');
foreach (@functions)
{
	my ($name, $form, $variadic) = @$_;

	if ($name =~ /^cached_query_(support|get_)/)
	{
		like($functions, qr/`$name`/, "function $name is documented");
	}
	elsif ($variadic eq 'f')
	{
		like($functions, qr/`\Q$form\E`/, "function $form is documented");
	}
}

# The columns that the functions of the name explain return.
foreach my $explain (qw(cached_query_explain cached_query_explain_statement))
{
	my ($returned) = rows(qq{SELECT array_to_string(proargnames, ' ') FROM pg_proc WHERE proname = '$explain' AND provariadic = 0});
	my $explained = section($functions, $explain);

	is_deeply(missing([ grep { $_ ne 'query' } split / /, $returned->[0] ], $explained =~ /`(\w+)`/g), [],
		"every column of $explain is documented");
}

# The options, as the error for a wrong one lists them.
$node->psql('postgres', q{SELECT cached_query_with('{"wrong": 1}', 'SELECT 1')}, stderr => \my $error);
my ($listed) = $error =~ /HINT:  Options are (.*)\.$/m;
my @options = split /, | and /, $listed // '';
my @documented = first_cells(section($functions, 'Options of cached_query_with'));
cmp_ok(scalar @options, '>', 5, 'there are options');
is_deeply(missing(\@options, @documented), [], 'every option of cached_query_with is documented');
is_deeply(missing(\@documented, @options), [], 'every documented option exists');

# ---- Views: docs/monitoring.md has a section for each, which names all columns ----

my @views = rows(q{SELECT c.relname, string_agg(a.attname, ' ' ORDER BY a.attnum)
	FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
	JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
	JOIN pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
	WHERE e.extname = 'cached_query' AND c.relkind IN ('v', 'r') GROUP BY c.relname ORDER BY 1});
my $monitoring = document('docs/monitoring.md');

cmp_ok(scalar @views, '>', 5, 'there are views');
foreach (@views)
{
	my ($name, $columns) = @$_;
	# the table is no view: it stands where it is explained
	my $section = $name eq 'cached_query_rules' ? section(document('docs/transparent.md'), 'Rules') : section($monitoring, $name);

	isnt($section, '', "view $name is documented");
	is_deeply(missing([ split / /, $columns ], $section =~ /`(\w+)`/g), [], "every column of $name is documented");
}

# ---- Wait events and background processes, as the sources name them ----

my $sources = join "\n", map { slurp_file($_) } glob("$root/src/*.h $root/src/*.cpp $root/src/*/*.h $root/src/*/*.cpp");
my @events = ($sources =~ /NamedWaitEvent\(&event, "(\w+)"/g, $sources =~ /(?:tranche_name = |RequestNamedLWLockTranche\()"(\w+)"/g);
my @processes = $sources =~ /\bProcess k\w+ = \{\s*"([^"]+)"/g;

cmp_ok(scalar @events, '>', 5, 'there are wait events');
is_deeply(missing(\@events, section($monitoring, 'Wait events') =~ /`(\w+)`/g), [], 'every wait event is documented');
cmp_ok(scalar @processes, '>', 3, 'there are background processes');
is_deeply(missing(\@processes, first_cells(section(document('docs/operations.md'), 'Background processes'))), [],
	'every background process is documented');

# ---- Comments in the database: of each function, view and column ----

my $members = q{SELECT d.classid, d.objid FROM pg_depend AS d JOIN pg_extension AS e
	ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass WHERE e.extname = 'cached_query' AND d.deptype = 'e'};
is($node->safe_psql('postgres', qq{SELECT string_agg(pg_describe_object(classid, objid, 0), ', ') FROM ($members) AS m
	WHERE classid IN ('pg_proc'::regclass, 'pg_class'::regclass) AND obj_description(objid, classid::regclass::name) IS NULL}),
	'', 'every function and view has a comment');
is($node->safe_psql('postgres', qq{SELECT string_agg(pg_describe_object(classid, objid, attnum), ', ') FROM ($members) AS m
	JOIN pg_attribute ON attrelid = objid AND attnum > 0
	WHERE classid = 'pg_class'::regclass AND col_description(objid, attnum) IS NULL}),
	'', 'every column has a comment');
foreach (rows(qq{SELECT proname || '(' || oidvectortypes(proargtypes) || ')', obj_description(oid) FROM ($members) AS m JOIN pg_proc ON oid = objid
	WHERE classid = 'pg_proc'::regclass AND proname = 'cached_query_with'}))
{
	my ($name, $comment) = @$_;

	is_deeply(missing(\@options, $comment =~ /(\w+)/g), [], "the comment of $name names every option");
}

# ---- Reason codes ----

my @reasons = map { $_->[0] } rows('SELECT reason FROM cached_query_reasons ORDER BY reason');
my @explained = first_cells(document('docs/reasons.md'));

cmp_ok(scalar @reasons, '>', 40, 'there are reasons');
is_deeply(missing(\@reasons, @explained), [], 'every reason is documented');
is_deeply(missing(\@explained, @reasons), [], 'every documented reason exists');

# ---- The examples in SQL run, those that make what others need first ----

sub examples
{
	my ($text) = @_;
	my @examples;

	while ($text =~ /^```(\w*)\n(.*?)^```/msg)
	{
		my ($language, $code) = ($1, $2);
		push @examples, $language eq 'sql' ? $code : $code =~ /^=> (.*?;)(?: *--.*)?$/msg;
	}
	return @examples;
}

my (%once, @examples);
foreach my $name ('README.md', map { s{^\Q$root\E/}{}r } sort glob("$root/docs/*.md"))
{
	push @examples, map { [ $name, $_ ] } grep { !$once{$_}++ } examples(document($name));
}
my $first = qr/^CREATE (EXTENSION|TABLE)/;
@examples = ((grep { $_->[1] =~ $first } @examples), (grep { $_->[1] !~ $first } @examples));

$node->safe_psql('postgres', "CREATE ROLE app; CREATE ROLE bi; CREATE DATABASE shop; CREATE DATABASE documents");
$node->safe_psql('documents', 'CREATE TABLE prices (item text, price numeric); CREATE TABLE events (tenant_id int, created_at timestamptz)');
cmp_ok(scalar @examples, '>', 10, 'there are examples');
foreach (@examples)
{
	my ($name, $code) = @$_;

	my $status = $node->psql('documents', $code, on_error_stop => 1, stderr => \my $complaint);
	my ($line) = $code =~ /(.*)/;
	is("$status $complaint", '0 ', "$name: $line");
}
$node->stop;

# ---- The documents themselves ----

my $readme = document('README.md');
cmp_ok(($readme =~ tr/\n//), '<=', 250, 'README.md has at most 250 lines');

my @documents = map { s{^\Q$root\E/}{}r } glob("$root/*.md $root/docs/*.md $root/src/*.md $root/src/*/*.md $root/test/bench/results/*.md");
foreach my $name (grep { m{^docs/} } @documents)
{
	like($readme, qr/\]\(\Q$name\E\)/, "README.md leads to $name");
}

# A document without its code, in which no link or heading counts.
sub without_code
{
	my ($text) = @_;

	$text =~ s/^```.*?^```$//msg;
	return $text;
}

# The anchors that GitHub gives to headings.
sub anchors
{
	my ($text) = @_;
	my (%seen, @anchors);

	$text = without_code($text);
	while ($text =~ /^#+ (.*)$/mg)
	{
		my $anchor = lc $1;

		$anchor =~ s/\[([^]]*)\]\([^)]*\)/$1/g;
		$anchor =~ s/[^\w -]//g;
		$anchor =~ s/ /-/g;
		my $before = $seen{$anchor}++;
		push @anchors, $before ? "$anchor-$before" : $anchor;
	}
	return @anchors;
}

my $links = 0;
foreach my $name (@documents)
{
	my $text = without_code(document($name));
	my ($directory) = $name =~ m{^(.*/)?[^/]*$};
	my @dead;

	$text =~ s/`[^`\n]*`//g;
	while ($text =~ /\]\(([^)\s]+)\)/g)
	{
		my $link = $1;

		next if $link =~ /^[a-z]+:/;
		my ($path, $anchor) = split /#/, $link, 2;
		my $target = $path eq '' ? $name : ($directory // '') . $path;

		$links++;
		push @dead, $link
		  unless -e "$root/$target"
		  && (!defined $anchor || $target =~ /\.md$/ && grep { $_ eq $anchor } anchors(document($target)));
	}
	is_deeply(\@dead, [], "$name: no dead links");
}
cmp_ok($links, '>', 50, 'there are links');

done_testing();
