--
-- A hit gives a caller nothing that the query, run by the same caller, would not: rights on
-- tables, columns, schemas and functions, row security, view owners, SECURITY DEFINER, SET ROLE.
--
CREATE ROLE regress_cq_owner;
CREATE ROLE regress_cq_alice;
CREATE ROLE regress_cq_bob;
CREATE SCHEMA cq_sec AUTHORIZATION regress_cq_owner;
GRANT USAGE ON SCHEMA cq_sec TO PUBLIC;
SET search_path = cq_sec, public;
SELECT cached_query_clear() >= 0 AS empty;
CALL cq_test.swept();
SET ROLE regress_cq_owner;
CREATE TABLE acct (id int, owner name, tenant int, amount int);
INSERT INTO acct VALUES (1, 'regress_cq_alice', 1, 10), (2, 'regress_cq_bob', 2, 20),
	(3, 'regress_cq_alice', 2, 30), (4, 'regress_cq_owner', 1, 40);
GRANT SELECT ON acct TO regress_cq_alice, regress_cq_bob;
RESET ROLE;

SELECT $$SELECT * FROM cached_query('SELECT count(*) FROM cq_sec.acct', '1h') AS t(n bigint)$$ AS q \gset

-- A plain table: one entry for all who may read it
SELECT cq_test.as_role('regress_cq_alice', :'q');
SELECT cq_test.as_role('regress_cq_bob', :'q');
SELECT cq_test.as_role(current_user, :'q');
-- right on the table taken away: the hit fails as the query does, at once, and for him only
REVOKE SELECT ON acct FROM regress_cq_bob;
SELECT cq_test.as_role('regress_cq_bob', 'SELECT count(*) FROM cq_sec.acct');
SELECT cq_test.as_role('regress_cq_bob', :'q');
SELECT cq_test.as_role('regress_cq_alice', :'q');
-- one column
GRANT SELECT (id) ON acct TO regress_cq_bob;
SELECT cq_test.as_role('regress_cq_bob', :'q');
SELECT cq_test.as_role('regress_cq_bob', $$SELECT * FROM cached_query('SELECT max(id) FROM cq_sec.acct', '1h') AS t(n int)$$);
SELECT cq_test.as_role('regress_cq_alice', $$SELECT * FROM cached_query('SELECT max(amount) FROM cq_sec.acct', '1h') AS t(n int)$$);
SELECT cq_test.as_role('regress_cq_bob', $$SELECT * FROM cached_query('SELECT max(amount) FROM cq_sec.acct', '1h') AS t(n int)$$);
SELECT cq_test.as_role('regress_cq_bob', $$SELECT * FROM cached_query('SELECT max(amount) FROM cq_sec.acct', '1h') AS t(n int) WHERE false$$);
SELECT cq_test.as_role('regress_cq_bob', $$SELECT cached_query_json('SELECT max(amount) FROM cq_sec.acct', '1h')$$);
SELECT cq_test.as_role('regress_cq_bob', $$SELECT cached_query_refresh('SELECT max(amount) FROM cq_sec.acct', '1h')$$);
-- the shape and the verdict tell nothing that the caller could not learn by EXPLAIN or \d
SELECT cq_test.as_role('regress_cq_bob', $$SELECT rows FROM cached_query_explain('SELECT max(amount) FROM cq_sec.acct')$$);
REVOKE SELECT (id) ON acct FROM regress_cq_bob;
-- USAGE on the schema
GRANT SELECT ON acct TO regress_cq_bob;
SELECT cq_test.as_role('regress_cq_bob', :'q');
REVOKE USAGE ON SCHEMA cq_sec FROM PUBLIC;
SELECT cq_test.as_role('regress_cq_bob', :'q');
GRANT USAGE ON SCHEMA cq_sec TO PUBLIC;
SELECT cq_test.as_role('regress_cq_bob', :'q');

-- row security by current_user
SET ROLE regress_cq_owner;
CREATE TABLE priv (id int, owner name);
INSERT INTO priv VALUES (1, 'regress_cq_alice'), (2, 'regress_cq_bob'), (3, 'regress_cq_bob');
GRANT SELECT ON priv TO PUBLIC;
ALTER TABLE priv ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON priv USING (owner = current_user);
RESET ROLE;
SELECT $$SELECT * FROM cached_query('SELECT id FROM cq_sec.priv ORDER BY id', '1h') AS t(id int)$$ AS p \gset
SELECT cq_test.as_role(r, :'p') AS first, cq_test.as_role(r, :'p') AS second
	FROM unnest(ARRAY['regress_cq_alice', 'regress_cq_bob', 'regress_cq_owner', current_user]::name[]) WITH ORDINALITY AS u(r, n) ORDER BY n;
-- a new policy, force, and disabling act on the next call
CREATE POLICY also ON priv USING (id = 1);
SELECT cq_test.as_role('regress_cq_bob', :'p');
DROP POLICY also ON priv;
SELECT cq_test.as_role('regress_cq_bob', :'p');
ALTER TABLE priv FORCE ROW LEVEL SECURITY;
SELECT cq_test.as_role('regress_cq_owner', :'p');
ALTER TABLE priv NO FORCE ROW LEVEL SECURITY;
ALTER ROLE regress_cq_bob BYPASSRLS;
SELECT cq_test.as_role('regress_cq_bob', :'p');
ALTER ROLE regress_cq_bob NOBYPASSRLS;
SELECT cq_test.as_role('regress_cq_bob', :'p');
-- a policy for a group: who belongs to it is asked at each call
CREATE ROLE regress_cq_group;
CREATE POLICY grp ON priv TO regress_cq_group USING (true);
SELECT cq_test.as_role('regress_cq_bob', :'p');
GRANT regress_cq_group TO regress_cq_bob;
SELECT cq_test.as_role('regress_cq_bob', :'p');
REVOKE regress_cq_group FROM regress_cq_bob;
SELECT cq_test.as_role('regress_cq_bob', :'p');
-- and so are rights by membership
CREATE TABLE grouped AS SELECT 1 AS id;
GRANT SELECT ON grouped TO regress_cq_group;
GRANT regress_cq_group TO regress_cq_bob;
SELECT cq_test.as_role('regress_cq_bob', $$SELECT * FROM cached_query('SELECT id FROM cq_sec.grouped', '1h') AS t(id int)$$) AS first,
	cq_test.as_role('regress_cq_bob', $$SELECT * FROM cached_query('SELECT id FROM cq_sec.grouped', '1h') AS t(id int)$$) AS second;
REVOKE regress_cq_group FROM regress_cq_bob;
SELECT cq_test.as_role('regress_cq_bob', $$SELECT * FROM cached_query('SELECT id FROM cq_sec.grouped', '1h') AS t(id int)$$);
DROP TABLE grouped;
DROP POLICY grp ON priv;
DROP ROLE regress_cq_group;
-- row_security = off is an error where rows would be hidden, hit or miss
SET row_security = off;
SELECT cq_test.as_role('regress_cq_bob', :'p');
SELECT cq_test.as_role('regress_cq_owner', :'p');
RESET row_security;

-- row security by a setting
SET ROLE regress_cq_owner;
CREATE TABLE tenants (id int, tenant int);
INSERT INTO tenants SELECT g, g % 3 FROM generate_series(1, 9) AS g;
GRANT SELECT ON tenants TO PUBLIC;
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY t ON tenants USING (tenant = current_setting('app.tenant')::int);
RESET ROLE;
SELECT $$SELECT * FROM cached_query('SELECT id FROM cq_sec.tenants ORDER BY id', '1h') AS t(id int)$$ AS p \gset
SET app.tenant = '1';
SELECT cq_test.as_role('regress_cq_alice', :'p') AS first, cq_test.as_role('regress_cq_alice', :'p') AS second;
SET app.tenant = '2';
SELECT cq_test.as_role('regress_cq_alice', :'p') AS first, cq_test.as_role('regress_cq_alice', :'p') AS second;
SET app.tenant = '1';
SELECT cq_test.as_role('regress_cq_alice', :'p');
-- hidden in a function that the policy calls
SET ROLE regress_cq_owner;
CREATE FUNCTION my_tenant() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN current_setting('app.tenant')::int; END $$;
DROP POLICY t ON tenants;
CREATE POLICY t ON tenants USING (tenant = my_tenant());
RESET ROLE;
SELECT cq_test.as_role('regress_cq_alice', :'p') AS first, cq_test.as_role('regress_cq_alice', :'p') AS second;
SET app.tenant = '2';
SELECT cq_test.as_role('regress_cq_alice', :'p') AS first, cq_test.as_role('regress_cq_alice', :'p') AS second;
SET app.tenant = 'rubbish';
SELECT cq_test.as_role('regress_cq_alice', :'p');
-- a policy with a subquery on another table: rights and contents of that one count too
SET ROLE regress_cq_owner;
CREATE TABLE members (who name, tenant int);
INSERT INTO members VALUES ('regress_cq_alice', 0), ('regress_cq_bob', 1);
GRANT SELECT ON members TO regress_cq_alice, regress_cq_bob;
DROP POLICY t ON tenants;
CREATE POLICY t ON tenants USING (tenant IN (SELECT m.tenant FROM cq_sec.members AS m WHERE m.who = current_user));
RESET ROLE;
SELECT cq_test.as_role('regress_cq_alice', :'p') AS first, cq_test.as_role('regress_cq_alice', :'p') AS second;
SELECT cq_test.as_role('regress_cq_bob', :'p') AS first, cq_test.as_role('regress_cq_bob', :'p') AS second;
REVOKE SELECT ON members FROM regress_cq_bob;
SELECT cq_test.as_role('regress_cq_bob', :'p');
SELECT cq_test.as_role('regress_cq_alice', :'p');

-- current_user, session_user, role in the text
SELECT $$SELECT * FROM cached_query('SELECT current_user, user, current_role', '1h') AS t(a name, b name, c name)$$ AS p \gset
SELECT cq_test.as_role('regress_cq_alice', :'p') AS first, cq_test.as_role('regress_cq_alice', :'p') AS second;
SELECT cq_test.as_role('regress_cq_bob', :'p') AS first, cq_test.as_role('regress_cq_bob', :'p') AS second;
SET SESSION AUTHORIZATION regress_cq_alice;
SELECT * FROM cq_test.call($$SELECT * FROM cached_query('SELECT session_user', '1h') AS t(a name)$$);
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION regress_cq_bob;
SELECT * FROM cq_test.call($$SELECT * FROM cached_query('SELECT session_user', '1h') AS t(a name)$$);
RESET SESSION AUTHORIZATION;

DROP SCHEMA cq_sec CASCADE;
DROP ROLE regress_cq_owner, regress_cq_alice, regress_cq_bob;
