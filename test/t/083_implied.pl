# Functions that a query calls without naming them: of sort and group operators, of default operator classes, of GREATEST,
# of the elements of arrays, records and ranges, of casts to json.  They read a setting or the role: what is
# kept under one must not serve another.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main');
$node->safe_psql('postgres', 'CREATE ROLE regress_cq_one; CREATE ROLE regress_cq_two');

my %switches = (
	'a setting' => [ q{current_setting('app.x', true) = '2'}, q{SET app.x = '1'}, q{SET app.x = '2'} ],
	'the role' => [ q{current_user = 'regress_cq_two'}, 'SET ROLE regress_cq_one', 'SET ROLE regress_cq_two' ],
);
my %languages = (
	sql => sub { return "LANGUAGE sql AS \$f\$ SELECT $_[0] \$f\$" },
	plpgsql => sub { return "LANGUAGE plpgsql AS \$f\$ BEGIN RETURN $_[0]; END \$f\$" },
);

# A type whose order turns round, and in which tens are told apart and no more, when the switch is on.
sub objects
{
	my ($switch, $language) = @_;
	my $body = $languages{$language};
	my $key = "(CASE WHEN $switch THEN (\$2).n / 10 - (\$1).n / 10 ELSE (\$1).n - (\$2).n END)";
	my $sql = "CREATE TYPE w.num AS (n int); CREATE FUNCTION w.cmp(w.num, w.num) RETURNS int STABLE " . $body->($key) . ';';
	my %operators = ('<' => 'lt', '<=' => 'le', '=' => 'eq', '>=' => 'ge', '>' => 'gt');
	foreach my $op ('<', '<=', '=', '>=', '>')
	{
		$sql .= "CREATE FUNCTION w.$operators{$op}(w.num, w.num) RETURNS bool STABLE " . $body->("$key $op 0") . ';'
			. "CREATE OPERATOR w.$op (LEFTARG = w.num, RIGHTARG = w.num, FUNCTION = w.$operators{$op}" . ($op eq '=' ? ', MERGES, HASHES' : '') . ');';
	}
	$sql .= 'CREATE OPERATOR CLASS w.num_ops DEFAULT FOR TYPE w.num USING btree AS ' . join(', ', map { "OPERATOR $_->[0] w.$_->[1]" } ([ 1, '<' ], [ 2, '<=' ], [ 3, '=' ], [ 4, '>=' ], [ 5, '>' ])) . ', FUNCTION 1 w.cmp(w.num, w.num);';
	$sql .= "CREATE FUNCTION w.hash(w.num) RETURNS int STABLE " . $body->('0 * ($1).n') . '; CREATE OPERATOR CLASS w.num_hash DEFAULT FOR TYPE w.num USING hash AS OPERATOR 1 w.=, FUNCTION 1 w.hash(w.num);';
	$sql .= "CREATE TYPE w.mood AS ENUM ('sad'); CREATE FUNCTION w.as_json(w.mood) RETURNS json STABLE " . $body->("(CASE WHEN $switch THEN '\"on\"' ELSE '\"off\"' END)::json") . '; CREATE CAST (w.mood AS json) WITH FUNCTION w.as_json(w.mood);';
	# an operator class of int4 that is not the default
	my $plain = "(CASE WHEN $switch THEN \$2 - \$1 ELSE \$1 - \$2 END)";
	$sql .= 'CREATE FUNCTION w.cmp_int(int, int) RETURNS int STABLE ' . $body->($plain) . ';';
	$sql .= 'CREATE FUNCTION w.lt_int(int, int) RETURNS bool STABLE ' . $body->("$plain < 0") . '; CREATE OPERATOR w.<# (LEFTARG = int, RIGHTARG = int, FUNCTION = w.lt_int);'
		. 'CREATE FUNCTION w.gt_int(int, int) RETURNS bool STABLE ' . $body->("$plain > 0") . '; CREATE OPERATOR w.># (LEFTARG = int, RIGHTARG = int, FUNCTION = w.gt_int);'
		. 'CREATE OPERATOR CLASS w.int_ops FOR TYPE int USING btree AS OPERATOR 1 w.<#, OPERATOR 2 pg_catalog.<=, OPERATOR 3 pg_catalog.=, OPERATOR 4 pg_catalog.>=, OPERATOR 5 w.>#, FUNCTION 1 w.cmp_int(int, int);'
		. 'CREATE TYPE w.ints AS RANGE (SUBTYPE = int, SUBTYPE_OPCLASS = w.int_ops, MULTIRANGE_TYPE_NAME = w.intm);';
	$sql .= 'CREATE TYPE w.wrap AS (v w.num); CREATE TYPE w.nums AS RANGE (SUBTYPE = w.num);';
	$sql .= 'CREATE TABLE w.t AS SELECT g AS id, ROW(g * 10 + i)::w.num AS v, ROW(ROW(g * 10 + i))::w.wrap AS r, \'sad\'::w.mood AS m FROM generate_series(1, 3) AS g, generate_series(1, 2) AS i;'
		. 'GRANT USAGE ON SCHEMA w TO PUBLIC; GRANT SELECT ON ALL TABLES IN SCHEMA w TO PUBLIC;';
	return $sql;
}

my %queries = (
	'ORDER BY' => q{SELECT string_agg((v).n::text, ',') FROM (SELECT v FROM w.t ORDER BY v, (v).n) AS x},
	'ORDER BY .. USING' => q{SELECT string_agg((v).n::text, ',') FROM (SELECT v FROM w.t ORDER BY v USING OPERATOR(w.<), (v).n) AS x},
	'ORDER BY .. USING another' => q{SELECT string_agg(id::text, ',') FROM (SELECT DISTINCT id FROM w.t) AS y, LATERAL (SELECT 1) AS z} . q{ WHERE (SELECT min(o) = 1 FROM (SELECT row_number() OVER (ORDER BY id USING OPERATOR(w.<#)) AS o, id FROM w.t) AS q WHERE id = 1)},
	'ORDER BY in an aggregate' => q{SELECT string_agg((v).n::text, ',' ORDER BY v, (v).n) FROM w.t},
	'DISTINCT' => q{SELECT count(*)::text FROM (SELECT DISTINCT v FROM w.t) AS x},
	'DISTINCT ON' => q{SELECT count(*)::text FROM (SELECT DISTINCT ON (v) v, id FROM w.t ORDER BY v, id) AS x},
	'GROUP BY' => q{SELECT string_agg(c::text, ',') FROM (SELECT count(*) AS c FROM w.t GROUP BY v) AS x},
	'GROUPING SETS' => q{SELECT count(*)::text FROM (SELECT v FROM w.t GROUP BY GROUPING SETS ((v), ())) AS x},
	'count(DISTINCT)' => q{SELECT count(DISTINCT v)::text FROM w.t},
	'UNION' => q{SELECT count(*)::text FROM (SELECT v FROM w.t UNION SELECT v FROM w.t) AS x},
	'PARTITION BY' => q{SELECT string_agg(c::text, ',') FROM (SELECT count(*) OVER (PARTITION BY v) AS c FROM w.t) AS x},
	'window ORDER BY' => q{SELECT string_agg(c::text, ',' ORDER BY (v).n) FROM (SELECT v, rank() OVER (ORDER BY v) AS c FROM w.t) AS x},
	'WITHIN GROUP' => q{SELECT (percentile_disc(0) WITHIN GROUP (ORDER BY v))::text FROM w.t WHERE (v).n % 10 = 1},
	'GREATEST' => q{SELECT GREATEST(ROW(11)::w.num, (SELECT max(v::text)::w.num FROM w.t))::text},
	'a comparison' => q{SELECT count(*)::text FROM w.t WHERE v < ROW(12)::w.num},
	'BETWEEN' => q{SELECT count(*)::text FROM w.t WHERE v BETWEEN ROW(11)::w.num AND ROW(21)::w.num},
	'IN' => q{SELECT count(*)::text FROM w.t WHERE v IN (ROW(11)::w.num, ROW(99)::w.num)},
	'IN a query' => q{SELECT count(*)::text FROM w.t WHERE v IN (SELECT ROW(id * 10 + 1)::w.num FROM w.t)},
	'IS DISTINCT FROM' => q{SELECT count(*)::text FROM w.t WHERE v IS DISTINCT FROM ROW(11)::w.num},
	'NULLIF' => q{SELECT count(NULLIF(v, ROW(11)::w.num))::text FROM w.t},
	'CASE' => q{SELECT count(CASE v WHEN ROW(11)::w.num THEN 1 END)::text FROM w.t},
	'a join' => q{SELECT count(*)::text FROM w.t AS a JOIN w.t AS b USING (v)},
	'elements of arrays, less' => q{SELECT count(*)::text FROM w.t WHERE ARRAY[v] < ARRAY[ROW(12)::w.num]},
	'elements of arrays, equal' => q{SELECT count(*)::text FROM w.t WHERE ARRAY[v] = ARRAY[ROW(11)::w.num]},
	'elements of arrays, contains' => q{SELECT count(*)::text FROM w.t WHERE ARRAY[v] @> ARRAY[ROW(11)::w.num]},
	'elements of arrays, order' => q{SELECT string_agg((a[1]).n::text, ',') FROM (SELECT ARRAY[v] AS a FROM w.t ORDER BY 1, (v).n) AS x},
	'array_position' => q{SELECT array_position(array_agg(v ORDER BY (v).n), ROW(12)::w.num)::text FROM w.t},
	'array_remove' => q{SELECT cardinality(array_remove(array_agg(v), ROW(11)::w.num))::text FROM w.t},
	'max of arrays' => q{SELECT max(ARRAY[v])::text FROM w.t WHERE (v).n % 10 = 1},
	'width_bucket' => q{SELECT width_bucket(ROW(11)::w.num, ARRAY[ROW(11)::w.num, ROW(12)::w.num])::text FROM w.t LIMIT 1},
	'rows, less' => q{SELECT count(*)::text FROM w.t WHERE r < ROW(ROW(12))::w.wrap},
	'rows, equal' => q{SELECT count(*)::text FROM w.t WHERE r = ROW(ROW(11))::w.wrap},
	'rows, DISTINCT' => q{SELECT count(*)::text FROM (SELECT DISTINCT r FROM w.t) AS x},
	'ROW() < ROW()' => q{SELECT count(*)::text FROM w.t WHERE ROW(v, 1) < ROW(ROW(12)::w.num, 1)},
	'whole rows, order' => q{SELECT string_agg(((x.x).v).n::text, ',') FROM (SELECT y AS x FROM (SELECT v, id FROM w.t) AS y ORDER BY y) AS x},
	'a range' => q{SELECT count(*)::text FROM w.t WHERE v <@ w.nums(ROW(11)::w.num, ROW(12)::w.num)},
	'a range with another operator class' => q{SELECT count(*)::text FROM w.t WHERE id <@ w.ints(NULL, 1)},
	'ranges compared' => q{SELECT count(*)::text FROM w.t WHERE w.ints(NULL, id) < w.ints(NULL, 1)},
	'ranges in an array' => q{SELECT count(*)::text FROM w.t WHERE ARRAY[w.ints(NULL, id)] < ARRAY[w.ints(NULL, 1)]},
	'a multirange' => q{SELECT count(*)::text FROM w.t WHERE id <@ w.intm(w.ints(NULL, 1))},
	'to_json' => q{SELECT min(to_json(m)::text) FROM w.t},
	'to_jsonb' => q{SELECT min(to_jsonb(m)::text) FROM w.t},
	'row_to_json' => q{SELECT min(row_to_json(x)::text) FROM (SELECT m FROM w.t) AS x},
	'json_agg' => q{SELECT left(json_agg(m)::text, 6) FROM w.t},
	'array_to_json' => q{SELECT min(array_to_json(ARRAY[m])::text) FROM w.t},
	'json_build_object' => q{SELECT min(json_build_object('a', m)::text) FROM w.t},
	'json_build_array' => q{SELECT min(json_build_array(m)::text) FROM w.t},
	'jsonb_agg' => q{SELECT left(jsonb_agg(x)::text, 14) FROM (SELECT m FROM w.t) AS x},
	'in a function' => q{SELECT w.f()},
	'in a function, json' => q{SELECT w.j()},
);
my $functions = q{CREATE FUNCTION w.f() RETURNS text STABLE LANGUAGE plpgsql AS $f$ DECLARE a w.num[] := ARRAY[ROW(11)::w.num]; b w.num[] := ARRAY[ROW(12)::w.num]; BEGIN RETURN a = b; END $f$;
	CREATE FUNCTION w.j() RETURNS text STABLE LANGUAGE plpgsql AS $f$ DECLARE v w.mood := 'sad'; BEGIN RETURN to_json(v); END $f$;};

# All answers of one session: cached or direct.
sub answers_of
{
	my ($settings, $consistency, $cached) = @_;
	my @names = sort keys %queries;
	my $sql = "SET cached_query.consistency = $consistency; SET search_path = w, public; $settings;\n" . join '', map {
		my $statement = $cached ? "SELECT v FROM cached_query(\$q\$$queries{$_}\$q\$, '1h') AS t(v text)" : $queries{$_};
		"SELECT '=$_=';\n$statement;\n" } @names;
	my ($code, $output, $error) = $node->psql('postgres', $sql, on_error_stop => 0);
	my %answers;
	my $name;
	foreach (split /\n/, $output)
	{
		if (/^=(.*)=$/) { $name = $1; $answers{$name} = '' }
		else { $answers{$name} .= $_ }
	}
	diag($error) if $error;
	return \%answers;
}

foreach my $what (sort keys %switches)
{
	my ($switch, $one, $two) = @{ $switches{$what} };
	foreach my $language (sort keys %languages)
	{
		$node->safe_psql('postgres', 'SET client_min_messages = error; SELECT cached_query_clear(); DROP SCHEMA IF EXISTS w CASCADE; CREATE SCHEMA w; SET search_path = w, public;' . objects($switch, $language) . $functions);
		my $direct_one = answers_of($one, 'ttl', 0);
		my $direct_two = answers_of($two, 'ttl', 0);
		my @same = grep { $direct_one->{$_} eq $direct_two->{$_} } sort keys %queries;
		is(join(', ', @same), '', "$language, $what: decides all of them");
		foreach my $consistency ('ttl', 'exact')
		{
			$node->safe_psql('postgres', 'SELECT cached_query_clear()');
			foreach my $turn (1, 2)
			{
				my $cached_one = answers_of($one, $consistency, 1);
				my $cached_two = answers_of($two, $consistency, 1);
				is_deeply($cached_one, $direct_one, "$language, $what, $consistency: the one, turn $turn");
				is_deeply($cached_two, $direct_two, "$language, $what, $consistency: the other, turn $turn");
			}
		}
	}
}
cmp_ok(outcomes($node)->{hit} // 0, '>', scalar(keys %queries), 'there were hits');
done_testing();
