/*
 * lat.c
 *		Time statements against each other, in turn within one run: the measuring tool of test/bench.
 *
 *	lat [option...] KIND LABEL STATEMENT [KIND LABEL STATEMENT]...
 *
 * Kinds, that is what is taken of one execution:
 *	simple		time until a libpq client has all rows, simple protocol, text
 *	prepared	the same with a prepared statement
 *	drain		as simple, but the client only reads: libpq's own work on a large result is left out
 *	explain		Execution Time that EXPLAIN (ANALYZE, TIMING OFF) reports, nothing is sent
 *	memory		growth of the backend's private memory (RssAnon) at its peak, sampled, in kB
 *	differs		no time: 1 if the one value of the answer is not true, 0 if it is
 *
 * In a simple statement {n} is replaced by the number of its execution, from 1: each is another text.
 *
 * All statements run on one connection, so they share the backend, its caches and its processor,
 * unless a label has a connection string behind an @: that statement has a connection of its own.
 * A round has -n executions of each statement, one of each in turn in an order that is shuffled
 * each time, since what ran before matters; then -c of each in one piece for the backend's CPU
 * time, which is too coarse to be read for each execution, in the last of these orders.  The ratio
 * is that of a round's medians, to the first statement's.
 *
 * With -W another connection writes meanwhile: before each -e executions of all statements it is
 * given its statement, and what is measured does not wait for it.
 *
 * Prints a line for each statement, tab-separated:
 *	label, p25, median, p75 of all executions, CPU, ratio p25, median, p75 of all rounds, CPU ratio,
 *	median difference to the first statement, p99, mean and p99.9 of all executions
 * Times are in microseconds, of one execution, divided by -d.
 *
 *	-r rounds			-n executions in each		-c executions for CPU time
 *	-w executions first, to warm up	-d divisor			-f new connections for each round
 *	-p processor to bind this program and the backends to
 *	-x statement to run first on each connection (may be repeated)
 *	-o csv file to append the rounds to	-t its first column
 *	-W statement that is run meanwhile	-e once in so many executions
 *	-b statement to run before each execution, not measured (may be repeated)
 *
 * The connection is what PGHOST and so on say.
 */
#define _GNU_SOURCE /* sched_setaffinity() */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

#define MAX_CASES 16
#define MAX_ROUNDS 1000

enum Kind
{
	SIMPLE,
	PREPARED,
	DRAIN,
	EXPLAIN,
	MEMORY,
	DIFFERS,
	KINDS
};

static const char *const kind_names[KINDS] = {"simple",  "prepared", "drain",
											  "explain", "memory",   "differs"};

typedef struct Case
{
	enum Kind kind;
	const char *label;
	const char *statement;
	const char *conninfo; /* of its own connection, or NULL */
	PGconn *conn;
	int schedstat;  /* its backend's file, or -1 */
	char name[16];  /* of the prepared statement */
	double *values; /* all executions, round after round */
	double *sorted; /* scratch memory for one round */
	double medians[MAX_ROUNDS];
	double cpus[MAX_ROUNDS];
	int executed; /* times so far */
} Case;

static Case cases[MAX_CASES];
static int ncases = 0;
static int rounds = 5;
static int executions = 100;
static int cpu_executions = -1;
static int warm_up = 10;
static double divisor = 1;
static bool reconnect = false;
static int processor = -1;
static const char *csv_name = NULL;
static const char *test_name = "";
static PGconn *shared_conn;
static const char *before[MAX_CASES];
static int nbefore = 0;
static const char *writer_statement = NULL;
static int writer_interval = 10;
static PGconn *writer_conn;

static double
median_of(double *values, int count)
{
	qsort(values, count, sizeof(double), compare_doubles);
	return quantile(values, count, 0.5);
}

/* --- what the kernel knows of the backend --------------------------------------------------- */

/* The backend's CPU time, after a moment in which it goes to sleep; without parallel workers. */
static double
backend_cpu_us(const Case *c)
{
	const struct timespec settle = {0, 500000};
	char buffer[128];
	ssize_t length;

	if (c->schedstat < 0)
		return 0;
	nanosleep(&settle, NULL);
	length = pread(c->schedstat, buffer, sizeof(buffer) - 1, 0);
	if (length <= 0)
		return 0;
	buffer[length] = '\0';
	return strtod(buffer, NULL) / 1e3;
}

/* Private memory, which the cache's shared memory is not part of, in kB. */
static double
backend_private_kb(const Case *c)
{
	char line[256];
	double kb = -1;
	FILE *file;

	snprintf(line, sizeof(line), "/proc/%d/status", PQbackendPID(c->conn));
	file = fopen(line, "r");
	if (file == NULL)
		fail("%s: %s", line, strerror(errno));
	while (kb < 0 && fgets(line, sizeof(line), file) != NULL)
	{
		if (strncmp(line, "RssAnon:", 8) == 0)
			kb = strtod(line + 8, NULL);
	}
	fclose(file);
	return kb;
}

/* --- running -------------------------------------------------------------------------------- */

/* The last row of EXPLAIN's text is the execution time, in milliseconds. */
static double
explained_us(PGresult *result)
{
	const char *line = PQgetvalue(result, PQntuples(result) - 1, 0);
	double ms;

	if (sscanf(line, "Execution Time: %lf ms", &ms) != 1)
		fail("EXPLAIN ended with \"%s\"", line);
	return ms * 1e3;
}

static double
peak_kb(const Case *c)
{
	struct pollfd poll_fd = {PQsocket(c->conn), POLLIN, 0};
	double before = backend_private_kb(c);
	double peak = before;
	PGresult *result;

	if (!PQsendQuery(c->conn, c->statement))
		fail("%s", PQerrorMessage(c->conn));
	do
	{
		double kb;

		if (poll(&poll_fd, 1, 1) > 0 && !PQconsumeInput(c->conn))
			fail("%s", PQerrorMessage(c->conn));
		kb = backend_private_kb(c);
		if (kb > peak)
			peak = kb;
	}
	while (PQisBusy(c->conn));
	while ((result = PQgetResult(c->conn)) != NULL)
	{
		check(result, c->statement);
		PQclear(result);
	}
	return peak - before;
}

/* Reads what is there, at least a byte. */
static size_t
receive(int fd, char *buffer, size_t size)
{
	struct pollfd poll_fd = {fd, POLLIN, 0};
	ssize_t got;

	while ((got = recv(fd, buffer, size, 0)) < 0)
	{
		if (errno != EAGAIN && errno != EINTR)
			fail("recv: %s", strerror(errno));
		poll(&poll_fd, 1, -1);
	}
	if (got == 0)
		fail("the server has closed the connection");
	return got;
}

/*
 * Sends a simple query and reads to ReadyForQuery without libpq, which is idle before and after it.
 */
static void
drain(int fd, const char *statement)
{
	static char buffer[65536];
	char head[5] = {'Q'};
	uint32_t length = htonl(strlen(statement) + 5);
	size_t have = 0; /* bytes of the next message's head */
	size_t skip = 0; /* and of this message's body that are still to come */
	bool last = false;

	memcpy(head + 1, &length, 4);
	if (send(fd, head, 5, MSG_MORE) != 5 ||
		send(fd, statement, strlen(statement) + 1, 0) != (ssize_t) strlen(statement) + 1)
		fail("send: %s", strerror(errno));
	for (;;)
	{
		size_t got = receive(fd, buffer, sizeof(buffer));

		for (size_t at = 0; at < got;)
		{
			size_t n = got - at < skip ? got - at : skip;

			at += n;
			skip -= n;
			if (skip == 0 && last)
				return;
			while (skip == 0 && at < got && have < 5)
				head[have++] = buffer[at++];
			if (skip > 0 || have < 5)
				continue;
			memcpy(&length, head + 1, 4);
			skip = ntohl(length) - 4;
			have = 0;
			if (head[0] == 'E')
				fail("error: %s", statement);
			last = head[0] == 'Z';
		}
	}
}

/* One execution: its time, or what else its kind takes. */
static double
execute(Case *c)
{
	PGresult *result;
	const char *statement = numbered(c->statement, ++c->executed);
	double start;
	double value;

	if (c->kind == MEMORY)
		return peak_kb(c);
	start = now_us();
	if (c->kind == DRAIN)
	{
		drain(PQsocket(c->conn), c->statement);
		return (now_us() - start) / divisor;
	}
	if (c->kind == PREPARED)
		result = PQexecPrepared(c->conn, c->name, 0, NULL, NULL, NULL, 0);
	else
		result = PQexec(c->conn, statement);
	value = now_us() - start;
	check(result, statement);
	if (c->kind == EXPLAIN)
		value = explained_us(result);
	if (c->kind == DIFFERS)
		value = strcmp(PQgetvalue(result, 0, 0), "t") == 0 ? 0 : 1;
	PQclear(result);
	return value / divisor;
}

/* Let the writer come to the end of its statement. */
static void
finish_write(void)
{
	PGresult *result;

	while (writer_conn != NULL && (result = PQgetResult(writer_conn)) != NULL)
	{
		check(result, writer_statement);
		PQclear(result);
	}
}

/* Give the writer its statement, to be run beside what we do next. */
static void
start_write(void)
{
	finish_write();
	if (!PQsendQuery(writer_conn, writer_statement))
		fail("%s", PQerrorMessage(writer_conn));
}

/* Another order, the same in each run of this program. */
static void
shuffle(Case **order)
{
	static unsigned int seed = 1;

	for (int i = ncases - 1; i > 0; i--)
	{
		int other;
		Case *c = order[i];

		seed = seed * 1103515245 + 12345;
		other = (seed >> 16) % (i + 1);
		order[i] = order[other];
		order[other] = c;
	}
}

static void
run_round(int round)
{
	Case *order[MAX_CASES];

	for (int j = 0; j < ncases; j++)
		order[j] = &cases[j];
	for (int i = 0; i < executions; i++)
	{
		if (writer_conn != NULL && i % writer_interval == 0)
			start_write();
		shuffle(order);
		for (int j = 0; j < ncases; j++)
		{
			for (int k = 0; k < nbefore; k++)
				run_statement(order[j]->conn, before[k]);
			order[j]->values[round * executions + i] = execute(order[j]);
		}
	}
	finish_write();
	for (int j = 0; j < ncases; j++)
	{
		Case *c = order[j];
		double start = backend_cpu_us(c);

		memcpy(c->sorted, c->values + round * executions, sizeof(double) * executions);
		c->medians[round] = median_of(c->sorted, executions);
		for (int i = 0; i < cpu_executions; i++)
			execute(c);
		c->cpus[round] =
			cpu_executions == 0 ? 0 : (backend_cpu_us(c) - start) / cpu_executions / divisor;
	}
}

/* --- output --------------------------------------------------------------------------------- */

static void
write_csv(int round)
{
	FILE *file;

	if (csv_name == NULL)
		return;
	file = fopen(csv_name, "a");
	if (file == NULL)
		fail("%s: %s", csv_name, strerror(errno));
	for (int j = 0; j < ncases; j++)
	{
		Case *c = &cases[j];

		fprintf(file, "%s,%s,%s,%d,%d,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f\n", test_name, c->label,
				kind_names[c->kind], round + 1, executions, c->sorted[0],
				quantile(c->sorted, executions, 0.25), c->medians[round],
				quantile(c->sorted, executions, 0.75), c->sorted[executions - 1], c->cpus[round],
				quantile(c->sorted, executions, 0.99));
	}
	fclose(file);
}

static void
print_case(Case *c)
{
	Case *base = &cases[0];
	double ratios[MAX_ROUNDS];
	double differences[MAX_ROUNDS];
	double cpu_ratios[MAX_ROUNDS];
	int total = rounds * executions;
	double sum = 0;

	for (int i = 0; i < total; i++)
		sum += c->values[i];
	for (int i = 0; i < rounds; i++)
	{
		ratios[i] = c->medians[i] / base->medians[i];
		differences[i] = c->medians[i] - base->medians[i];
		cpu_ratios[i] = base->cpus[i] > 0 ? c->cpus[i] / base->cpus[i] : 0;
	}
	qsort(c->values, total, sizeof(double), compare_doubles);
	qsort(ratios, rounds, sizeof(double), compare_doubles);
	printf("%s\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\n", c->label,
		   quantile(c->values, total, 0.25), quantile(c->values, total, 0.5),
		   quantile(c->values, total, 0.75), median_of(c->cpus, rounds),
		   quantile(ratios, rounds, 0.25), quantile(ratios, rounds, 0.5),
		   quantile(ratios, rounds, 0.75), median_of(cpu_ratios, rounds),
		   median_of(differences, rounds), quantile(c->values, total, 0.99), sum / total,
		   quantile(c->values, total, 0.999));
}

/* --- setting up ----------------------------------------------------------------------------- */

static PGconn *
open_quietly(const char *conninfo, const char **first, int nfirst)
{
	PGconn *conn = open_connection(conninfo);

	run_statement(conn, "SET client_min_messages = warning");
	for (int i = 0; i < nfirst; i++)
		run_statement(conn, first[i]);
	return conn;
}

/*
 * Backends that are compared must not differ in who else uses their processor.  On one processor
 * with the client, there is no idle processor to be woken up either, which in a virtual machine can
 * take longer than the statement and make all statements look alike.
 */
static void
bind_process(pid_t process)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	if (sched_setaffinity(process, sizeof(set), &set) != 0)
		fail("cannot bind process %d to processor %d: %s", (int) process, processor,
			 strerror(errno));
}

/* Connect where that is due, and find the backend's file of CPU times. */
static void
connect_case(Case *c, const char **first, int nfirst)
{
	char name[64];

	if (c->conninfo == NULL && shared_conn == NULL)
		shared_conn = open_quietly("application_name=lat", first, nfirst);
	c->conn = c->conninfo == NULL ? shared_conn : open_quietly(c->conninfo, first, nfirst);
	if (processor >= 0)
	{
		bind_process(PQbackendPID(c->conn));
		bind_process(getpid());
	}
	snprintf(name, sizeof(name), "/proc/%d/schedstat", PQbackendPID(c->conn));
	c->schedstat = open(name, O_RDONLY);
}

/* With -f: each round has new backends, as the place of things in memory matters, too. */
static void
disconnect_all(void)
{
	for (int j = 0; j < ncases; j++)
	{
		if (cases[j].schedstat >= 0)
			close(cases[j].schedstat);
		if (cases[j].conninfo != NULL)
			PQfinish(cases[j].conn);
	}
	PQfinish(shared_conn);
	shared_conn = NULL;
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
	if (at != NULL)
	{
		*at = '\0';
		c->conninfo = at + 1;
	}
	c->label = label;
	c->statement = statement;
	snprintf(c->name, sizeof(c->name), "s%d", ncases);
	c->values = malloc(sizeof(double) * rounds * executions);
	c->sorted = malloc(sizeof(double) * executions);
	if (c->values == NULL || c->sorted == NULL)
		fail("out of memory");
	ncases++;
}

/* The caller writes the plain statement. */
static void
add_explain(Case *c)
{
	const char *explain = "EXPLAIN (ANALYZE, TIMING OFF) ";
	size_t size = strlen(explain) + strlen(c->statement) + 1;
	char *statement = malloc(size);

	if (statement == NULL)
		fail("out of memory");
	snprintf(statement, size, "%s%s", explain, c->statement);
	c->statement = statement;
}

static void
prepare_all(const char **first, int nfirst)
{
	for (int j = 0; j < ncases; j++)
	{
		Case *c = &cases[j];

		connect_case(c, first, nfirst);
		if (c->kind == PREPARED)
		{
			PGresult *result = PQprepare(c->conn, c->name, c->statement, 0, NULL);

			check(result, c->statement);
			PQclear(result);
		}
		for (int i = 0; i < warm_up; i++)
			execute(c);
	}
}

int
main(int argc, char **argv)
{
	const char *first[MAX_CASES];
	int nfirst = 0;
	int option;

	keep_memory();
	while ((option = getopt(argc, argv, "r:n:c:w:d:x:b:o:t:p:e:W:f")) != -1)
	{
		switch (option)
		{
		case 'r':
			rounds = atoi(optarg);
			break;
		case 'n':
			executions = atoi(optarg);
			break;
		case 'c':
			cpu_executions = atoi(optarg);
			break;
		case 'w':
			warm_up = atoi(optarg);
			break;
		case 'd':
			divisor = atof(optarg);
			break;
		case 'x':
			if (nfirst == MAX_CASES)
				fail("too many statements to run first");
			first[nfirst++] = optarg;
			break;
		case 'b':
			if (nbefore == MAX_CASES)
				fail("too many statements to run before");
			before[nbefore++] = optarg;
			break;
		case 'o':
			csv_name = optarg;
			break;
		case 't':
			test_name = optarg;
			break;
		case 'p':
			processor = atoi(optarg);
			break;
		case 'e':
			writer_interval = atoi(optarg);
			break;
		case 'W':
			writer_statement = optarg;
			break;
		case 'f':
			reconnect = true;
			break;
		default:
			return 2;
		}
	}
	if (rounds < 1 || rounds > MAX_ROUNDS || executions < 1 || divisor <= 0 || writer_interval < 1)
		fail("the numbers of rounds and executions, the divisor and -e must be positive");
	if (cpu_executions < 0)
		cpu_executions = executions;
	if (optind == argc || (argc - optind) % 3 != 0)
		fail("each statement needs a kind and a label");
	for (; optind < argc; optind += 3)
		add_case(argv[optind], argv[optind + 1], argv[optind + 2]);
	for (int j = 0; j < ncases; j++)
	{
		if (cases[j].kind == EXPLAIN)
			add_explain(&cases[j]);
	}
	if (writer_statement != NULL)
		writer_conn = open_quietly("application_name=writer", NULL, 0);
	for (int i = 0; i < rounds; i++)
	{
		if (i == 0 || reconnect)
			prepare_all(first, nfirst);
		run_round(i);
		write_csv(i);
		if (i == rounds - 1 || reconnect)
			disconnect_all();
	}
	PQfinish(writer_conn);
	for (int j = 0; j < ncases; j++)
		print_case(&cases[j]);
	return 0;
}
