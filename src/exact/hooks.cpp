/*
 * hooks.cpp
 *		What can be learned only while statements run, since the end of the transaction does not show it.
 *
 * The module's hooks (src/hooks.cpp) call what is here for every statement, so it costs a few instructions.
 * Writes themselves are not found here, but at the end of their transaction (announce.cpp).
 *
 * Locking: everything here belongs to the process.
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "base/exit.h"
#include "exact/slots.h"

extern "C" {
#include "catalog/pg_am.h"
}

namespace cq::exact
{
namespace
{

/* In this transaction. */
bool imported = false;      // its snapshot came from another
bool uncounted = false;     // track_counts was off
bool unseen_writes = false; // it may have written where only other modules see it

/*
 * The innermost utility command that runs is neutral.  A command may end transactions, so the end of a
 * transaction does not reset it.
 */
bool neutral = false;

GucBoolAssignHook next_track_counts = nullptr;

/* Code in one statement may switch it off and on again, which no hook of a statement would see. */
void
OnTrackCounts(bool on, void *extra)
{
	if (!on)
		uncounted = true;
	if (next_track_counts != nullptr)
		next_track_counts(on, extra);
}

/* Done in each statement. */
inline void
Notice()
{
	if (unlikely(!pgstat_track_counts))
		uncounted = true;
	if (unlikely(!BootDone()) && !IsParallelWorker())
		EnsureBoot();
}

bool
IsHeap(Oid table)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
	bool heap;

	if (!HeapTupleIsValid(tuple))
		return false;
	heap = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relam == HEAP_TABLE_AM_OID;
	ReleaseSysCache(tuple);
	return heap;
}

/* Writes to it may be missing in the statistics: a foreign table, also as a partition, or another access method. */
bool
IsOpaque(const RangeTblEntry *entry)
{
	if (entry->rtekind != RTE_RELATION)
		return false;
	if (entry->relkind == RELKIND_FOREIGN_TABLE || entry->relkind == RELKIND_PARTITIONED_TABLE)
		return true;
	return entry->relkind == RELKIND_RELATION && entry->relid >= FirstNormalObjectId &&
		   !IsHeap(entry->relid);
}

/* All tables of the plan count, also those it reads: an UPDATE of one partition may move a row to another. */
void
NoticeWrites(const PlannedStmt *plan)
{
	if (unseen_writes || !compat::ChangesRelations(plan))
		return;
	for (int i = 0; i < list_length(plan->rtable) && !unseen_writes; i++)
		unseen_writes = IsOpaque(static_cast<RangeTblEntry *>(list_nth(plan->rtable, i)));
}

/* Are there prepared transactions from before the restart, or others that didn't publish? */
bool
BootersLeft(uint32 *n)
{
	View view;

	if (!Describe(TakeSnapshot(), &view))
		return false;
	*n = UnseenBooters(view);
	return *n > 0;
}

/*
 * While a hold lasts, kSlotAllDdl objects to every entry.  It is not ended by PG_ENSURE_ERROR_CLEANUP:
 * COMMIT PREPARED registers an exit callback of its own the first time, and then ours would not be the last
 * one any more, which is the only one that can be cancelled.
 */
struct
{
	bool active;
	uint32 booters; // when it began
} hold;

/* If one of those transactions has ended meanwhile, all entries from before are void. */
void
EndHold()
{
	uint32 left = 0;

	if (!hold.active)
		return;
	hold.active = false;
	(void) BootersLeft(&left);
	if (left != hold.booters)
		Raise(kSlotAllDdl, UpperPosition());
	RemoveUnsent(kHold | compat::BackendNumber());
}

void
OnExit(int, Datum)
{
	EndHold();
}

void
BeginHold(uint32 booters)
{
	BeforeExit<OnExit>();
	hold.booters = booters;
	hold.active = true;
	AddUnsent(kHold | compat::BackendNumber());
}

/* SET TRANSACTION SNAPSHOT: the transaction gets a snapshot that another session has taken. */
bool
ImportsSnapshot(Node *node)
{
	const VariableSetStmt *set = reinterpret_cast<VariableSetStmt *>(node);

	return set->kind == VAR_SET_MULTI && strcmp(set->name, "TRANSACTION SNAPSHOT") == 0;
}

/*
 * COMMIT PREPARED may complete a transaction that is older than our shared memory and is listed in no slot.
 * So all look-ups are refused from before it becomes visible until its messages have been sent, as a listed
 * DDL would do.  Then all entries from before are void, even for snapshots that do not see the transaction,
 * because a TRUNCATE affects those, too.
 */
bool
NeedsHold(Node *node, uint32 *booters)
{
	return IsA(node, TransactionStmt) &&
		   reinterpret_cast<TransactionStmt *>(node)->kind == TRANS_STMT_COMMIT_PREPARED &&
		   max_prepared_xacts > 0 && BootersLeft(booters);
}

} // namespace

void
NoteStart(const QueryDesc *query)
{
	Notice();
	NoticeWrites(query->plannedstmt);
	/* a trigger's or a function's statement: it may write to catalogs itself */
	if (unlikely(neutral) &&
		(query->operation != CMD_SELECT || query->plannedstmt->hasModifyingCTE))
		neutral = false;
}

UtilityState
CurrentUtility()
{
	return {neutral, hold.active};
}

void
BeginUtility(Node *node)
{
	const bool is_neutral = IsNeutral(node);
	uint32 booters;

	Notice();
	if (IsA(node, VariableSetStmt) && ImportsSnapshot(node))
		imported = true;
	if (IsA(node, TruncateStmt) ||
		(IsA(node, CopyStmt) && reinterpret_cast<CopyStmt *>(node)->is_from))
		unseen_writes = true; /* without looking at which table it is */
	if (NeedsHold(node, &booters))
		BeginHold(booters);
	/*
	 * Messages of earlier commands are executed first.  So the messages that own.cpp sees while the neutral
	 * command runs are those of the command.
	 */
	if (is_neutral && OwnAnything() && !IsInParallelMode())
		CommandCounterIncrement();
	neutral = is_neutral;
}

void
EndUtility(const UtilityState &outer)
{
	neutral = outer.neutral;
	if (!outer.holds)
		EndHold();
}

bool
Imported()
{
	return imported;
}

bool
Uncounted()
{
	return uncounted || !pgstat_track_counts;
}

/* A subtransaction that was rolled back counts, too: then a query is run that need not be. */
bool
OwnWroteOpaque()
{
	return unseen_writes;
}

bool
InNeutralCommand()
{
	return neutral;
}

/* The transaction is over. */
void
ForgetStatements()
{
	unseen_writes = false;
	imported = false;
	uncounted = false;
}

void
HookTrackCounts()
{
	int count;
	struct config_generic **variables = compat::GucVariables(&count);

	for (int i = 0; i < count; i++)
	{
		if (variables[i]->vartype == PGC_BOOL && strcmp(variables[i]->name, "track_counts") == 0)
		{
			GucBoolAssignHook *hook = &CQ_SETTING(bool, variables[i]).assign_hook;

			next_track_counts = *hook;
			*hook = OnTrackCounts;
		}
	}
}

} // namespace cq::exact
