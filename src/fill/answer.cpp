/*
 * answer.cpp
 *		One call of a reader function, from question to rows: the decisions of the cache.
 *
 * Order matters: the query's own errors come first (syntax, permissions, columns), then what
 * forbids the cache for this query, then for this transaction, then the entry's validity.  Locks on
 * the relations are held from GetHandle() on, as the query itself would hold them.
 */
#include "pg.h"
#include "fill/age.h"
#include "fill/answer.h"
#include "fill/meta.h"
#include "fill/rows.h"
#include "fill/watch.h"
#include "query/fingerprint.h"
#include "stats/stats.h"

extern "C" {
#include "portability/instr_time.h"
#include "utils/snapmgr.h"
}

namespace cq
{
namespace
{

/* Everything that is known of a call while it is answered. */
struct Attempt
{
	const Call *call;
	Handle *handle;
	ParamListInfo params;
	MemoryContext context;
	exact::View view;
	Key key;
	exact::SlotNo key_slot;
	TimestampTz now;
	bool exact;
	int64 inherited_ttl; /* of the entry that will be replaced */
};

/* --- may the cache be used? ----------------------------------------------------------------- */

Reason
ReasonOf(exact::Standing standing)
{
	switch (standing)
	{
	case exact::Standing::ok:
		return Reason::hit;
	case exact::Standing::serializable:
		return Reason::serializable;
	case exact::Standing::foreign:
		return Reason::foreign_snapshot;
	case exact::Standing::parallel_worker:
		return Reason::parallel_worker;
	case exact::Standing::no_snapshot:
	case exact::Standing::committing:
	case exact::Standing::crowded:
		break;
	}
	return Reason::no_snapshot;
}

Reason
ReasonOf(exact::Verdict verdict)
{
	switch (verdict)
	{
	case exact::Verdict::valid:
		return Reason::hit;
	case exact::Verdict::changed:
		return Reason::miss_invalidated;
	case exact::Verdict::too_old:
		return Reason::older_than_change;
	case exact::Verdict::in_ddl:
		return Reason::ddl_in_progress;
	case exact::Verdict::overflow:
		break;
	}
	return Reason::in_flight;
}

/* Said once a session, where a query is about to be run that will never be cached. */
void
NoticeVolatile(Handle *handle)
{
	static bool noticed = false;

	if (!noticed)
		ereport(NOTICE, (errmsg("query is run, not cached: it calls a volatile function"),
						 errdetail("The query calls %s.", handle->findings.volatile_detail),
						 errhint("This is said once a session; cached_query_reasons counts it. "
								 "See cached_query.nondeterministic.")));
	noticed = true;
}

/* Volatile functions: the setting decides. */
Reason
JudgeVolatile(Handle *handle)
{
	switch (static_cast<Nondeterministic>(settings::nondeterministic))
	{
	case Nondeterministic::cache:
		return Reason::hit;
	case Nondeterministic::error:
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot cache a query that calls a volatile function"),
				 errdetail("The query calls %s.", handle->findings.volatile_detail),
				 errhint("Set cached_query.nondeterministic to \"bypass\" or \"cache\".")));
	case Nondeterministic::bypass:
		break;
	}
	return Reason::volatile_function;
}

/* What the query itself forbids. */
Reason
JudgeQuery(Handle *handle, bool exact, char **detail)
{
	const Findings &findings = handle->findings;

	if (exact && findings.exact != Reason::hit)
	{
		*detail = findings.exact_detail;
		return findings.exact;
	}
	if (findings.ttl != Reason::hit)
	{
		*detail = findings.ttl_detail;
		return findings.ttl;
	}
	if (findings.names && HasTempSchema())
	{
		*detail = pstrdup("this session has temporary objects that names inside may mean");
		return Reason::temp_relation;
	}
	if (findings.volatile_detail != nullptr)
	{
		*detail = findings.volatile_detail;
		return JudgeVolatile(handle);
	}
	return Reason::hit;
}

/* Has this transaction changed one of these? */
bool
OwnChange(const Oid *relations, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (exact::OwnWrote(relations[i]))
			return true;
	}
	return false;
}

bool
OwnChange(List *relations)
{
	ListCell *cell;

	foreach (cell, relations)
	{
		if (exact::OwnWrote(lfirst_oid(cell)))
			return true;
	}
	return false;
}

/* What this transaction forbids. */
Reason
JudgeTransaction(Attempt *s)
{
	Reason reason = ReasonOf(exact::Look(&s->view));

	if (reason != Reason::hit)
		return reason;
	if (s->exact && RecoveryInProgress())
		return Reason::exact_in_recovery;
	if (exact::OwnAnything() &&
		(exact::OwnChangedEverything() || OwnChange(s->handle->findings.relations) ||
		 OwnChange(s->handle->findings.rowtypes)))
		return Reason::own_write;
	return Reason::hit;
}

/* --- is the entry good for this call? ------------------------------------------------------- */

Reason
CheckSlots(const exact::SlotNo *slots, uint32 count, const exact::View &view, uint64 position)
{
	for (uint32 i = 0; i < count; i++)
	{
		Reason reason = ReasonOf(exact::Check(slots[i], view, position));

		if (reason != Reason::hit)
			return reason;
		if (exact::OwnInvalidated(slots[i]))
			return Reason::own_invalidation;
	}
	return Reason::hit;
}

Reason
JudgeEntry(Attempt *s, Pin *pin, const EntryFacts &facts, Meta *meta, char *buffer, Size size)
{
	Reason reason;

	if (facts.generation != exact::Generation())
		return Reason::miss_invalidated;
	if (s->exact && (!(facts.flags & kEntryExact)))
		return Reason::miss_not_exact;
	if (!exact::SameBoot(s->view, facts.nboot, s->exact))
		return s->exact ? Reason::miss_not_exact : Reason::miss_invalidated;
	if (s->now - facts.as_of >= s->call->ttl_us)
		return Reason::miss_expired;
	if (IsolationUsesXactSnapshot() && facts.pos > s->view.pos && !s->exact)
		return Reason::newer_than_snapshot;

	*meta = ReadEntryMeta(PinnedEntry(pin), buffer, size);
	reason = CheckSlots(meta->slots, meta->head.slots, s->view, facts.pos);
	if (reason == Reason::hit && s->exact)
		reason = CheckSlots(meta->write_slots, meta->head.write_slots, s->view, facts.pos);
	if (reason == Reason::hit && exact::OwnAnything() &&
		OwnChange(meta->relations, static_cast<int>(meta->head.relations)))
		reason = Reason::own_write;
	return reason;
}

/* The entry under our key, if it may be served; otherwise why not. */
Reason
LookUp(Attempt *s, Answer *answer)
{
	Pin *pin = FindEntry(s->key.hash, s->key.bytes, s->key.length);
	char buffer[512];
	EntryFacts facts;
	Meta meta;
	Reason reason;

	if (pin == nullptr)
		return Reason::miss_cold;
	facts = FactsOf(PinnedEntry(pin));
	s->inherited_ttl = facts.ttl_us;
	reason = JudgeEntry(s, pin, facts, &meta, buffer, sizeof(buffer));
	if (reason != Reason::hit)
	{
		if (reason == Reason::miss_invalidated)
		{
			DropEntry(pin);
			Count(Counter::invalidations);
			s->inherited_ttl = 0;
		}
		Unpin(pin);
		return reason;
	}

	CountHit(pin, s->now, s->call->ttl_us);
	Count(Counter::saved_us, static_cast<uint64>(facts.fill_us));
	if (Watching())
	{
		WatchRelations(meta.relations, static_cast<int>(meta.head.relations));
		WatchSlots(meta.slots, static_cast<int>(meta.head.slots));
		WatchAnswer(facts.as_of, facts.pos, (facts.flags & kEntryExact) && s->exact);
	}
	answer->pin = pin;
	answer->rows = facts.rows;
	answer->age_us = s->now - facts.as_of;
	return Reason::hit;
}

/* A refreshed entry keeps the life that others asked for. */
void
InheritTtl(Attempt *s)
{
	Pin *pin = FindEntry(s->key.hash, s->key.bytes, s->key.length);

	if (pin == nullptr)
		return;
	s->inherited_ttl = FactsOf(PinnedEntry(pin)).ttl_us;
	Unpin(pin);
}

/* --- filling -------------------------------------------------------------------------------- */

/* Slots and relations that the new entry will depend on. */
struct Dependencies
{
	List *slots;
	List *write_slots;
	List *relations;
};

Dependencies
Collect(Attempt *s, const Watch &watch)
{
	Dependencies d = {};
	const char *tag = s->call->options.tag;
	ListCell *cell;

	d.relations = list_union_oid(s->handle->findings.relations, watch.findings.relations);
	d.slots = list_copy(watch.slots);
	d.slots = list_append_unique_int(d.slots, exact::kSlotAllDdl);
	d.slots = list_append_unique_int(d.slots, exact::kSlotClear);
	d.slots = list_append_unique_int(d.slots, static_cast<int>(s->key_slot));
	d.slots = list_append_unique_int(
		d.slots, static_cast<int>(exact::CatalogSlot(
					 DATABASEOID,
					 GetSysCacheHashValue1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId)))));
	if (tag[0] != '\0')
		d.slots = list_append_unique_int(
			d.slots, static_cast<int>(exact::NamedSlot(exact::Named::tag, MyDatabaseId, tag,
													   strlen(tag))));
	foreach (cell, d.relations)
	{
		Oid relation = lfirst_oid(cell);

		d.slots = list_append_unique_int(
			d.slots, static_cast<int>(exact::DdlSlot(MyDatabaseId, relation)));
		d.write_slots = list_append_unique_int(
			d.write_slots, static_cast<int>(exact::WriteSlot(MyDatabaseId, relation)));
	}
	foreach (cell, s->handle->findings.rowtypes)
		d.slots = list_append_unique_int(
			d.slots, static_cast<int>(exact::DdlSlot(MyDatabaseId, lfirst_oid(cell))));
	foreach (cell, s->handle->findings.types)
		d.slots = list_append_unique_int(
			d.slots, static_cast<int>(exact::CatalogSlot(
						 TYPEOID, GetSysCacheHashValue1(TYPEOID, ObjectIdGetDatum(lfirst_oid(cell))))));
	d.write_slots = list_append_unique_int(d.write_slots, exact::kSlotAllWrites);
	return d;
}

template <typename T>
T *
ArrayOf(List *list, uint32 *count)
{
	T *array = static_cast<T *>(palloc(sizeof(T) * Max(list_length(list), 1)));
	ListCell *cell;

	*count = 0;
	foreach (cell, list)
		array[(*count)++] = static_cast<T>(lfirst_int(cell));
	return array;
}

/* Was what the answer depends on the same from the snapshot to this moment? */
bool
StillValid(Attempt *s, const exact::FillMark &mark, const exact::SlotNo *slots, uint32 count)
{
	for (uint32 i = 0; i < count; i++)
	{
		if (exact::Check(slots[i], s->view, s->view.pos) != exact::Verdict::valid ||
			!exact::Unmoved(mark, slots[i]))
			return false;
	}
	return true;
}

/* Did the run itself show something that forbids keeping its rows? */
bool
Reconsider(const Watch &watch, Attempt *s, Reason *reason)
{
	if (!ExaminationHolds(s->handle))
		*reason = Reason::changed_during_fill;
	else if (watch.wrote)
		*reason = Reason::nested_write;
	else if (watch.uncacheable || watch.findings.ttl != Reason::hit)
		*reason = Reason::nested_uncacheable;
	else if (exact::OwnAnything() &&
			 (exact::OwnChangedEverything() || OwnChange(watch.findings.relations)))
		*reason = Reason::own_write;
	else
		return true;
	return false;
}

/* Too cheap to be worth keeping? */
bool
Cheap(const Attempt *s, int64 fill_us, const Rows &rows)
{
	int min_ms = s->call->options.min_fill_time_ms;

	if (min_ms >= 0)
		return fill_us < static_cast<int64>(min_ms) * 1000;

	/* auto: about what a hit takes; measured, see test/bench */
	return fill_us < 20 + static_cast<int64>(rows.kept / 20);
}

/* Publish what was filled if everything speaks for it; else say why not. */
Reason
Publish(Attempt *s, const Watch &watch, const exact::FillMark &mark, const Rows &rows,
		int64 fill_us, TimestampTz as_of, Reason miss, bool *published)
{
	Reason reason = miss;
	Dependencies d;
	Meta meta = {};
	EntryFacts facts = {};
	char *bytes;
	uint32 length;
	bool exact_answer;

	if (rows.too_large)
		return Reason::too_large;
	if (rows.no_memory || rows.fill == nullptr)
		return Reason::no_memory;
	if (!Reconsider(watch, s, &reason))
		return reason;
	if (Cheap(s, fill_us, rows))
		return Reason::cheap;

	d = Collect(s, watch);
	if (list_length(d.relations) > static_cast<int>(kMaxDependencies) ||
		list_length(d.slots) > 2 * static_cast<int>(kMaxDependencies))
		return Reason::too_many_dependencies;
	meta.slots = ArrayOf<exact::SlotNo>(d.slots, &meta.head.slots);
	meta.write_slots = ArrayOf<exact::SlotNo>(d.write_slots, &meta.head.write_slots);
	meta.relations = ArrayOf<Oid>(d.relations, &meta.head.relations);
	meta.tag = s->call->options.tag;
	meta.head.tag_length = static_cast<uint32>(strlen(meta.tag));
	if (exact::Generation() != mark.generation ||
		!StillValid(s, mark, meta.slots, meta.head.slots))
		return Reason::changed_during_fill;

	exact_answer = s->exact && !watch.inexact && watch.findings.exact == Reason::hit &&
				   StillValid(s, mark, meta.write_slots, meta.head.write_slots);
	if (s->exact && watch.findings.exact != Reason::hit)
		return watch.findings.exact;
	if (s->exact && !exact_answer)
		return Reason::changed_during_fill;

	facts.as_of = Min(as_of, watch.oldest);
	facts.ttl_us = Max(s->call->ttl_us, s->inherited_ttl);
	facts.fill_us = fill_us;
	facts.rows = rows.kept;
	facts.pos = Min(s->view.pos, watch.lowest_position);
	facts.generation = mark.generation;
	facts.nboot = s->view.nboot;
	facts.database = MyDatabaseId;
	facts.role = GetUserId();
	facts.queryid = s->handle->queryid;
	facts.ncolumns = static_cast<uint32>(rows.desc->natts);
	facts.flags = (exact_answer ? kEntryExact : 0) |
				  (s->call->shape == Shape::json ? kEntryJson : 0);
	bytes = EncodeMeta(meta, &length);
	*published = PublishFill(rows.fill, &facts, bytes, length);
	if (*published)
		Count(Counter::stores);
	return reason;
}

int64
ElapsedUs(const instr_time &start)
{
	instr_time now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	return static_cast<int64>(INSTR_TIME_GET_MICROSEC(now));
}

void
TakeRows(Answer *answer, Rows *rows)
{
	answer->pin = rows->fill;
	answer->rest = rows->rest;
	answer->rows = rows->total;
}

/* Run the query and keep its rows, for the key in `s`. */
Reason
Fill(Attempt *s, Answer *answer, Reason miss)
{
	Watch watch;
	Rows rows;
	exact::FillMark mark;
	instr_time start;
	TimestampTz as_of = TimeOf(s->view);
	volatile int64 fill_us = 0;
	Pin *fill = BeginFill(s->key.hash, s->key.bytes, s->key.length);
	bool published = false;
	Reason reason;

	s->key_slot = exact::NamedSlot(exact::Named::key, MyDatabaseId, &s->key.hash, sizeof(uint64));
	exact::MarkFill(&mark);
	BeginRows(&rows, s->call->shape, answer->desc, fill, MaxEntryBytes(), s->context);
	BeginWatch(&watch, s->context);
	Count(Counter::fills);
	INSTR_TIME_SET_CURRENT(start);
	PG_TRY();
	{
		RunQuery(s->handle, s->params, &rows);
		fill_us = ElapsedUs(start);
	}
	PG_CATCH();
	{
		Count(Counter::errors);
		DropWatch(&watch);
		PG_RE_THROW();
	}
	PG_END_TRY();
	EndWatch(&watch);

	reason = Publish(s, watch, mark, rows, fill_us, as_of, miss, &published);
	WatchSlots(&s->key_slot, 1);
	if (rows.fill != nullptr && !published)
		SealFill(rows.fill, rows.kept);
	TakeRows(answer, &rows);
	return reason;
}

/* Run the query and keep nothing. */
void
RunOnly(Attempt *s, Answer *answer)
{
	Rows rows;

	BeginRows(&rows, s->call->shape, answer->desc, nullptr, 0, s->context);
	PG_TRY();
	{
		RunQuery(s->handle, s->params, &rows);
	}
	PG_CATCH();
	{
		Count(Counter::errors);
		PG_RE_THROW();
	}
	PG_END_TRY();
	TakeRows(answer, &rows);
}

/* What a bypass says about an answer that is being kept around this call. */
void
TellOuterWatch(Reason reason)
{
	if (Describe(reason).kind == Kind::bypass)
		WatchUncacheable();
}

/* --- the decision --------------------------------------------------------------------------- */

Reason
Decide(Attempt *s, Answer *answer)
{
	const CallOptions &options = s->call->options;
	Reason reason;

	if (!settings::enabled)
		return Reason::disabled;
	if (options.mode == Mode::off)
		return Reason::mode_off;
	reason = JudgeQuery(s->handle, s->exact, &answer->detail);
	if (reason != Reason::hit)
		return reason;
	if (s->exact)
		exact::StartWriters();
	reason = JudgeTransaction(s);
	if (reason != Reason::hit)
		return reason;

	s->now = GetCurrentTimestamp();
	s->key = BuildKey(s->handle, s->call->shape, s->params);
	if (options.mode == Mode::refresh || s->call->ttl_us == 0)
	{
		InheritTtl(s);
		return Reason::miss_refresh;
	}
	return LookUp(s, answer);
}

[[noreturn]] void
NotCached(Reason reason)
{
	ereport(ERROR, (errcode(MAKE_SQLSTATE('C', 'Q', '0', '0', '1')),
					errmsg("query is not cached"),
					errdetail("%s (%s).", Describe(reason).description, Describe(reason).code),
					errhint("Mode only_cached never runs a query; another mode fills the cache.")));
	pg_unreachable();
}

/* Everything after the handle is known; the handle is held by the caller. */
void
AnswerWithHandle(Attempt *s, Answer *answer)
{
	const CallOptions &options = s->call->options;
	Reason reason = Decide(s, answer);

	if (reason != Reason::hit)
	{
		if (options.mode == Mode::only_cached && settings::enabled)
		{
			CountOutcome(reason);
			NotCached(reason);
		}
		if (Describe(reason).kind == Kind::miss && options.mode == Mode::read_only)
			reason = Reason::read_only;
		if (Describe(reason).kind == Kind::miss)
			reason = Fill(s, answer, reason);
		else
		{
			if (reason == Reason::volatile_function)
				NoticeVolatile(s->handle);
			RunOnly(s, answer);
		}
		TellOuterWatch(reason);
	}
	answer->reason = reason;
	CountOutcome(reason);
}

} // namespace

CallOptions
SessionOptions()
{
	return {static_cast<Mode>(settings::mode), static_cast<Consistency>(settings::consistency),
			settings::min_fill_time_ms, settings::tag};
}

void
AnswerCall(const Call &call, MemoryContext context, Answer *answer)
{
	Attempt s = {};

	memset(answer, 0, sizeof(*answer));
	s.call = &call;
	s.context = context;
	s.exact = call.options.consistency == Consistency::exact;
	s.handle = GetHandle(call.query, call.query_length, call.args);

	MemoryContext caller = MemoryContextSwitchTo(context);

	answer->ttl_us = call.ttl_us;
	answer->desc =
		call.shape == Shape::json ? JsonDesc() : CreateTupleDescCopy(s.handle->desc);
	MemoryContextSwitchTo(caller);
	if (call.expected != nullptr)
		CheckColumns(call.expected, answer->desc);

	Hold(s.handle);
	PG_TRY();
	{
		s.params = ParamsFromArgs(call.args, s.handle->params);
		AnswerWithHandle(&s, answer);
	}
	PG_FINALLY();
	{
		Release(s.handle);
	}
	PG_END_TRY();
	if (answer->pin != nullptr)
		ReaderBegin(&answer->reader, answer->pin, context);
}

bool
NextRow(Answer *answer, TupleTableSlot *slot)
{
	if (!answer->reading_rest && answer->pin != nullptr)
	{
		MinimalTuple tuple = ReaderNext(&answer->reader);

		if (tuple != nullptr)
		{
			ExecStoreMinimalTuple(tuple, slot, false);
			return true;
		}
	}
	answer->reading_rest = true;
	if (answer->rest != nullptr && tuplestore_gettupleslot(answer->rest, true, false, slot))
		return true;
	ExecClearTuple(slot);
	return false;
}

void
RewindAnswer(Answer *answer)
{
	answer->reading_rest = false;
	if (answer->pin != nullptr)
		ReaderRewind(&answer->reader);
	if (answer->rest != nullptr)
		tuplestore_rescan(answer->rest);
}

void
EndAnswer(Answer *answer)
{
	if (answer->pin != nullptr)
		Unpin(answer->pin);
	if (answer->rest != nullptr)
		tuplestore_end(answer->rest);
	answer->pin = nullptr;
	answer->rest = nullptr;
}

/* --- looking ahead -------------------------------------------------------------------------- */

const char *
NameOf(State state)
{
	switch (state)
	{
	case State::cold:
		return "cold";
	case State::fresh:
		return "fresh";
	case State::expired:
		return "expired";
	case State::invalidated:
		return "invalidated";
	}
	return nullptr;
}

Prospect
LookAhead(const char *query, int length, const Args &args, Shape shape)
{
	Prospect prospect = {};

	prospect.handle = GetHandle(query, length, args);
	prospect.ttl = prospect.handle->findings.ttl;
	if (prospect.ttl == Reason::hit && prospect.handle->findings.volatile_detail != nullptr &&
		settings::nondeterministic != static_cast<int>(Nondeterministic::cache))
		prospect.ttl = Reason::volatile_function;
	prospect.exact = prospect.handle->findings.exact;
	prospect.key =
		BuildKey(prospect.handle, shape, ParamsFromArgs(args, prospect.handle->params));
	prospect.pin = FindEntry(prospect.key.hash, prospect.key.bytes, prospect.key.length);
	return prospect;
}

bool
EstimateRows(const char *query, int length, const Args &args, double *rows)
{
	Handle *handle = PeekHandle(query, length, args);
	Key key;
	Pin *pin;

	if (handle == nullptr)
		handle = GetHandle(query, length, args);
	key = BuildKey(handle, Shape::rows, ParamsFromArgs(args, handle->params));
	pin = FindEntry(key.hash, key.bytes, key.length);
	if (pin == nullptr)
		return false;
	*rows = static_cast<double>(FactsOf(PinnedEntry(pin)).rows);
	Unpin(pin);
	return true;
}

State
StateOf(const Entry *entry)
{
	EntryFacts facts = FactsOf(entry);
	exact::View view;

	if (EntryInvalid(entry))
		return State::invalidated;

	/* what nobody has looked at since it was changed, only a snapshot tells */
	if (exact::Look(&view) == exact::Standing::ok)
	{
		Meta meta = ReadEntryMeta(entry, nullptr, 0);
		Reason reason = CheckSlots(meta.slots, meta.head.slots, view, facts.pos);

		if (reason == Reason::miss_invalidated || reason == Reason::ddl_in_progress)
			return State::invalidated;
	}
	return GetCurrentTimestamp() - facts.as_of >= facts.ttl_us ? State::expired : State::fresh;
}

bool
EntryInvalid(const Entry *entry)
{
	EntryFacts facts = FactsOf(entry);
	MetaHead head;
	exact::SlotNo slots[64];

	if (facts.generation != exact::Generation())
		return true;
	ReadMeta(entry, 0, &head, sizeof(head));
	for (uint32 done = 0; done < head.slots; done += lengthof(slots))
	{
		uint32 count = Min(head.slots - done, static_cast<uint32>(lengthof(slots)));

		ReadMeta(entry, sizeof(head) + done * sizeof(slots[0]), slots, count * sizeof(slots[0]));
		for (uint32 i = 0; i < count; i++)
		{
			if (exact::MovedSince(slots[i], facts.pos))
				return true;
		}
	}
	return false;
}

} // namespace cq
