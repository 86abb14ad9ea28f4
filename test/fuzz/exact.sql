-- What exact.c reads and writes: a table or two for each way in which an answer can change.
-- Drops and makes the schema cq_fuzz and the roles cq_fuzz_reader and cq_fuzz_other.

SET client_min_messages = warning;
DROP SCHEMA IF EXISTS cq_fuzz CASCADE;
DO $$
BEGIN
	IF to_regrole('cq_fuzz_reader') IS NULL THEN
		CREATE ROLE cq_fuzz_reader;
	END IF;
	IF to_regrole('cq_fuzz_other') IS NULL THEN
		CREATE ROLE cq_fuzz_other;
	END IF;
END $$;
CREATE SCHEMA cq_fuzz;
GRANT USAGE ON SCHEMA cq_fuzz TO cq_fuzz_reader, cq_fuzz_other;
SET search_path = cq_fuzz, public;

-- rows: plain, referencing, by triggers, seldom written
CREATE TABLE acc (id int PRIMARY KEY, grp int, v int);
INSERT INTO acc SELECT g, g % 5, g FROM generate_series(1, 50) AS g;
CREATE TABLE child (id int, aid int REFERENCES acc ON DELETE CASCADE ON UPDATE CASCADE, v int);
CREATE INDEX ON child (aid);
INSERT INTO child SELECT g, g, g FROM generate_series(1, 50) AS g;
CREATE TABLE quiet (id int, v int);
INSERT INTO quiet SELECT g, g FROM generate_series(1, 20) AS g;
CREATE TABLE half AS SELECT g AS id, g AS v FROM generate_series(1, 5) AS g;
CREATE TABLE still AS SELECT g AS v FROM generate_series(1, 20) AS g;
CREATE TABLE audit (v int);
CREATE TABLE fire (v int);
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS
	$$ BEGIN INSERT INTO cq_fuzz.audit VALUES (NEW.v); DELETE FROM cq_fuzz.audit WHERE v % 50 = NEW.v % 50 + 1; RETURN NULL; END $$;
CREATE TRIGGER fire AFTER INSERT ON fire FOR EACH ROW WHEN (NEW.v % 2 = 0) EXECUTE FUNCTION fire();
CREATE CONSTRAINT TRIGGER fire_later AFTER INSERT ON fire DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW WHEN (NEW.v % 2 = 1) EXECUTE FUNCTION fire();
DO $$ BEGIN FOR i IN 1..270 LOOP EXECUTE format('CREATE TABLE many_%s (v int)', i); END LOOP; END $$;
INSERT INTO many_37 VALUES (0);
CREATE PROCEDURE work(a int) LANGUAGE plpgsql AS
	$$ BEGIN UPDATE cq_fuzz.acc SET v = v + 1 WHERE id = a; COMMIT; UPDATE cq_fuzz.quiet SET v = v + 1 WHERE id = 1; ROLLBACK;
		UPDATE cq_fuzz.acc SET v = v - 1 WHERE id = a + 1; END $$;

-- definitions
CREATE TABLE part (k int, v int) PARTITION BY LIST (k);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2);
CREATE TABLE part_3 PARTITION OF part FOR VALUES IN (3);
CREATE TABLE part_rest PARTITION OF part DEFAULT;
CREATE TABLE joins (k int, v int) PARTITION BY LIST (k);
CREATE TABLE joins_1 PARTITION OF joins FOR VALUES IN (1);
CREATE TABLE joins_2 PARTITION OF joins FOR VALUES IN (2);
INSERT INTO joins VALUES (1, 1), (2, 2);
CREATE TABLE inh (v int);
CREATE TABLE inh_child () INHERITS (inh);
INSERT INTO inh_child VALUES (1);
CREATE TABLE trunc AS SELECT g AS id, g AS v FROM generate_series(1, 5) AS g;
CREATE TABLE rew (id int PRIMARY KEY, v bigint);
INSERT INTO rew SELECT g, g FROM generate_series(1, 20) AS g;
CREATE TABLE addc (id int);
INSERT INTO addc VALUES (1), (2);
CREATE TABLE dropped AS SELECT 1 AS v;
CREATE MATERIALIZED VIEW mat AS SELECT grp, sum(v) AS v FROM acc GROUP BY grp;
CREATE UNIQUE INDEX ON mat (grp);
CREATE VIEW look AS SELECT id, v FROM acc WHERE grp <> 1;
CREATE FUNCTION fpl() RETURNS text LANGUAGE plpgsql STABLE AS
	$$ BEGIN RETURN '0/' || (SELECT sum(v) FROM cq_fuzz.acc WHERE grp = 1); END $$;
CREATE FUNCTION fread() RETURNS text LANGUAGE plpgsql STABLE AS
	$$ BEGIN RETURN (SELECT sum(v) || '/' || count(*) FROM cq_fuzz.acc); END $$;
CREATE FUNCTION fsql() RETURNS text LANGUAGE sql STABLE AS $$ SELECT '0'::text $$;
CREATE FUNCTION fimm() RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN '0'; END $$;
CREATE TABLE sec (grp int, v int);
INSERT INTO sec SELECT g % 5, g FROM generate_series(1, 50) AS g;
CREATE TABLE allowed AS SELECT g AS grp FROM generate_series(0, 4) AS g;
ALTER TABLE sec ENABLE ROW LEVEL SECURITY;
CREATE POLICY pol ON sec USING (grp IN (SELECT grp FROM cq_fuzz.allowed WHERE grp <> 1));
-- the same policy shows each role other rows
CREATE TABLE mine AS SELECT CASE WHEN g % 3 = 0 THEN 'cq_fuzz_reader' ELSE 'cq_fuzz_other' END AS owner, g AS v
	FROM generate_series(1, 20) AS g;
ALTER TABLE mine ENABLE ROW LEVEL SECURITY;
CREATE POLICY pol ON mine USING (owner = current_user);
GRANT SELECT ON sec, allowed, mine TO cq_fuzz_reader, cq_fuzz_other;

-- a statement as it is, with cached_query.auto and without
CREATE FUNCTION by_auto(q text) RETURNS text LANGUAGE plpgsql STABLE AS
	$$ DECLARE r text; BEGIN PERFORM set_config('cached_query.auto', 'exact', true); EXECUTE q INTO r; RETURN r; END $$;
CREATE FUNCTION by_itself(q text) RETURNS text LANGUAGE plpgsql STABLE AS
	$$ DECLARE r text; BEGIN PERFORM set_config('cached_query.auto', 'off', true); EXECUTE q INTO r; RETURN r; END $$;

-- ttl: a number that only grows, and rows that are never committed
-- a log; in steps of six hours and of one
CREATE TABLE events AS SELECT '2020-01-01'::timestamptz + g * interval '6 hours' AS at, g AS n, g AS v FROM generate_series(0, 59) AS g;

CREATE TABLE mono AS SELECT 0::bigint AS v;
CREATE TABLE clean (v int);
