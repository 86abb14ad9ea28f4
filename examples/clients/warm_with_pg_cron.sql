-- pg_cron keeps answers warm: each minute the query is run and its answer replaced, so that no caller
-- waits for it.  Give a ttl that outlasts the period, here two minutes for one.
--
--	shared_preload_libraries = 'cached_query, pg_cron'
--	cron.database_name = 'postgres'
--
-- An answer is found by those who ask with the same text, arguments and search_path, so schedule as
-- the application does: with its text, letter by letter, and, where row security or current_user matter,
-- as its role.  After a load, call cached_query_refresh() at the end of the script that loads.
CREATE EXTENSION IF NOT EXISTS pg_cron;

SELECT cron.schedule('totals', '* * * * *', $$
	SELECT cached_query_refresh('SELECT region, sum(amount) FROM payments GROUP BY region', '2min')
$$);

-- A document of cached_query_json() is an entry of its own: ask for it in mode refresh.
SELECT cron.schedule('document', '* * * * *', $$
	SET cached_query.mode = refresh;
	SELECT cached_query_json('SELECT region, sum(amount) AS total FROM payments GROUP BY region', '2min')
$$);
