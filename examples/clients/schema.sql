-- The table that the examples read: psql -f schema.sql
CREATE EXTENSION IF NOT EXISTS cached_query;

CREATE TABLE payments (
	id     bigint PRIMARY KEY,
	region text NOT NULL,
	amount numeric(12,2) NOT NULL,
	paid   date NOT NULL
);

INSERT INTO payments
	SELECT g, (ARRAY['north', 'east', 'south', 'west'])[g % 4 + 1], g * 2.50, date '2026-01-01' + g % 90
	FROM generate_series(1, 1000) AS g;
ANALYZE payments;
