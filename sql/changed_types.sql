--
-- Names, continued: types inside a cached result that change (composite, enum, domain), partitions,
-- inheritance, and statements prepared before the change.
--
CREATE SCHEMA cq_n1;
SET search_path = cq_n1, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();

-- a composite type that only cached datums use may be altered: old datums must not be read by the
-- new definition, nor a plan be run that has such constants in it, whether the type is a column, inside an array, another composite or a domain
CREATE TYPE pt AS (x int, y int);
CREATE TYPE line2 AS (a pt, b pt);
CREATE DOMAIN dpt AS pt;
SELECT 'SELECT ROW(1, 2)::pt AS p' AS q1, 'SELECT ARRAY[ROW(1, 2)::pt] AS p' AS q2,
	'SELECT ROW(ROW(1, 2)::pt, NULL)::line2 AS p' AS q3, 'SELECT (ROW(1, 2)::pt)::dpt AS p' AS q4 \gset
SELECT cq_test.now(q) AS first, cq_test.now(q) AS second FROM unnest(ARRAY[:'q1', :'q2', :'q3', :'q4']) AS q;
ALTER TYPE pt ALTER ATTRIBUTE y TYPE text;
SELECT cq_test.now(q) FROM unnest(ARRAY[:'q1', :'q2', :'q3', :'q4']) AS q;
ALTER TYPE pt ADD ATTRIBUTE z bigint;
SELECT cq_test.now(q) FROM unnest(ARRAY[:'q1', :'q2', :'q3', :'q4']) AS q;
ALTER TYPE pt DROP ATTRIBUTE z, DROP ATTRIBUTE x;
SELECT cq_test.now(q) FROM unnest(ARRAY[:'q1', :'q2', :'q3', :'q4']) AS q;
ALTER TYPE pt ADD ATTRIBUTE z bigint;
SELECT cq_test.now(q) FROM unnest(ARRAY[:'q1', :'q2', :'q3', :'q4']) AS q;
DROP TYPE pt CASCADE;
CREATE TYPE pt AS (x int, y int);
SELECT cq_test.now(:'q1'), cq_test.now(:'q2');
-- cached_query_as with a row type that changes between calls, and between plan and run
CREATE TABLE rt (id int, v int);
INSERT INTO rt VALUES (1, 10), (2, 20);
PREPARE as_rt AS SELECT * FROM cached_query_as(NULL::rt, 'SELECT * FROM rt ORDER BY id', '1h');
PREPARE as_v AS SELECT v FROM cached_query_as(NULL::rt, 'SELECT * FROM rt ORDER BY id', '1h');
EXECUTE as_rt;
EXECUTE as_v;
ALTER TABLE rt DROP COLUMN id;
\set VERBOSITY sqlstate
SELECT * FROM cached_query_as(NULL::rt, 'SELECT v FROM rt ORDER BY v', '1h');
EXECUTE as_v;
ALTER TABLE rt ADD COLUMN id int DEFAULT 7;
SELECT * FROM cached_query_as(NULL::rt, 'SELECT * FROM rt ORDER BY v', '1h');
EXECUTE as_v;
EXECUTE as_rt;
ALTER TABLE rt ALTER COLUMN v TYPE text;
SELECT * FROM cached_query_as(NULL::rt, 'SELECT * FROM rt ORDER BY v', '1h');
EXECUTE as_v;
\set VERBOSITY default
DEALLOCATE as_rt;
DEALLOCATE as_v;

-- enum: a new value, and a new name for an old one
CREATE TYPE col AS ENUM ('red', 'green');
CREATE TABLE en (c col);
INSERT INTO en VALUES ('green'), ('red');
SELECT cq_test.now('SELECT c FROM en ORDER BY c') AS first, cq_test.now('SELECT c FROM en ORDER BY c') AS second;
ALTER TYPE col ADD VALUE 'blue' BEFORE 'red';
SELECT cq_test.now('SELECT c FROM en ORDER BY c'), cq_test.now('SELECT ''blue''::col AS c');
ALTER TYPE col RENAME VALUE 'green' TO 'lime';
SELECT cq_test.now('SELECT c FROM en ORDER BY c'), cq_test.now('SELECT c::text FROM en ORDER BY c');
SELECT cq_test.now('SELECT enum_range(NULL::col) AS r');
ALTER TYPE col RENAME VALUE 'lime' TO 'green';
SELECT cq_test.now('SELECT c::text FROM en ORDER BY c'), cq_test.now('SELECT enum_range(NULL::col) AS r');

-- domain: a new constraint
CREATE DOMAIN dom AS int;
SELECT cq_test.now('SELECT (-1)::dom AS d') AS first, cq_test.now('SELECT (-1)::dom AS d') AS second;
ALTER DOMAIN dom ADD CHECK (VALUE > 0);
SELECT cq_test.now('SELECT (-1)::dom AS d');

-- partitions and inheritance
CREATE TABLE part (k int, v text) PARTITION BY LIST (k);
CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part2 (k int, v text);
INSERT INTO part VALUES (1, 'one');
INSERT INTO part2 VALUES (2, 'two');
SELECT cq_test.now('SELECT * FROM part ORDER BY k') AS first, cq_test.now('SELECT * FROM part ORDER BY k') AS second;
ALTER TABLE part ATTACH PARTITION part2 FOR VALUES IN (2);
SELECT cq_test.now('SELECT * FROM part ORDER BY k') AS first, cq_test.now('SELECT * FROM part ORDER BY k') AS second;
CREATE TABLE part3 PARTITION OF part DEFAULT;
SELECT cq_test.now('SELECT tableoid::regclass, * FROM part ORDER BY k');
ALTER TABLE part DETACH PARTITION part1;
SELECT cq_test.now('SELECT * FROM part ORDER BY k');
DROP TABLE part2;
SELECT cq_test.now('SELECT * FROM part ORDER BY k');
SELECT cq_test.now('SELECT * FROM part1') AS first;
ALTER TABLE part ATTACH PARTITION part1 FOR VALUES IN (1);
TRUNCATE part;
SELECT cq_test.now('SELECT * FROM part1'), cq_test.now('SELECT * FROM part ORDER BY k');
CREATE TABLE par (a int);
CREATE TABLE chi (a int);
INSERT INTO chi VALUES (9);
SELECT cq_test.now('SELECT a FROM par') AS first, cq_test.now('SELECT a FROM par') AS second;
ALTER TABLE chi INHERIT par;
SELECT cq_test.now('SELECT a FROM par');
ALTER TABLE chi NO INHERIT par;
SELECT cq_test.now('SELECT a FROM par');

-- statements prepared before all that, with each kind of plan
CREATE TABLE pr (a int);
INSERT INTO pr VALUES (1);
CREATE SCHEMA cq_n0;
PREPARE plain AS SELECT * FROM cached_query('SELECT a FROM pr', '1h') AS t(a int);
PREPARE arg(int) AS SELECT * FROM cached_query('SELECT a + $1 FROM pr', '1h', $1) AS t(a int);
PREPARE txt(text) AS SELECT * FROM cached_query($1, '1h') AS t(a int);
SET search_path = cq_n0, cq_n1, public;
SET plan_cache_mode = force_generic_plan;
EXECUTE plain; EXECUTE arg(10); EXECUTE txt('SELECT a FROM pr');
UPDATE pr SET a = 2;
SELECT cq_test.counts() AS before \gset
EXECUTE plain; EXECUTE arg(10); EXECUTE txt('SELECT a FROM pr');
SELECT cq_test.since(:'before');
CREATE TABLE cq_n0.pr AS SELECT 500 AS a;
EXECUTE plain; EXECUTE arg(10); EXECUTE txt('SELECT a FROM pr');
SET plan_cache_mode = force_custom_plan;
EXECUTE plain; EXECUTE arg(10); EXECUTE txt('SELECT a FROM pr');
DROP TABLE cq_n0.pr;
EXECUTE plain; EXECUTE arg(10); EXECUTE txt('SELECT a FROM pr');
ALTER TABLE pr ALTER COLUMN a TYPE bigint;
\set VERBOSITY sqlstate
EXECUTE plain; EXECUTE arg(10); EXECUTE txt('SELECT a FROM pr');
SET plan_cache_mode = force_generic_plan;
EXECUTE plain; EXECUTE arg(10); EXECUTE txt('SELECT a FROM pr');
DROP TABLE pr;
EXECUTE plain; EXECUTE arg(10); EXECUTE txt('SELECT a FROM pr');
\set VERBOSITY default
CREATE TABLE pr AS SELECT 600 AS a;
EXECUTE plain; EXECUTE arg(10); EXECUTE txt('SELECT a FROM pr');
EXECUTE txt('SELECT a + 1 FROM pr');
RESET plan_cache_mode;
DEALLOCATE ALL;

-- an OID that is used again is not the relation of before: nothing survives a drop
SELECT * FROM cached_query_as(NULL::pr, 'SELECT * FROM pr', '1h');
DROP TABLE pr;
SELECT count(*) FROM cached_query_entries WHERE query = 'SELECT * FROM pr' AND state = 'fresh';

-- a domain over a domain: a new constraint of the one below
CREATE DOMAIN lower_one AS int CHECK (VALUE > 0);
CREATE DOMAIN upper_one AS lower_one;
CREATE TABLE of_ints AS SELECT 1 AS v;
SELECT cq_test.now('SELECT v::upper_one FROM of_ints') AS first, cq_test.now('SELECT v::upper_one FROM of_ints') AS second;
SELECT cq_test.now('SELECT ARRAY[v]::upper_one[] FROM of_ints') AS first, cq_test.now('SELECT ARRAY[v]::upper_one[] FROM of_ints') AS second;
ALTER DOMAIN lower_one ADD CHECK (VALUE > 1) NOT VALID;
SELECT cq_test.now('SELECT v::upper_one FROM of_ints'), cq_test.now('SELECT ARRAY[v]::upper_one[] FROM of_ints');

DROP SCHEMA cq_n0, cq_n1 CASCADE;
