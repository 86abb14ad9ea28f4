/*
 * advise.cpp
 *		By which columns cached_query_track() would help a plan that has run.
 *
 * Of the columns that a scan compares with a value, the one with the most different values tells rows apart best.
 * Nothing is computed: it is enough that the value is the same all over the run.
 *
 * Part of watch.h.
 */
#include "pg.h"
#include "validity/advise.h"
#include "validity/pin_values.h"
#include "validity/scan_quals.h"
#include "validity/watch.h"

extern "C" {
#include "catalog/pg_am.h"
#include "catalog/pg_statistic.h"
#include "utils/rel.h"
}

namespace cq
{
namespace
{

/* A column that is compared with a value. */
struct Compared
{
	AttrNumber column; /* 0: none */
	double values;     /* different ones in the table; 0: not known; -1: only NULL is asked for */
};

/* How many different values has the column?  0: not known. */
double
DistinctValues(Relation relation, AttrNumber column)
{
	HeapTuple tuple = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(RelationGetRelid(relation)),
									  Int16GetDatum(column), BoolGetDatum(false));
	double distinct;

	if (!HeapTupleIsValid(tuple))
		return 0;
	distinct = reinterpret_cast<Form_pg_statistic>(GETSTRUCT(tuple))->stadistinct;
	ReleaseSysCache(tuple);
	/* less than 0: a part of the number of rows */
	return distinct >= 0 ? distinct
						 : -distinct * Max(static_cast<double>(relation->rd_rel->reltuples), 1.0);
}

/* One side is a column that can be a key, and the other is the same all over the run. */
AttrNumber
ComparedByOperator(Relation relation, const ScanQuals &quals, const Bitmapset *constants,
				   List *args, Oid op, Oid collation)
{
	AttrNumber column = ColumnOf(quals, static_cast<Node *>(linitial(args)));
	const bool left = column != 0;
	Node *other = static_cast<Node *>(left ? lsecond(args) : linitial(args));

	if (!left)
		column = ColumnOf(quals, static_cast<Node *>(lsecond(args)));
	if (column == 0 || !IsConstantInRun(constants, other) ||
		exact::WhyNoKey(RelationGetDescr(relation), column) != nullptr)
		return 0;
	return OidIsValid(
			   HashOfOther(exact::HashProcOf(TupleDescAttr(RelationGetDescr(relation), column - 1)),
						   op, collation, left))
			   ? column
			   : static_cast<AttrNumber>(0);
}

Compared
ComparedBy(Relation relation, const ScanQuals &quals, const Bitmapset *constants, Node *qual)
{
	AttrNumber column = 0;

	if (IsA(qual, OpExpr) && list_length(reinterpret_cast<OpExpr *>(qual)->args) == 2)
	{
		const OpExpr *op = reinterpret_cast<OpExpr *>(qual);

		column =
			ComparedByOperator(relation, quals, constants, op->args, op->opno, op->inputcollid);
	}
	else if (IsA(qual, ScalarArrayOpExpr) && reinterpret_cast<ScalarArrayOpExpr *>(qual)->useOr)
	{
		const ScalarArrayOpExpr *op = reinterpret_cast<ScalarArrayOpExpr *>(qual);

		if (ColumnOf(quals, static_cast<Node *>(linitial(op->args))) != 0)
			column =
				ComparedByOperator(relation, quals, constants, op->args, op->opno, op->inputcollid);
	}
	else if (IsA(qual, NullTest))
	{
		const NullTest *test = reinterpret_cast<NullTest *>(qual);

		if (test->nulltesttype == IS_NULL && !test->argisrow)
			column = ColumnOf(quals, reinterpret_cast<Node *>(test->arg));
		if (column != 0 && exact::WhyNoKey(RelationGetDescr(relation), column) != nullptr)
			column = 0;
		return {column, -1};
	}
	return {column, column == 0 ? 0 : DistinctValues(relation, column)};
}

bool
IsAdvised(const AdvisedKeys &keys, AttrNumber column)
{
	for (int i = 0; i < keys.n; i++)
	{
		if (keys.columns[i] == column)
			return true;
	}
	return false;
}

/* One more scan: a column that is a key already, or is advised for another scan, or the best.  False: there is none. */
bool
AdviseForScan(const PlanState *scan, const exact::Tracking *tracking, const Bitmapset *constants,
			  AdvisedKeys *keys)
{
	const Relation relation = reinterpret_cast<const ScanState *>(scan)->ss_currentRelation;
	const ScanQuals quals = QualsOf(scan->plan);
	Compared best = {0, 0};
	ListCell *cell;

	foreach (cell, quals.all)
	{
		const Compared compared =
			ComparedBy(relation, quals, constants, static_cast<Node *>(lfirst(cell)));

		CHECK_FOR_INTERRUPTS();
		if (compared.column == 0)
			continue;
		if (IsAdvised(*keys, compared.column) ||
			(tracking != nullptr && exact::KeyNumber(*tracking, compared.column) >= 0))
			return true;
		if (best.column == 0 || compared.values > best.values)
			best = compared;
	}
	if (best.column == 0 || keys->n == exact::kMostKeys)
		return false;
	keys->columns[keys->n++] = best.column;
	return true;
}

/* As cached_query_track() wants it. */
bool
CanBeTracked(Relation relation)
{
	const Form_pg_class form = relation->rd_rel;

	return form->relkind == RELKIND_RELATION && form->relpersistence != RELPERSISTENCE_TEMP &&
		   RelationGetRelid(relation) >= FirstNormalObjectId && form->relam == HEAP_TABLE_AM_OID;
}

} // namespace

AdvisedKeys
AdviseKeys(const Watch &watch, PlanState *top, Oid oid)
{
	AdvisedKeys keys = {};
	Bitmapset *constants = nullptr;
	List *scans = NIL;
	ListCell *cell;

	/* where other code reads it, too, all rows count with any key */
	if (!watch.own_scans || watch.findings.opaque ||
		HasMet(watch.findings.seen, Thing::whole, oid) || !ScansOf(top, &scans, &constants))
		return {};
	foreach (cell, scans)
	{
		const PlanState *scan = static_cast<PlanState *>(lfirst(cell));
		const Relation relation = reinterpret_cast<const ScanState *>(scan)->ss_currentRelation;
		const exact::Tracking *tracking = nullptr;

		if (RelationGetRelid(relation) != oid)
			continue;
		if (!CanBeTracked(relation) || !exact::TrackingOf(relation, &tracking) ||
			!AdviseForScan(scan, tracking, constants, &keys))
			return {};
	}
	return keys;
}

} // namespace cq
