/*
 * redis_client.c
 *		Our Redis client against hiredis: the same bytes, in turn.
 *
 * The value of SIZE MB lies in Redis in chunks of 1 MB.  hiredis gets them with 4 unanswered at a
 * time; a backend does the same through a debug function.  Then one small GET, many times.  Times
 * include the reading of all bytes; the backend's include one round trip of libpq, which the
 * measurement of SELECT 1 tells.
 *
 *		cc -O2 -I$(pg_config --includedir) test/bench/redis_client.c -lpq -lhiredis -o redis_client
 *		redis_client SOCKET 'host=... dbname=...' [ROUNDS]
 *
 * The database needs a build with CQ_DEBUG=1, cached_query.redis_url = 'unix://SOCKET', and
 *		CREATE FUNCTION cached_query_redis_many(text[], int, int) RETURNS bigint
 *		AS '$libdir/cached_query' LANGUAGE C STRICT VOLATILE;
 */
#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHUNKS 12
#define CHUNK (1024 * 1024)
#define SMALL 2000

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *) a;
	double y = *(const double *) b;

	return (x > y) - (x < y);
}

static double
median(double *values, int n)
{
	qsort(values, n, sizeof(double), compare);
	return values[n / 2];
}

static void
die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

/* One key, so many times, with so many unanswered at a time. */
static double
by_hiredis(redisContext *redis, const char *key, int times, int window)
{
	double begin = now_ms();
	int sent = 0;

	for (int got = 0; got < times; got++)
	{
		redisReply *reply;

		for (; sent < times && sent - got < window; sent++)
			redisAppendCommand(redis, "GET %s", key);
		if (redisGetReply(redis, (void **) &reply) != REDIS_OK || reply->type != REDIS_REPLY_STRING)
			die("hiredis failed");
		freeReplyObject(reply);
	}
	return now_ms() - begin;
}

static double
by_backend(PGconn *pg, const char *sql)
{
	double begin = now_ms();
	PGresult *result = PQexec(pg, sql);
	double took = now_ms() - begin;

	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQgetisnull(result, 0, 0))
		die(PQerrorMessage(pg));
	PQclear(result);
	return took;
}

int
main(int argc, char **argv)
{
	int rounds = argc > 3 ? atoi(argv[3]) : 31;
	redisContext *redis;
	PGconn *pg;
	char *chunk = malloc(CHUNK);
	double *times[5];
	char sql[2][200];

	if (argc < 3)
		die("usage: redis_client SOCKET CONNINFO [ROUNDS]");
	redis = redisConnectUnix(argv[1]);
	pg = PQconnectdb(argv[2]);
	if (redis == NULL || redis->err || PQstatus(pg) != CONNECTION_OK)
		die("cannot connect");
	memset(chunk, 'x', CHUNK);
	freeReplyObject(redisCommand(redis, "SET bench:big %b", chunk, (size_t) CHUNK));
	freeReplyObject(redisCommand(redis, "SET bench:small %b", chunk, (size_t) 177));
	snprintf(sql[0], sizeof(sql[0]),
			 "SELECT cached_query_redis_many('{GET,bench:big}', %d, 4)", CHUNKS);
	snprintf(sql[1], sizeof(sql[1]),
			 "SELECT cached_query_redis_many('{GET,bench:small}', %d, 1)", SMALL);
	for (int i = 0; i < 5; i++)
		times[i] = malloc(rounds * sizeof(double));
	for (int i = 0; i < rounds; i++)
	{
		times[0][i] = by_hiredis(redis, "bench:big", CHUNKS, 4);
		times[1][i] = by_backend(pg, sql[0]);
		times[2][i] = by_hiredis(redis, "bench:small", SMALL, 1) * 1000 / SMALL;
		times[3][i] = by_backend(pg, sql[1]) * 1000 / SMALL;
		times[4][i] = by_backend(pg, "SELECT 1") * 1000;
	}
	for (int i = 0; i < 5; i++)
		(void) median(times[i], rounds);
	printf("%d x 1 MB, window 4   hiredis %.2f ms   backend %.2f ms   ratio %.2f\n", CHUNKS,
		   times[0][rounds / 2], times[1][rounds / 2], times[1][rounds / 2] / times[0][rounds / 2]);
	printf("177 bytes, one by one hiredis %.1f us   backend %.1f us   ratio %.2f   (SELECT 1: %.0f us)\n",
		   times[2][rounds / 2], times[3][rounds / 2], times[3][rounds / 2] / times[2][rounds / 2],
		   times[4][rounds / 2]);
	freeReplyObject(redisCommand(redis, "DEL bench:big bench:small"));
	return 0;
}
