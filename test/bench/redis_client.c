/*
 * redis_client.c
 *		Our Redis client against hiredis: the same bytes, in turn.
 *
 *		redis_client SOCKET CSV ROUNDS
 *
 * A value of 1 MB is asked for 12 times with 4 unanswered at a time, and one of 177 bytes 2,000 times
 * one by one: by hiredis, and by a backend through a debug function of a build with CQ_DEBUG=1, whose
 * time has one round trip of libpq in it.  Which database is what PGHOST and so on say; it needs
 * cached_query.redis_url = 'unix://SOCKET', and
 *
 *		CREATE FUNCTION cached_query_redis_many(text[], int, int) RETURNS bigint
 *		AS '$libdir/cached_query' LANGUAGE C STRICT VOLATILE;
 *
 * Appends a line to the CSV file for each round and label, as `raw` of test/bench/run does.
 */
#include <hiredis/hiredis.h>

#include "bench.h"

#define CHUNKS 12
#define CHUNK (1024 * 1024)
#define SMALL 2000

/* One key, so many times, with so many unanswered at a time; the time in milliseconds. */
static double
by_hiredis(redisContext *redis, const char *key, int times, int window)
{
	double begin = now_us();
	int sent = 0;

	for (int got = 0; got < times; got++)
	{
		redisReply *reply;

		for (; sent < times && sent - got < window; sent++)
			redisAppendCommand(redis, "GET %s", key);
		if (redisGetReply(redis, (void **) &reply) != REDIS_OK || reply->type != REDIS_REPLY_STRING)
			fail("hiredis failed");
		freeReplyObject(reply);
	}
	return (now_us() - begin) / 1e3;
}

static double
by_backend(PGconn *conn, const char *sql)
{
	double begin = now_us();
	PGresult *result = PQexec(conn, sql);
	double took = (now_us() - begin) / 1e3;

	check(result, sql);
	if (PQgetisnull(result, 0, 0))
		fail("the backend got nothing");
	PQclear(result);
	return took;
}

int
main(int argc, char **argv)
{
	const char *const labels[] = {"big,hiredis", "big,backend", "small,hiredis", "small,backend"};
	redisContext *redis;
	PGconn *conn;
	char *chunk = malloc(CHUNK);
	char sql[2][200];
	FILE *csv;

	if (argc != 4)
		fail("usage: redis_client SOCKET CSV ROUNDS");
	redis = redisConnectUnix(argv[1]);
	conn = open_connection("");
	csv = fopen(argv[2], "a");
	if (redis == NULL || redis->err || csv == NULL || chunk == NULL)
		fail("cannot connect to Redis, or not write %s", argv[2]);
	memset(chunk, 'x', CHUNK);
	freeReplyObject(redisCommand(redis, "SET bench:big %b", chunk, (size_t) CHUNK));
	freeReplyObject(redisCommand(redis, "SET bench:small %b", chunk, (size_t) 177));
	snprintf(sql[0], sizeof(sql[0]), "SELECT cached_query_redis_many('{GET,bench:big}', %d, 4)",
			 CHUNKS);
	snprintf(sql[1], sizeof(sql[1]), "SELECT cached_query_redis_many('{GET,bench:small}', %d, 1)",
			 SMALL);
	for (int i = 0; i < atoi(argv[3]); i++)
	{
		const double ms[] = {by_hiredis(redis, "bench:big", CHUNKS, 4), by_backend(conn, sql[0]),
							 by_hiredis(redis, "bench:small", SMALL, 1), by_backend(conn, sql[1])};

		for (int j = 0; j < 4; j++)
			fprintf(csv, "client_%s,ms,%d,1,,,%.4f,,,,\n", labels[j], i + 1, ms[j]);
	}
	fclose(csv);
	freeReplyObject(redisCommand(redis, "DEL bench:big bench:small"));
	PQfinish(conn);
	redisFree(redis);
	return 0;
}
