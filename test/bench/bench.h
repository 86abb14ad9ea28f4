/*
 * bench.h
 *		What the measuring programs of test/bench share: clock, order statistics, checked results.
 */
#ifndef BENCH_H
#define BENCH_H

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libpq-fe.h>

__attribute__((format(printf, 1, 2), noreturn)) static inline void
fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(1);
}

/*
 * Keep what is freed for the next result.  New pages for each large one would be a good part of the
 * time, the same for whoever sends it: above all in a virtual machine, where a page fault is dear.
 */
static inline void
keep_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 2047 << 20);
}

static inline double
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static inline int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *) a;
	double y = *(const double *) b;

	return (x > y) - (x < y);
}

/* Quantile of sorted values, interpolated. */
static inline double
quantile(const double *sorted, int count, double q)
{
	double at = q * (count - 1);
	int below = (int) at;

	if (below >= count - 1)
		return sorted[count - 1];
	return sorted[below] + (at - below) * (sorted[below + 1] - sorted[below]);
}

/* The result is of no more use than being right. */
static inline void
check(const PGresult *result, const char *statement)
{
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		fail("%s%s", PQresultErrorMessage(result), statement);
}

static inline void
run_statement(PGconn *conn, const char *statement)
{
	PGresult *result = PQexec(conn, statement);

	check(result, statement);
	PQclear(result);
}

/* The statement with the number in place of each {n}; another call makes it another one. */
static inline const char *
numbered(const char *statement, int number)
{
	static char *text = NULL;
	static size_t room = 0;
	size_t need = strlen(statement) * 4 + 16; /* "{n}" grows to 11 digits at most */
	char *to;
	const char *at;

	if (strstr(statement, "{n}") == NULL)
		return statement;
	if (need > room)
	{
		text = realloc(text, room = need);
		if (text == NULL)
			fail("out of memory");
	}
	to = text;
	while ((at = strstr(statement, "{n}")) != NULL)
	{
		memcpy(to, statement, at - statement);
		to += at - statement;
		to += sprintf(to, "%d", number);
		statement = at + 3;
	}
	strcpy(to, statement);
	return text;
}

static inline PGconn *
open_connection(const char *conninfo)
{
	PGconn *conn = PQconnectdb(conninfo);

	if (PQstatus(conn) != CONNECTION_OK)
		fail("%s", PQerrorMessage(conn));
	return conn;
}

/* A growing list of times. */
typedef struct Times
{
	double *values;
	int count;
	int room;
} Times;

static inline void
add_time(Times *times, double value)
{
	if (times->count == times->room)
	{
		times->room = times->room == 0 ? 1024 : times->room * 2;
		times->values = realloc(times->values, times->room * sizeof(double));
		if (times->values == NULL)
			fail("out of memory");
	}
	times->values[times->count++] = value;
}

#endif /* BENCH_H */
