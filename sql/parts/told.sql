-- The outcomes of statements without a call since the last time it was asked; table counted has what was known then.
CREATE FUNCTION told() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	now jsonb := (SELECT jsonb_object_agg(reason, statements) FROM cached_query_reasons);
	text text;
BEGIN
	SELECT string_agg(key || CASE WHEN n > 1 THEN ' x' || n ELSE '' END, ', ' ORDER BY key COLLATE "C") INTO text
	  FROM (SELECT key, value::bigint - coalesce((reasons ->> key)::bigint, 0) AS n FROM counted, jsonb_each_text(now)) AS d
	 WHERE n <> 0;
	UPDATE counted SET reasons = now;
	RETURN coalesce(text, 'nothing');
END $$;
