--
-- What a backslash means in a literal is a setting that analysis reads.  From 19 on there is only one
-- meaning: strings_1.out.
--
SET escape_string_warning = off;
CREATE FUNCTION cq_strings() RETURNS SETOF text LANGUAGE sql AS
	$f$ SELECT outcome || ' ' || rows::text FROM cq_test.call($$ SELECT * FROM cached_query($q$SELECT length('a\nb')$q$, '1h') AS t(a int) $$) $f$;
SELECT cq_strings();
SET standard_conforming_strings = off;
SELECT cq_strings();
SELECT cq_strings();
RESET standard_conforming_strings;
SELECT cq_strings();
DROP FUNCTION cq_strings;
