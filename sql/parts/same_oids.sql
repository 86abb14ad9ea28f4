-- Objects whose OIDs share a slot are voided together.  So OIDs begin at :oids here, however many objects other tests have made.
SELECT set_config('cq_test.oids', :'oids', false) AS oids;
DO $$
DECLARE
	lo oid := 0;
BEGIN
	WHILE lo < current_setting('cq_test.oids')::oid LOOP
		lo := lo_creat(-1);
		PERFORM lo_unlink(lo);
		-- each holds a lock until then
		IF lo::bigint % 1000 = 0 THEN COMMIT; END IF;
	END LOOP;
END $$;
RESET cq_test.oids;
