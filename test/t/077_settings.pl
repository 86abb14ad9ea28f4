# Every setting that a session may change, with expressions of every built-in type, function and operator:
# where the setting changes what the query itself gives, the cached answer must follow it, as rows and as
# json, in the session that kept the plan and in another one, whoever filled first.
#
# A setting or type of a newer version that this test can't tell how to try makes it fail.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;

use BuiltinSamples;
use CachedQueryTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_node('main', { extra => [ '--encoding=UTF8', '--locale=C' ] }, 'log_statement = none', 'log_min_error_statement = panic', 'log_min_messages = warning');

# ---- Settings ----

# Booleans, enums and numbers get another value than they have.  Strings need one that means something.
my %string = (
	DateStyle => 'German, DMY', TimeZone => 'America/New_York', timezone_abbreviations => 'India', default_text_search_config => 'pg_catalog.simple', search_path => 'other, pg_catalog',
	application_name => 'another', client_encoding => 'LATIN1', lc_messages => 'C.UTF-8', lc_monetary => 'C.UTF-8', lc_numeric => 'C.UTF-8', lc_time => 'C.UTF-8', default_tablespace => 'pg_default',
	temp_tablespaces => 'pg_default', default_table_access_method => 'heap', dynamic_library_path => '$libdir:/nowhere', backtrace_functions => 'none', wal_consistency_checking => 'heap', createrole_self_grant => 'set',
	restrict_nonsystem_relation_kind => 'view', extension_control_path => '$system:/nowhere', extension_destdir => '/nowhere', output_plugin_libraries => 'nothing');

# Not tried, since ..
my @left_out = (
	qr/^(role|session_authorization)$/, # roles have a test of their own
	qr/^(transaction_|default_transaction_)/, # .. a transaction has begun with it
	qr/timeout$|^(exit_on_error|max_stack_depth|temp_file_limit)$/, # .. the test would end
	qr/^(log_|debug_|trace_|Debug_)/, # .. it is for the log
	qr/^(seed|ssl_renegotiation_limit|track_counts|default_with_oids|jit_provider)$/, # .. it can't be set, or only to one value
	qr/^(tcp_|local_preload_libraries|session_preload_libraries|zero_damaged_pages|ignore_)/, # .. it is for connections or broken disks
	qr/^(force_parallel_mode|debug_parallel_query)$/, # .. it starts workers for each expression
	qr/^timing_clock_source$/, # .. what is shown can't be set
	qr/^cached_query\./);

# One by one; all others are changed together.
my @alone = qw(DateStyle TimeZone IntervalStyle extra_float_digits bytea_output xmlbinary xmloption quote_all_identifiers timezone_abbreviations default_text_search_config client_encoding search_path
  array_nulls row_security application_name standard_conforming_strings backslash_quote transform_null_equals lc_messages);
my (@unknown, %value);

# always on since 19
if ($node->safe_psql('postgres', 'SHOW server_version_num') >= 190000)
{
	push @left_out, qr/^standard_conforming_strings$/;
	@alone = grep { $_ ne 'standard_conforming_strings' } @alone;
}

foreach my $line (split /\n/, $node->safe_psql('postgres', q{SELECT name, vartype, setting, coalesce(min_val, ''), coalesce(max_val, ''), array_to_string(enumvals, ',') FROM pg_settings WHERE context IN ('user', 'superuser') ORDER BY 1}))
{
	my ($name, $type, $setting, $min, $max, $enum) = split /\|/, $line, -1;

	next if grep { $name =~ $_ } @left_out;
	if ($type eq 'bool') { $value{$name} = $setting eq 'on' ? 'off' : 'on'; }
	elsif ($type eq 'enum') { ($value{$name}) = grep { $_ ne $setting } reverse split /,/, $enum; }
	elsif ($type ne 'string') { $value{$name} = $setting + 1 <= $max ? $setting + 1 : $min; }
	elsif (exists $string{$name}) { $value{$name} = $string{$name}; }
	else { push @unknown, $name; }
}
$value{extra_float_digits} = -10;
is("@unknown", '', 'it is known how to try each setting');
is(join(' ', grep { !exists $value{$_} } @alone), '', 'the settings that conversions read are there');

# ---- Expressions ----

my ($lists) = read_lists();

read_types($node);
$node->safe_psql('postgres', q{
	CREATE SCHEMA other;
	CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
	CREATE TABLE other.pg_class (a int);
	CREATE TABLE public.vals ();
	CREATE TABLE public.texts ();
	CREATE TABLE public.exprs (id serial PRIMARY KEY, query text UNIQUE, answer text);
	CREATE TABLE public.changes (id int, step int, names text[], vals text[]);

	-- The rows of a query as text, or the error.
	CREATE FUNCTION public.answer(sql text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		r record;
		result text := '';
	BEGIN
		FOR r IN EXECUTE sql LOOP
			result := result || r::text || E'\n';
		END LOOP;
		RETURN result;
	EXCEPTION WHEN OTHERS THEN
		RETURN 'error ' || SQLSTATE;
	END $$;

	CREATE FUNCTION public.set_all(names text[], vals text[]) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		FOR i IN 1 .. pg_catalog.cardinality(names) LOOP
			PERFORM pg_catalog.set_config(names[i], vals[i], false);
		END LOOP;
	END $$;

	-- What differs from the answer under the usual settings?
	CREATE FUNCTION public.find_changes(what int, names text[], vals text[]) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		was text[] := ARRAY(SELECT pg_catalog.current_setting(n) FROM pg_catalog.unnest(names) WITH ORDINALITY AS u(n, i) ORDER BY i);
		found int[];
	BEGIN
		PERFORM public.set_all(names, vals);
		found := ARRAY(SELECT id FROM public.exprs WHERE public.answer(query) IS DISTINCT FROM answer);
		PERFORM public.set_all(names, was);
		INSERT INTO public.changes SELECT id, what, names, vals FROM pg_catalog.unnest(found) AS id;
	END $$;

	-- The call for a query, with its column list, and what the query gives by itself.
	CREATE FUNCTION public.calls(query text, OUT rows_call text, OUT json_call text, OUT json_direct text) LANGUAGE plpgsql AS $$
	DECLARE
		list text;
	BEGIN
		EXECUTE pg_catalog.format('SELECT public.cached_query_columns(%L)', query) INTO list;
		IF list ~ '\m(cstring|void|unknown|any\w*)$' THEN
			RETURN; -- no column can be of this type
		END IF;
		rows_call := pg_catalog.format('SELECT * FROM public.cached_query(%L, ''1h'') AS t(%s)', query, list);
		json_call := pg_catalog.format('SELECT public.cached_query_json(%L, ''1h'')', query);
		json_direct := pg_catalog.format('SELECT coalesce(json_agg(t), ''[]'') FROM (%s) AS t', query);
	EXCEPTION WHEN OTHERS THEN
		NULL; -- a pseudo-type, say
	END $$;

	CREATE FUNCTION public.same(call text, query text, at text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		cached text := pg_catalog.regexp_replace(public.answer(call), '\s', '', 'g');
		direct text := pg_catalog.regexp_replace(public.answer(query), '\s', '', 'g');
	BEGIN
		RETURN CASE WHEN cached IS DISTINCT FROM direct THEN pg_catalog.format(E'%s: %s instead of %s: %s\n', at, pg_catalog.left(cached, 80), pg_catalog.left(direct, 80), call) ELSE '' END;
	END $$;

	CREATE FUNCTION public.check_expression(what int, back bool) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		q text := (SELECT query FROM public.exprs WHERE id = what);
		c record;
		calls record := public.calls(q);
		was text[];
		problem text := '';
	BEGIN
		IF calls.rows_call IS NULL THEN
			RETURN 'unsupported';
		END IF;
		IF NOT back THEN
			problem := problem || public.same(calls.rows_call, q, 'first') || public.same(calls.json_call, calls.json_direct, 'first json');
		END IF;
		FOR c IN SELECT * FROM public.changes WHERE id = what ORDER BY CASE WHEN back THEN -step ELSE step END LOOP
			was := ARRAY(SELECT pg_catalog.current_setting(n) FROM pg_catalog.unnest(c.names) WITH ORDINALITY AS u(n, i) ORDER BY i);
			FOR round IN 1 .. 2 LOOP
				PERFORM public.set_all(c.names, c.vals);
				problem := problem || public.same(calls.rows_call, q, c.names[1] || ' round ' || round) || public.same(calls.json_call, calls.json_direct, c.names[1] || ' json round ' || round);
				PERFORM public.set_all(c.names, was);
				problem := problem || public.same(calls.rows_call, q, 'after ' || c.names[1]) || public.same(calls.json_call, calls.json_direct, 'json after ' || c.names[1]);
				DISCARD PLANS; -- another session has none
			END LOOP;
		END LOOP;
		RETURN problem;
	END $$;
});

my (@queries, @columns, @no_sample);
my @types = split /\n/, $node->safe_psql('postgres', q{SELECT oid, format('pg_catalog.%I', typname), typname FROM pg_type WHERE oid < 10000 AND typtype IN ('b', 'r', 'm') AND typcategory <> 'A' AND typname !~ '^(_|pg_brin|pg_mcv|pg_ndist|pg_dep|gts|pg_ddl)' ORDER BY 1});
my %typename;

foreach my $line (@types)
{
	my ($oid, $type, $name) = split /\|/, $line;
	my ($sample) = samples($oid);

	push @no_sample, $name unless defined $sample;
	next unless defined $sample;
	$typename{$oid} = $type;
	push @columns, "ALTER TABLE public.vals ADD \"$name\" $type; ALTER TABLE public.texts ADD \"$name\" text;", "UPDATE public.vals SET \"$name\" = $sample;";
	push @queries, map { "SELECT " . s/\$1/"$name"/gr . " AS x FROM public.vals" } '$1', '$1::text', 'to_json($1)::text', 'to_jsonb($1)', 'ARRAY[$1]::text', 'ROW($1)::text', q{concat($1, 'x')}, q{format('%s', $1)}, 'quote_literal($1)',
	  'json_agg($1)::text', q{array_to_string(ARRAY[$1], ',')}, q{json_build_object('a', $1)::text}, 'xmlforest($1)::text', 'row_to_json(ROW($1))::text', q{$1 || ''};
	push @queries, "SELECT ($sample)::text AS x", "SELECT ARRAY[$sample]::text AS x", "SELECT \"$name\"::$type AS x FROM public.texts", "SELECT \"$name\"::$type AS x, to_json(\"$name\"::$type)::text AS y FROM public.texts",
	  "SELECT x FROM json_to_record((SELECT json_build_object('x', \"$name\") FROM public.texts)) AS r(x $type)";
	# the literal itself is parsed under the setting
	push @queries, "LITERAL|$sample|$type";
}
is("@no_sample", '', 'there is a value of each type');

foreach my $line (split /\n/, $node->safe_psql('postgres', q{SELECT oprname, oprleft, oprright FROM pg_operator WHERE oid < 10000 AND oprkind = 'b'}))
{
	my ($name, $left, $right) = split /\|/, $line;
	my ($l, $r) = map { (samples($_))[0] } $left, $right;

	next unless defined $l && defined $r;
	push @queries, "SELECT $l OPERATOR(pg_catalog.$name) $r AS x";
	push @queries, "SELECT a OPERATOR(pg_catalog.$name) b AS x FROM (SELECT $l AS a, $r AS b OFFSET 0) AS s";
}
foreach my $line (split /\n/, $node->safe_psql('postgres', q{SELECT castsource, (SELECT format('pg_catalog.%I', typname) FROM pg_type WHERE pg_type.oid = casttarget), casttarget FROM pg_cast WHERE oid < 16384}))
{
	my ($source, $target, $target_oid) = split /\|/, $line;
	my ($sample) = samples($source);

	push @queries, "SELECT ($sample)::$target AS x", "SELECT ($sample)::$target\::text AS x" if defined $sample;
}
foreach my $function (read_functions($node))
{
	my $on = $lists->{ $function->{oid} }{ $function->{name} } || next;
	my @calls = calls_of($function);

	next if $function->{volatile} eq 'v' || $on =~ /^(pure|compares|catalog|session)$/ || $function->{name} =~ /^(database|schema)_to_xml/ || $function->{kind} eq 'w' || !@calls;
	# those that depend on their arguments only are in 076_builtins
	push @queries, map { "SELECT $_ AS x" } @calls[0 .. ($#calls > 5 ? 5 : $#calls)];
}
push @queries, 'SELECT sum(a) OVER (ORDER BY t RANGE BETWEEN interval \'1 day\' PRECEDING AND CURRENT ROW) AS x FROM (VALUES (1, timestamptz \'2019-11-03 04:30+00\'), (2, timestamptz \'2019-11-04 05:00+00\')) AS v(a, t)',
  'SELECT NULL = NULL AS x', q{SELECT '{NULL,1}'::text[] AS x}, q{SELECT 'a\\\\b' AS x}, q{SELECT current_setting('application_name') AS x}, q{SELECT current_schema AS x}, q{SELECT xmlelement(name a, 'x'::bytea) AS x}, q{SELECT xmlparse(content 'a<b/>')::text AS x}, q{SELECT 'a<b/>'::xml::text AS x},
  q{SELECT CURRENT_DATE::text AS x}, q{SELECT LOCALTIMESTAMP(0)::text AS x}, q{SELECT 'pg_class'::regclass AS x}, q{SELECT 1259::regclass::text AS x}, q{SELECT to_regclass('pg_class') AS x}, q{SELECT 'é'::text AS x};

my @sql = @columns ? ('INSERT INTO public.vals DEFAULT VALUES', @columns) : ();
(my $insert = join "\n", (grep { /^ALTER/ } @columns), 'INSERT INTO public.vals DEFAULT VALUES;', (grep { /^UPDATE/ } @columns)) =~ s/^\s+//;
$node->safe_psql('postgres', $insert);
$node->safe_psql('postgres', 'INSERT INTO public.texts SELECT ' . join(', ', map { my (undef, undef, $name) = split /\|/; "\"$name\"::text" } @types) . ' FROM public.vals');

my $insert_queries = join ";\n", map {
	my ($kind, $sample, $type) = split /\|/, $_, 3;
	my $quoted = s/'/''/gr;

	$kind eq 'LITERAL'
	  ? "INSERT INTO public.exprs (query) SELECT format('SELECT %L::$type AS x', ($sample)::text) UNION SELECT format('SELECT %L::$type\::text AS x', ($sample)::text) ON CONFLICT DO NOTHING"
	  : "INSERT INTO public.exprs (query) VALUES ('$quoted') ON CONFLICT DO NOTHING";
} @queries;

$node->safe_psql('postgres', "BEGIN; SET synchronous_commit = off; $insert_queries; COMMIT; ANALYZE public.exprs");
$node->safe_psql('postgres', 'UPDATE public.exprs SET answer = public.answer(query)');
# What is not the same when it is asked again is no case for this test.
$node->safe_psql('postgres', 'DELETE FROM public.exprs WHERE public.answer(query) IS DISTINCT FROM answer');
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM public.exprs WHERE answer !~ '^error'}), '>', 3000, 'expressions');

# ---- What they change ----

my $step = 0;
my @together = grep { my $name = $_; !grep { $_ eq $name } @alone } sort keys %value;

foreach my $names ((map { [$_] } @alone), \@together)
{
	my ($n, $v) = map { 'ARRAY[' . join(', ', map { "'" . s/'/''/gr . "'" } @$_) . ']' } $names, [ map { $value{$_} } @$names ];

	$step++;
	$node->safe_psql('postgres', "SELECT public.find_changes($step, $n, $v)");
}
my %changed = map { split /\|/ } split /\n/, $node->safe_psql('postgres', 'SELECT names[1], count(*) FROM public.changes GROUP BY 1');
note join ', ', map { "$_ $changed{$_}" } sort keys %changed;
cmp_ok($changed{$_} || 0, '>', 0, "$_ changes something") foreach grep { exists $value{$_} } qw(DateStyle TimeZone IntervalStyle extra_float_digits bytea_output xmlbinary xmloption quote_all_identifiers timezone_abbreviations default_text_search_config search_path array_nulls application_name
  standard_conforming_strings transform_null_equals);

# ---- Do the answers follow? ----

foreach my $back ('false', 'true')
{
	$node->safe_psql('postgres', 'SELECT public.cached_query_clear()');
	my @found = grep { $_ ne '' } split /\n/, $node->safe_psql('postgres', "SELECT public.check_expression(id, $back) FROM (SELECT DISTINCT id FROM public.changes ORDER BY 1) AS c");
	my @wrong = grep { $_ ne 'unsupported' } @found;

	is(join("\n", splice @wrong, 0, 20), '', 'every answer follows the settings, ' . ($back eq 'true' ? 'the changed ones first' : 'the usual ones first'));
	cmp_ok(scalar(grep { $_ eq 'unsupported' } @found), '<', 200, 'nearly all of them can be asked for');
}
my $outcomes = outcomes($node);
cmp_ok($outcomes->{hit} || 0, '>', 1000, '.. with hits');

$node->stop;
done_testing();
