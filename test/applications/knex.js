#!/usr/bin/env node
/*
 * knex - queries of the query builder as it is, by a role with cached_query.auto and by one without.
 *
 *     NODE_PATH=.../node_modules knex.js SOCKET-DIRECTORY [PORT] [ROUNDS]
 *
 * The argument is the directory of the server's socket, where user postgres is a superuser. Makes a database
 * cq_knex and the roles cq_knex_off and cq_knex_auto, whose only difference is cached_query.auto = exact (and
 * auto_min_time = 0). In ROUNDS (20) rounds with a write of either role between them, both ask the same three
 * times, also in transactions that have written, and must get the same rows.
 *
 * Needs knex and pg from npm. The last line is "N passed, N failed".
 */
'use strict';
const knex = require('knex');
const assert = require('assert');

const [host, port = '5432', rounds = '20'] = process.argv.slice(2);
const connect = (user, database = 'cq_knex') => knex({ client: 'pg', connection: { host, port: +port, user, database }, pool: { min: 1, max: 1 } });
const roles = ['cq_knex_off', 'cq_knex_auto'];
let passed = 0, failed = 0;

async function prepare() {
	let db = connect('postgres', 'postgres');
	await db.raw('DROP DATABASE IF EXISTS cq_knex');
	for (const role of roles) {
		await db.raw(`DROP ROLE IF EXISTS ${role}`);
		await db.raw(`CREATE ROLE ${role} LOGIN SUPERUSER`);
	}
	await db.raw(`ALTER ROLE ${roles[1]} SET cached_query.auto = exact`);
	await db.raw(`ALTER ROLE ${roles[1]} SET cached_query.auto_min_time = 0`);
	await db.raw('CREATE DATABASE cq_knex');
	await db.destroy();
	db = connect('postgres');
	await db.raw('CREATE EXTENSION cached_query');
	await db.schema.createTable('customers', t => { t.increments('id'); t.string('name', 40); t.string('region', 10); t.jsonb('tags'); });
	await db.schema.createTable('orders', t => {
		t.increments('id'); t.integer('customer_id').references('customers.id'); t.decimal('amount', 10, 2); t.timestamp('at'); t.boolean('paid');
	});
	await db('customers').insert(Array.from({ length: 40 }, (_, i) => ({ name: `customer ${i}`, region: ['north', 'south', 'east'][i % 3], tags: JSON.stringify([i % 5, `t${i % 4}`]) })));
	await db('orders').insert(Array.from({ length: 400 }, (_, i) => ({ customer_id: 1 + i % 40, amount: i / 7, at: new Date(1.6e12 + i * 1e7), paid: i % 3 === 0 })));
	await db.raw('ANALYZE');
	await db.destroy();
}

/* What is asked; each takes a connection or a transaction. */
const asks = [
	q => q('orders').select('id', 'amount', 'at').where('customer_id', 7).orderBy('id'),
	q => q('orders').join('customers', 'orders.customer_id', 'customers.id').groupBy('region').orderBy('region').select('region').sum('amount as total').count('* as n'),
	q => q('customers').whereIn('region', ['north', 'east']).andWhere('name', 'like', 'customer 1%').orderBy('id'),
	q => q('customers').whereExists(q('orders').select(q.raw('1')).whereRaw('orders.customer_id = customers.id').andWhere('amount', '>', 50)).orderBy('id').pluck('name'),
	q => q('orders').first('*').orderBy('amount', 'desc').orderBy('id'),
	q => q.with('best', q('orders').select('customer_id').max('amount as most').groupBy('customer_id')).select('*').from('best').where('most', '>', 51).orderBy('customer_id'),
	q => q('orders').select('id', q.raw('rank() OVER (PARTITION BY customer_id ORDER BY amount DESC) AS r')).whereBetween('id', [10, 60]).orderBy('id'),
	q => q('customers').whereRaw('tags @> ?', [JSON.stringify(['t2'])]).orderBy('id').select('id', 'tags'),
	q => q('customers').whereRaw('tags \\? ?', ['t1']).orderBy('id').select('id'),
	q => q('orders').where({ paid: true }).whereNull('at').orWhere('id', '<', 4).orderBy('id').limit(5).offset(1),
	q => q('orders').countDistinct('customer_id as n').where('amount', '<', 20),
	q => q.raw('SELECT region, array_agg(name ORDER BY id) AS names FROM customers GROUP BY region ORDER BY region').then(r => r.rows),
	q => q('customers').select('region').union(q('customers').select('name').where('id', '<', 5)).orderBy('region'),
	q => q('orders').columnInfo(),
];

const writes = [
	q => q('orders').insert({ customer_id: 3, amount: 77.5, paid: false }),
	q => q('orders').where('id', '<', 9).increment('amount', 1),
	q => q('orders').whereIn('id', q('orders').max('id')).del(),
	q => q('customers').where('id', 5).update({ name: 'customer 1 again', tags: JSON.stringify(['t2', 't1']) }),
	q => q.schema.alterTable('customers', t => t.index(['region'], `region_${Math.random().toString(36).slice(2)}`)),
];

function compare(got, want, name) {
	try {
		assert.deepStrictEqual(got, want);
		passed++;
	} catch {
		failed++;
		console.log(`DIFFERENT: ${name}`);
	}
}

/* A transaction sees its own writes, and nobody does after its rollback. */
async function inTransaction(off, auto, round) {
	const write = writes[round % 4];
	const want = [];
	await off.transaction(async t => {
		await write(t);
		for (const ask of asks) want.push(await ask(t));
		await t.rollback(new Error('enough'));
	}).catch(e => assert.strictEqual(e.message, 'enough'));
	await auto.transaction(async t => {
		await write(t);
		for (const [at, ask] of asks.entries()) compare(plain(await ask(t)), plain(want[at]), `statement ${at} in a transaction, round ${round}`);
		await t.rollback(new Error('enough'));
	}).catch(e => assert.strictEqual(e.message, 'enough'));
}

/* Numbers of rows that a sequence gave differ between the two: ids of inserted rows do not count. */
const plain = rows => JSON.parse(JSON.stringify(rows, (key, value) => (key === 'id' && value > 400 ? 'new' : value)));

async function main() {
	await prepare();
	const [off, auto] = roles.map(role => connect(role));
	const hits = async () => +(await off.raw(`SELECT statements FROM cached_query_reasons WHERE reason = 'hit'`)).rows[0].statements;
	const found = asks.map(() => 0);
	for (let round = 0; round < +rounds; round++) {
		for (const [at, ask] of asks.entries()) {
			const want = await ask(off), before = await hits();
			for (let i = 0; i < 3; i++) compare(await ask(auto), want, `statement ${at}, round ${round}`);
			found[at] += await hits() - before;
		}
		await inTransaction(off, auto, round);
		await writes[round % writes.length](round % 2 ? off : auto);
	}
	console.log(`hits of the statements: ${found.join(' ')}`);
	await off.destroy();
	await auto.destroy();
	console.log(`${passed} passed, ${failed} failed`);
	process.exit(failed || !passed ? 1 : 0);
}

main().catch(e => { console.log(e); console.log(`${passed} passed, 1 failed`); process.exit(1); });
