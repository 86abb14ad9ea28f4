/*
 * repeat.c
 *		Executes a statement so many times between count_begin() and count_end(), for test/bench/profile.
 *
 *	repeat NAME prepared|simple COUNT STATEMENT [SETTING...]
 *
 * Prepared statements go in a pipeline, each with a Sync of its own: the backend then finds the next
 * one in its buffer, so that what it does does not depend on how fast this client is.  The statement
 * is executed some times before; in a simple one {n} is replaced by the number of the execution.  Counts of COUNT and of 2 * COUNT executions have the names
 * NAME.1 and NAME.2: all that is done once cancels out in their difference.
 */
#include <stdbool.h>

#include "bench.h"

#define WINDOW 50
#define WARM_UP 8

static PGconn *conn;
static const char *statement;
static bool prepared;
static int executed = 0;

static void
run(const char *sql)
{
	PGresult *result = PQexec(conn, sql);

	check(result, sql);
	PQclear(result);
}

static void
pipeline(int count)
{
	PGresult *result;

	if (!PQenterPipelineMode(conn))
		fail("no pipeline");
	for (int i = 0; i < count; i++)
	{
		if (!PQsendQueryPrepared(conn, "s", 0, NULL, NULL, NULL, 0) || !PQpipelineSync(conn))
			fail("%s", PQerrorMessage(conn));
	}
	for (int i = 0; i < count; i++)
	{
		result = PQgetResult(conn);
		check(result, statement);
		PQclear(result);
		PQgetResult(conn); /* NULL ends the statement's results */
		result = PQgetResult(conn);
		if (PQresultStatus(result) != PGRES_PIPELINE_SYNC)
			fail("out of step");
		PQclear(result);
	}
	if (!PQexitPipelineMode(conn))
		fail("%s", PQerrorMessage(conn));
}

static void
execute(int count)
{
	if (prepared)
	{
		for (int done = 0; done < count; done += WINDOW)
			pipeline(count - done < WINDOW ? count - done : WINDOW);
	}
	else
	{
		for (int i = 0; i < count; i++)
			run(numbered(statement, ++executed));
	}
}

int
main(int argc, char **argv)
{
	char sql[256];

	if (argc < 5)
		fail("usage: repeat NAME prepared|simple COUNT STATEMENT [SETTING...]");
	prepared = strcmp(argv[2], "prepared") == 0;
	statement = argv[4];
	conn = open_connection("");
	for (int i = 5; i < argc; i++)
	{
		snprintf(sql, sizeof(sql), "SET %s", argv[i]);
		run(sql);
	}
	if (prepared)
	{
		PGresult *result = PQprepare(conn, "s", statement, 0, NULL);

		check(result, statement);
		PQclear(result);
	}
	execute(WARM_UP);
	/* so that the functions have run when it matters */
	run("SELECT count_begin()");
	run("SELECT count_end('none')");
	for (int times = 1; times <= 2; times++)
	{
		run("SELECT count_begin()");
		execute(times * atoi(argv[3]));
		snprintf(sql, sizeof(sql), "SELECT count_end('%s.%d')", argv[1], times);
		run(sql);
	}
	PQfinish(conn);
	return 0;
}
