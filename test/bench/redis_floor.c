/*
 * redis_floor.c
 *		The floor of a hit from Redis: hiredis gets the chunks of the one entry that is there.
 *
 *		redis_floor SOCKET [EXECUTIONS [NAME]]
 *
 * Gets all chunks (the keys that end in :NUMBER) with 4 unanswered at a time and copies them into
 * one piece of memory, so many times; prints the median in microseconds and the bytes.  With a name,
 * it asks for that key's PTTL and value in one round trip, as a hit of a few rows does.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WINDOW 4

static double
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *) a;
	double y = *(const double *) b;

	return (x > y) - (x < y);
}

static void
die(const char *what)
{
	fprintf(stderr, "redis_floor: %s\n", what);
	exit(1);
}

/* All of them once; returns the bytes. */
static size_t
get_all(redisContext *redis, redisReply *keys, char *to, size_t room)
{
	size_t length = 0;
	size_t sent = 0;

	for (size_t got = 0; got < keys->elements; got++)
	{
		redisReply *reply;

		for (; sent < keys->elements && sent < got + WINDOW; sent++)
			redisAppendCommand(redis, "GET %s", keys->element[sent]->str);
		if (redisGetReply(redis, (void **) &reply) != REDIS_OK || reply->type != REDIS_REPLY_STRING)
			die("no chunk");
		if (length + reply->len > room)
			die("too large");
		memcpy(to + length, reply->str, reply->len);
		length += reply->len;
		freeReplyObject(reply);
	}
	return length;
}

/* One round trip for one key. */
static size_t
get_one(redisContext *redis, const char *name)
{
	redisReply *reply;
	size_t length;

	redisAppendCommand(redis, "PTTL %s", name);
	redisAppendCommand(redis, "GET %s", name);
	if (redisGetReply(redis, (void **) &reply) != REDIS_OK)
		die("no life");
	freeReplyObject(reply);
	if (redisGetReply(redis, (void **) &reply) != REDIS_OK || reply->type != REDIS_REPLY_STRING)
		die("no value");
	length = reply->len;
	freeReplyObject(reply);
	return length;
}

int
main(int argc, char **argv)
{
	const size_t room = 256 * 1024 * 1024;
	int n = argc > 2 ? atoi(argv[2]) : 9;
	double *times = malloc(sizeof(double) * n);
	char *to = malloc(room);
	redisContext *redis = redisConnectUnix(argc > 1 ? argv[1] : "");
	redisReply *keys;
	size_t length = 0;

	if (redis == NULL || redis->err)
		die("no connection");
	keys = argc > 3 ? NULL : redisCommand(redis, "KEYS cached_query:*}:*");
	if (argc <= 3 && (keys == NULL || keys->type != REDIS_REPLY_ARRAY || keys->elements == 0))
		die("no chunks");
	memset(to, 1, room);
	for (int i = -1; i < n; i++)
	{
		double start = now_us();

		length = keys != NULL ? get_all(redis, keys, to, room) : get_one(redis, argv[3]);
		if (i >= 0)
			times[i] = now_us() - start;
	}
	qsort(times, n, sizeof(double), compare);
	printf("%.0f %zu\n", times[n / 2], length);
	return 0;
}
