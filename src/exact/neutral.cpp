/*
 * neutral.cpp
 *		Commands that change no query's result, though they send relcache messages.
 *
 * They send these messages so that queries are planned again: an index was created or dropped, a table has
 * new files, or the planner's statistics changed.  A command that is not on the list counts as a change.
 * CREATE and DROP TRIGGER are not on it: a trigger may say which keys of the table are told (tracking.h).
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "exact/slots.h"

namespace cq::exact
{
namespace
{

/* Storage parameters of tables that say how to store and clean, not what a query sees. */
bool
IsStorageParameter(const DefElem *parameter)
{
	static const char *const names[] = {
		"fillfactor",         "log_autovacuum_min_duration", "parallel_workers",
		"toast_tuple_target", "vacuum_index_cleanup",        "vacuum_max_eager_freeze_failure_rate",
		"vacuum_truncate"};

	if (strncmp(parameter->defname, "autovacuum_", 11) == 0)
		return true;
	for (const char *name : names)
	{
		if (strcmp(parameter->defname, name) == 0)
			return true;
	}
	return false;
}

bool
AreStorageParameters(Node *node)
{
	const ::List *list = reinterpret_cast<::List *>(node);

	for (int i = 0; i < list_length(list); i++)
	{
		if (!IsStorageParameter(list_nth_node(DefElem, list, i)))
			return false;
	}
	return true;
}

bool
IsNeutralAlter(const AlterTableStmt *statement)
{
	for (int i = 0; i < list_length(statement->cmds); i++)
	{
		const AlterTableCmd *command = list_nth_node(AlterTableCmd, statement->cmds, i);

		switch (command->subtype)
		{
		case AT_SetStatistics:
		case AT_SetOptions: /* n_distinct */
		case AT_ResetOptions:
		case AT_SetStorage:
		case AT_SetCompression:
		case AT_ClusterOn:
		case AT_DropCluster:
		case AT_ReplicaIdentity:
		case AT_EnableTrig:
		case AT_EnableAlwaysTrig:
		case AT_EnableReplicaTrig:
		case AT_DisableTrig:
		case AT_EnableTrigAll:
		case AT_DisableTrigAll:
		case AT_EnableTrigUser:
		case AT_DisableTrigUser:
			break;
		case AT_SetRelOptions:
		case AT_ResetRelOptions:
			if (statement->objtype != OBJECT_INDEX && !AreStorageParameters(command->def))
				return false;
			break;
		default:
			return false;
		}
	}
	return true;
}

/* With CASCADE anything may be dropped. */
bool
IsNeutralDrop(const DropStmt *statement)
{
	switch (statement->removeType)
	{
	case OBJECT_INDEX:
	case OBJECT_PUBLICATION:
	case OBJECT_STATISTIC_EXT:
		return statement->behavior == DROP_RESTRICT;
	default:
		return false;
	}
}

} // namespace

bool
IsNeutral(Node *statement)
{
	switch (nodeTag(statement))
	{
	case T_AlterPublicationStmt:
	case T_AlterStatsStmt:
	case T_CreatePublicationStmt:
	case T_CreateStatsStmt:
	case T_IndexStmt:
	case T_ReindexStmt:
	case T_VacuumStmt:
		return true;
	case T_AlterTableStmt:
		return IsNeutralAlter(reinterpret_cast<AlterTableStmt *>(statement));
	case T_DropStmt:
		return IsNeutralDrop(reinterpret_cast<DropStmt *>(statement));
	default:
		return compat::IsCluster(statement);
	}
}

} // namespace cq::exact
