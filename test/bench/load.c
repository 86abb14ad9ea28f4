/*
 * load.c
 *		Throughput and latency of statements under several clients at once, in turn within one run.
 *
 *	load [option...] KIND LABEL[@WHERE] STATEMENT [KIND LABEL STATEMENT]...
 *
 * Kinds:
 *	simple		a libpq client gets all rows as text, simple protocol; WHERE is a connection string
 *	prepared	the same with a prepared statement
 *	redis		hiredis gets the value of the key STATEMENT, over the socket or port WHERE
 *	trace		the lines of the file STATEMENT, one after the other, simple protocol
 *
 * Each client is a thread with a connection of its own, made before anything is measured.  A round
 * takes each statement in turn, beginning with another one each time: all clients run it for -s
 * seconds, and at least once, or with -1 exactly once, beginning at the same moment.
 *
 * Appends to the CSV file: test, label, round, metric, value.  Metrics: tps, p50 and p99 of the
 * latency, last (from the common beginning to the end of the last client), in milliseconds.
 *
 *	-r rounds	-s seconds	-c clients	-1 once	-R number of the first round
 *	-o csv file	-t its first column
 */
#define _GNU_SOURCE /* pthread_barrier_t */

#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "bench.h"

#define MAX_CASES 16
#define MAX_CLIENTS 256

enum Kind
{
	SIMPLE,
	PREPARED,
	REDIS,
	TRACE,
	KINDS
};

static const char *const kind_names[KINDS] = {"simple", "prepared", "redis", "trace"};

typedef struct Case
{
	enum Kind kind;
	const char *label;
	const char *where;
	const char *statement;
	char **lines; /* of a trace, ended by NULL */
} Case;

typedef struct Client
{
	pthread_t thread;
	PGconn *conns[MAX_CASES];
	redisContext *redis[MAX_CASES];
	Times times; /* of this statement in this round */
	double end;
} Client;

static Case cases[MAX_CASES];
static int ncases = 0;
static Client clients[MAX_CLIENTS];
static int nclients = 1;
static int rounds = 5;
static int first_round = 1;
static double seconds = 1;
static bool once = false;
static const char *csv_name = NULL;
static const char *test_name = "";
static pthread_barrier_t barrier;
static double deadline;

static redisContext *
open_redis(const char *where)
{
	redisContext *redis =
		where[0] == '/' ? redisConnectUnix(where) : redisConnect("127.0.0.1", atoi(where));

	if (redis == NULL || redis->err)
		fail("cannot connect to Redis at %s", where);
	return redis;
}

/* The lines of a file, without their ends. */
static char **
read_lines(const char *name)
{
	FILE *file = fopen(name, "r");
	char **lines = NULL;
	char *line = NULL;
	size_t size = 0;
	int count = 0;

	if (file == NULL)
		fail("cannot read %s", name);
	do
	{
		lines = realloc(lines, (count + 1) * sizeof(char *));
		if (lines == NULL)
			fail("out of memory");
		lines[count] = getline(&line, &size, file) < 0 ? NULL : line;
		if (lines[count] != NULL)
			line[strcspn(line, "\n")] = '\0';
		line = NULL;
		size = 0;
	}
	while (lines[count++] != NULL);
	fclose(file);
	return lines;
}

static void
execute(Client *client, int number)
{
	const Case *c = &cases[number];
	redisReply *reply;
	PGresult *result;

	switch (c->kind)
	{
	case SIMPLE:
		run_statement(client->conns[number], c->statement);
		break;
	case PREPARED:
		result = PQexecPrepared(client->conns[number], "s", 0, NULL, NULL, NULL, 0);
		check(result, c->statement);
		PQclear(result);
		break;
	case REDIS:
		reply = redisCommand(client->redis[number], "GET %s", c->statement);
		if (reply == NULL || reply->type != REDIS_REPLY_STRING)
			fail("Redis has no %s", c->statement);
		freeReplyObject(reply);
		break;
	case TRACE:
		for (char **line = c->lines; *line != NULL; line++)
			run_statement(client->conns[number], *line);
		break;
	case KINDS:
		break;
	}
}

static int running; /* the case that is measured */

static void *
client_main(void *arg)
{
	Client *client = arg;

	pthread_barrier_wait(&barrier);
	do
	{
		double start = now_us();

		execute(client, running);
		client->end = now_us();
		add_time(&client->times, client->end - start);
	}
	while (!once && client->end < deadline);
	return NULL;
}

static void
write_figures(int round, double start)
{
	FILE *file = fopen(csv_name, "a");
	Times all = {0};
	double end = 0;

	if (file == NULL)
		fail("cannot write %s", csv_name);
	for (int i = 0; i < nclients; i++)
	{
		for (int j = 0; j < clients[i].times.count; j++)
			add_time(&all, clients[i].times.values[j]);
		if (clients[i].end > end)
			end = clients[i].end;
		clients[i].times.count = 0;
	}
	qsort(all.values, all.count, sizeof(double), compare_doubles);
	for (int i = 0; i < 4; i++)
	{
		const char *const names[] = {"tps", "p50", "p99", "last"};
		const double values[] = {all.count / (end - start) * 1e6,
								 quantile(all.values, all.count, 0.5) / 1e3,
								 quantile(all.values, all.count, 0.99) / 1e3, (end - start) / 1e3};

		fprintf(file, "%s,%s,%d,%s,%.6g\n", test_name, cases[running].label, round, names[i],
				values[i]);
	}
	free(all.values);
	fclose(file);
}

static void
run_case(int round, int number)
{
	double start;

	running = number;
	for (int i = 0; i < nclients; i++)
	{
		if (pthread_create(&clients[i].thread, NULL, client_main, &clients[i]) != 0)
			fail("no thread");
	}
	start = now_us();
	deadline = start + seconds * 1e6;
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < nclients; i++)
		pthread_join(clients[i].thread, NULL);
	write_figures(round, start);
}

/* Connections of all clients; each statement runs once, so that plans and caches are warm. */
static void
connect_clients(void)
{
	for (int i = 0; i < nclients; i++)
	{
		for (int j = 0; j < ncases; j++)
		{
			const Case *c = &cases[j];

			if (c->kind == REDIS)
			{
				clients[i].redis[j] = open_redis(c->where);
				continue;
			}
			clients[i].conns[j] = open_connection(c->where);
			run_statement(clients[i].conns[j], "SET client_min_messages = warning");
			if (c->kind == PREPARED)
			{
				PGresult *result = PQprepare(clients[i].conns[j], "s", c->statement, 0, NULL);

				check(result, c->statement);
				PQclear(result);
			}
			if (!once)
				execute(&clients[i], j);
		}
	}
}

static void
add_case(const char *kind, char *label, const char *statement)
{
	Case *c = &cases[ncases];
	char *at = strchr(label, '@');

	if (ncases == MAX_CASES)
		fail("too many statements");
	c->kind = 0;
	while (c->kind < KINDS && strcmp(kind, kind_names[c->kind]) != 0)
		c->kind++;
	if (c->kind == KINDS)
		fail("no such kind: %s", kind);
	c->where = "";
	if (at != NULL)
	{
		*at = '\0';
		c->where = at + 1;
	}
	c->label = label;
	c->statement = statement;
	if (c->kind == TRACE)
		c->lines = read_lines(statement);
	ncases++;
}

int
main(int argc, char **argv)
{
	int option;

	keep_memory();
	while ((option = getopt(argc, argv, "r:s:c:o:t:R:1")) != -1)
	{
		switch (option)
		{
		case 'r':
			rounds = atoi(optarg);
			break;
		case 's':
			seconds = atof(optarg);
			break;
		case 'c':
			nclients = atoi(optarg);
			break;
		case 'o':
			csv_name = optarg;
			break;
		case 't':
			test_name = optarg;
			break;
		case 'R':
			first_round = atoi(optarg);
			break;
		case '1':
			once = true;
			break;
		default:
			return 2;
		}
	}
	if (rounds < 1 || nclients < 1 || nclients > MAX_CLIENTS || csv_name == NULL)
		fail("rounds, clients (up to %d) and a CSV file are needed", MAX_CLIENTS);
	if (optind == argc || (argc - optind) % 3 != 0)
		fail("each statement needs a kind and a label");
	for (; optind < argc; optind += 3)
		add_case(argv[optind], argv[optind + 1], argv[optind + 2]);
	if (pthread_barrier_init(&barrier, NULL, nclients + 1) != 0)
		fail("no barrier");
	connect_clients();
	for (int i = 0; i < rounds; i++)
	{
		for (int j = 0; j < ncases; j++)
			run_case(first_round + i, (i + j) % ncases);
	}
	for (int i = 0; i < nclients; i++)
	{
		for (int j = 0; j < ncases; j++)
			PQfinish(clients[i].conns[j]);
	}
	return 0;
}
