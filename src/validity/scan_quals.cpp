/*
 * scan_quals.cpp
 *		What the quals of a scan compare, and whether a writer's hash of a column goes by the same equality.
 *
 * Part of watch.h.
 */
#include "pg.h"
#include "validity/scan_quals.h"

extern "C" {
#include "nodes/plannodes.h"
}

namespace cq
{

ScanQuals
QualsOf(const Plan *plan)
{
	List *index = NIL;
	List *columns = NIL;

	switch (nodeTag(plan))
	{
	case T_IndexScan:
		index = reinterpret_cast<const IndexScan *>(plan)->indexqualorig;
		break;
	case T_IndexOnlyScan:
		columns = reinterpret_cast<const IndexOnlyScan *>(plan)->indextlist;
		index = reinterpret_cast<const IndexOnlyScan *>(plan)->indexqual;
		break;
	case T_BitmapHeapScan:
		index = reinterpret_cast<const BitmapHeapScan *>(plan)->bitmapqualorig;
		break;
	default:
		break;
	}
	return {reinterpret_cast<const ::Scan *>(plan)->scanrelid, columns,
			list_concat_copy(index, plan->qual)};
}

AttrNumber
ColumnOf(const ScanQuals &quals, Node *node)
{
	const Var *var = reinterpret_cast<Var *>(StripRelabel(node));

	if (var == nullptr || !IsA(var, Var) || var->varlevelsup != 0)
		return 0;
	if (static_cast<int>(var->varno) == INDEX_VAR && quals.index_columns != NIL)
	{
		if (var->varattno < 1 || var->varattno > list_length(quals.index_columns))
			return 0;
		var = reinterpret_cast<Var *>(
			list_nth_node(TargetEntry, quals.index_columns, var->varattno - 1)->expr);
		if (var == nullptr || !IsA(var, Var))
			return 0;
	}
	if (static_cast<Index>(var->varno) != quals.relid || var->varattno <= 0)
		return 0;
	return var->varattno;
}

Oid
HashOfOther(Oid hash_of_column, Oid op, Oid collation, bool column_is_left)
{
	RegProcedure left;
	RegProcedure right;

	if (OidIsValid(collation) && !get_collation_isdeterministic(collation))
		return InvalidOid;
	if (!get_op_hash_functions(op, &left, &right) ||
		hash_of_column != (column_is_left ? left : right))
		return InvalidOid;
	return (column_is_left ? right : left) < FirstUnpinnedObjectId ? (column_is_left ? right : left)
																   : InvalidOid;
}

Node *
StripRelabel(Node *node)
{
	while (node != nullptr && IsA(node, RelabelType))
		node = reinterpret_cast<Node *>(reinterpret_cast<RelabelType *>(node)->arg);
	return node;
}

} // namespace cq
