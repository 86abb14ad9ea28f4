// postgres.js: it asks the server for the types of parameters, so each one is cast.
'use strict';

const postgres = require('postgres');

// It takes host and port from the environment, but wants the whole path of a unix socket.
const host = process.env.PGHOST ?? '';
const sql = postgres(host.startsWith('/') ? { path: `${host}/.s.PGSQL.${process.env.PGPORT ?? 5432}` } : {});

// $1, $2 inside the quotes are parameters of the cached query, ${..} outside are parameters of the driver.
const latest = (region, count) => sql`
	SELECT * FROM cached_query(
		'SELECT id, amount, paid::text FROM payments WHERE region = $1 ORDER BY id DESC LIMIT $2',
		'60s', ${region}::text, ${count}::bigint) AS t(id bigint, amount numeric, paid text)`;

async function main() {
	for (let i = 0; i < 2; i++) { // the second time from memory
		for (const row of await latest('north', 2))
			console.log(row.id, row.amount, row.paid);
	}

	// An array, too, needs its type.
	const [some] = await sql`SELECT * FROM cached_query(
		'SELECT count(*) FROM payments WHERE id = ANY($1)', '60s', ${[1, 2, 3]}::bigint[]) AS t(n bigint)`;
	console.log(some.n);
	await sql.end();
}

main().catch((error) => {
	console.error(error);
	process.exit(1);
});
