/*
 * hooks.cpp
 *		What only statements tell: settings and commands that the ends of transactions don't show.
 *
 * The module's hooks (src/hooks.cpp) call what is here for every statement, so it costs a few instructions.
 * Writes themselves are not found here, but at the end of their transaction (publish.cpp).
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

/* Of the innermost utility command that runs.  It may end transactions, so nothing resets it there. */
bool neutral = false;

GucBoolAssignHook next_track_counts = nullptr;

/* Off and on again within one statement: no hook of a statement would see it. */
void
OnTrackCounts(bool on, void *extra)
{
	if (!on)
		uncounted = true;
	if (next_track_counts != nullptr)
		next_track_counts(on, extra);
}

/* What each statement does in passing. */
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

/* Foreign tables, also behind a partitioned one, and those whose access method may not count. */
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

/* What it only reads counts, too: an UPDATE of one partition may move a row to another. */
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
 * While a hold lasts kSlotAllDdl objects.  Not by PG_ENSURE_ERROR_CLEANUP: COMMIT PREPARED
 * registers an exit callback of its own the first time, and then ours could not be taken back.
 */
struct
{
	bool active;
	uint32 booters; // when it began
} hold;

/* Others may look again; if one of those transactions ended, nothing of before is valid. */
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

/* Is this the one setting that makes a snapshot of elsewhere ours? */
bool
ImportsSnapshot(Node *node)
{
	const VariableSetStmt *set = reinterpret_cast<VariableSetStmt *>(node);

	return set->kind == VAR_SET_MULTI && strcmp(set->name, "TRANSACTION SNAPSHOT") == 0;
}

/*
 * COMMIT PREPARED of a transaction that may be older than our shared memory: it is listed nowhere, so
 * refuse everybody from before it becomes visible until its messages are out, as a listed DDL would.
 * Then answers of before are void even for snapshots that don't see it (TRUNCATE).
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
		unseen_writes = true; /* whatever table that is */
	if (NeedsHold(node, &booters))
		BeginHold(booters);
	/*
	 * What came before is told to this session first, so that what is told meanwhile is the command's
	 * (own.cpp).
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

/* Also of a subtransaction that was rolled back: then a query is run that needn't be. */
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
