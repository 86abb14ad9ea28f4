-- cached_query_top: what people read in psql, so it fits a line of 120 characters.
CREATE ROLE cq_dashboard_of_the_warehouse;
CREATE TABLE warehouse_orders AS SELECT g AS id, 'region ' || g % 7 AS region, g * 1.25 AS amount FROM generate_series(1, 20000) AS g;
GRANT SELECT ON warehouse_orders TO cq_dashboard_of_the_warehouse;
SELECT count(*) FROM cached_query('SELECT * FROM warehouse_orders', '1h') AS t(id int, region text, amount numeric);
SET ROLE cq_dashboard_of_the_warehouse;
SELECT count(*) FROM generate_series(1, 3), LATERAL (SELECT * FROM cached_query_with('{"tag": "report of the day"}',
	E'SELECT region,\n\tsum(amount) AS total,\n\tcount(*)\nFROM warehouse_orders\nWHERE id < $1\nGROUP BY region', '30s', 100)
	AS t(region text, total numeric, n bigint)) AS s;
RESET ROLE;
SELECT * FROM cached_query('SELECT sum(amount) FROM warehouse_orders WHERE region = ''region 3''', '1 day') AS t(total numeric);
SELECT CASE WHEN role = current_user THEN 'own' ELSE role END AS role, state, query FROM cached_query_top
	WHERE query ~ 'warehouse_warehouse|report of' ORDER BY query COLLATE "C";
-- the width of SELECT *: columns are separated by three characters and have one at each end
SELECT sum(width) + 3 * count(*) - 1 <= 120 AS fits
	FROM (SELECT key, greatest(length(key), max(length(value))) AS width
		FROM cached_query_top AS t, jsonb_each_text(to_jsonb(t)) GROUP BY key) AS c;
-- and at its worst: a hundred million hits that saved 100 hours of a large entry that is no longer valid
SELECT length('100000000') + length('100:00:00.123') + length(pg_size_pretty(10239 * 1024::bigint)) + length('100:00:00')
	+ length('invalidated') + 16 + 34 + 3 * 7 - 1 AS worst;
SELECT attname FROM pg_attribute WHERE attrelid = 'cached_query_top'::regclass AND attnum > 0 ORDER BY attnum;
DROP TABLE warehouse_orders;
DROP ROLE cq_dashboard_of_the_warehouse;
