// node-postgres: the extended protocol, with parameters whose types the client doesn't give (they
// reach cached_query(text, interval, VARIADIC text[])), named statements, cursorless and pooled.
// Each answer is compared with that of the query itself; the counters tell a hit.

'use strict';

const { Client, Pool } = require('pg');
const assert = require('assert');

let count = 0;
let failed = 0;
const db = new Client();
const monitor = new Client();

function ok(good, name, detail) {
	count++;
	console.log(`${good ? '' : 'not '}ok ${count} - ${name}`);
	if (!good) {
		failed++;
		if (detail !== undefined)
			console.log('#   ' + String(detail).replace(/\n/g, '\n#   '));
	}
}

function equal(got, want, name) {
	try {
		assert.deepStrictEqual(got, want);
		ok(true, name);
	} catch (error) {
		ok(false, name, error.message);
	}
}

async function stats() {
	const row = (await monitor.query('SELECT hits, misses, bypasses FROM cached_query_stats')).rows[0];
	return [Number(row.hits), Number(row.misses), Number(row.bypasses)];
}

async function counted(action) {
	const before = await stats();
	const result = await action();
	const after = await stats();
	return [result, after.map((now, i) => now - before[i])];
}

// The query by itself, then through the cache: a miss, a hit, and hits of a named statement.
async function sameAsDirect(name, query, columns, args) {
	const direct = await db.query(query, args);
	const list = args.map((_, i) => `, $${i + 3}`).join('');
	const text = `SELECT * FROM cached_query($1, $2${list}) AS t(${columns})`;
	const values = [query, '1h', ...args];

	for (const [outcome, counts] of [['miss', [0, 1, 0]], ['hit', [1, 0, 0]]]) {
		const [result, seen] = await counted(() => db.query(text, values));
		equal(result.rows, direct.rows, `${name}: a ${outcome} has the query's rows`);
		equal(result.fields.map((f) => [f.name, f.dataTypeID]), direct.fields.map((f) => [f.name, f.dataTypeID]),
			`${name}: and fields`);
		equal(seen, counts, `${name}: and is counted as one`);
	}
	const [, seen] = await counted(async () => {
		for (let i = 0; i < 7; i++) {
			const result = await db.query({ name: `named ${name}`, text, values });
			equal(result.rows, direct.rows, `${name}: named statement`);
		}
	});
	equal(seen, [7, 0, 0], `${name}: named statement hits`);

	// As users write it: the query's text in the statement.
	const literal = `SELECT * FROM cached_query('${query.replace(/'/g, "''")}', '60s'${args.map((_, i) => `, $${i + 1}`).join('')}) AS t(${columns})`;
	const [result, again] = await counted(() => db.query(literal, args));
	equal(result.rows, direct.rows, `${name}: text in the statement`);
	equal(again, [1, 0, 0], `${name}: from the same entry`);
}

async function main() {
	await db.connect();
	await monitor.connect();
	await db.query(`CREATE TABLE item (id int PRIMARY KEY, name text, price numeric(10,2), at timestamptz,
		tags text[], doc jsonb, raw bytea, ok bool, ratio float8, big bigint, code uuid)`);
	await db.query(`INSERT INTO item SELECT g, CASE WHEN g % 5 <> 0 THEN 'näme ' || g END, g * 1.25,
		timestamptz '2024-03-31 00:00:00+00' + g * interval '1 hour', ARRAY['a', NULL, 'b "c" ' || g],
		jsonb_build_object('id', g), decode(md5(g::text), 'hex'), g % 2 = 0, g / 4.0, g * 10000000000,
		md5(g::text)::uuid FROM generate_series(1, 50) AS g`);

	await sameAsDirect('no parameter', 'SELECT * FROM item ORDER BY id',
		`id int, name text, price numeric(10,2), at timestamptz, tags text[], doc jsonb, raw bytea, ok bool,
		 ratio float8, big bigint, code uuid`, []);
	await sameAsDirect('number', 'SELECT id, name FROM item WHERE id = $1', 'id int, name text', [7]);
	await sameAsDirect('several', 'SELECT id FROM item WHERE id > $1 AND name LIKE $2 AND ok = $3 ORDER BY id',
		'id int', [10, 'näme 2%', true]);
	await sameAsDirect('string', 'SELECT id FROM item WHERE name = $1', 'id int', ['näme 4']);
	await sameAsDirect('string with everything', 'SELECT $1::text AS x', 'x text', ['it\'s "so" \\ {a,b} $1 €,NULL']);
	await sameAsDirect('empty string', 'SELECT $1::text AS x', 'x text', ['']);
	await sameAsDirect('null', 'SELECT id FROM item WHERE name IS NOT DISTINCT FROM $1 ORDER BY id', 'id int', [null]);
	await sameAsDirect('null between', 'SELECT $1::int AS a, $2::text AS b, $3::int AS c', 'a int, b text, c int', [1, null, 3]);
	await sameAsDirect('decimal as string', 'SELECT id, price FROM item WHERE price > $1 ORDER BY id',
		'id int, price numeric(10,2)', ['60.00']);
	await sameAsDirect('fraction', 'SELECT id FROM item WHERE ratio < $1 ORDER BY id', 'id int', [1.75]);
	await sameAsDirect('bigint', 'SELECT id FROM item WHERE big = $1', 'id int', ['40000000000']);
	await sameAsDirect('Date', 'SELECT id, at FROM item WHERE at < $1 ORDER BY id', 'id int, at timestamptz',
		[new Date('2024-03-31T05:30:00Z')]);
	await sameAsDirect('boolean', 'SELECT id FROM item WHERE ok = $1 ORDER BY id', 'id int', [false]);
	await sameAsDirect('array of numbers', 'SELECT id FROM item WHERE id = ANY ($1) ORDER BY id', 'id int', [[3, 5, 99]]);
	await sameAsDirect('array of strings', 'SELECT id FROM item WHERE name = ANY ($1) ORDER BY id', 'id int',
		[['näme 1', 'it\'s, "x"', null]]);
	await sameAsDirect('object', 'SELECT id FROM item WHERE doc @> $1 ORDER BY id', 'id int', [{ id: 8 }]);
	await sameAsDirect('bytea as string', 'SELECT id FROM item WHERE raw = $1', 'id int',
		['\\xc4ca4238a0b923820dcc509a6f75849b']);
	await sameAsDirect('uuid', 'SELECT id FROM item WHERE code = $1', 'id int', ['c4ca4238-a0b9-2382-0dcc-509a6f75849b']);
	await sameAsDirect('no rows', 'SELECT id FROM item WHERE id = $1', 'id int', [-1]);

	// Typed by a cast in the statement: the "any" variant, and the same entry as for an integer.
	const cast = "SELECT * FROM cached_query('SELECT id FROM item WHERE id < $1 ORDER BY id', '60s', $1::int) AS t(id int)";
	for (const want of [[0, 1, 0], [1, 0, 0]]) {
		const [result, seen] = await counted(() => db.query(cast, [4]));
		equal(result.rows, [{ id: 1 }, { id: 2 }, { id: 3 }], 'cast parameter');
		equal(seen, want, 'cast parameter: counted');
	}

	// A Buffer is sent in binary, so that its parameter must have its type: by a cast.
	const buffer = "SELECT * FROM cached_query('SELECT id FROM item WHERE raw = $1', '60s', $1::bytea) AS t(id int)";
	for (let i = 0; i < 2; i++)
		equal((await db.query(buffer, [Buffer.from('c4ca4238a0b923820dcc509a6f75849b', 'hex')])).rows, [{ id: 1 }], 'Buffer');

	// The other functions.
	const direct = (await db.query('SELECT id, name FROM item WHERE id < 4 ORDER BY id')).rows;
	for (const outcome of ['miss', 'hit']) {
		const json = await db.query('SELECT cached_query_json($1, $2, $3) AS rows', ['SELECT id, name FROM item WHERE id < $1 ORDER BY id', '1h', 4]);
		equal(json.rows[0].rows, direct, `cached_query_json: ${outcome}`);
		const as = await db.query('SELECT id, name FROM cached_query_as(NULL::item, $1, $2, $3)', ['SELECT * FROM item WHERE id < $1 ORDER BY id', '1h', 4]);
		equal(as.rows, direct, `cached_query_as: ${outcome}`);
		const withOptions = await db.query('SELECT * FROM cached_query_with($1, $2, $3, $4) AS t(id int, name text)',
			[{ tag: 'node' }, 'SELECT id, name FROM item WHERE id < $1 ORDER BY id', '1h', 4]);
		equal(withOptions.rows, direct, `cached_query_with: ${outcome}`);
	}
	equal((await db.query('SELECT cached_query_columns($1) AS list', ['SELECT id, name FROM item'])).rows[0].list,
		'id integer, name text', 'cached_query_columns');
	equal((await db.query('SELECT state FROM cached_query_explain($1, $2)', ['SELECT id FROM item WHERE id = $1', 7])).rows.length, 1,
		'cached_query_explain');
	equal((await db.query('SELECT cached_query_refresh($1, $2, $3) AS n', ['SELECT id, name FROM item WHERE id < $1 ORDER BY id', '1h', 4])).rows[0].n,
		'3', 'cached_query_refresh');
	equal((await db.query('SELECT cached_query_invalidate($1, $2) AS n', ['SELECT id, name FROM item WHERE id = $1', 7])).rows[0].n, '1',
		'cached_query_invalidate');
	const [, afterwards] = await counted(() => db.query("SELECT * FROM cached_query('SELECT id, name FROM item WHERE id = $1', '1h', $1) AS t(id int, name text)", [7]));
	equal(afterwards, [0, 1, 0], 'a miss after the invalidation');

	// Errors: the query's own, and the session and its named statements go on.
	for (const [text, values, code] of [
		["SELECT * FROM cached_query('SELECT 1 / $1::int', '60s', $1) AS t(a int)", [0], '22012'],
		["SELECT * FROM cached_query('SELECT $1::int', '60s', $1) AS t(a int)", ['x'], '22P02'],
		["SELECT * FROM cached_query('SELECT $1::int, $2::int', '60s', $1) AS t(a int, b int)", [1], null],
		["SELECT * FROM cached_query('SELECT nothing', '60s') AS t(a int)", [], '42703']]) {
		for (const name of [undefined, `error ${text}`]) {
			try {
				await db.query({ name, text, values });
				ok(false, `error of ${text}`);
			} catch (error) {
				ok(error.code !== undefined && (code === null || error.code === code), `error of ${text}`, error.code + ' ' + error.message);
			}
			equal((await db.query("SELECT * FROM cached_query('SELECT id FROM item WHERE id = $1', '60s', $1) AS t(id int)", [7])).rows,
				[{ id: 7 }], 'the session goes on');
		}
	}
	equal((await db.query({ name: 'div', text: "SELECT * FROM cached_query('SELECT 6 / $1::int', '60s', $1) AS t(a int)", values: [2] })).rows,
		[{ a: 3 }], 'a named statement');
	await db.query({ name: 'div', text: "SELECT * FROM cached_query('SELECT 6 / $1::int', '60s', $1) AS t(a int)", values: [0] }).catch(() => {});
	equal((await db.query({ name: 'div', text: "SELECT * FROM cached_query('SELECT 6 / $1::int', '60s', $1) AS t(a int)", values: [2] })).rows,
		[{ a: 3 }], 'the same after an error in it');

	// A table that changes under a named statement.
	const star = { name: 'star', text: "SELECT * FROM cached_query('SELECT id, name FROM item WHERE id = $1', '60s', $1) AS t(id int, name text)", values: [7] };
	await db.query(star);
	await monitor.query('ALTER TABLE item ADD COLUMN extra int');
	equal((await db.query(star)).rows, [{ id: 7, name: 'näme 7' }], 'a named statement after ALTER TABLE');
	// text takes a varchar as it is, an integer doesn't
	await monitor.query('ALTER TABLE item ALTER COLUMN name TYPE varchar(100)');
	equal((await db.query(star)).rows, [{ id: 7, name: 'näme 7' }], 'a column of another type that text takes');
	await monitor.query('ALTER TABLE item ALTER COLUMN name TYPE int USING length(name)');
	await db.query(star).then(() => ok(false, 'a column of another type'), (error) => equal(error.code, '42804', 'a column of another type'));

	// A pool: many at once for the same and for different keys.
	const pool = new Pool({ max: 5 });
	const results = await Promise.all(Array.from({ length: 100 }, (_, i) =>
		pool.query("SELECT * FROM cached_query('SELECT id, price FROM item WHERE id <= $1 ORDER BY id', '60s', $1) AS t(id int, price numeric(10,2))", [i % 10])));
	ok(results.every((result, i) => result.rows.length === i % 10 && result.rows.every((row, j) => row.id === j + 1)), 'a pool of clients');
	const [, busy] = await counted(() => Promise.all(Array.from({ length: 50 }, (_, i) =>
		pool.query("SELECT * FROM cached_query('SELECT id, price FROM item WHERE id <= $1 ORDER BY id', '60s', $1) AS t(id int, price numeric(10,2))", [i % 10]))));
	equal(busy, [50, 0, 0], 'a pool of clients: hits');
	await pool.end();

	await db.end();
	await monitor.end();
}

main().catch((error) => ok(false, 'no error', error.stack)).finally(() => {
	console.log(`1..${count}`);
	process.exit(failed ? 1 : 0);
});
