/*
 * views.cpp
 *		The functions of the views cached_query_stats, _redis, _reasons, _entries and _usage.
 *
 * Part of sql.h.
 */
#include "pg.h"
#include "auto/candidates.h"
#include "exact/tracking.h"
#include "remote/queue.h"
#include "validity/entry_state.h"
#include "remote/invalidations.h"
#include "validity/meta.h"
#include "validity/pins.h"
#include "redis/client.h"
#include "redis/identity.h"
#include "sql/row.h"
#include "sql/sql.h"
#include "stats/stats.h"

extern "C" {
#include "catalog/pg_authid.h"
#include "commands/dbcommands.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
}

namespace cq
{

/*
 * A text of an entry.  An entry of another database may have another encoding; then all characters beyond
 * ASCII are shown as question marks.
 */
char *
Shown(const char *text, uint32 length, int encoding)
{
	char *shown = pnstrdup(text, length);

	if (encoding == GetDatabaseEncoding())
		return shown;
	for (char *at = shown; *at != '\0'; at++)
	{
		if (IS_HIGHBIT_SET(*at))
			*at = '?';
	}
	return shown;
}

/*
 * Like pg_stat_statements, the views show only counters and times of entries of other roles.  Query,
 * arguments and tag may contain data; relations, rows and bytes tell what was asked for and how much there
 * is.
 */
bool
MaySee(Oid role)
{
	return has_privs_of_role(GetUserId(), role) || MaySeeAll();
}

bool
MaySeeAll()
{
	return has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
}

namespace
{

uint64
SumOfKind(Kind kind)
{
	uint64 sum = 0;

	for (int i = 0; i < kReasons; i++)
	{
		if (Describe(static_cast<Reason>(i)).kind == kind)
			sum += OutcomeTotal(static_cast<Reason>(i)) + StatementTotal(static_cast<Reason>(i));
	}
	return sum;
}

/* --- entries -------------------------------------------------------------------------------- */

Datum
TextArray(char **texts, int count)
{
	Datum *values = NewArray<Datum>(count);

	for (int i = 0; i < count; i++)
		values[i] = CStringGetTextDatum(texts[i]);
	return PointerGetDatum(construct_array(values, count, TEXTOID, -1, false, TYPALIGN_INT));
}

void
PutIdentity(Row *row, const EntryFacts &facts, const Meta &meta, bool visible)
{
	PutText(row, get_database_name(facts.database));
	PutText(row, GetUserNameFromId(facts.role, true));
	PutNumber(row, facts.queryid, facts.queryid == 0 || !visible);
	PutText(row, visible ? Shown(meta.query, meta.head.query_length, meta.head.encoding)
						 : "<insufficient privilege>");
	PutText(row, visible && meta.head.args_length
					 ? Shown(meta.args, meta.head.args_length, meta.head.encoding)
					 : nullptr);
}

void
PutDependencies(Row *row, const EntryFacts &facts, const Meta &meta, bool visible)
{
	int count = visible ? static_cast<int>(meta.head.relations) : 0;
	bool here = facts.database == MyDatabaseId && visible;
	Datum *oids = NewArray<Datum>(count);
	char **names = NewArray<char *>(count);

	for (int i = 0; i < count; i++)
	{
		oids[i] = ObjectIdGetDatum(meta.relations[i]);
		names[i] = here ? DatumGetCString(DirectFunctionCall1(regclassout, oids[i])) : nullptr;
	}
	PutText(row, visible && meta.head.tag_length
					 ? Shown(meta.tag, meta.head.tag_length, meta.head.encoding)
					 : nullptr);
	PutText(row, "memory");
	PutText(row, facts.flags & kEntryExact ? "exact" : "ttl");
	Put(row, PointerGetDatum(construct_array(oids, count, OIDOID, sizeof(Oid), true, TYPALIGN_INT)),
		!visible);
	Put(row, here ? TextArray(names, count) : static_cast<Datum>(0), !here);
}

const char *
GrainName(Oid relation, int16 grain)
{
	const char *column;

	switch (grain)
	{
	case kGrainTable:
		return "table";
	case kGrainUnread:
		return "not read";
	case kGrainKeys:
		return "keys";
	case kGrainNoKey:
		return "table (no key pinned)";
	default:
		column = get_attname(relation, grain > kGrainRange ? grain - kGrainRange : grain, true);
		if (column == nullptr)
			return "key";
		return grain > kGrainRange ? psprintf("%s (range)", column) : column;
	}
}

} // namespace

Datum
Granularity(const Meta &meta)
{
	const int count = static_cast<int>(meta.head.relations);
	char **texts = NewArray<char *>(static_cast<Size>(count));

	for (int i = 0; i < count; i++)
		texts[i] = psprintf(
			"%s: %s",
			DatumGetCString(DirectFunctionCall1(regclassout, ObjectIdGetDatum(meta.relations[i]))),
			GrainName(meta.relations[i], meta.grains[i]));
	return TextArray(texts, count);
}

namespace
{

void
PutUse(Row *row, const Entry *entry, const EntrySummary &summary, bool visible)
{
	const EntryFacts &facts = summary.facts;
	TimestampTz expires =
		facts.ttl_us > DT_NOEND - facts.as_of ? DT_NOEND : facts.as_of + facts.ttl_us;
	double fill_ms = static_cast<double>(facts.fill_us) / 1000.0;

	PutNumber(row, facts.rows, !visible);
	PutNumber(row, summary.memory, !visible);
	Put(row, TimestampTzGetDatum(facts.as_of));
	Put(row, TimestampTzGetDatum(expires));
	PutNumber(row, summary.hits);
	Put(row, TimestampTzGetDatum(summary.last_hit), summary.last_hit == 0);
	Put(row, Float8GetDatum(fill_ms));
	Put(row, Float8GetDatum(fill_ms * static_cast<double>(summary.hits)));
	PutText(row, NameOf(StateOf(entry)));
}

/* The row of a pinned entry; the current memory context is reset for each row. */
Datum
EntryDatum(Pin *pin, TupleDesc desc)
{
	const Entry *entry = PinnedEntry(pin);
	EntrySummary summary = Summarize(pin);
	Meta meta = ReadEntryMeta(entry);
	const bool visible = MaySee(summary.facts.role);
	Row row = {};

	PutIdentity(&row, summary.facts, meta, visible);
	PutDependencies(&row, summary.facts, meta, visible);
	PutUse(&row, entry, summary, visible);
	PutText(&row, summary.facts.flags & kEntryAuto ? "auto" : "call");
	if (visible && summary.facts.database == MyDatabaseId)
		Put(&row, Granularity(meta));
	else
		PutNull(&row);
	return RowDatum(row, desc);
}

FuncCallContext *
BeginEntryRows(FunctionCallInfo fcinfo)
{
	FuncCallContext *context = SRF_FIRSTCALL_INIT();
	MemoryContext caller = MemoryContextSwitchTo(context->multi_call_memory_ctx);

	context->tuple_desc = RowType(fcinfo);
	context->user_fctx = BeginEntries(context->multi_call_memory_ctx);
	MemoryContextSwitchTo(caller);
	return context;
}

} // namespace
} // namespace cq

extern "C" {

PG_FUNCTION_INFO_V1(cached_query_get_stats);
Datum
cached_query_get_stats(PG_FUNCTION_ARGS)
{
	using namespace cq;
	StoreTotals totals;
	Row row = {};

	RequirePreload();
	totals = Totals();
	PutNumber(&row, SumOfKind(Kind::hit));
	PutNumber(&row, OutcomeTotal(Reason::stale_hit) + StatementTotal(Reason::stale_hit));
	PutNumber(&row, SumOfKind(Kind::miss));
	PutNumber(&row, CounterTotal(Counter::fills));
	PutNumber(&row, CounterTotal(Counter::stores));
	PutNumber(&row, CounterTotal(Counter::coalesced));
	PutNumber(&row, CounterTotal(Counter::refreshes));
	PutNumber(&row, CounterTotal(Counter::refresh_failures));
	PutNumber(&row, CounterTotal(Counter::refreshes_skipped));
	PutNumber(&row, SumOfKind(Kind::bypass));
	PutNumber(&row, totals.evictions);
	PutNumber(&row, totals.expirations);
	PutNumber(&row, CounterTotal(Counter::invalidations) + totals.voided);
	PutNumber(&row, CounterTotal(Counter::errors));
	PutNumber(&row, totals.entries);
	PutNumber(&row, totals.memory_used);
	PutNumber(&row, totals.memory_total);
	PutMs(&row, CounterTotal(Counter::saved_us));
	PutNumber(&row, CounterTotal(Counter::image_hits));
	PutNumber(&row, totals.images);
	PutNumber(&row, totals.image_memory);
	PutNumber(&row, CounterTotal(Counter::redis_hits));
	PutNumber(&row, CounterTotal(Counter::redis_misses));
	PutNumber(&row, CounterTotal(Counter::redis_skipped));
	PutNumber(&row, CounterTotal(Counter::redis_rejected));
	PutNumber(&row, CounterTotal(Counter::redis_stores));
	PutNumber(&row, CounterTotal(Counter::redis_dropped));
	PutNumber(&row, CounterTotal(Counter::redis_leases));
	PutNumber(&row, CounterTotal(Counter::redis_lease_waits));
	Put(&row, TimestampTzGetDatum(StatsResetTime()));
	return RowDatum(row, RowType(fcinfo));
}

PG_FUNCTION_INFO_V1(cached_query_get_redis);
Datum
cached_query_get_redis(PG_FUNCTION_ARGS)
{
	using namespace cq;
	redis::Status status;
	PeersStatus peers;
	Row row = {};
	bool visible;

	RequirePreload();
	redis::GetStatus(&status);
	visible = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	Put(&row, BoolGetDatum(redis::Configured()));
	PutText(&row, status.state);
	Put(&row, TimestampTzGetDatum(status.since));
	Put(&row, CStringGetTextDatum(status.last_error), !visible || status.last_error_time == 0);
	Put(&row, TimestampTzGetDatum(status.last_error_time), status.last_error_time == 0);
	PutNumber(&row, status.requests);
	PutNumber(&row, status.errors);
	PutNumber(&row, status.timeouts);
	PutNumber(&row, status.bytes_in);
	PutNumber(&row, status.bytes_out);
	PutMs(&row, status.latency_us);
	Put(&row, Int32GetDatum(RedisWriterPid()), RedisWriterPid() == 0);
	PutNumber(&row, WritesQueued());
	GetPeersStatus(&peers);
	PutNumber(&row, peers.sent);
	PutNumber(&row, peers.received);
	Put(&row, Float8GetDatum(static_cast<double>(peers.heard_ms)), peers.heard_ms < 0);
	Put(&row, Float8GetDatum(static_cast<double>(peers.lag_ms)), peers.lag_ms < 0);
	return RowDatum(row, RowType(fcinfo));
}

PG_FUNCTION_INFO_V1(cached_query_get_reasons);
Datum
cached_query_get_reasons(PG_FUNCTION_ARGS)
{
	using namespace cq;

	RequirePreload();
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < kReasons; i++)
	{
		const ReasonInfo &reason = Describe(static_cast<Reason>(i));
		Row row = {};

		PutText(&row, reason.code);
		PutText(&row, reason.description);
		PutNumber(&row, OutcomeTotal(static_cast<Reason>(i)));
		PutNumber(&row, StatementTotal(static_cast<Reason>(i)));
		AddRow(fcinfo, row);
	}
	return static_cast<Datum>(0);
}

PG_FUNCTION_INFO_V1(cached_query_get_entries);
/*
 * Returns one row for each call, so that a LIMIT or a closed cursor ends the walk over the entries.  The
 * executor stores all rows of a function in FROM in a tuplestore first, but not those of a function in the
 * select list; so the view calls it there.
 */
Datum
cached_query_get_entries(PG_FUNCTION_ARGS)
{
	using namespace cq;
	FuncCallContext *context;
	Pin *pin;
	Datum row;

	RequirePreload();
	context = SRF_IS_FIRSTCALL() ? BeginEntryRows(fcinfo) : nullptr;
	context = SRF_PERCALL_SETUP();
	CHECK_FOR_INTERRUPTS();
	pin = NextEntry(static_cast<EntryCursor *>(context->user_fctx));
	if (pin == nullptr)
		SRF_RETURN_DONE(context);
	row = EntryDatum(pin, context->tuple_desc);
	Unpin(pin);
	SRF_RETURN_NEXT(context, row);
}

PG_FUNCTION_INFO_V1(cached_query_get_usage);
Datum
cached_query_get_usage(PG_FUNCTION_ARGS)
{
	using namespace cq;
	Holding holding;

	RequirePreload();
	InitMaterializedSRF(fcinfo, 0);
	for (uint32 n = 0; GetHolding(n, &holding); n++)
	{
		Row row = {};

		if (holding.bytes == 0 || !MaySee(holding.role))
			continue;
		PutText(&row, get_database_name(holding.database));
		PutText(&row, GetUserNameFromId(holding.role, true));
		PutNumber(&row, holding.entries);
		PutNumber(&row, holding.bytes);
		PutNumber(&row, holding.image_bytes);
		Put(&row, Int64GetDatum(holding.quota), holding.quota < 0);
		AddRow(fcinfo, row);
	}
	return static_cast<Datum>(0);
}

PG_FUNCTION_INFO_V1(cached_query_stats_reset);
Datum
cached_query_stats_reset(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	cq::RequirePreload();
	cq::ResetStats();
	cq::ResetCandidates();
	cq::ResetStoreCounters();
	cq::exact::ResetTrackCounts();
	PG_RETURN_VOID();
}

#ifdef CQ_DEBUG
PG_FUNCTION_INFO_V1(cached_query_check);
/* For tests: counts everything in the store again; the error says what is wrong. */
Datum
cached_query_check(PG_FUNCTION_ARGS)
{
	uint64 entries;
	uint64 units;
	uint64 pins;
	uint64 unlinked;
	uint64 filling;
	char *wrong = cq::CheckStore(&entries, &units, &pins, &unlinked, &filling);

	(void) fcinfo;
	if (wrong != nullptr)
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("the store is wrong: %s", wrong)));
	PG_RETURN_TEXT_P(cstring_to_text(
		psprintf("entries %llu units %llu pins %llu unlinked %llu filling %llu",
				 static_cast<unsigned long long>(entries), static_cast<unsigned long long>(units),
				 static_cast<unsigned long long>(pins), static_cast<unsigned long long>(unlinked),
				 static_cast<unsigned long long>(filling))));
}

PG_FUNCTION_INFO_V1(cached_query_redis_identity);
/* For tests: where the namespace comes from, its name, and the Redis keys of an entry and of its chunk 7. */
Datum
cached_query_redis_identity(PG_FUNCTION_ARGS)
{
	const cq::redis::Identity &identity = cq::redis::GetIdentity();
	cq::redis::EntryHash hash;
	cq::redis::FillId fill;
	char head[cq::redis::kNameRoom];
	char chunk[cq::redis::kNameRoom];
	int head_length;
	int chunk_length;

	(void) fcinfo;
	if (!identity.usable)
		PG_RETURN_TEXT_P(cstring_to_text("unusable"));
	if (!cq::redis::HashKey(identity, "key", 3, &hash))
		elog(ERROR, "no hash");
	memset(fill.bytes, 0xab, sizeof(fill.bytes));
	head_length = cq::redis::HeadName(identity, hash, head);
	chunk_length = cq::redis::ChunkName(identity, hash, fill, 7, chunk);
	PG_RETURN_TEXT_P(
		cstring_to_text(psprintf("%s|%s|%d|%s|%d|%s", identity.own ? "own" : "given",
								 identity.name_space, head_length, head, chunk_length, chunk)));
}
#endif

} // extern "C"
