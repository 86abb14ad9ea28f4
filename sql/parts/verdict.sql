-- What an exact call of a query and one with a ttl would be: "exact", "yes", or the reason against it.
CREATE FUNCTION verdict(query text, OUT exact text, OUT ttl text) LANGUAGE plpgsql AS $$
DECLARE
	e record;
BEGIN
	SET LOCAL cached_query.consistency = 'exact';
	SELECT * INTO e FROM cached_query_explain(query);
	exact := CASE WHEN e.reason IS NULL THEN 'exact' ELSE e.reason END;
	SET LOCAL cached_query.consistency = 'ttl';
	SELECT * INTO e FROM cached_query_explain(query);
	ttl := CASE WHEN e.cacheable THEN 'yes' ELSE e.reason END;
END $$;
