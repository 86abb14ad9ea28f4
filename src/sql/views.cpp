/*
 * views.cpp
 *		What the views cached_query_stats, _reasons and _entries show.
 *
 * Part of sql.h.
 */
#include "pg.h"
#include "auto/candidates.h"
#include "remote/queue.h"
#include "validity/entry_state.h"
#include "remote/invalidations.h"
#include "validity/meta.h"
#include "redis/client.h"
#include "redis/identity.h"
#include "sql/sql.h"
#include "stats/stats.h"

extern "C" {
#include "catalog/pg_authid.h"
#include "commands/dbcommands.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/tuplestore.h"
}

namespace cq
{

/* A text of an entry, which may be one of a database with another encoding: then as far as it is ASCII. */
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
 * As pg_stat_statements shows queries: others' by their numbers only.  A tag can hold a name, the relations tell
 * what is asked for, rows and bytes how much there is.
 */
bool
MaySee(Oid role)
{
	return has_privs_of_role(GetUserId(), role) ||
		   has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
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

Datum
Big(uint64 value)
{
	return Int64GetDatum(static_cast<int64>(value));
}

/* --- entries -------------------------------------------------------------------------------- */

constexpr int kEntryColumns = 20;
constexpr int kStatsColumns = 30;

struct EntryRow
{
	Datum values[kEntryColumns];
	bool nulls[kEntryColumns];
	int count;
};

void
Put(EntryRow *row, Datum value, bool null = false)
{
	row->values[row->count] = value;
	row->nulls[row->count++] = null;
}

void
PutText(EntryRow *row, const char *text)
{
	Put(row, text ? CStringGetTextDatum(text) : static_cast<Datum>(0), text == nullptr);
}

Datum
TextArray(char **texts, int count)
{
	Datum *values = NewArray<Datum>(count);

	for (int i = 0; i < count; i++)
		values[i] = CStringGetTextDatum(texts[i]);
	return PointerGetDatum(construct_array(values, count, TEXTOID, -1, false, TYPALIGN_INT));
}

void
PutIdentity(EntryRow *row, const EntryFacts &facts, const Meta &meta, bool visible)
{
	PutText(row, get_database_name(facts.database));
	PutText(row, GetUserNameFromId(facts.role, true));
	Put(row, Big(facts.queryid), facts.queryid == 0 || !visible);
	PutText(row, visible ? Shown(meta.query, meta.head.query_length, meta.head.encoding)
						 : "<insufficient privilege>");
	PutText(row, visible && meta.head.args_length
					 ? Shown(meta.args, meta.head.args_length, meta.head.encoding)
					 : nullptr);
}

void
PutDependencies(EntryRow *row, const EntryFacts &facts, const Meta &meta, bool visible)
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

void
PutUse(EntryRow *row, const Entry *entry, const EntrySummary &summary, bool visible)
{
	const EntryFacts &facts = summary.facts;
	TimestampTz expires =
		facts.ttl_us > DT_NOEND - facts.as_of ? DT_NOEND : facts.as_of + facts.ttl_us;
	double fill_ms = static_cast<double>(facts.fill_us) / 1000.0;

	Put(row, Big(facts.rows), !visible);
	Put(row, Big(summary.memory), !visible);
	Put(row, TimestampTzGetDatum(facts.as_of));
	Put(row, TimestampTzGetDatum(expires));
	Put(row, Big(summary.hits));
	Put(row, TimestampTzGetDatum(summary.last_hit), summary.last_hit == 0);
	Put(row, Float8GetDatum(fill_ms));
	Put(row, Float8GetDatum(fill_ms * static_cast<double>(summary.hits)));
	PutText(row, NameOf(StateOf(entry)));
}

/* Of a pinned entry, in short-lived memory. */
Datum
EntryDatum(Pin *pin, TupleDesc desc)
{
	const Entry *entry = PinnedEntry(pin);
	EntrySummary summary = Summarize(pin);
	Meta meta = ReadEntryMeta(entry);
	const bool visible = MaySee(summary.facts.role);
	EntryRow row = {};

	PutIdentity(&row, summary.facts, meta, visible);
	PutDependencies(&row, summary.facts, meta, visible);
	PutUse(&row, entry, summary, visible);
	PutText(&row, summary.facts.flags & kEntryAuto ? "auto" : "call");
	CqAssert(row.count == kEntryColumns);
	return HeapTupleGetDatum(heap_form_tuple(desc, row.values, row.nulls));
}

FuncCallContext *
BeginEntryRows(FunctionCallInfo fcinfo)
{
	FuncCallContext *context = SRF_FIRSTCALL_INIT();
	MemoryContext caller = MemoryContextSwitchTo(context->multi_call_memory_ctx);

	if (get_call_result_type(fcinfo, nullptr, &context->tuple_desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	context->tuple_desc = BlessTupleDesc(context->tuple_desc);
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
	TupleDesc desc;
	StoreTotals totals;
	Datum values[kStatsColumns];
	bool nulls[kStatsColumns] = {};
	int i = 0;

	RequirePreload();
	if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	totals = Totals();
	values[i++] = Big(SumOfKind(Kind::hit));
	values[i++] = Big(OutcomeTotal(Reason::stale_hit));
	values[i++] = Big(SumOfKind(Kind::miss));
	values[i++] = Big(CounterTotal(Counter::fills));
	values[i++] = Big(CounterTotal(Counter::stores));
	values[i++] = Big(CounterTotal(Counter::coalesced));
	values[i++] = Big(CounterTotal(Counter::refreshes));
	values[i++] = Big(CounterTotal(Counter::refresh_failures));
	values[i++] = Big(CounterTotal(Counter::refreshes_skipped));
	values[i++] = Big(SumOfKind(Kind::bypass));
	values[i++] = Big(totals.evictions);
	values[i++] = Big(totals.expirations);
	values[i++] = Big(CounterTotal(Counter::invalidations) + totals.voided);
	values[i++] = Big(CounterTotal(Counter::errors));
	values[i++] = Big(totals.entries);
	values[i++] = Big(totals.memory_used);
	values[i++] = Big(totals.memory_total);
	values[i++] = Float8GetDatum(static_cast<double>(CounterTotal(Counter::saved_us)) / 1000.0);
	values[i++] = Big(CounterTotal(Counter::image_hits));
	values[i++] = Big(totals.images);
	values[i++] = Big(totals.image_memory);
	values[i++] = Big(CounterTotal(Counter::redis_hits));
	values[i++] = Big(CounterTotal(Counter::redis_misses));
	values[i++] = Big(CounterTotal(Counter::redis_skipped));
	values[i++] = Big(CounterTotal(Counter::redis_rejected));
	values[i++] = Big(CounterTotal(Counter::redis_stores));
	values[i++] = Big(CounterTotal(Counter::redis_dropped));
	values[i++] = Big(CounterTotal(Counter::redis_leases));
	values[i++] = Big(CounterTotal(Counter::redis_lease_waits));
	values[i++] = TimestampTzGetDatum(StatsResetTime());
	CqAssert(i == kStatsColumns);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

PG_FUNCTION_INFO_V1(cached_query_get_redis);
Datum
cached_query_get_redis(PG_FUNCTION_ARGS)
{
	using namespace cq;
	TupleDesc desc;
	redis::Status status;
	PeersStatus peers;
	Datum values[17];
	bool nulls[17] = {};
	bool visible;
	int i = 0;

	RequirePreload();
	if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	redis::GetStatus(&status);
	visible = has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
	values[i++] = BoolGetDatum(redis::Configured());
	values[i++] = CStringGetTextDatum(status.state);
	values[i++] = TimestampTzGetDatum(status.since);
	nulls[i] = !visible || status.last_error_time == 0;
	values[i++] = CStringGetTextDatum(status.last_error);
	nulls[i] = status.last_error_time == 0;
	values[i++] = TimestampTzGetDatum(status.last_error_time);
	values[i++] = Big(status.requests);
	values[i++] = Big(status.errors);
	values[i++] = Big(status.timeouts);
	values[i++] = Big(status.bytes_in);
	values[i++] = Big(status.bytes_out);
	values[i++] = Float8GetDatum(static_cast<double>(status.latency_us) / 1000.0);
	nulls[i] = RedisWriterPid() == 0;
	values[i++] = Int32GetDatum(RedisWriterPid());
	values[i++] = Big(WritesQueued());
	GetPeersStatus(&peers);
	values[i++] = Big(peers.sent);
	values[i++] = Big(peers.received);
	nulls[i] = peers.heard_ms < 0;
	values[i++] = Float8GetDatum(static_cast<double>(peers.heard_ms));
	nulls[i] = peers.lag_ms < 0;
	values[i++] = Float8GetDatum(static_cast<double>(peers.lag_ms));
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

PG_FUNCTION_INFO_V1(cached_query_get_reasons);
Datum
cached_query_get_reasons(PG_FUNCTION_ARGS)
{
	using namespace cq;
	ReturnSetInfo *info = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);

	RequirePreload();
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < kReasons; i++)
	{
		const ReasonInfo &reason = Describe(static_cast<Reason>(i));
		Datum values[4] = {
			CStringGetTextDatum(reason.code), CStringGetTextDatum(reason.description),
			Big(OutcomeTotal(static_cast<Reason>(i))), Big(StatementTotal(static_cast<Reason>(i)))};
		bool nulls[4] = {};

		tuplestore_putvalues(info->setResult, info->setDesc, values, nulls);
	}
	return static_cast<Datum>(0);
}

PG_FUNCTION_INFO_V1(cached_query_get_entries);
/*
 * One row a call, so that whoever stops reading stops the walk.  The executor puts all that a function in
 * FROM returns into a tuplestore, but not what one in the select list does: the view calls it there.
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
	ReturnSetInfo *info = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
	Holding holding;

	RequirePreload();
	InitMaterializedSRF(fcinfo, 0);
	for (uint32 n = 0; GetHolding(n, &holding); n++)
	{
		char *database;
		char *role;

		if (holding.bytes == 0 || !MaySee(holding.role))
			continue;
		database = get_database_name(holding.database);
		role = GetUserNameFromId(holding.role, true);

		Datum values[6] = {database ? CStringGetTextDatum(database) : static_cast<Datum>(0),
						   role ? CStringGetTextDatum(role) : static_cast<Datum>(0),
						   Big(holding.entries),
						   Big(holding.bytes),
						   Big(holding.image_bytes),
						   Int64GetDatum(holding.quota)};
		bool nulls[6] = {database == nullptr, role == nullptr, false, false, false,
						 holding.quota < 0};

		tuplestore_putvalues(info->setResult, info->setDesc, values, nulls);
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
	PG_RETURN_VOID();
}

#ifdef CQ_DEBUG
PG_FUNCTION_INFO_V1(cached_query_check);
/* Tests only: recount the store; an error says what is wrong. */
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
/* Tests only: whose namespace, its name, and names of the keys of an entry and of its chunk 7. */
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
