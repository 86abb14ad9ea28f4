-- What a transaction of many savepoints and tables has written itself: right at each of its levels, before and
-- after they end, and found without going through all of them for each relation of a query.
CREATE SCHEMA cq_own_levels;
SET search_path = cq_own_levels, public;
DO $$
BEGIN
	FOR i IN 1 .. 90 LOOP
		EXECUTE format('CREATE TABLE w%s (a int)', i);
	END LOOP;
END $$;
-- Reasons of calls that read these tables: "1 own_write, 2 hit".
CREATE FUNCTION asked(VARIADIC tables int[]) RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT string_agg(n || ' ' || (cq_test.call(format('SELECT * FROM cached_query(''SELECT count(*) FROM cq_own_levels.w%s'', ''1h'') AS q(n bigint)', n))).outcome, ', ' ORDER BY i)
	FROM unnest(tables) WITH ORDINALITY AS t(n, i)
$$;
CREATE PROCEDURE write(first int, last int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN first .. last LOOP
		EXECUTE format('INSERT INTO cq_own_levels.w%s VALUES (1)', i);
	END LOOP;
END $$;
SELECT asked(1, 2, 3, 80, 90);

-- few, then many
BEGIN;
CALL write(1, 1);
SELECT asked(1, 2, 80, 90);
CALL write(10, 80);
SELECT asked(1, 2, 80, 90);
CALL write(2, 2);
SELECT asked(1, 2, 80, 90);
-- levels: what is written in one that is rolled back was not written
SAVEPOINT a;
SELECT asked(2, 3, 90);
CALL write(3, 3);
SELECT asked(2, 3, 90);
ROLLBACK TO a;
SELECT asked(2, 3, 90);
CALL write(90, 90);
SELECT asked(2, 3, 90);
ROLLBACK TO a;
CALL write(3, 3);
SELECT asked(2, 3, 90);
RELEASE a;
SELECT asked(2, 3, 90);
-- an inner one that ends without an outer one having asked
SAVEPOINT a;
SAVEPOINT b;
CALL write(90, 90);
RELEASE b;
SELECT asked(3, 90, 91 - 2);
ROLLBACK TO a;
SELECT asked(3, 90, 89);
COMMIT;
SELECT asked(1, 3, 90);
SELECT asked(1, 3, 90);

-- the next transaction begins with nothing, and an aborted one leaves nothing
BEGIN;
CALL write(10, 80);
SELECT asked(10, 90);
ROLLBACK;
SELECT asked(10, 90);
BEGIN;
CALL write(11, 81);
SELECT asked(10, 81);
ROLLBACK;

-- catalogs, among many others
BEGIN;
CALL write(10, 80);
SELECT asked(90);
CREATE FUNCTION new() RETURNS int LANGUAGE sql AS 'SELECT 1';
SELECT asked(90);
ROLLBACK;

-- Subtransactions in a row, each with a table of its own or one of all.
DO $$
DECLARE
	said text := '';
BEGIN
	CALL write(1, 70);
	FOR i IN 71 .. 90 LOOP
		BEGIN
			CALL write(i, i);
			IF asked(i) IS DISTINCT FROM i || ' own_write' OR asked(1) <> '1 own_write' THEN
				said := said || i || ' ';
			END IF;
			RAISE 'undone';
		EXCEPTION WHEN raise_exception THEN
			IF asked(i) = i || ' own_write' THEN
				said := said || i || ' after ';
			END IF;
		END;
	END LOOP;
	RAISE NOTICE 'wrong: %', said;
END $$;

SET client_min_messages = warning;
DROP SCHEMA cq_own_levels CASCADE;
