// node-postgres: values are sent without types and get the types that the cached query expects.
'use strict';

const { Pool } = require('pg');

// $1, $2 inside the quotes are parameters of the cached query, those outside are parameters of the driver.
const LATEST = `
	SELECT * FROM cached_query(
		'SELECT id, amount, paid::text FROM payments WHERE region = $1 ORDER BY id DESC LIMIT $2',
		'60s', $1, $2) AS t(id bigint, amount numeric, paid text)`;

// A document that is passed on is requested as text. Otherwise node-postgres parses it.
const DOCUMENT = {
	name: 'totals', // prepared once a connection; leave it out behind a pooler in transaction mode
	text: `SELECT cached_query_json('SELECT region, sum(amount) AS total FROM payments
		GROUP BY region ORDER BY region', '60s')::text AS body`,
};

async function main() {
	const pool = new Pool();

	for (let i = 0; i < 2; i++) { // the second time from memory
		for (const row of (await pool.query(LATEST, ['north', 2])).rows)
			console.log(row.id, row.amount, row.paid);
	}
	console.log((await pool.query(DOCUMENT)).rows[0].body);
	await pool.end();
}

main().catch((error) => {
	console.error(error);
	process.exit(1);
});
