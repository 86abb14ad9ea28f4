/*
 * neighbour.c
 *		Another module in the same server: one that means to see the rows that a client gets.
 *
 * neighbour.mode says how, in an ExecutorRun hook, for texts that begin with SELECT * FROM:
 *	wrap		another receiver in the place of the query's, which passes rows on to that one
 *	slot		another receiveSlot in the query's receiver
 *	methods		other PqCommMethods
 *	watch		none of them, only instrumentation of the plan
 *
 * neighbour_seen() tells the rows seen so since it was last asked, and the sum of their first column,
 * which is an int; for methods the DataRow messages and their bytes; for watch the rows that the
 * plan's top counted.
 *
 * With extend, the analysed tree of a text with "extend" in it gets a node of this module, which nobody can tell from
 * another by its text.
 *
 * And a type, loud, whose output function has something to say about some values.
 */
#include "postgres.h"

/* The headers of GSS and TLS need not be there: PqCommMethods is all that we want. */
#undef ENABLE_GSS
#undef USE_OPENSSL

#include "executor/executor.h"
#include "executor/instrument.h"
#include "fmgr.h"
#include "libpq/libpq.h"
#include "nodes/extensible.h"
#include "parser/analyze.h"
#include "utils/builtins.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

void _PG_init(void);
PG_FUNCTION_INFO_V1(neighbour_seen);
PG_FUNCTION_INFO_V1(loud_in);
PG_FUNCTION_INFO_V1(loud_out);

typedef struct Wrapper
{
	DestReceiver pub;
	DestReceiver *inner;
} Wrapper;

static char *mode = NULL;
static ExecutorRun_hook_type previous_run = NULL;
static ExecutorStart_hook_type previous_start = NULL;
static post_parse_analyze_hook_type previous_analyze = NULL;
static int64 rows = 0;
static int64 sum = 0;

static bool (*passed_on)(TupleTableSlot *slot, DestReceiver *self);
static const PQcommMethods *real_methods;
static PQcommMethods counting_methods;

static void
count_row(TupleTableSlot *slot)
{
	bool isnull;
	Datum first = slot_getattr(slot, 1, &isnull);

	rows++;
	if (!isnull)
		sum += DatumGetInt32(first);
}

static bool
wrapper_receive(TupleTableSlot *slot, DestReceiver *self)
{
	DestReceiver *inner = ((Wrapper *) self)->inner;

	count_row(slot);
	return inner->receiveSlot(slot, inner);
}

static void
wrapper_startup(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	DestReceiver *inner = ((Wrapper *) self)->inner;

	inner->rStartup(inner, operation, typeinfo);
}

static void
wrapper_shutdown(DestReceiver *self)
{
	DestReceiver *inner = ((Wrapper *) self)->inner;

	inner->rShutdown(inner);
}

static bool
slot_receive(TupleTableSlot *slot, DestReceiver *self)
{
	count_row(slot);
	return passed_on(slot, self);
}

static int
count_message(char type, const char *body, size_t length)
{
	if (type == 'D')
	{
		rows++;
		sum += length;
	}
	return real_methods->putmessage(type, body, length);
}

static void
copy_silent(ExtensibleNode *to, const ExtensibleNode *from)
{
}

static bool
equal_silent(const ExtensibleNode *a, const ExtensibleNode *b)
{
	return true;
}

static void
write_silent(StringInfo to, const ExtensibleNode *from)
{
}

static void
read_silent(ExtensibleNode *node)
{
}

static const ExtensibleNodeMethods silent = {"silent", sizeof(ExtensibleNode), copy_silent,
											 equal_silent, write_silent, read_silent};

#if PG_VERSION_NUM >= 190000
#define JUMBLE const JumbleState
#else
#define JUMBLE JumbleState
#endif

/* An alias is for people: the planner takes it away. */
static void
analyzed(ParseState *state, Query *query, JUMBLE *jumble)
{
	if (previous_analyze)
		previous_analyze(state, query, jumble);
	if (strcmp(mode, "extend") == 0 && strstr(state->p_sourcetext, "extend") != NULL && query->rtable != NIL)
	{
		ExtensibleNode *node = (ExtensibleNode *) newNode(sizeof(ExtensibleNode), T_ExtensibleNode);

		node->extnodename = silent.extnodename;
		linitial_node(RangeTblEntry, query->rtable)->alias = (Alias *) node;
	}
}

static void
start(QueryDesc *query, int eflags)
{
	if (strcmp(mode, "watch") == 0)
		query->instrument_options |= INSTRUMENT_ROWS;
	if (previous_start)
		previous_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
}

#if PG_VERSION_NUM >= 180000
#define RUN_PARAMETERS QueryDesc *query, ScanDirection direction, uint64 count
#define RUN_ARGUMENTS query, direction, count
#else
#define RUN_PARAMETERS QueryDesc *query, ScanDirection direction, uint64 count, bool once
#define RUN_ARGUMENTS query, direction, count, once
#endif

static void
pass_on(RUN_PARAMETERS)
{
	if (previous_run)
		previous_run(RUN_ARGUMENTS);
	else
		standard_ExecutorRun(RUN_ARGUMENTS);
}

static void
run(RUN_PARAMETERS)
{
	DestReceiver *dest = query->dest;
	Wrapper wrapper = {*dest, dest};
	const PQcommMethods *methods = PqCommMethods;

	/* not neighbour_seen() itself */
	if (dest->mydest != DestRemote || strncmp(query->sourceText, "SELECT * FROM ", 14) != 0)
	{
		pass_on(RUN_ARGUMENTS);
		return;
	}
	wrapper.pub.receiveSlot = wrapper_receive;
	wrapper.pub.rStartup = wrapper_startup;
	wrapper.pub.rShutdown = wrapper_shutdown;
	passed_on = dest->receiveSlot;
	PG_TRY();
	{
		if (strcmp(mode, "wrap") == 0)
			query->dest = &wrapper.pub;
		else if (strcmp(mode, "slot") == 0)
			dest->receiveSlot = slot_receive;
		else if (strcmp(mode, "methods") == 0)
		{
			real_methods = methods;
			counting_methods = *methods;
			counting_methods.putmessage = count_message;
			PqCommMethods = &counting_methods;
		}
		pass_on(RUN_ARGUMENTS);
		if (query->planstate->instrument && strcmp(mode, "watch") == 0)
			rows += (int64) query->planstate->instrument->tuplecount;
	}
	PG_FINALLY();
	{
		query->dest = dest;
		dest->receiveSlot = passed_on;
		PqCommMethods = methods;
	}
	PG_END_TRY();
}

void
_PG_init(void)
{
	DefineCustomStringVariable("neighbour.mode", "How to look at rows.", NULL, &mode, "",
							   PGC_USERSET, 0, NULL, NULL, NULL);
	previous_start = ExecutorStart_hook;
	ExecutorStart_hook = start;
	previous_run = ExecutorRun_hook;
	ExecutorRun_hook = run;
	previous_analyze = post_parse_analyze_hook;
	post_parse_analyze_hook = analyzed;
	RegisterExtensibleNodeMethods(&silent);
}

Datum
neighbour_seen(PG_FUNCTION_ARGS)
{
	char *seen = psprintf(INT64_FORMAT " " INT64_FORMAT, rows, sum);

	rows = sum = 0;
	PG_RETURN_TEXT_P(cstring_to_text(seen));
}

Datum
loud_in(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(atoi(PG_GETARG_CSTRING(0)));
}

Datum
loud_out(PG_FUNCTION_ARGS)
{
	int32 value = PG_GETARG_INT32(0);

	if (value % 1000 == 77)
		ereport(NOTICE, (errmsg("that was %d", value)));
	if (value % 1000 == 666)
		ereport(ERROR, (errmsg("not that one")));
	PG_RETURN_CSTRING(psprintf("<%d>", value));
}
