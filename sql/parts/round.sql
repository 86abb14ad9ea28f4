-- Of the queries in table q: outcome of each that is no hit, and then it is stored again; says "wrong" where the rows are not the direct ones
CREATE FUNCTION round_() RETURNS text LANGUAGE plpgsql AS $$
DECLARE r record; query text; direct text[]; got record; result text := ''; stmt text; n int := 0;
BEGIN
	FOR r IN SELECT * FROM q ORDER BY name COLLATE "C" LOOP
		n := n + 1;
		stmt := cq_test.statement(r.query, array_to_string(ARRAY[''] || r.args, ', '));
		query := r.query;
		FOR i IN 1 .. cardinality(r.args) LOOP
			query := replace(query, '$' || i, r.args[i]);
		END LOOP;
		direct := cq_test.rows(query);
		got := cq_test.call(stmt);
		IF got.outcome <> 'hit' OR got.rows <> direct THEN
			result := result || format('%s%s%s; ', r.name, CASE WHEN got.outcome NOT LIKE 'miss%' THEN ' ' || got.outcome END, CASE WHEN got.rows <> direct THEN ' wrong' END);
		END IF;
		got := cq_test.call(stmt);
		IF got.outcome <> 'hit' OR got.rows <> direct THEN
			result := result || format('%s again %s%s; ', r.name, got.outcome, CASE WHEN got.rows <> direct THEN ' wrong' END);
		END IF;
	END LOOP;
	RETURN CASE WHEN result = '' THEN format('%s hits', n) ELSE result END;
END $$;
