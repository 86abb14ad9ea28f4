--
-- A result comes back from the cache as the query gives it, for every type that PostgreSQL has:
-- values, NULLs, typmods, collations, order, and large values in each form of storage.
--
CREATE SCHEMA cq_types;
SET search_path = cq_types, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();

-- every built-in base type that can be cast from a literal, with its array
CREATE TABLE sample (type text, literal text);
INSERT INTO sample VALUES
	('bool', 'true'), ('"char"', 'x'), ('name', 'a_name'), ('int2', '-32768'), ('int4', '2147483647'),
	('int8', '-9223372036854775808'), ('float4', '1.1754944e-38'), ('float8', '0.1'), ('float8', '-0'),
	('float8', 'NaN'), ('float8', '-Infinity'), ('float4', 'Infinity'), ('numeric', 'NaN'),
	('numeric', 'Infinity'), ('numeric', '-Infinity'), ('numeric', '0.000'), ('numeric', '1e300'),
	('numeric', '-12345678901234567890.123456789'), ('numeric(10,3)', '1.5'), ('money', '12.34'),
	('text', ''), ('text', E'tab\tnewline\n"quote'' \\'), ('varchar', 'v'), ('varchar(5)', 'abc'),
	('bpchar', 'ab'), ('char(7)', 'ab'), ('bytea', '\x00ff5c'), ('bytea', ''), ('bit(5)', '10101'),
	('bit varying(9)', '1'), ('varbit', ''), ('date', '2024-02-29'), ('date', 'infinity'), ('date', '0044-03-15 BC'),
	('time', '23:59:59.999999'), ('time(3)', '12:00:00.123'), ('timetz', '12:00+05:30'),
	('timestamp', '2024-02-29 12:34:56.789'), ('timestamp', '-infinity'), ('timestamp(0)', '2024-01-01'),
	('timestamptz', '2024-02-29 12:34:56.789+02'), ('timestamptz', 'infinity'),
	('interval', '1 year 2 mons -3 days 04:05:06.789'), ('interval day to second(2)', '1 12:00:00.12'),
	('uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'), ('json', '{"a" : [1, null,  "x"]}'),
	('jsonb', '{"b": {"c": [1.50, null, "x"]}, "a": true}'), ('jsonpath', '$.a[*] ? (@ > 1)'),
	('point', '(1,2)'), ('line', '{1,2,3}'), ('lseg', '[(0,0),(1,1)]'), ('box', '(1,1),(0,0)'),
	('path', '[(0,0),(1,1),(2,0)]'), ('polygon', '((0,0),(1,1),(2,0))'), ('circle', '<(1,2),3>'),
	('inet', '192.168.1.5/24'), ('inet', '::1'), ('cidr', '10.0.0.0/8'), ('macaddr', '08:00:2b:01:02:03'),
	('macaddr8', '08:00:2b:01:02:03:04:05'), ('tsvector', '''a'':1A ''cat'':3B,4'), ('tsquery', '''a'' & !''b'' <-> ''c'':*'),
	('pg_lsn', '16/B374D848'), ('txid_snapshot', '10:20:10,14,15'), ('pg_snapshot', '10:20:10,14,15'),
	('oid', '4294967295'), ('xid', '42'), ('cid', '7'), ('xid8', '99999999999'), ('tid', '(7,9)'),
	('regclass', 'pg_class'), ('regtype', 'integer'), ('regproc', 'now'), ('regprocedure', 'abs(integer)'),
	('regoper', '||/'), ('regoperator', '+(integer,integer)'), ('regnamespace', 'pg_catalog'),
	('regrole', '10'), ('regconfig', 'english'), ('regdictionary', 'simple'), ('regcollation', '"C"'),
	('int2vector', '1 2 3'), ('oidvector', '4 5 6'), ('aclitem', '=r/' || quote_ident(current_user)), ('refcursor', 'c'),
	('int4range', '[1,10)'), ('int8range', 'empty'), ('numrange', '(,1.5]'), ('tsrange', '[2024-01-01,2024-02-01)'),
	('tstzrange', '[2024-01-01 00:00+00,)'), ('daterange', '[2024-01-01,2024-01-31]'),
	('int4multirange', '{[1,3),[5,7)}'), ('nummultirange', '{}'), ('datemultirange', '{[2024-01-01,2024-02-01)}'),
	('int4[]', '{{1,2},{3,NULL}}'), ('int4[]', '[2:3]={7,8}'), ('text[]', '{a,"b c",NULL,"NULL",""}'),
	('numeric(6,2)[]', '{1.5,NULL}'), ('jsonb[]', '{"{\"a\": 1}"}'), ('bytea[]', '{"\\x00"}'), ('int4[]', '{}'),
	('unknown', 'u');
-- constants, so that each is a query of its own; the answer is only printed when it is not the same
SELECT type, literal, result FROM sample,
	LATERAL cq_test.check(format('SELECT %L::%s AS v, NULL::%2$s AS n', literal, type)) AS result
	WHERE type <> 'unknown' AND result <> 'same, 1 rows';
-- and out of arrays, of which there are as many types
SELECT type, literal, result FROM sample,
	LATERAL cq_test.check(format('SELECT ARRAY[%L::%s, NULL] AS v', literal, type)) AS result
	WHERE type <> 'unknown' AND type NOT LIKE '%[]' AND type NOT IN ('int2vector', 'oidvector')
		AND result <> 'same, 1 rows';
-- stored columns: all types in one table, three rows, one all NULL
DO $$
DECLARE columns text; vals text; nulls text;
BEGIN
	SELECT string_agg(format('c%s %s', n, type), ', ' ORDER BY n), string_agg(quote_literal(literal), ', ' ORDER BY n),
			string_agg('NULL', ', ') INTO columns, vals, nulls
		FROM (SELECT row_number() OVER () AS n, type, literal FROM sample WHERE type <> 'unknown') AS s;
	EXECUTE format('CREATE TABLE wide (id int, %s)', columns);
	EXECUTE format('INSERT INTO wide VALUES (1, %s), (2, %s), (3, %1$s)', vals, nulls);
END $$;
SELECT cq_test.check('SELECT * FROM wide ORDER BY id DESC');
SELECT cq_test.check('SELECT * FROM wide WHERE false');
-- bytes too, not only the text form: record_send gives types and binary values
CREATE TABLE portable AS SELECT * FROM wide;
DO $$ DECLARE c name; BEGIN
	FOR c IN SELECT attname FROM pg_attribute JOIN pg_type AS t ON t.oid = atttypid LEFT JOIN pg_type AS e ON e.oid = t.typelem
		WHERE attrelid = 'portable'::regclass AND attnum > 0 AND (t.typsend = 0 OR e.typsend = 0) LOOP
		EXECUTE format('ALTER TABLE portable DROP COLUMN %I', c);
	END LOOP;
END $$;
DO $$
DECLARE r record; a bytea[]; b bytea[]; c bytea[]; stmt text := cq_test.statement('SELECT * FROM portable ORDER BY id');
BEGIN
	FOR r IN SELECT * FROM portable ORDER BY id LOOP a := a || record_send(r); END LOOP;
	FOR r IN EXECUTE stmt LOOP b := b || record_send(r); END LOOP;
	FOR r IN EXECUTE stmt LOOP c := c || record_send(r); END LOOP;
	RAISE NOTICE 'rows %, miss same %, hit same %', cardinality(a), a = b, a = c;
END $$;

-- pseudo-constants and unknown literals become text
SELECT cq_test.check($$ SELECT 'abc' AS a, NULL AS b, 'x' || 'y' AS c $$);

-- user-defined: enum, domain over domain, composite in composite, range, array of each
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN posint AS int CHECK (VALUE > 0);
CREATE DOMAIN smallposint AS posint CHECK (VALUE < 100);
CREATE DOMAIN words AS text[] CHECK (cardinality(VALUE) < 5);
CREATE TYPE pair AS (a posint, b text COLLATE "C");
CREATE TYPE nested AS (p pair, ps pair[], m mood);
CREATE TYPE moodrange AS RANGE (subtype = mood);
CREATE DOMAIN dpair AS pair CHECK ((VALUE).a <> 13);
CREATE TABLE own (id int, m mood, d smallposint, w words, p pair, n nested, r moodrange, mr moodmultirange, dp dpair, ms mood[], ns nested[]);
INSERT INTO own VALUES
	(1, 'ok', 7, '{a,b}', '(1,x)', ROW('(2,y)', '{"(3,z)",NULL}', 'sad'), '[sad,ok]', '{[sad,ok],[happy,happy]}', '(5,q)',
		'{happy,NULL,sad}', ARRAY[ROW('(2,y)', NULL, 'ok')::nested, NULL]),
	(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(3, 'happy', 99, '{}', '(9,)', ROW(NULL, '{}', NULL), 'empty', '{}', '(1,)', '{}', '{}');
SELECT cq_test.check('SELECT * FROM own ORDER BY id');
SELECT cq_test.check('SELECT o FROM own AS o ORDER BY id');
SELECT cq_test.check('SELECT (n).p, (p).b, n IS NULL AS isnull FROM own ORDER BY id');
-- composite values are usable, not only printable
SELECT (t.p).b, (t.n).ps[1] FROM cached_query('SELECT p, n FROM own ORDER BY id', '1h') AS t(p pair, n nested) LIMIT 1;
SELECT (t.p).b, (t.n).ps[1] FROM cached_query('SELECT p, n FROM own ORDER BY id', '1h') AS t(p pair, n nested) LIMIT 1;
-- xml, where it is built in
SELECT CASE WHEN (SELECT setting ~ 'libxml' FROM pg_config WHERE name = 'CONFIGURE')
	THEN cq_test.check($$ SELECT '<a b="1">c</a>'::xml AS x $$) ELSE 'same, 1 rows' END;

-- collations and typmods are part of the columns
SELECT cached_query_columns('SELECT ''a''::varchar(5) AS v, ''b'' COLLATE "C" AS c, 1::numeric(5,1) AS n, now()::timestamp(2) AS t, B''1''::bit(3) AS b, ''x''::char(4) AS ch, ''1 day''::interval hour AS i');
SELECT v < 'B' COLLATE "C" AS c FROM cached_query('SELECT ''a'' COLLATE "C" AS v') AS t(v text COLLATE "C");

-- names: duplicate, empty-looking, quoted, long; nothing but positions counts
SELECT cached_query_columns('SELECT 1 AS a, 2 AS a, 3, 4 AS "?column?", 5 AS "A b", 6 AS "select", 7 AS "q""q"');
SELECT cq_test.check('SELECT 1 AS a, 2 AS a, 3, 4 AS "?column?", 5 AS "A b", 6 AS "select", 7 AS "q""q"');
SELECT * FROM cached_query('SELECT 1 AS a, 2 AS a', '1h') AS t(x int, y int);

-- no rows, no columns
SELECT cq_test.check('SELECT 1 AS a WHERE false');
CREATE TABLE nothing ();
INSERT INTO nothing DEFAULT VALUES;
INSERT INTO nothing DEFAULT VALUES;
SELECT * FROM cq_test.call($$ SELECT count(*) FROM cached_query_as(NULL::nothing, 'SELECT FROM nothing', '1h') $$);
SELECT * FROM cq_test.call($$ SELECT count(*) FROM cached_query_as(NULL::nothing, 'SELECT FROM nothing', '1h') $$);
SELECT * FROM cq_test.call($$ SELECT cached_query_json('SELECT FROM nothing', '1h') $$);

-- NULLs everywhere, alignment after NULLs, order kept
SELECT cq_test.check($$ SELECT CASE WHEN g % 2 = 0 THEN g::"char" END AS a, CASE WHEN g % 3 = 0 THEN g::int8 END AS b,
	CASE WHEN g % 5 = 0 THEN g::text END AS c, NULL::int AS d, CASE WHEN g % 7 = 0 THEN g::int2 END AS e
	FROM generate_series(1, 60) AS g ORDER BY g % 13, g $$);
SELECT cq_test.check('SELECT g FROM generate_series(1, 20000) AS g ORDER BY (g * 7919) % 20011');

DROP SCHEMA cq_types CASCADE;
