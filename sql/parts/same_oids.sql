-- Objects whose OIDs share a slot are voided together.  So OIDs begin at :oids here, however many objects other tests have made.
SELECT lo_creat(-1) AS lo \gset
SELECT lo_unlink(:lo) AS one, count(lo_unlink(lo_creat(-1))) = greatest(:oids - :lo, 0) AS skipped FROM generate_series(1, :oids - :lo);
