-- pg_cron refreshes cached results: each minute it runs the query and replaces the result, so that no
-- caller has to wait.  The ttl must be longer than the period: here two minutes and one minute.
--
--	shared_preload_libraries = 'cached_query, pg_cron'
--	cron.database_name = 'postgres'
--
-- Calls share a result if they have the same query, arguments and settings that the query reads.  So
-- schedule the query of the application, with the search_path of the application.  If row security or
-- current_user matter, schedule it as the role of the application.  After a load, call
-- cached_query_refresh() at the end of the script that loads.
CREATE EXTENSION IF NOT EXISTS pg_cron;

SELECT cron.schedule('totals', '* * * * *', $$
	SELECT cached_query_refresh('SELECT region, sum(amount) FROM payments GROUP BY region', '2min')
$$);

-- The result of cached_query_json() is cached separately: call it in mode refresh.
SELECT cron.schedule('document', '* * * * *', $$
	SET cached_query.mode = refresh;
	SELECT cached_query_json('SELECT region, sum(amount) AS total FROM payments GROUP BY region', '2min')
$$);
