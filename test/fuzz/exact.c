/*
 * exact.c
 *		Do cached answers differ from direct ones while everything changes?
 *
 *	exact [--seed N] [--seconds N] [--reads N] [--readers N] [--writers N] [--auto] [--standby CONNINFO]
 *		[--track] [--expect-mismatches]
 *
 * Readers ask for cached(q) and (q) in one statement, so under one snapshot, with
 * cached_query.consistency = exact, in READ COMMITTED and REPEATABLE READ, by plain statements,
 * prepared ones and cursors, also after writes of their own.  Both must be equal.  Writers do
 * everything to what the queries read that PostgreSQL has.  Writers sleep at times between
 * publishing and commit, and between visibility and the sending of invalidation messages.  One
 * more reader checks what ttl mode promises.
 *
 * With --auto nobody calls cached_query(): statements as they are, with cached_query.auto = exact and with
 * off.  Under one snapshot they run inside STABLE functions, of which one says exact and the other off, and in
 * REPEATABLE READ also as the client's own, plain, prepared and with arguments.
 *
 * With --standby readers ask a standby of the server that the writers write to, and write nothing.  There is no
 * reader of ttl mode then, since an age there is that of the last commit that was replayed.
 *
 * With --track the tables are tracked (cached_query_track), and what is tracked changes, too.
 *
 * Needs a server with cached_query (built with CQ_DEBUG=1 it meets more races), max_prepared_transactions of 20 or more,
 * a superuser, and in the database the extension and what exact.sql makes.  The connection is what
 * PGHOST and so on say; PGOPTIONS may hold further settings, for example
 * -c cached_query.debug_room=1.
 *
 * The same seed gives each process the same sequence of decisions; what they meet is up to the
 * scheduler.  Prints TAP.  With --expect-mismatches (and cached_query.debug_no_check) only that
 * there are some is checked.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>

#define lengthof(array) ((int) (sizeof(array) / sizeof((array)[0])))
#define MAX_PROCESSES 64
#define MAX_OPS 80
#define MAX_TEXT 8192

/* --- what all processes share --------------------------------------------------------------- */

typedef struct Shared
{
	volatile bool stop;
	long compared;			  /* cached answers compared with direct ones */
	long compared_rr;		  /* of these in REPEATABLE READ */
	long compared_own;		  /* of these in a transaction that has written */
	long compared_top;		  /* of these as the client's own statements */
	long mismatches;
	long late;				  /* differences that went away, see LATE */
	long ttl_checks;
	long ttl_broken;
	long reader_errors;		  /* of an expected kind */
	long unexpected;
	volatile long late_begun; /* changes of what LATE queries read: begun, ended */
	volatile long late_ended;
	long done[MAX_OPS];		  /* writes by kind */
	long refused[MAX_OPS];	  /* and those that failed as they may */
} Shared;

static Shared *shared;

static uint64_t seed = 0;
static int seconds = 20;
static long reads = 0;
static int readers = 4;
static int writers = 4;
static bool expect_mismatches = false;
static bool automatic = false;
static const char *standby = NULL;
static bool track = false;

static void
add(volatile long *counter, long n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_SEQ_CST);
}

/* One line of the output, whole. */
static void
diag(const char *format, ...)
{
	char line[MAX_TEXT];
	int length = 2;
	va_list args;

	strcpy(line, "# ");
	va_start(args, format);
	length += vsnprintf(line + 2, sizeof(line) - 3, format, args);
	va_end(args);
	if (length > (int) sizeof(line) - 2)
		length = sizeof(line) - 2;
	line[length] = '\n';
	if (write(STDOUT_FILENO, line, length + 1) < 0)
		_exit(2);
}

static double
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void
pause_us(long us)
{
	const struct timespec t = {us / 1000000, us % 1000000 * 1000};

	nanosleep(&t, NULL);
}

/* --- chance --------------------------------------------------------------------------------- */

static uint64_t chance_state;

static uint64_t
chance64(void)
{
	uint64_t z = chance_state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static int
below(int n)
{
	return (int) (chance64() % (uint64_t) n);
}

static bool
one_in(int n)
{
	return below(n) == 0;
}

/* --- connections ---------------------------------------------------------------------------- */

static PGconn *
connect_to(const char *where, const char *settings)
{
	PGconn *conn = PQconnectdb(where);
	PGresult *result;

	if (PQstatus(conn) != CONNECTION_OK)
	{
		diag("connection failed: %s", PQerrorMessage(conn));
		exit(2);
	}
	PQclear(PQexec(conn, "SET client_min_messages = error"));
	PQclear(PQexec(conn, "SET deadlock_timeout = '100ms'; SET search_path = cq_fuzz, public"));
	result = PQexec(conn, settings);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
	{
		diag("\"%s\" failed: %s", settings, PQerrorMessage(conn));
		exit(2);
	}
	PQclear(result);
	return conn;
}

static PGconn *
connect_db(const char *settings)
{
	return connect_to("", settings);
}

/* Where readers ask. */
static PGconn *
connect_reader(const char *settings)
{
	return connect_to(standby != NULL ? standby : "", settings);
}

static bool
succeeded(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_COPY_IN;
}

/*
 * Errors that concurrent sessions may have without us.  What tuples and names meet in catalogs that
 * change has no code of its own.
 */
static bool
is_expected(const PGresult *result)
{
	static const char *const states[] = {
		"40001", "40P01", /* serialization failure, deadlock */
		"55P03",		  /* lock_timeout */
		"42P01", "42883", /* table, function: dropped */
		"42809", "42P17", /* is or is no partition or child by now */
		"42P07", "23505", "23503", "42704", "42710", "54011",
		"55000", "55006", "P0002"};
	static const char *const internal[] = {"tuple concurrently updated",
		"tuple concurrently deleted", "could not open relation with OID", "cache lookup failed"};
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	for (int i = 0; state != NULL && i < lengthof(states); i++)
	{
		if (strcmp(state, states[i]) == 0)
			return true;
	}
	for (int i = 0; state != NULL && strcmp(state, "XX000") == 0 && i < lengthof(internal); i++)
	{
		if (strstr(message, internal[i]) != NULL)
			return true;
	}
	return false;
}

/* Reports an error that should not be; true if it may be. */
static bool
tolerate(PGconn *conn, const PGresult *result, const char *what)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	if (is_expected(result))
		return true;
	if (!shared->stop || PQstatus(conn) == CONNECTION_OK)
	{
		add(&shared->unexpected, 1);
		diag("unexpected %s: %s in: %.600s", state ? state : "failure", PQerrorMessage(conn), what);
	}
	if (PQstatus(conn) != CONNECTION_OK)
		exit(2);
	return false;
}

static bool
run(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	bool good = succeeded(result);

	if (!good)
		tolerate(conn, result, sql);
	PQclear(result);
	return good;
}

static void
roll_back(PGconn *conn)
{
	if (PQtransactionStatus(conn) != PQTRANS_IDLE)
		PQclear(PQexec(conn, "ROLLBACK"));
}

/* One value, or "" for NULL; false after an error. */
static bool
ask(PGconn *conn, const char *sql, char *value, size_t size)
{
	PGresult *result = PQexec(conn, sql);
	bool good = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;

	if (good)
		snprintf(value, size, "%s", PQgetvalue(result, 0, 0));
	else
		tolerate(conn, result, sql);
	PQclear(result);
	return good;
}

/* --- queries -------------------------------------------------------------------------------- */

/*
 * LATE: reads a definition that can be replaced while a statement that uses it runs.  A session may
 * learn of it between the direct and the cached answer, as between two direct ones, so a difference
 * counts only if it stays.
 */
enum
{
	LATE = 1,
	ROLE = 2 /* as cq_fuzz_reader, who is subject to the policy */
};

typedef struct Query
{
	const char *name;
	int flags;
	const char *text;	/* gives one text; $1 stands for a number of 1 to 5 */
	const char *cached; /* what to cache instead; NULL: the same */
} Query;

static const Query queries[] = {
	{"sum", 0, "SELECT count(*) || '/' || sum(v) FROM acc", NULL},
	{"group", 0, "SELECT string_agg(grp || ':' || s, ',' ORDER BY grp) FROM (SELECT grp, sum(v) AS s FROM acc GROUP BY grp) AS g", NULL},
	{"row", 0, "SELECT v::text FROM acc WHERE id = $1", NULL},
	{"join", 0, "SELECT count(*) || '/' || sum(a.v + c.v) FROM acc AS a JOIN child AS c ON c.aid = a.id", NULL},
	{"orphans", 0, "SELECT count(*)::text FROM child AS c WHERE NOT EXISTS (SELECT FROM acc AS a WHERE a.id = c.aid)", NULL},
	{"quiet", 0, "SELECT sum(v)::text FROM quiet WHERE id > $1", NULL},
	{"still", 0, "SELECT sum(v)::text FROM still WHERE v > $1", NULL},
	{"moved", 0, "SELECT (SELECT sum(v) FROM acc) || '/' || (SELECT sum(v) FROM quiet)", NULL},
	{"audit", 0, "SELECT count(*) || '/' || coalesce(sum(v), 0) FROM audit", NULL},
	{"many", 0, "SELECT sum(v)::text FROM many_37", NULL},
	{"part", 0, "SELECT count(*) || '/' || sum(v) || '/' || sum(k) FROM part", NULL},
	{"leaf", 0, "SELECT count(*) || '/' || sum(v) FROM part_1", NULL},
	{"pruned", 0, "SELECT count(*) || '/' || sum(v) FROM part WHERE k = 2", NULL},
	{"pruned late", 0, "SELECT count(*) || '/' || sum(v) FROM part WHERE k = $1", NULL},
	{"pruned by order", 0, "SELECT count(*) || '/' || sum(v) || '/' || sum(k) FROM part WHERE k <= $1", NULL},
	{"pruned by a value", 0, "SELECT count(*) || '/' || sum(v) FROM part WHERE k = (SELECT 1 + v % 4 FROM quiet WHERE id = 4)", NULL},
	{"pruned by rows", 0, "SELECT count(*) || '/' || sum(l.v) FROM quiet AS q, LATERAL (SELECT v FROM part WHERE k = 1 + q.v % 3 ORDER BY v LIMIT 2) AS l WHERE q.id BETWEEN $1 AND 5", NULL},
	{"pruned in a subquery", 0, "SELECT sum(v)::text FROM quiet WHERE v > (SELECT count(*) FROM part WHERE k = $1) % 10", NULL},
	{"enough", 0, "SELECT EXISTS (SELECT FROM part WHERE k IN ($1, 3, 7))::text", NULL},
	{"pruned joins", LATE, "SELECT count(*) || '/' || coalesce(sum(v), 0) FROM joins WHERE k <= $1", NULL},
	{"joins", LATE, "SELECT count(*) || '/' || sum(v) FROM joins", NULL},
	{"inh", LATE, "SELECT count(*) || '/' || sum(v) FROM inh", NULL},
	{"trunc", 0, "SELECT count(*) || '/' || sum(v) FROM trunc", NULL},
	{"rew", 0, "SELECT count(*) || '/' || sum(v) FROM rew", NULL},
	{"addc", 0, "SELECT string_agg(a::text, ',' ORDER BY id) FROM addc AS a", NULL},
	{"dropped", 0, "SELECT sum(v)::text FROM dropped", NULL},
	{"mat", 0, "SELECT string_agg(grp || ':' || v, ',' ORDER BY grp) FROM mat", NULL},
	{"view", 0, "SELECT count(*) || '/' || sum(v) FROM look", NULL},
	{"fpl", LATE, "SELECT fpl()", NULL},
	{"fread", 0, "SELECT fread()", NULL},
	{"fsql", LATE, "SELECT fsql()", NULL},
	{"fimm", LATE, "SELECT fimm()", NULL},
	{"policy", ROLE, "SELECT count(*) || '/' || sum(v) FROM sec", NULL},
	{"no policy", 0, "SELECT count(*) || '/' || sum(v) FROM sec", NULL},
	{"mine", ROLE, "SELECT count(*) || '/' || sum(v) FROM mine", NULL},
	{"key", 0, "SELECT count(*) || '/' || coalesce(sum(v), 0) FROM acc WHERE grp = $1", NULL},
	{"keys", 0, "SELECT count(*) || '/' || coalesce(sum(v), 0) FROM acc WHERE id IN ($1, 17, 1000 + $1)", NULL},
	{"rows of a key", 0, "SELECT count(*)::text FROM acc WHERE grp = $1", NULL},
	{"key and join", 0, "SELECT count(*) || '/' || coalesce(sum(a.v + c.v), 0) FROM acc AS a JOIN child AS c ON c.aid = a.id WHERE a.id = $1", NULL},
	{"key of a subquery", 0, "SELECT count(*)::text FROM child WHERE aid = (SELECT max(id) FROM quiet WHERE id = $1)", NULL},
	{"quiet key", 0, "SELECT v::text FROM quiet WHERE id = $1", NULL},
	{"half told", 0, "SELECT v::text FROM half WHERE id = $1", NULL},
	{"key in partitions", 0, "SELECT count(*) || '/' || coalesce(sum(k), 0) FROM part WHERE v % 10 = 1 AND v = $1 * 10 + 1", NULL},
	{"key of trunc", 0, "SELECT count(*) || '/' || coalesce(sum(v), 0) FROM trunc WHERE id = $1", NULL},
	{"key of rew", 0, "SELECT count(*) || '/' || coalesce(sum(v), 0) FROM rew WHERE id = $1", NULL},
	{"key of joins", LATE, "SELECT count(*) || '/' || coalesce(sum(k), 0) FROM joins WHERE v = $1", NULL},
	{"rows of a key of sec", 0, "SELECT count(*)::text FROM sec WHERE grp = $1", NULL},
	{"key of sec", 0, "SELECT count(*) || '/' || coalesce(sum(v), 0) FROM sec WHERE grp = $1", NULL},
	{"key under a policy", ROLE, "SELECT count(*) || '/' || coalesce(sum(v), 0) FROM sec WHERE grp = $1", NULL},
	{"times", 0, "SELECT count(*) || '/' || coalesce(sum(v), 0) FROM events WHERE at >= '2020-01-01'::timestamptz + $1 * interval '1 day' AND at < '2020-01-01'::timestamptz + ($1 + 5) * interval '1 day'", NULL},
	{"numbers", 0, "SELECT count(*) || '/' || coalesce(sum(v), 0) FROM events WHERE n >= $1 * 10 AND n < $1 * 10 + 25", NULL},
	{"numbers below", 0, "SELECT count(*) || '/' || coalesce(sum(v), 0) FROM events WHERE n <= $1 * 7", NULL},
	{"nested", 0, "SELECT sum(a.v)::text FROM acc AS a, quiet AS q WHERE a.id = q.id",
		"SELECT sum(a.v)::text FROM acc AS a, cached_query('SELECT id FROM quiet', '1h') AS t(id int) WHERE a.id = t.id"},
};

/* Text with each $1 replaced. */
static void
put_number(char *to, size_t size, const char *text, int number)
{
	size_t n = 0;

	for (; *text != '\0' && n + 16 < size; text++)
	{
		if (text[0] == '$' && text[1] == '1')
		{
			n += snprintf(to + n, size - n, "%d", number);
			text++;
		}
		else
			to[n++] = *text;
	}
	to[n] = '\0';
}

/* "cached, direct" or the other way round, as two columns. */
static void
comparison(char *to, size_t size, const Query *query, bool cached_first)
{
	const int number = 1 + below(5);
	char direct[2048];
	char cached[4096];

	put_number(direct, sizeof(direct), query->text, number);
	if (automatic)
	{
		snprintf(to, size, cached_first ? "by_auto($q$%s$q$) AS c, by_itself($q$%s$q$) AS d"
										: "by_itself($q$%s$q$) AS d, by_auto($q$%s$q$) AS c",
				 direct, direct);
		return;
	}
	if (strstr(query->text, "$1") == NULL)
		snprintf(cached, sizeof(cached), "(SELECT x FROM cached_query($q$%s$q$, '1h') AS t(x text))",
				 query->cached ? query->cached : query->text);
	else
		snprintf(cached, sizeof(cached),
				 "(SELECT x FROM cached_query($q$%s$q$, '1h', %d) AS t(x text))", query->text, number);
	if (cached_first)
		snprintf(to, size, "%s AS c, (%s) AS d", cached, direct);
	else
		snprintf(to, size, "(%s) AS d, %s AS c", direct, cached);
}

/* --- readers -------------------------------------------------------------------------------- */

typedef struct Asked
{
	const Query *query;
	bool cached_first;
} Asked;

static bool
same(const PGresult *result, int i)
{
	const int c = 2 * i;

	if (PQgetisnull(result, 0, c) || PQgetisnull(result, 0, c + 1))
		return PQgetisnull(result, 0, c) && PQgetisnull(result, 0, c + 1);
	return strcmp(PQgetvalue(result, 0, c), PQgetvalue(result, 0, c + 1)) == 0;
}

/* Take in all invalidation messages: a lock that is not held yet does it. */
static void
listen_up(PGconn *conn)
{
	const bool inside = PQtransactionStatus(conn) != PQTRANS_IDLE;

	PQclear(PQexec(conn, inside ? "SAVEPOINT l" : "BEGIN"));
	PQclear(PQexec(conn, "LOCK TABLE clean IN ROW SHARE MODE"));
	PQclear(PQexec(conn, inside ? "ROLLBACK TO l; RELEASE l" : "ROLLBACK"));
}

/*
 * Does the difference stay?  Asks again, with all messages taken in, at a moment in which nobody
 * changes these definitions: from when a change is visible until its messages are out even a
 * direct query that is planned anew differs from one with a plan of before.
 */
static bool
persists(PGconn *conn, const char *sql, int i)
{
	int again = standby != NULL ? 3 : 0;

	for (int tries = 0; tries < 300; tries++)
	{
		const long begun = shared->late_begun;
		PGresult *result;
		bool good, differs;

		if (shared->late_ended != begun)
		{
			pause_us(5000);
			continue;
		}
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (standby != NULL)
			pause_us(50000); /* what was changed last is replayed meanwhile */
		listen_up(conn);
		result = PQexec(conn, sql);
		good = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;
		differs = good && !same(result, i);
		PQclear(result);
		if (good && differs && again-- > 0)
			continue;
		if (!good || shared->late_begun == begun)
			return differs;
	}
	return false;
}

static void
report(const Asked *asked, const PGresult *result, int i, const char *context)
{
	const Asked *a = &asked[i];
	const char *first = PQgetvalue(result, 0, 2 * i);
	const char *second = PQgetvalue(result, 0, 2 * i + 1);

	add(&shared->mismatches, 1);
	if (shared->mismatches <= 20)
		diag("MISMATCH in %s, query \"%s\": cached %s, direct %s", context, a->query->name,
			 a->cached_first ? first : second, a->cached_first ? second : first);
}

/* What came back for one statement. */
static void
judge(PGconn *conn, const char *sql, const Asked *asked, int n, const PGresult *result,
	  const char *context, bool repeatable)
{
	for (int i = 0; i < n; i++)
	{
		if (same(result, i))
			continue;
		if ((asked[i].query->flags & LATE) == 0 || (repeatable && persists(conn, sql, i)))
			report(asked, result, i, context);
		else
			add(&shared->late, 1);
	}
	add(&shared->compared, n);
}

/* A statement with some comparisons; kept ones are prepared, with plans from before some changes. */
typedef struct Statement
{
	char sql[MAX_TEXT];
	Asked asked[3];
	int n;
} Statement;

static Statement kept[8];

static void
compose(Statement *s, int flags)
{
	strcpy(s->sql, "SELECT ");
	s->n = 1 + below(lengthof(s->asked));
	for (int i = 0; i < s->n; i++)
	{
		Asked *asked = &s->asked[i];
		size_t length;

		do
			asked->query = &queries[below(lengthof(queries))];
		while ((asked->query->flags & ROLE) != (flags & ROLE));
		asked->cached_first = one_in(2);
		if (i > 0)
			strcat(s->sql, ", ");
		length = strlen(s->sql);
		comparison(s->sql + length, sizeof(s->sql) - length, asked->query, asked->cached_first);
	}
}

static PGresult *
execute_kept(PGconn *conn, int flags, const Statement **statement)
{
	const int i = below(lengthof(kept) / 2) * 2 + ((flags & ROLE) != 0);
	Statement *s = &kept[i];
	char name[16];

	snprintf(name, sizeof(name), "kept%d", i);
	*statement = s;
	if (s->n == 0 || one_in(10))
	{
		char deallocate[32];
		PGresult *result;

		snprintf(deallocate, sizeof(deallocate), "DEALLOCATE %s", name);
		if (s->n > 0)
			PQclear(PQexec(conn, deallocate));
		s->n = 0;
		compose(s, flags);
		result = PQprepare(conn, name, s->sql, 0, NULL);
		if (!succeeded(result))
		{
			s->n = 0;
			return result;
		}
		PQclear(result);
	}
	return PQexecPrepared(conn, name, 0, NULL, NULL, NULL, 0);
}

/* By a cursor, whose snapshot is older than what its transaction sees when it is read. */
static PGresult *
fetch(PGconn *conn, const Statement *s)
{
	char declare[MAX_TEXT + 32];
	PGresult *result;

	snprintf(declare, sizeof(declare), "DECLARE c CURSOR FOR %s", s->sql);
	result = PQexec(conn, declare);
	if (!succeeded(result))
		return result;
	PQclear(result);
	pause_us(below(5000));
	result = PQexec(conn, "FETCH c");
	if (succeeded(result))
		PQclear(PQexec(conn, "CLOSE c"));
	return result;
}

/* One statement; how many comparisons it made, 0 after an error. */
static int
compare(PGconn *conn, int flags, const char *context, bool rr)
{
	static Statement fresh;
	const Statement *s = &fresh;
	const int how = below(8);
	const bool cursor = how == 1 && PQtransactionStatus(conn) == PQTRANS_INTRANS;
	PGresult *result;
	bool good;

	compose(&fresh, flags);
	if (how == 0)
		result = execute_kept(conn, flags, &s);
	else if (cursor)
		result = fetch(conn, s);
	else
		result = PQexec(conn, s->sql);

	good = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;
	if (good)
	{
		judge(conn, s->sql, s->asked, s->n, result, context, !cursor);
		if (rr)
			add(&shared->compared_rr, s->n);
	}
	else if (tolerate(conn, result, s->sql))
		add(&shared->reader_errors, 1);
	PQclear(result);
	return good ? s->n : 0;
}

/* A query as the client's own statement: plain, with its number as an argument, or prepared. */
static PGresult *
own_statement(PGconn *conn, const Query *query, int number, int how)
{
	static bool prepared[lengthof(queries)];
	char text[2048];
	char value[16];
	const char *values[1] = {value};
	const Oid types[1] = {23};
	const int n = strstr(query->text, "$1") != NULL ? 1 : 0;

	snprintf(value, sizeof(value), "%d", number);
	if (how == 0)
	{
		put_number(text, sizeof(text), query->text, number);
		return PQexec(conn, text);
	}
	if (how == 1)
		return PQexecParams(conn, query->text, n, types, values, NULL, NULL, 0);
	const int i = (int) (query - queries);

	if (prepared[i] && one_in(20))
	{
		snprintf(text, sizeof(text), "DEALLOCATE own%d", i);
		PQclear(PQexec(conn, text));
		prepared[i] = false;
	}
	snprintf(text, sizeof(text), "own%d", i);
	if (!prepared[i])
	{
		PGresult *result = PQprepare(conn, text, query->text, n, types);

		if (!succeeded(result))
			return result;
		PQclear(result);
		prepared[i] = true;
	}
	return PQexecPrepared(conn, text, n, values, NULL, NULL, 0);
}

/* The same statement twice in one transaction, with cached_query.auto and without. */
static bool
compare_own_statement(PGconn *conn, int flags)
{
	const Query *query;
	const int number = 1 + below(5);
	const bool cached_first = one_in(2);
	char value[2][2048];

	do
		query = &queries[below(lengthof(queries))];
	while ((query->flags & ROLE) != (flags & ROLE) || (query->flags & LATE) != 0);
	for (int i = 0; i < 2; i++)
	{
		const bool cached = (i == 0) == cached_first;
		PGresult *result;
		bool good;

		PQclear(PQexec(conn, cached ? "SET LOCAL cached_query.auto = exact" : "SET LOCAL cached_query.auto = off"));
		result = own_statement(conn, query, number, below(3));
		good = PQresultStatus(result) == PGRES_TUPLES_OK;
		if (good)
			snprintf(value[i], sizeof(value[i]), "%s",
					 PQntuples(result) == 0 ? "no row" : PQgetvalue(result, 0, 0));
		else
			tolerate(conn, result, query->text);
		PQclear(result);
		if (!good)
			return false;
		if (i == 0 && one_in(4))
			pause_us(below(10000));
	}
	add(&shared->compared, 1);
	add(&shared->compared_rr, 1);
	add(&shared->compared_top, 1);
	if (strcmp(value[0], value[1]) != 0)
	{
		add(&shared->mismatches, 1);
		if (shared->mismatches <= 20)
			diag("MISMATCH in REPEATABLE READ, own statement \"%s\": cached %s, direct %s", query->name,
				 value[cached_first ? 0 : 1], value[cached_first ? 1 : 0]);
	}
	return true;
}

static void
compare_own_statements(PGconn *conn, int flags)
{
	const int n = 1 + below(8);

	if (!run(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ"))
		return;
	for (int i = 0; i < n && !shared->stop; i++)
	{
		if (!compare_own_statement(conn, flags))
			break;
	}
	roll_back(conn);
}

/* Several comparisons under one snapshot, or in one transaction. */
static void
compare_in_transaction(PGconn *conn, bool rr, int flags)
{
	const char *context = rr ? "REPEATABLE READ" : "a transaction in READ COMMITTED";
	const int n = 1 + below(8);

	if (!run(conn, rr ? "BEGIN ISOLATION LEVEL REPEATABLE READ" : "BEGIN"))
		return;
	for (int i = 0; i < n && !shared->stop; i++)
	{
		if (compare(conn, flags, context, rr) == 0)
			break;
		if (one_in(2))
			pause_us(below(15000));
	}
	roll_back(conn);
}

/* A write of rows of one key, often; of tables whose other rows may then still be answered from the cache. */
static bool
write_key(PGconn *conn)
{
	static const char *const writes[] = {
		"UPDATE acc SET v = v + 1 WHERE id = $1", "UPDATE acc SET grp = (grp + 1) % 5 WHERE id = $1",
		"DELETE FROM acc WHERE id = $1 + 10", "UPDATE quiet SET v = v + 1 WHERE id = $1",
		"INSERT INTO sec VALUES ($1, 3)", "DELETE FROM quiet WHERE id = $1",
		"UPDATE half SET v = v + 1 WHERE id = $1", "UPDATE sec SET v = v + 1 WHERE grp = $1",
		"UPDATE sec SET grp = $1 WHERE v = 10 * $1", "INSERT INTO child VALUES (0, $1, 1)",
		"INSERT INTO part VALUES ($1, $1 * 10 + 1)", "UPDATE part SET k = 1 + k % 4 WHERE v = $1 * 10 + 1",
		"SAVEPOINT s", "ROLLBACK TO SAVEPOINT s", "SET LOCAL session_replication_role = replica",
		"SET LOCAL session_replication_role = origin"};
	char sql[MAX_TEXT];

	put_number(sql, sizeof(sql), writes[below(lengthof(writes))], 1 + below(5));
	return run(conn, sql);
}

/* The same with writes of its own in between, which are taken back in the end or not. */
static void
compare_own(PGconn *conn)
{
	static const char *const writes[] = {
		"UPDATE acc SET v = v + 1 WHERE id = 7",
		"INSERT INTO child VALUES (0, 8, 1)",
		"INSERT INTO part VALUES (2, 2)",
		"SAVEPOINT s",
		"ROLLBACK TO SAVEPOINT s",
		"DELETE FROM quiet WHERE id = 3",
		"CREATE OR REPLACE FUNCTION fpl() RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN ''own''; END'",
		"ALTER TABLE addc ADD COLUMN IF NOT EXISTS own int DEFAULT 5",
		"TRUNCATE trunc",
		"REFRESH MATERIALIZED VIEW mat",
		"SELECT cached_query_invalidate_relation('acc')"};
	const bool rr = one_in(2);
	const bool of_keys = track && !one_in(4);
	const int n = 2 + below(5);

	run(conn, rr ? "BEGIN ISOLATION LEVEL REPEATABLE READ; SAVEPOINT s" : "BEGIN; SAVEPOINT s");
	for (int i = 0; i < n && !shared->stop; i++)
	{
		if (!(of_keys ? write_key(conn) : run(conn, writes[below(lengthof(writes))])))
			break;
		for (int k = 0; k < 2 && PQtransactionStatus(conn) == PQTRANS_INTRANS; k++)
			add(&shared->compared_own, compare(conn, 0, "a transaction that wrote", rr));
		if (PQtransactionStatus(conn) != PQTRANS_INTRANS)
			break;
	}
	roll_back(conn);
}

static void
reader(void)
{
	PGconn *conn = connect_reader("SET cached_query.consistency = exact; SET lock_timeout = '5s'; "
							  "SET plan_cache_mode = auto; SET cached_query.auto_min_time = 0; "
							  "SET cached_query.auto_nested = on");

	while (!shared->stop)
	{
		const int how = below(20);

		if (how < 10)
		{
			for (int i = 0; i < 10 && !shared->stop; i++)
				compare(conn, 0, "READ COMMITTED", false);
		}
		else if (how < 12)
		{
			run(conn, one_in(2) ? "SET ROLE cq_fuzz_reader" : "SET ROLE cq_fuzz_other");
			if (automatic && one_in(2))
				compare_own_statements(conn, ROLE);
			else
				compare_in_transaction(conn, one_in(2), ROLE);
			run(conn, "RESET ROLE");
		}
		else if ((how == 12 || (track && how == 13)) && standby == NULL)
			compare_own(conn);
		else if (automatic && how >= 15)
			compare_own_statements(conn, 0);
		else
			compare_in_transaction(conn, how < 18, 0);
		if (one_in(50))
			run(conn, "DISCARD PLANS");
	}
	PQfinish(conn);
}

/* --- the promises of ttl mode --------------------------------------------------------------- */

static bool
number(PGconn *conn, const char *sql, double *value)
{
	char text[64];

	if (!ask(conn, sql, text, sizeof(text)))
		return false;
	*value = atof(text);
	return true;
}

static void
ttl_check(bool good, const char *what, double got, double bound)
{
	add(&shared->ttl_checks, 1);
	if (good)
		return;
	add(&shared->ttl_broken, 1);
	diag("BROKEN ttl promise, %s: got %.6f, bound %.6f", what, got, bound);
}

#define MONO(ttl) "SELECT v FROM cached_query('SELECT max(v) FROM mono', '" ttl "') AS t(v bigint)"

/* Not newer than the transaction's snapshot. */
static void
ttl_repeatable_read(PGconn *conn)
{
	double direct, got;

	run(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ");
	if (number(conn, "SELECT max(v) FROM mono", &direct))
	{
		for (int i = 0; i < 4; i++)
		{
			if (number(conn, MONO("1h"), &got))
				ttl_check(got <= direct, "not newer than the snapshot", got, direct);
			pause_us(below(20000));
		}
	}
	roll_back(conn);
}

/* What was committed a ttl ago is seen, and the time of an answer is its age. */
static void
ttl_age(PGconn *conn)
{
	double direct, got;
	double seen;

	if (!number(conn, "SELECT max(v) FROM mono", &direct))
		return;
	seen = now_s();
	for (int i = 0; i < 6; i++)
	{
		const bool old = now_s() - seen > 0.15;

		if (number(conn, MONO("150ms"), &got) && old)
			ttl_check(got >= direct, "not older than ttl", got, direct);
		pause_us(below(60000));
		if (number(conn,
				"SELECT extract(epoch FROM statement_timestamp() - x) FROM cached_query("
				"'SELECT statement_timestamp()', '120ms') AS t(x timestamptz)", &got))
			ttl_check(got < 0.12, "age below ttl", got, 0.12);
	}
}

/* After an invalidation was committed nothing of before is served, to nobody. */
static void
ttl_invalidation(PGconn *conn, PGconn *other)
{
	double direct, got;

	if (!number(conn, "SELECT max(v) FROM mono", &direct))
		return;
	if (one_in(2))
		run(other, "BEGIN; SELECT cached_query_invalidate_relation('mono'); COMMIT");
	else
		run(other, "BEGIN; UPDATE quiet SET v = v WHERE id = 2; SAVEPOINT s; "
				   "SELECT cached_query_invalidate_relation('mono'); RELEASE s; COMMIT");
	if (PQtransactionStatus(other) != PQTRANS_IDLE)
	{
		roll_back(other);
		return;
	}
	for (int i = 0; i < 3; i++)
	{
		if (number(one_in(2) ? conn : other, MONO("1h"), &got))
			ttl_check(got >= direct, "nothing older than an invalidation", got, direct);
	}
}

/* Nobody sees what is never committed, though its writer may. */
static void
ttl_uncommitted(PGconn *conn)
{
	double got;

	if (number(conn, "SELECT n FROM cached_query('SELECT count(*) FROM clean', '1h') AS t(n bigint)", &got))
		ttl_check(got == 0, "nothing uncommitted", got, 0);
}

static void
ttl_reader(void)
{
	PGconn *conn = connect_db("SET cached_query.consistency = ttl; SET lock_timeout = '5s'");
	PGconn *other = connect_db("SET cached_query.consistency = ttl; SET lock_timeout = '5s'");

	while (!shared->stop)
	{
		ttl_repeatable_read(conn);
		ttl_uncommitted(conn);
		ttl_age(conn);
		ttl_invalidation(conn, other);
		ttl_uncommitted(other);
		if (one_in(10))
			run(other, "SELECT cached_query_invalidate_relation('clean')");
	}
	PQfinish(conn);
	PQfinish(other);
}

/* The one who writes what the ttl reader looks at. */
static void
ttl_writer(void)
{
	PGconn *conn = connect_db("SET cached_query.consistency = ttl");
	double n;

	while (!shared->stop)
	{
		run(conn, "UPDATE mono SET v = v + 1");
		run(conn, "BEGIN; SAVEPOINT s; INSERT INTO clean VALUES (1)");
		if (number(conn, "SELECT n FROM cached_query('SELECT count(*) FROM clean', '1h') AS t(n bigint)", &n))
			ttl_check(n == 1, "own writes are seen", n, 1);
		run(conn, one_in(2) ? "ROLLBACK" : "ROLLBACK TO s; COMMIT");
		pause_us(below(4000));
	}
	PQfinish(conn);
}

/* --- writers -------------------------------------------------------------------------------- */

/*
 * Kinds of writes.  Statements are separated by lines; a line "2: ..." goes over another
 * connection, "pause" waits a moment, "pause long" more.  A line "? ..." is done every other time.
 * $a is 1 to 50, $b 0 to 999, $k 1 to 3, $n a number that nobody else has, $g a name.
 */
typedef struct Op
{
	const char *name;
	int weight; /* negative: with --track only */
	const char *script;
} Op;

static const Op ops[] = {
	{"insert", 10, "INSERT INTO acc VALUES ($n, $a % 5, $b)"},
	{"update", 10, "UPDATE acc SET v = $b WHERE id = $a"},
	{"delete", 4, "DELETE FROM acc WHERE id IN (SELECT id FROM acc WHERE id > 1000 ORDER BY id LIMIT 5)"},
	{"upsert", 4, "INSERT INTO acc VALUES ($a, $k, $b) ON CONFLICT (id) DO UPDATE SET v = excluded.v + 1"},
	{"merge", 4, "MERGE INTO acc USING (VALUES ($a), ($n)) AS s(id) ON acc.id = s.id WHEN MATCHED THEN UPDATE SET v = $b WHEN NOT MATCHED THEN INSERT VALUES (s.id, 1, 1)"},
	{"modifying WITH", 4, "WITH w AS (UPDATE acc SET v = v + 1 WHERE id = $a RETURNING v) SELECT sum(v) FROM w"},
	{"copy", 4, "COPY acc FROM STDIN"},
	{"two tables", 8, "BEGIN\nUPDATE acc SET v = v - 1 WHERE id = $a\npause\nUPDATE quiet SET v = v + 1 WHERE id = 4\nCOMMIT"},
	{"rollback", 6, "BEGIN\nUPDATE acc SET v = -1 WHERE id = $a\nDELETE FROM quiet\npause\nROLLBACK"},
	{"savepoint back", 6, "BEGIN\nSAVEPOINT s\nUPDATE acc SET v = -2 WHERE id = $a\nROLLBACK TO s\nINSERT INTO child SELECT $n, id, $b FROM acc WHERE id = $a\nCOMMIT"},
	{"savepoint kept", 6, "BEGIN\nSAVEPOINT s\nUPDATE acc SET v = $b WHERE id = $a\nSAVEPOINT t\nINSERT INTO part VALUES ($k, $b)\nRELEASE s\npause\nCOMMIT"},
	{"many savepoints", 2, "DO 'BEGIN FOR i IN 1..80 LOOP BEGIN UPDATE cq_fuzz.acc SET v = v + i WHERE id = $a; EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; PERFORM pg_sleep(0.01); END'"},
	{"prepared", 6, "BEGIN\nUPDATE acc SET v = $b WHERE id = $a\nINSERT INTO quiet VALUES ($n, 1)\nPREPARE TRANSACTION '$g'\npause\n2: COMMIT PREPARED '$g'"},
	{"prepared, back", 4, "BEGIN\nUPDATE acc SET v = -3 WHERE id = $a\nINSERT INTO part VALUES ($k, 1)\nPREPARE TRANSACTION '$g'\npause\n2: ROLLBACK PREPARED '$g'"},
	{"prepared truncate", 1, "BEGIN\nTRUNCATE trunc\nINSERT INTO trunc VALUES (1, $b)\nPREPARE TRANSACTION '$g'\npause\n2: COMMIT PREPARED '$g'"},
	{"prepared truncate, back", 1, "BEGIN\nTRUNCATE trunc\nPREPARE TRANSACTION '$g'\npause\n2: ROLLBACK PREPARED '$g'"},
	{"prepared function", 1, "BEGIN\nCREATE OR REPLACE FUNCTION fsql() RETURNS text LANGUAGE sql STABLE AS $$ SELECT '$b'::text $$\nPREPARE TRANSACTION '$g'\npause\n2: COMMIT PREPARED '$g'"},
	{"cascade delete", 4, "BEGIN\nINSERT INTO acc VALUES ($n, 1, 1)\nINSERT INTO child SELECT $n, $n, g FROM generate_series(1, 3) AS g\nCOMMIT\npause\nDELETE FROM acc WHERE id = $n"},
	{"cascade update", 3, "UPDATE acc SET id = $n WHERE id = (SELECT aid FROM child WHERE aid > 1000 LIMIT 1)"},
	{"trigger", 4, "INSERT INTO fire VALUES ($b)"},
	{"trim", 2, "DELETE FROM child WHERE id > 1000 AND id % 7 = $b % 7\nDELETE FROM fire\nDELETE FROM quiet WHERE id > 1000"},
	{"partitions", 6, "INSERT INTO part VALUES ($k, $b), (1, 1)\n? DELETE FROM part WHERE v % 17 = $b % 17"},
	{"partition key", 4, "UPDATE part SET k = 1 + k % 3 WHERE k = $k AND v % 10 = $b % 10"},
	{"default partition", 3, "INSERT INTO part VALUES (7, $b)\n? DELETE FROM part WHERE k > 3 AND v % 3 = $b % 3"},
	{"to the default and back", 3, "UPDATE part SET k = CASE WHEN k > 3 THEN 1 + $b % 3 ELSE k + 5 END WHERE v % 10 = $b % 10"},
	{"empty a partition", 1, "DELETE FROM part WHERE k = $k"},
	{"quiet value", 4, "UPDATE quiet SET v = $b WHERE id = 1 + $b % 5"},
	{"leaf", 4, "INSERT INTO part_1 VALUES (1, $b)\n? DELETE FROM part_2 WHERE v % 5 = $b % 5"},
	{"truncate", 2, "TRUNCATE trunc"},
	{"truncate and fill", 4, "BEGIN\nTRUNCATE trunc\nINSERT INTO trunc SELECT g, $b FROM generate_series(1, 5) AS g\npause\nCOMMIT"},
	{"truncate, savepoint back", 2, "BEGIN\nSAVEPOINT s\nTRUNCATE trunc\nROLLBACK TO s\nINSERT INTO trunc VALUES (9, $b)\nCOMMIT"},
	{"refresh", 2, "REFRESH MATERIALIZED VIEW mat"},
	{"refresh concurrently", 2, "REFRESH MATERIALIZED VIEW CONCURRENTLY mat"},
	{"detach and attach", 2, "ALTER TABLE joins DETACH PARTITION joins_2\npause\nUPDATE joins_2 SET v = $b\nALTER TABLE joins ATTACH PARTITION joins_2 FOR VALUES IN (2)"},
	{"detach concurrently", 1, "ALTER TABLE joins DETACH PARTITION joins_2 CONCURRENTLY\npause\nALTER TABLE joins ATTACH PARTITION joins_2 FOR VALUES IN (2)"},
	{"inherit", 2, "ALTER TABLE inh_child NO INHERIT inh\npause\nUPDATE inh_child SET v = $b\nALTER TABLE inh_child INHERIT inh"},
	{"rewrite", 2, "ALTER TABLE rew ALTER v TYPE int USING v % 1000 + 1\npause\nALTER TABLE rew ALTER v TYPE bigint"},
	{"rewrite in a transaction", 1, "BEGIN\nALTER TABLE rew ALTER v TYPE bigint USING v % 1000 + $k\nINSERT INTO rew VALUES ($n, $b)\nDELETE FROM rew WHERE id > 20\npause\nCOMMIT"},
	{"cluster", 1, "CLUSTER rew USING rew_pkey\nVACUUM FULL rew\nREINDEX TABLE rew"},
	{"columns", 1, "BEGIN\nALTER TABLE addc DROP COLUMN IF EXISTS c\nALTER TABLE addc ADD COLUMN c int DEFAULT $b\nCOMMIT"},
	{"drop and create", 2, "BEGIN\nDROP TABLE IF EXISTS dropped\nCREATE TABLE dropped AS SELECT $b AS v\npause\nCOMMIT\nINSERT INTO dropped VALUES ($k)"},
	{"view", 2, "CREATE OR REPLACE VIEW look AS SELECT id, v FROM acc WHERE grp <> $k"},
	{"plpgsql function", 2, "CREATE OR REPLACE FUNCTION fpl() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN '$b/' || (SELECT sum(v) FROM cq_fuzz.acc WHERE grp = $k); END $$"},
	{"SQL function", 2, "BEGIN\nCREATE OR REPLACE FUNCTION fsql() RETURNS text LANGUAGE sql STABLE AS $$ SELECT '$b/' || sum(v) FROM cq_fuzz.acc WHERE grp = $k $$\nUPDATE acc SET v = $b WHERE id = $a\nCOMMIT"},
	{"immutable function", 1, "CREATE OR REPLACE FUNCTION fimm() RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN '$b'; END $$"},
	{"policy", 1, "ALTER POLICY pol ON sec USING (grp IN (SELECT grp FROM cq_fuzz.allowed WHERE grp <> $k))"},
	{"read by the policy", 3, "UPDATE allowed SET grp = $k WHERE ctid = (SELECT min(ctid) FROM allowed)\n? UPDATE sec SET v = $b WHERE v % 50 = $a"},
	{"procedure", 3, "CALL work($a)"},
	{"270 tables", 1, "DO 'BEGIN FOR i IN 1..270 LOOP EXECUTE format(''INSERT INTO cq_fuzz.many_%s VALUES ($k)'', i); END LOOP; END'"},
	{"uncounted", 1, "SET track_counts = off\nUPDATE acc SET v = $b WHERE id = $a\nRESET track_counts"},
	{"uncounted at first", 1, "BEGIN\nSET LOCAL track_counts = off\nUPDATE quiet SET v = $b WHERE id = $k + 5\nSET LOCAL track_counts = on\nCOMMIT"},
	{"serializable", 4, "BEGIN ISOLATION LEVEL SERIALIZABLE\nSELECT sum(v) FROM acc WHERE id > 40\npause\nUPDATE acc SET v = $b WHERE id = $a\nCOMMIT"},
	{"notify", 2, "BEGIN\nUPDATE acc SET v = $b WHERE id = $a\nNOTIFY cq_fuzz\nCOMMIT"},
	{"cursor", 2, "BEGIN\nDECLARE c CURSOR FOR SELECT * FROM acc WHERE id = $a FOR UPDATE\nFETCH c\nUPDATE acc SET v = $b WHERE CURRENT OF c\nCOMMIT"},
	{"asynchronous", 3, "SET synchronous_commit = off\nUPDATE acc SET v = $b WHERE id = $a\nRESET synchronous_commit"},
	{"replica role", 1, "SET session_replication_role = replica\nDELETE FROM acc WHERE id = $n - 640\nRESET session_replication_role"},
	{"long", 1, "BEGIN\nINSERT INTO quiet VALUES ($n, $k)\npause long\n? UPDATE audit SET v = v + 1 WHERE v = $b\nCOMMIT"},
	{"schema", 1, "CREATE SCHEMA cq_fuzz_$n\nDROP SCHEMA cq_fuzz_$n"},
	{"temporary table", 1, "BEGIN\nCREATE TEMP TABLE acc_temp ON COMMIT DROP AS SELECT 1 AS x\nUPDATE acc_temp SET x = 2\nCOMMIT"},
	{"no change", 4, "UPDATE acc SET v = 0 WHERE false\nSELECT v FROM acc WHERE id = $a FOR UPDATE\nANALYZE quiet"},
	{"vacuum", 1, "VACUUM acc\nVACUUM quiet"},
	{"invalidate", 1, "SELECT cached_query_invalidate_relation('quiet')"},
	{"half as a replica", -10, "BEGIN\nUPDATE half SET v = v + 1 WHERE id = $k\nSET LOCAL session_replication_role = replica\nUPDATE half SET v = $b WHERE id = 4 + $b % 2\nCOMMIT"},
	{"to another key", 4, "UPDATE acc SET grp = $b % 5 WHERE id = $a"},
	{"to another key and back", 3, "BEGIN\nUPDATE acc SET grp = 9 WHERE id = $a\nUPDATE acc SET v = $b, grp = $k WHERE id = $a\n? SAVEPOINT s\n? DELETE FROM quiet WHERE id = $k\nCOMMIT"},
	{"leaves its key for long", -8, "UPDATE sec SET grp = 1 + (grp + $k) % 5 WHERE v % 50 = $a"},
	{"leaves its key", -12, "UPDATE acc SET grp = (grp + $k) % 5 WHERE id IN ($a, $k)"},
	{"tracked anew", -2, "SELECT cached_query_track('acc', CASE $k WHEN 1 THEN '{id}' WHEN 2 THEN '{grp}' ELSE '{id,grp}' END::text[], CASE WHEN $b % 2 = 0 THEN '{v}' ELSE '{}' END::text[])"},
	{"tracked while written", -1, "BEGIN\nUPDATE acc SET v = $b WHERE id = $a\nSELECT cached_query_track('acc', '{grp}')\nUPDATE acc SET grp = $k WHERE id = $a\npause\nCOMMIT\nSELECT cached_query_track('acc', '{id,grp}', '{v}')"},
	{"not tracked", -1, "SELECT cached_query_untrack('child')\npause\nSELECT cached_query_track('child', '{aid}')"},
	{"not told", -1, "ALTER TABLE quiet DISABLE TRIGGER cached_query_track\npause\nUPDATE quiet SET v = $b WHERE id = $k\nALTER TABLE quiet ENABLE TRIGGER cached_query_track"},
	{"the same", 3, "UPDATE acc SET v = v WHERE id = $a"},
	{"append", -4, "INSERT INTO events VALUES ('2021-01-01'::timestamptz + $b * interval '1 minute', 1000 + $b, $b)\n? DELETE FROM events WHERE n > 1000"},
	{"in an interval", -6, "UPDATE events SET v = $b WHERE n = $a"},
	{"to another interval", -8, "UPDATE events SET n = (n + 20) % 60, at = at + CASE WHEN n < 40 THEN interval '5 days' ELSE interval '-10 days' END WHERE n = $a"},
	{"clear", 1, "BEGIN\nSELECT cached_query_clear()\n? ROLLBACK\nCOMMIT"},
};

typedef struct Numbers
{
	int a, b, k;
	long n;
	char g[64];
} Numbers;

static void
fill_in(char *to, size_t size, const char *from, int length, const Numbers *numbers)
{
	size_t n = 0;

	for (int i = 0; i < length && n + 80 < size; i++)
	{
		const char c = from[i] == '$' && i + 1 < length ? from[i + 1] : '\0';

		if (c == 'a')
			n += snprintf(to + n, size - n, "%d", numbers->a);
		else if (c == 'b')
			n += snprintf(to + n, size - n, "%d", numbers->b);
		else if (c == 'k')
			n += snprintf(to + n, size - n, "%d", numbers->k);
		else if (c == 'n')
			n += snprintf(to + n, size - n, "%ld", numbers->n);
		else if (c == 'g')
			n += snprintf(to + n, size - n, "%s", numbers->g);
		else
		{
			to[n++] = from[i];
			continue;
		}
		i++;
	}
	to[n] = '\0';
}

/* Rows for COPY, and its end. */
static bool
copy_in(PGconn *conn, const Numbers *numbers)
{
	char line[128];
	PGresult *result;
	bool good = true;

	for (int i = 0; i < 3; i++)
	{
		snprintf(line, sizeof(line), "%ld\t%d\t%d\n", numbers->n + i, i, numbers->b);
		PQputCopyData(conn, line, (int) strlen(line));
	}
	PQputCopyEnd(conn, NULL);
	while ((result = PQgetResult(conn)) != NULL)
	{
		if (!succeeded(result))
			good = tolerate(conn, result, "COPY") && false;
		PQclear(result);
	}
	return good;
}

/* One line of a script; false after an error. */
static bool
step(PGconn *conn, PGconn *other, const char *line, const Numbers *numbers)
{
	PGconn *on = conn;
	PGresult *result;
	bool good;

	if (strcmp(line, "pause") == 0 || strcmp(line, "pause long") == 0)
	{
		pause_us(below(line[5] != '\0' ? 1500000 : 20000));
		return true;
	}
	if (strncmp(line, "? ", 2) == 0)
	{
		if (one_in(2))
			return true;
		line += 2;
	}
	if (strncmp(line, "2: ", 3) == 0)
	{
		on = other;
		line += 3;
	}
	result = PQexec(on, line);
	good = succeeded(result);
	if (PQresultStatus(result) == PGRES_COPY_IN)
		good = copy_in(on, numbers);
	else if (!good)
		tolerate(on, result, line);
	PQclear(result);
	return good;
}

static bool
perform(PGconn *conn, PGconn *other, const Op *op, const Numbers *numbers)
{
	char line[4096];

	for (const char *at = op->script;;)
	{
		const char *end = strchrnul(at, '\n');

		fill_in(line, sizeof(line), at, (int) (end - at), numbers);
		if (!step(conn, other, line, numbers))
			return false;
		if (*end == '\0')
			return true;
		at = end + 1;
	}
}

static int
weight_of(const Op *op)
{
	return op->weight > 0 ? op->weight : track ? -op->weight : 0;
}

static const Op *
choose_op(void)
{
	int total = 0;
	int n;

	for (int i = 0; i < lengthof(ops); i++)
		total += weight_of(&ops[i]);
	n = below(total);
	for (int i = 0; i < lengthof(ops); i++)
	{
		if ((n -= weight_of(&ops[i])) < 0)
			return &ops[i];
	}
	return &ops[0];
}

/* Does it change what LATE queries read? */
static bool
is_late(const Op *op)
{
	return strstr(op->script, "FUNCTION") || strstr(op->script, "joins") || strstr(op->script, "inh_");
}

/* After a failure: bring objects and the session to a state in which everything works again. */
static void
recover(PGconn *conn, PGconn *other, const Op *op, const Numbers *numbers)
{
	char sql[128];

	roll_back(conn);
	roll_back(other);
	PQclear(PQexec(conn, "RESET track_counts"));
	PQclear(PQexec(conn, "RESET session_replication_role"));
	PQclear(PQexec(conn, "RESET synchronous_commit"));
	snprintf(sql, sizeof(sql), "ROLLBACK PREPARED '%s'", numbers->g);
	PQclear(PQexec(other, sql));
	if (!is_late(op))
		return;
	PQclear(PQexec(conn, "ALTER TABLE joins DETACH PARTITION joins_2 FINALIZE"));
	PQclear(PQexec(conn, "ALTER TABLE joins ATTACH PARTITION joins_2 FOR VALUES IN (2)"));
	PQclear(PQexec(conn, "ALTER TABLE inh_child INHERIT inh"));
}

static void
attempt(PGconn *conn, PGconn *other, const Op *op, const Numbers *numbers)
{
	if (is_late(op))
		add(&shared->late_begun, 1);
	if (perform(conn, other, op, numbers))
		add(&shared->done[op - ops], 1);
	else
	{
		add(&shared->refused[op - ops], 1);
		recover(conn, other, op, numbers);
	}
	if (is_late(op))
		add(&shared->late_ended, 1);
}

/* Two seconds of much, two of little, so that the cache has something to keep. */
static void
breathe(double began)
{
	if ((long) ((now_s() - began) / 2) % 2 == 0)
		pause_us(below(15000));
	else
		pause_us(below(300000));
}

/* Only a build with CQ_DEBUG has sleeps; the checks are good without. */
static bool
has_sleeps(PGconn *conn)
{
	PGresult *result = PQexec(conn, "SELECT FROM pg_settings WHERE name = 'cached_query.debug_sleep_commit'");
	bool found = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;

	PQclear(result);
	return found;
}

static void
set_sleeps(PGconn *conn)
{
	char sql[256];

	snprintf(sql, sizeof(sql),
			 "SET cached_query.debug_sleep_pre_commit = %d; SET cached_query.debug_sleep_commit = %d",
			 one_in(3) ? below(10000) : 0, one_in(3) ? below(10000) : 0);
	run(conn, sql);
}

static void
writer(int index)
{
	PGconn *conn = connect_db("SET lock_timeout = '300ms'");
	PGconn *other = connect_db("SET lock_timeout = '1s'");
	Numbers numbers = {0};
	const double began = now_s();
	const bool sleeps = has_sleeps(conn);

	for (long count = 0; !shared->stop; count++)
	{
		const Op *op = choose_op();

		numbers.a = 1 + below(50);
		numbers.b = below(1000);
		numbers.k = 1 + below(3);
		numbers.n = (count * MAX_PROCESSES + index) * 10 + 1010;
		snprintf(numbers.g, sizeof(numbers.g), "cq_fuzz_%d_%ld", index, count);
		if (sleeps)
		{
			set_sleeps(conn);
			set_sleeps(other);
		}
		attempt(conn, other, op, &numbers);
		breathe(began);
	}
	PQfinish(conn);
	PQfinish(other);
}

/* --- the whole ------------------------------------------------------------------------------ */

static pid_t children[MAX_PROCESSES];
static int nchildren = 0;

static void
start(void (*body)(void), void (*writer_body)(int))
{
	const int index = nchildren;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
	{
		diag("fork: %s", strerror(errno));
		exit(2);
	}
	if (pid == 0)
	{
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		chance_state = seed * 1000003 + (uint64_t) index;
		if (body != NULL)
			body();
		else
			writer_body(index);
		_exit(0);
	}
	children[nchildren++] = pid;
}

typedef struct Totals
{
	double hits;
	double calls;
} Totals;

static Totals
totals(PGconn *conn)
{
	Totals t = {0, 0};
	PGresult *result = PQexec(conn, "SELECT hits, hits + misses + bypasses FROM cached_query_stats");

	if (PQresultStatus(result) == PGRES_TUPLES_OK)
	{
		t.hits = atof(PQgetvalue(result, 0, 0));
		t.calls = atof(PQgetvalue(result, 0, 1));
	}
	PQclear(result);
	return t;
}

/* Waits for the end; returns the best hit ratio of a second with enough calls in it. */
static double
watch(PGconn *conn, double began, bool *died)
{
	double best = 0;
	Totals before = totals(conn);

	*died = false;
	while (now_s() - began < seconds || (shared->compared < reads && now_s() - began < 20.0 * seconds))
	{
		Totals after;

		pause_us(1000000);
		after = totals(conn);
		if (after.calls - before.calls >= 100 &&
			(after.hits - before.hits) / (after.calls - before.calls) > best)
			best = (after.hits - before.hits) / (after.calls - before.calls);
		before = after;
		for (int i = 0; i < nchildren; i++)
		{
			if (waitpid(children[i], NULL, WNOHANG) > 0)
			{
				children[i] = 0;
				*died = true;
			}
		}
		if (*died)
			break;
	}
	shared->stop = true;
	for (int i = 0; i < nchildren; i++)
	{
		int status;

		if (children[i] > 0 && (waitpid(children[i], &status, 0) < 0 || status != 0))
			*died = true;
	}
	return best;
}

static void
clean_up(PGconn *conn)
{
	PGresult *result = PQexec(conn, "SELECT gid FROM pg_prepared_xacts WHERE gid LIKE 'cq_fuzz%'");

	for (int i = 0; i < PQntuples(result); i++)
	{
		char sql[256];

		snprintf(sql, sizeof(sql), "ROLLBACK PREPARED '%s'", PQgetvalue(result, i, 0));
		PQclear(PQexec(conn, sql));
	}
	PQclear(result);
}

static void
show_reasons(PGconn *conn)
{
	PGresult *result = PQexec(conn, "SELECT string_agg(reason || ' ' || calls, ', ' ORDER BY calls DESC) "
									"FROM (SELECT reason, calls + statements AS calls FROM cached_query_reasons) AS r WHERE calls > 0");

	if (PQresultStatus(result) == PGRES_TUPLES_OK)
		diag("outcomes: %s", PQgetvalue(result, 0, 0));
	PQclear(result);
}

static int ntests = 0;
static bool failed = false;

static void
ok(bool good, const char *format, ...)
{
	va_list args;

	printf("%sok %d - ", good ? "" : "not ", ++ntests);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	failed = failed || !good;
}

/* Names of writes that were never done. */
static const char *
not_done(void)
{
	static char names[MAX_TEXT];

	names[0] = '\0';
	for (int i = 0; i < lengthof(ops); i++)
	{
		if (shared->done[i] > 0 || weight_of(&ops[i]) == 0)
			continue;
		strcat(names, names[0] != '\0' ? ", " : "");
		strcat(names, ops[i].name);
	}
	return names;
}

static void
conclude(double best, double ratio, bool died, double took)
{
	long done = 0;
	long refused = 0;

	for (int i = 0; i < lengthof(ops); i++)
	{
		done += shared->done[i];
		refused += shared->refused[i];
	}
	diag("%ld answers compared in %.0f s (%ld in REPEATABLE READ, %ld after own writes, %ld of own statements), "
		 "hits %.1f %%, best second %.1f %%", shared->compared, took, shared->compared_rr, shared->compared_own,
		 shared->compared_top, 100 * ratio, 100 * best);
	diag("%ld writes, %ld refused; %ld reads refused; %ld late definitions; %ld ttl checks", done,
		 refused, shared->reader_errors, shared->late, shared->ttl_checks);
	ok(!died, "all processes lived");
	if (expect_mismatches)
	{
		ok(shared->mismatches > 0, "mismatches are found when there are some: %ld", shared->mismatches);
		return;
	}
	ok(shared->mismatches == 0, "no cached answer differs from the direct one: %ld of %ld",
	   shared->mismatches, shared->compared);
	if (automatic)
		ok(shared->compared > 0 && ratio > 0.05, "some come from the cache: %.1f %%", 100 * ratio);
	else if (standby != NULL)
		ok(shared->compared > 0 && ratio > 0.2, "a fifth comes from the cache: %.1f %%", 100 * ratio);
	else
		ok(shared->compared > 0 && best > 0.6, "most come from the cache at times: %.0f %%", 100 * best);
	if (standby == NULL)
		ok(shared->ttl_broken == 0 && shared->ttl_checks > 0, "ttl mode keeps its promises: %ld of %ld broken",
	   shared->ttl_broken, shared->ttl_checks);
	ok(shared->unexpected == 0, "no unexpected error");
	if (seconds >= 30)
		ok(not_done()[0] == '\0', "each kind of write was done: %s", not_done());
}

static void
usage(void)
{
	fprintf(stderr, "usage: exact [--seed N] [--seconds N] [--reads N] [--readers N] [--writers N] "
					"[--auto] [--standby CONNINFO] [--track] [--expect-mismatches]\n");
	exit(2);
}

static void
parse(int argc, char **argv)
{
	seed = (uint64_t) time(NULL);
	for (int i = 1; i < argc; i++)
	{
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--expect-mismatches") == 0)
		{
			expect_mismatches = true;
			continue;
		}
		if (strcmp(argv[i], "--track") == 0)
		{
			track = true;
			continue;
		}
		if (strcmp(argv[i], "--auto") == 0)
		{
			automatic = true;
			continue;
		}
		if (value == NULL)
			usage();
		if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(value, NULL, 10);
		else if (strcmp(argv[i], "--seconds") == 0)
			seconds = atoi(value);
		else if (strcmp(argv[i], "--reads") == 0)
			reads = atol(value);
		else if (strcmp(argv[i], "--readers") == 0)
			readers = atoi(value);
		else if (strcmp(argv[i], "--writers") == 0)
			writers = atoi(value);
		else if (strcmp(argv[i], "--standby") == 0)
			standby = value;
		else
			usage();
		i++;
	}
	if (readers + writers + 2 > MAX_PROCESSES || readers < 1 || writers < 1 || seconds < 1)
		usage();
}

/* Tables of all sorts; half not for what replication applies, so that its counts differ at times. */
static void
track_all(void)
{
	static const char *const statements[] = {
		"SELECT cached_query_track('acc', '{id,grp}', '{v}')", "SELECT cached_query_track('child', '{aid}')",
		"SELECT cached_query_track('quiet', '{id}')", "SELECT cached_query_track('half', '{id}')",
		"ALTER TABLE half ENABLE TRIGGER cached_query_track",
		"SELECT cached_query_track('part', '{v}')", "SELECT cached_query_track('joins', '{v}', '{k}')",
		"SELECT cached_query_track('inh', '{v}')", "SELECT cached_query_track('inh_child', '{v}')",
		"SELECT cached_query_track('trunc', '{id}')", "SELECT cached_query_track('rew', '{id}')",
		"SELECT cached_query_track('sec', '{grp}')", "SELECT cached_query_track('allowed', '{grp}')",
		"SELECT cached_query_track('events', ranges => '{at,n}')", "SELECT cached_query_track('mine', '{owner}')", "SELECT cached_query_track('audit', '{v}')"};
	PGconn *conn = connect_db("SET client_min_messages = error");

	for (int i = 0; i < lengthof(statements); i++)
	{
		if (!run(conn, statements[i]))
			exit(2);
	}
	PQfinish(conn);
}

int
main(int argc, char **argv)
{
	PGconn *conn;
	double began;
	double best;
	bool died;
	Totals first, last;

	_Static_assert(sizeof(ops) / sizeof(ops[0]) <= MAX_OPS, "MAX_OPS is too small");
	parse(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	shared = mmap(NULL, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	diag("seed %llu: --seed %llu --seconds %d --readers %d --writers %d", (unsigned long long) seed,
		 (unsigned long long) seed, seconds, readers, writers);

	if (track)
		track_all();
	began = now_s();
	if (standby == NULL)
	{
		start(ttl_reader, NULL);
		start(ttl_writer, NULL);
	}
	for (int i = 0; i < readers; i++)
		start(reader, NULL);
	for (int i = 0; i < writers; i++)
		start(NULL, writer);
	conn = connect_reader("SET client_min_messages = error");
	first = totals(conn);
	best = watch(conn, began, &died);
	last = totals(conn);
	if (standby == NULL)
		clean_up(conn);
	show_reasons(conn);
	conclude(best, last.calls > first.calls ? (last.hits - first.hits) / (last.calls - first.calls) : 0,
			 died, now_s() - began);
	PQfinish(conn);
	printf("1..%d\n", ntests);
	return failed ? 1 : 0;
}
