--
-- The extension's objects: all documented, all with the declared volatility, parallel safety and
-- rights; no schema of its own; nothing left behind by DROP EXTENSION.
--
-- functions as seen by a caller
SELECT p.oid::regprocedure AS function, p.prorettype::regtype AS returns, p.proretset AS set,
		p.provolatile AS vol, p.proparallel AS par, p.proisstrict AS strict, p.prosecdef AS secdef,
		has_function_privilege('public', p.oid, 'EXECUTE') AS public
	FROM pg_proc AS p JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
		AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'cached_query')
	ORDER BY p.proname COLLATE "C", p.pronargs, p.oid::regprocedure::text COLLATE "C";

-- readers have a cost, and the set-returning ones a planner support function
SELECT p.proname, bool_and(p.procost > 1) AS cost, bool_and(p.prosupport <> 0) AS support
	FROM pg_proc AS p
	WHERE p.proname IN ('cached_query', 'cached_query_as', 'cached_query_with', 'cached_query_json')
	GROUP BY 1 ORDER BY 1;

-- views, and who may read them
SELECT c.relname, c.relkind, has_table_privilege('public', c.oid, 'SELECT') AS public
	FROM pg_class AS c JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
		AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'cached_query')
	ORDER BY 1;

-- every function, view and view column has a comment
SELECT pg_describe_object(d.classid, d.objid, 0) AS undocumented
	FROM pg_depend AS d
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
		AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'cached_query')
		AND d.classid IN ('pg_proc'::regclass, 'pg_class'::regclass)
		AND NOT EXISTS (SELECT FROM pg_description AS c
			WHERE c.classoid = d.classid AND c.objoid = d.objid AND c.objsubid = 0 AND c.description <> '')
	ORDER BY 1;
SELECT c.relname, a.attname AS undocumented
	FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
	WHERE c.relname ~ '^cached_query_' AND c.relkind = 'v' AND col_description(c.oid, a.attnum) IS NULL
	ORDER BY 1, 2;
-- which is short enough for \df+ and \d+
SELECT pg_describe_object(classoid, objoid, objsubid) AS object, length(description)
	FROM pg_description WHERE length(description) > 120
		AND (classoid, objoid) IN (SELECT classid, objid FROM pg_depend WHERE refclassid = 'pg_extension'::regclass
			AND deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'cached_query'))
	ORDER BY 1;

-- every setting: name, unit, context, default
SELECT name, unit, context, vartype, boot_val, min_val, max_val, enumvals, short_desc <> '' AS described
	FROM pg_settings WHERE name LIKE 'cached_query.%' AND name NOT LIKE '%redis%' AND name NOT LIKE '%debug%' AND name <> 'cached_query.memory'
		AND name <> 'cached_query.max_entry_size'
	ORDER BY name COLLATE "C";
SELECT name, unit, context, vartype FROM pg_settings
	WHERE name IN ('cached_query.memory', 'cached_query.max_entry_size') ORDER BY 1;

-- nothing else came along (from 17 on the views' row types are listed)
SELECT d.classid::regclass, count(*) > 0 AS found FROM pg_depend AS d
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND d.classid <> 'pg_type'::regclass
		AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'cached_query')
	GROUP BY 1 ORDER BY d.classid::regclass::text COLLATE "C";

-- relocatable: it works from another schema, with the first one gone from the search path
SELECT extrelocatable FROM pg_extension WHERE extname = 'cached_query';
CREATE SCHEMA cq_elsewhere;
ALTER EXTENSION cached_query SET SCHEMA cq_elsewhere;
SELECT * FROM cq_elsewhere.cached_query('SELECT 1') AS t(a int);
SELECT * FROM cq_elsewhere.cached_query('SELECT $1', '1h', 2) AS t(a int);
SELECT count(*) FROM cq_elsewhere.cached_query_stats;
SELECT cq_elsewhere.cached_query_json('SELECT 3 AS a');
EXPLAIN (COSTS OFF) SELECT * FROM cq_elsewhere.cached_query('SELECT 1') AS t(a int);
ALTER EXTENSION cached_query SET SCHEMA public;
DROP SCHEMA cq_elsewhere;

-- DROP and CREATE again: entries of before are not served
CREATE TABLE cq_kept (a int);
INSERT INTO cq_kept VALUES (1);
SELECT * FROM cached_query('SELECT a FROM cq_kept', '1h') AS t(a int);
UPDATE cq_kept SET a = 2;
SELECT * FROM cached_query('SELECT a FROM cq_kept', '1h') AS t(a int);
DROP EXTENSION cached_query;
SELECT count(*) FROM pg_proc WHERE proname LIKE 'cached\_query%';
CREATE EXTENSION cached_query;
SELECT * FROM cached_query('SELECT a FROM cq_kept', '1h') AS t(a int);
DROP TABLE cq_kept;
