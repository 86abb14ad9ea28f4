/*
 * mix.c
 *		Readers and writers together, where each reader knows what it must at least see.
 *
 *	mix [option...] READ_CONNINFO WRITE_CONNINFO READ_STATEMENT
 *
 * There are -k tables stock_1, stock_2, .., whose column version is raised by one in one row by each
 * write, so that the sum of a table's versions tells how many writes it has seen.  READ_STATEMENT has
 * {t} for the number of the table, and returns that sum in its first column.  Each of -c clients, a
 * thread with a connection for reads and one for writes, flips a coin before each operation.
 *
 * When a write's commit has been confirmed to its client it counts as known.  A reader looks up how
 * many are known before it asks; an answer that has seen fewer is stale, and it is stale by the time
 * that has passed since the first write that it lacks was confirmed.
 *
 * With -u there is one table instead, orders, and -k are its tenants: {t} in READ_STATEMENT is for the tenant's
 * number, which with -p is a parameter.  A write changes one row of the tenant.  All tenants are asked for once
 * before the clock starts.
 *
 * With -q readers look into Redis first and put there, for a minute, what they had to ask the server
 * for, and writers delete the key when they have committed: what applications do by themselves.
 *
 * Appends to the CSV file: test, label, round, metric, value.  Metrics: tps (reads and writes),
 * reads, writes, stale, stale_ms (the worst), p50 and p99 of reads in milliseconds, and, with -q, the
 * hits among the reads.
 *
 *	-c clients	-s seconds	-w percentage of writes	-k tables	-n rows in each	-u tenants
 *	-p prepared statements for reads	-q Redis's port
 *	-o csv file	-t, -l, -r first three columns
 */
#define _GNU_SOURCE

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "bench.h"

#define MAX_TABLES 10000
#define MAX_CLIENTS 64

/* Writes of a table, or of a tenant's rows, that are known to have committed. */
typedef struct Table
{
	pthread_mutex_t lock;
	int64_t base; /* the sum at the beginning */
	Times known;  /* when each was confirmed */
} Table;

typedef struct Client
{
	pthread_t thread;
	PGconn *reads;
	PGconn *writes;
	redisContext *redis;
	uint64_t random;
	int nwrites;
	int nstale;
	int nhits;
	double stale_us;
	Times times; /* of reads */
	double end;
} Client;

static Table tables[MAX_TABLES];
static int ntables = 8;
static int nrows = 20000;
static Client clients[MAX_CLIENTS];
static int nclients = 8;
static double seconds = 1;
static double write_share = 0.1;
static bool prepared = false;
static bool tenants = false;
static const char *redis_port = NULL;
static const char *statement;
static pthread_barrier_t barrier;
static double beginning;
static double deadline;

/* xorshift64: the same sequence of operations for each system. */
static uint32_t
draw(Client *client, uint32_t below)
{
	client->random ^= client->random << 13;
	client->random ^= client->random >> 7;
	client->random ^= client->random << 17;
	return (uint32_t) ((client->random >> 11) % below);
}

/* The statement with this in place of each {t}. */
static void
put_in(char *text, size_t room, const char *what)
{
	const char *from = statement;
	const char *at;
	size_t used = 0;

	while ((at = strstr(from, "{t}")) != NULL)
	{
		used += snprintf(text + used, room - used, "%.*s%s", (int) (at - from), from, what);
		if (used >= room)
			fail("the statement is too long");
		from = at + 3;
	}
	if (used + strlen(from) >= room)
		fail("the statement is too long");
	strcpy(text + used, from);
}

static void
write_one(Client *client, int number)
{
	Table *table = &tables[number];
	char sql[128];
	PGresult *result;

	if (tenants)
		snprintf(sql, sizeof(sql), "UPDATE orders SET version = version + 1 WHERE id = %d",
				 1 + number + ntables * draw(client, nrows));
	else
		snprintf(sql, sizeof(sql), "UPDATE stock_%d SET version = version + 1 WHERE id = %d",
				 number + 1, 1 + draw(client, nrows));
	result = PQexec(client->writes, sql);
	check(result, sql);
	if (strcmp(PQcmdTuples(result), "1") != 0)
		fail("updated %s rows: %s", PQcmdTuples(result), sql);
	PQclear(result);
	if (client->redis != NULL)
		freeReplyObject(redisCommand(client->redis, "DEL stock_%d", number + 1));
	pthread_mutex_lock(&table->lock);
	add_time(&table->known, now_us());
	pthread_mutex_unlock(&table->lock);
	client->nwrites++;
}

/* The statement for this table or tenant. */
static void
put_number(char *text, size_t room, int number)
{
	char digits[16];

	snprintf(digits, sizeof(digits), "%d", number + 1);
	put_in(text, room, digits);
}

/* The sum that the server returns. */
static int64_t
ask_server(PGconn *conn, int number, bool by_name)
{
	char text[2048];
	PGresult *result;
	int64_t sum;

	if (by_name && tenants)
	{
		const char *value = text;

		snprintf(text, sizeof(text), "%d", number + 1);
		result = PQexecPrepared(conn, "tenant", 1, &value, NULL, NULL, 0);
	}
	else if (by_name)
	{
		snprintf(text, sizeof(text), "s%d", number);
		result = PQexecPrepared(conn, text, 0, NULL, NULL, NULL, 0);
	}
	else
	{
		put_number(text, sizeof(text), number);
		result = PQexec(conn, text);
	}
	check(result, text);
	sum = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return sum;
}

static int64_t
ask(Client *client, int number)
{
	redisReply *reply;
	int64_t sum;

	if (client->redis == NULL)
		return ask_server(client->reads, number, prepared);
	reply = redisCommand(client->redis, "GET stock_%d", number + 1);
	if (reply == NULL)
		fail("Redis failed");
	if (reply->type == REDIS_REPLY_STRING)
	{
		sum = strtoll(reply->str, NULL, 10);
		client->nhits++;
	}
	else
	{
		sum = ask_server(client->reads, number, prepared);
		freeReplyObject(
			redisCommand(client->redis, "SETEX stock_%d 60 %lld", number + 1, (long long) sum));
	}
	freeReplyObject(reply);
	return sum;
}

static void
read_one(Client *client, int number)
{
	Table *table = &tables[number];
	double start = now_us();
	int known;
	int64_t seen;

	pthread_mutex_lock(&table->lock);
	known = table->known.count;
	pthread_mutex_unlock(&table->lock);
	seen = ask(client, number) - table->base;
	add_time(&client->times, now_us() - start);
	if (seen < known)
	{
		double stale_us;

		/* one of before the beginning is at least as old as that */
		pthread_mutex_lock(&table->lock);
		stale_us = start - (seen < 0 ? beginning : table->known.values[seen]);
		pthread_mutex_unlock(&table->lock);

		client->nstale++;
		if (stale_us > client->stale_us)
			client->stale_us = stale_us;
	}
}

static void *
client_main(void *arg)
{
	Client *client = arg;

	for (int i = (int) (client - clients); tenants && i < ntables; i += nclients)
		(void) ask(client, i);
	pthread_barrier_wait(&barrier); /* all have asked */
	pthread_barrier_wait(&barrier); /* the clock is set */
	do
	{
		int number = draw(client, ntables);

		if (draw(client, 10000) < write_share * 10000)
			write_one(client, number);
		else
			read_one(client, number);
		client->end = now_us();
	}
	while (client->end < deadline);
	return NULL;
}

static void
connect_client(Client *client, int number, const char *read_conninfo, const char *write_conninfo)
{
	client->random = 88172645463325252ULL + 7919 * number;
	client->reads = open_connection(read_conninfo);
	client->writes = open_connection(write_conninfo);
	if (redis_port != NULL)
	{
		client->redis = redisConnect("127.0.0.1", atoi(redis_port));
		if (client->redis == NULL || client->redis->err)
			fail("cannot connect to Redis");
	}
	for (int i = 0; prepared && i < (tenants ? 1 : ntables); i++)
	{
		char name[16] = "tenant";
		char text[2048];
		PGresult *result;

		if (tenants)
			put_in(text, sizeof(text), "$1");
		else
		{
			snprintf(name, sizeof(name), "s%d", i);
			put_number(text, sizeof(text), i);
		}
		result = PQprepare(client->reads, name, text, 0, NULL);
		check(result, text);
		PQclear(result);
	}
}

static void
write_figures(const char *csv_name, const char *where)
{
	FILE *file = fopen(csv_name, "a");
	Times all = {0};
	double end = 0;
	double stale_us = 0;
	int nwrites = 0;
	int nstale = 0;
	int nhits = 0;

	if (file == NULL)
		fail("cannot write %s", csv_name);
	for (int i = 0; i < nclients; i++)
	{
		const Client *client = &clients[i];

		for (int j = 0; j < client->times.count; j++)
			add_time(&all, client->times.values[j]);
		end = client->end > end ? client->end : end;
		stale_us = client->stale_us > stale_us ? client->stale_us : stale_us;
		nwrites += client->nwrites;
		nstale += client->nstale;
		nhits += client->nhits;
	}
	if (all.count == 0)
		fail("nothing was read");
	qsort(all.values, all.count, sizeof(double), compare_doubles);
	fprintf(file, "%s,tps,%.6g\n", where, (all.count + nwrites) / (end - beginning) * 1e6);
	fprintf(file, "%s,reads,%d\n%s,writes,%d\n", where, all.count, where, nwrites);
	fprintf(file, "%s,stale,%d\n%s,stale_ms,%.3f\n", where, nstale, where, stale_us / 1e3);
	fprintf(file, "%s,p50,%.6g\n", where, quantile(all.values, all.count, 0.5) / 1e3);
	fprintf(file, "%s,p99,%.6g\n", where, quantile(all.values, all.count, 0.99) / 1e3);
	if (redis_port != NULL)
		fprintf(file, "%s,hits,%d\n", where, nhits);
	fclose(file);
}

/* Where the tables or tenants stand, asked directly. */
static void
look_at_tables(PGconn *conn)
{
	PGresult *result;

	for (int i = 0; i < ntables; i++)
	{
		char sql[128];

		if (pthread_mutex_init(&tables[i].lock, NULL) != 0)
			fail("out of memory");
		if (tenants)
			continue;
		snprintf(sql, sizeof(sql), "/*NO QUERY CACHE*/ SELECT sum(version) FROM stock_%d", i + 1);
		result = PQexec(conn, sql);
		check(result, sql);
		tables[i].base = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
		PQclear(result);
	}
	if (!tenants)
		return;
	result = PQexec(conn, "/*NO QUERY CACHE*/ SELECT sum(version) FROM orders GROUP BY tenant_id ORDER BY tenant_id");
	check(result, "sums of orders");
	if (PQntuples(result) != ntables)
		fail("%d tenants", PQntuples(result));
	for (int i = 0; i < ntables; i++)
		tables[i].base = strtoll(PQgetvalue(result, i, 0), NULL, 10);
	PQclear(result);
}

int
main(int argc, char **argv)
{
	const char *csv_name = NULL;
	const char *test = "";
	const char *label = "";
	const char *round = "1";
	char where[128];
	int option;

	while ((option = getopt(argc, argv, "c:s:w:k:n:puq:o:t:l:r:")) != -1)
	{
		switch (option)
		{
		case 'c':
			nclients = atoi(optarg);
			break;
		case 's':
			seconds = atof(optarg);
			break;
		case 'w':
			write_share = atof(optarg) / 100;
			break;
		case 'k':
			ntables = atoi(optarg);
			break;
		case 'n':
			nrows = atoi(optarg);
			break;
		case 'p':
			prepared = true;
			break;
		case 'u':
			tenants = true;
			break;
		case 'q':
			redis_port = optarg;
			break;
		case 'o':
			csv_name = optarg;
			break;
		case 't':
			test = optarg;
			break;
		case 'l':
			label = optarg;
			break;
		case 'r':
			round = optarg;
			break;
		default:
			return 2;
		}
	}
	if (argc - optind != 3 || csv_name == NULL || nclients < 1 || nclients > MAX_CLIENTS ||
		ntables < 1 || ntables > MAX_TABLES)
		fail("two connection strings, a statement and -o are needed");
	statement = argv[optind + 2];
	if (pthread_barrier_init(&barrier, NULL, nclients + 1) != 0)
		fail("no barrier");
	for (int i = 0; i < nclients; i++)
		connect_client(&clients[i], i, argv[optind], argv[optind + 1]);
	look_at_tables(clients[0].writes);
	for (int i = 0; i < nclients; i++)
	{
		if (pthread_create(&clients[i].thread, NULL, client_main, &clients[i]) != 0)
			fail("no thread");
	}
	pthread_barrier_wait(&barrier);
	beginning = now_us();
	deadline = beginning + seconds * 1e6;
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < nclients; i++)
		pthread_join(clients[i].thread, NULL);
	snprintf(where, sizeof(where), "%s,%s,%s", test, label, round);
	write_figures(csv_name, where);
	return 0;
}
