/*
 * announce.cpp
 *		The writer's side: what a transaction changed, announced before it commits.
 *
 * CommitTransaction() goes like this, and no hook lies between the second and the third line:
 *	 deferred triggers, portals -> XACT_EVENT_PRE_COMMIT: we list the transaction in the slots
 *	 -> NOTIFY, serializable check (may still fail: XACT_EVENT_ABORT takes it out again)
 *	 -> commit record, flush, wait for replicas -> visible to others (ProcArrayEndTransaction)
 *	 -> XACT_EVENT_COMMIT -> invalidation messages sent (AtEOXact_Inval)
 *	 -> locks released, RESOURCE_RELEASE_LOCKS callbacks: we mark DDL as sent
 * PREPARE runs the same release phases without having sent anything, but XACT_EVENT_PREPARE before:
 * there we hand DDL over to SettlePrepared() (slots.cpp).  Nothing else needs an end: readers see
 * by their snapshots when a listed transaction is complete, however it came about.
 *
 * Callbacks run last registered first.  cached_query should be first in shared_preload_libraries,
 * so that our PRE_COMMIT comes after other modules' own writes.
 *
 * Rows are found in the statistics that heapam keeps for each transaction, definitions in its
 * invalidation messages.  That sees COPY, foreign keys' cascades, routed partitions, logical
 * replication and all else alike, which hooks don't.
 *
 * Locking: everything here belongs to the process.
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "exact/definitions.h"
#include "exact/tracking.h"

namespace cq::exact
{

int debug_sleep_pre_commit_us = 0;
int debug_sleep_commit_us = 0;

namespace
{

constexpr int kMaxRelations = 256;                 // written in one transaction, else AllRowsSlot()
constexpr int kMaxKeys = 2048;                     // slots of keys, else the relations' WriteSlot()
constexpr int kStragglers = 2 * kMaxRelations + 2; // room for ListStragglers()
constexpr int kMaxPlanned =
	kMaxRelations + 1 + kMaxKeys + kMaxChanged + kMaxPending + 2 + kStragglers;
constexpr int kMaxListed = kMaxPlanned + 3; // beyond that, the slots of everything

enum class Stage
{
	open,
	published, // PRE_COMMIT or PRE_PREPARE was here
	committed  // XACT_EVENT_COMMIT was here, messages are not out
};

struct Listed
{
	SlotNo slot;
	uint64 word;
};

/* A relation of which all changes were told when the transaction was announced: these. */
struct Told
{
	const PgStat_TableXactStatus *table;
	int64 inserted;
	int64 updated;
	int64 deleted;
};

/* This transaction. */
struct
{
	Stage stage;
	uint64 xid;
	bool everything; // more than expected: listed in the slots that every entry depends on
	int nlisted;
	Listed listed[kMaxListed];
	int nkeys; // of these, slots of keys
	int ntold;
	Told told[kMaxRelations];
	PgStat_SubXactStatus *watched; // the statistics' outermost level, to see later writes
	PgStat_TableXactStatus *seen;  // its first table at PRE_COMMIT
} xact;

/* ListStragglers() found some: the next transaction logs it, once. */
enum class Complaint
{
	none,
	due,
	made
} stragglers = Complaint::none;

/* --- what there is to publish ---------------------------------------------------------------- */

/* Is the transaction planned to be listed there, or is it already? */
bool
IsPlanned(SlotNo slot, uint64 word)
{
	for (int i = 0; i < xact.nlisted; i++)
	{
		if (xact.listed[i].slot == slot && xact.listed[i].word == word)
			return true;
	}
	return false;
}

/*
 * Plan to list the transaction there; twice is once.  Callers stay within kMaxPlanned.  If one did not,
 * everything would depend on this transaction: that is why there are three more places.
 */
void
Plan(SlotNo slot, uint64 kind)
{
	const uint64 word = xact.xid | kind;

	if (IsPlanned(slot, word))
		return;
	CqAssert(xact.nlisted < kMaxPlanned);
	if (likely(xact.nlisted < kMaxPlanned))
		xact.listed[xact.nlisted++] = {slot, word};
	else if (!xact.everything)
	{
		xact.everything = true;
		xact.listed[xact.nlisted++] = {kSlotAllDdl, xact.xid | kDdl};
		xact.listed[xact.nlisted++] = {AllRowsSlot(MyDatabaseId), xact.xid};
		xact.listed[xact.nlisted++] = {kSlotClear, xact.xid};
	}
}

/*
 * All that the transaction's invalidation messages tell, with those of the last command.  Quick when
 * there are none; else catalogs are read.
 */
void
PlanDefinitions()
{
	Changed *changed;
	SharedInvalidationMessage *messages;
	bool init_file;
	const int n = xactGetCommittedInvalidationMessages(&messages, &init_file);
	Definitions *definitions;

	if (n == 0)
		return;
	definitions = NewZeroed<Definitions>();
	changed = New<Changed>();
	changed->count = 0;
	changed->database = MyDatabaseId;
	definitions->add = AddChanged;
	definitions->arg = changed;
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		AddDefinition(definitions, messages[i]);
	}
	for (int i = 0; i < changed->count; i++)
		Plan(changed->slots[i], kDdl);
	pfree(changed);
	pfree(definitions);
	pfree(messages);
}

/* Were all changes of the table told, and is there room for their keys?  No other slots have their numbers. */
bool
PlanKeys(const PgStat_TableXactStatus &table)
{
	const SlotNo *slots;
	int n;

	if (!AllTold(table))
		return false;
	n = ToldSlots(compat::StatsRelation(table.parent), &slots);
	if (xact.nkeys + n > kMaxKeys || xact.ntold == kMaxRelations)
		return false;
	for (int i = 0; i < n; i++)
		xact.listed[xact.nlisted++] = {slots[i], xact.xid};
	xact.nkeys += n;
	TellOf(compat::StatsRelation(table.parent));
	xact.told[xact.ntold++] = {&table, table.tuples_inserted, table.tuples_updated,
							   table.tuples_deleted};
	return true;
}

/* The tables from `first` up to but not including `end`. */
void
PlanTables(PgStat_TableXactStatus *first, PgStat_TableXactStatus *end, bool by_key)
{
	int relations = 0;

	for (PgStat_TableXactStatus *table = first; table != end; table = table->next)
	{
		const Oid relation = compat::StatsRelation(table->parent);

		/* catalogs: their messages tell */
		if (relation < FirstNormalObjectId)
			continue;
		if (by_key && PlanKeys(*table))
		{
			CountTracked(relation, true);
			continue;
		}
		CountTracked(relation, false);
		if (++relations > kMaxRelations)
		{
			Plan(AllRowsSlot(MyDatabaseId), 0);
			break;
		}
		Plan(WriteSlot(MyDatabaseId, relation), 0);
	}
}

/* Subtransactions are merged by now: level 1 has all that is going to be committed. */
void
PlanRows()
{
	/* Written while not counted, or not with our knowing. */
	if (Uncounted())
		Plan(AllRowsSlot(MyDatabaseId), 0);
	xact.watched = pgstat_get_xact_stack_level(1);
	xact.seen = xact.watched->first;
	xact.nkeys = xact.ntold = 0;
	BeginTelling();
	PlanTables(xact.seen, nullptr, true);
}

void
PlanInvalidations()
{
	SlotNo slots[kMaxPending + 2];
	const int n = PendingInvalidations(slots);

	for (int i = 0; i < n; i++)
		Plan(slots[i], 0);
}

/* --- the stages of a transaction ------------------------------------------------------------- */

/*
 * Before commit or prepare.  An error in here aborts the transaction; what is planned but was not
 * listed yet is then looked for in vain.
 */
void
AnnounceWrites()
{
	/* Autovacuum changes no query's result; parallel workers get other events than these. */
	if (shared == nullptr || compat::IsAutoVacuumWorker())
		return;
	xact.xid = U64FromFullTransactionId(GetTopFullTransactionIdIfAny());
	xact.nlisted = 0;
	xact.everything = false;
	PlanDefinitions();
	PlanInvalidations();
	if (pg_atomic_read_u32(&shared->writers) != 0)
		PlanRows();
	xact.stage = Stage::published;
	for (int i = 0; i < xact.nlisted; i++)
		List(xact.listed[i].slot, xact.listed[i].word);
	if (xact.ntold > 0)
		TellStandbys();
	DebugSleep(debug_sleep_pre_commit_us);
}

/* The transaction is over for us. */
void
Reset()
{
	xact.stage = Stage::open;
	xact.nlisted = 0;
	xact.watched = nullptr;
	xact.ntold = 0;
	ForgetTold();
	ForgetInvalidations();
	ForgetStatements();
}

/* Has it been written since? */
bool
Moved(const Told &told)
{
	return told.table->tuples_inserted != told.inserted ||
		   told.table->tuples_updated != told.updated ||
		   told.table->tuples_deleted != told.deleted || told.table->truncdropped;
}

/*
 * Visible now.  Did another module write after we had published?  The list of tables grows at its
 * head, so that is seen at once; tables that were announced by key are compared.  Too late for exactness, but not for the next reader.
 */
void
ListStragglers()
{
	const int before = xact.nlisted;

	if (xact.watched == nullptr)
		return;
	if (xact.watched->first != xact.seen)
		PlanTables(xact.watched->first, xact.seen, false);
	for (int i = 0; i < xact.ntold; i++)
	{
		if (Moved(xact.told[i]))
			Plan(WriteSlot(MyDatabaseId, compat::StatsRelation(xact.told[i].table->parent)), 0);
	}
	if (xact.nlisted == before)
		return;
	for (int i = before; i < xact.nlisted; i++)
		ListBlindly(xact.listed[i].slot, xact.listed[i].word);
	stragglers = stragglers == Complaint::none ? Complaint::due : stragglers;
}

/* Not in the commit callback itself: writing to the log may raise an error. */
void
TellOfStragglers()
{
	stragglers = Complaint::made;
	ereport(LOG,
			(errmsg("a module wrote to tables after cached_query had published the transaction"),
			 errhint("Put cached_query before that module in shared_preload_libraries.")));
}

/* Aborted: nothing has changed.  For DDL this is a must, nobody would mark it sent. */
void
Withdraw()
{
	for (int i = 0; i < xact.nlisted; i++)
		Unlist(xact.listed[i].slot, xact.listed[i].word);
	RemoveUnsent(xact.xid);
}

/* Prepared: when it commits, no callback of ours runs. */
void
HandOver()
{
	for (int i = 0; i < xact.nlisted; i++)
	{
		if ((xact.listed[i].word & kDdl) != 0)
			MarkPrepared(xact.listed[i].slot, xact.listed[i].word);
	}
	MarkUnsentPrepared(xact.xid);
}

/* Committed, and the invalidation messages are out. */
void
Announce()
{
	bool ddl = false;

	for (int i = 0; i < xact.nlisted; i++)
	{
		if ((xact.listed[i].word & kDdl) == 0)
			continue;
		MarkSent(xact.listed[i].slot, xact.listed[i].word);
		ddl = true;
	}
	if (ddl)
		RemoveUnsent(xact.xid);
}

void
OnXact(XactEvent event, void *)
{
	switch (event)
	{
	case XACT_EVENT_PRE_COMMIT:
	case XACT_EVENT_PRE_PREPARE:
		/* A session that ends now would never call Look() again. */
		if (unlikely(settle_wanted))
			SettlePrepared();
		if (unlikely(stragglers == Complaint::due))
			TellOfStragglers();
		if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
			AnnounceWrites();
		break;
	case XACT_EVENT_COMMIT:
		if (xact.stage != Stage::published)
		{
			Reset();
			break;
		}
		ListStragglers();
		xact.stage = Stage::committed;
		DebugSleep(debug_sleep_commit_us);
		break;
	case XACT_EVENT_ABORT:
		if (xact.stage == Stage::published)
			Withdraw();
		Reset();
		break;
	case XACT_EVENT_PREPARE:
		if (xact.stage == Stage::published)
			HandOver();
		Reset();
		break;
	case XACT_EVENT_PARALLEL_COMMIT:
	case XACT_EVENT_PARALLEL_ABORT:
		Reset();
		break;
	case XACT_EVENT_PARALLEL_PRE_COMMIT:
		break;
	}
}

/* Called for each resource owner and phase; the first of the lock phase is late enough. */
void
OnRelease(ResourceReleasePhase phase, bool, bool is_top_level, void *)
{
	if (likely(xact.stage != Stage::committed))
		return;
	if (phase != RESOURCE_RELEASE_LOCKS || !is_top_level)
		return;
	Announce();
	Reset();
}

} // namespace

bool
Published()
{
	return xact.stage != Stage::open;
}

/* Invalidate() in another module's PRE_COMMIT code that runs after ours: still before commit. */
void
ListLate(SlotNo slot)
{
	if (xact.stage != Stage::published || IsPlanned(slot, xact.xid))
		return;
	if (xact.nlisted < kMaxPlanned - kStragglers)
		Plan(slot, 0);
	List(slot, xact.xid);
}

void
InitBackend()
{
	RegisterXactCallback(OnXact, nullptr);
	RegisterResourceReleaseCallback(OnRelease, nullptr);
	InitOwn();
	InitTold();
	InitReplay();
}

} // namespace cq::exact
