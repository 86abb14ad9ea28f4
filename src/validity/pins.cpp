/*
 * pins.cpp
 *		Which rows of a tracked table a plan has read: those with certain values of a key.
 *
 * A scan hands up only rows that pass its quals.  If one of them is `column = value`, with a value that is the same
 * all over the run, the rest of the plan sees no other row of this table, whatever it makes of them.  Joins, outer
 * joins, subqueries and policies need no thought: the planner has put a qual at a scan only where that is right.
 *
 * So it is with `column < value` and the like: all such quals together leave an interval of the column.
 *
 * Any other qual pins nothing, and then all rows count.
 *
 * Part of watch.h.
 */
#include "pg.h"
#include "exact/tracking.h"
#include "query/columns_read.h"
#include "validity/pins.h"
#include "validity/range_pins.h"
#include "validity/watch.h"

extern "C" {
#include "catalog/pg_collation.h"
#include "utils/array.h"
#include "utils/rel.h"
}

#include <initializer_list>

namespace cq
{
namespace
{

/* Of a result; where that isn't enough, all rows of a relation count. */
constexpr int kMostKeySlots = 2000;

/* What a qual pins. */
struct Pins
{
	int key; /* its number; -1: nothing */
	int n;
	uint32 hashes[kMostPins];
};

/* The number of the key that this is; -1: it is none. */
int
KeyOf(const Scan &scan, Node *node)
{
	return exact::KeyNumber(scan.tracking, ColumnOf(scan.quals, node));
}

/* --- quals ----------------------------------------------------------------------------------- */

uint32
Hash(Oid function, Datum value)
{
	return DatumGetUInt32(OidFunctionCall1Coll(function, C_COLLATION_OID, value));
}

/* Nothing is equal to NULL: no row at all is read. */
Pins
ByOperator(const Scan &scan, const OpExpr *op)
{
	Pins pins = {-1, 0, {}};
	Node *left;
	Node *right;
	int key;
	bool key_is_left;
	Oid hash;
	PinValue value;

	if (list_length(op->args) != 2)
		return pins;
	left = static_cast<Node *>(linitial(op->args));
	right = static_cast<Node *>(lsecond(op->args));
	key = KeyOf(scan, left);
	key_is_left = key >= 0;
	if (!key_is_left)
		key = KeyOf(scan, right);
	if (key < 0)
		return pins;
	hash = HashOfOther(scan.tracking.hash_procs[key], op->opno, op->inputcollid, key_is_left);
	if (!OidIsValid(hash) || !ValueOf(scan, key_is_left ? right : left, &value))
		return pins;
	pins.key = key;
	if (!value.null)
		pins.hashes[pins.n++] = Hash(hash, value.datum);
	return pins;
}

Pins
ByArray(const Scan &scan, const ScalarArrayOpExpr *op)
{
	Pins pins = {-1, 0, {}};
	const int key = KeyOf(scan, static_cast<Node *>(linitial(op->args)));
	Node *list = static_cast<Node *>(lsecond(op->args));
	const Oid element = get_element_type(exprType(StripRelabel(list)));
	Oid hash;
	PinValue value;
	Datum *values;
	bool *nulls;
	int n;
	int16 length;
	bool by_value;
	char align;

	if (!op->useOr || key < 0 || !OidIsValid(element))
		return pins;
	hash = HashOfOther(scan.tracking.hash_procs[key], op->opno, op->inputcollid, true);
	if (!OidIsValid(hash) || !ValueOf(scan, list, &value))
		return pins;
	pins.key = key;
	if (value.null)
		return pins;
	get_typlenbyvalalign(element, &length, &by_value, &align);
	deconstruct_array(DatumGetArrayTypeP(value.datum), element, length, by_value, align, &values,
					  &nulls, &n);
	if (n > kMostPins)
		return {-1, 0, {}};
	for (int i = 0; i < n; i++)
	{
		if (!nulls[i])
			pins.hashes[pins.n++] = Hash(hash, values[i]);
	}
	return pins;
}

Pins
ByNull(const Scan &scan, const NullTest *test)
{
	const int key = KeyOf(scan, reinterpret_cast<Node *>(test->arg));

	if (test->nulltesttype != IS_NULL || test->argisrow || key < 0)
		return {-1, 0, {}};
	return {key, 1, {exact::kHashOfNull}};
}

Pins
ByQual(const Scan &scan, Node *qual)
{
	if (IsA(qual, OpExpr))
		return ByOperator(scan, reinterpret_cast<OpExpr *>(qual));
	if (IsA(qual, ScalarArrayOpExpr))
		return ByArray(scan, reinterpret_cast<ScalarArrayOpExpr *>(qual));
	if (IsA(qual, NullTest))
		return ByNull(scan, reinterpret_cast<NullTest *>(qual));
	return {-1, 0, {}};
}

/* Any of the quals will do: the one with the fewest values, and of these the key that is named first. */
Pins
PinsOf(const Scan &scan)
{
	Pins best = {-1, 0, {}};
	ListCell *cell;

	foreach (cell, scan.quals.all)
	{
		const Pins pins = ByQual(scan, static_cast<Node *>(lfirst(cell)));

		CHECK_FOR_INTERRUPTS();
		if (pins.key >= 0 &&
			(best.key < 0 || pins.n < best.n || (pins.n == best.n && pins.key < best.key)))
			best = pins;
	}
	return best;
}

/* --- what is known of a relation -------------------------------------------------------------- */

Grain *
MakeGrain(Watch *watch, Oid relation)
{
	bool found;
	Grain *grain = watch->grains.Enter(relation, &found, watch->context);

	if (!found)
	{
		grain->whole = false;
		grain->n = 0;
	}
	return grain;
}

void
NoteScan(const Scan &scan, Grain *grain)
{
	const Pins pins = PinsOf(scan);
	const Interval interval = BestInterval(scan);

	/* new rows are of this key sooner than of the past */
	if (interval.column != 0 && (interval.past || pins.key < 0) && grain->n < kMostPins)
	{
		grain->keys[grain->n++] = {interval.column, true, interval.low, interval.high};
		return;
	}
	if (pins.key < 0 || grain->n + pins.n > kMostPins)
	{
		grain->whole = true;
		return;
	}
	for (int i = 0; i < pins.n; i++)
		grain->keys[grain->n++] = {scan.tracking.keys[pins.key], false, pins.hashes[i], 0};
}

const Grain *
FindGrain(const Watch &watch, Oid relation)
{
	if (!watch.own_scans || watch.findings.opaque ||
		HasMet(watch.findings.seen, Thing::whole, relation))
		return nullptr;
	return watch.grains.Find(relation);
}

/* Code of users may read columns that the trees don't name, also where it was put into the query's own plan. */
bool
ReadsQuiet(const Watch &watch, Relation relation, const exact::Tracking &tracking)
{
	const Findings &query = *watch.query;

	return watch.own_hidden || query.functions != NIL || query.user_function || query.late ||
		   HasMet(watch.findings.seen, Thing::whole, RelationGetRelid(relation)) ||
		   ReadsColumns(query.columns, relation, tracking.quiet);
}

/* May a writer of it be listed by key only, now or later?  If that can't be told, yes. */
bool
MayBeTracked(const Watch &watch, Oid relation, bool *tracked, bool *reads_quiet)
{
	Relation open = RelationIdGetRelation(relation);
	const exact::Tracking *tracking = nullptr;
	bool known;
	bool later;

	*tracked = *reads_quiet = true;
	if (open == nullptr)
		return true;
	known = exact::TrackingOf(open, &tracking);
	*tracked = !known || tracking != nullptr;
	if (tracking != nullptr)
		*reads_quiet = !bms_is_empty(tracking->quiet) && ReadsQuiet(watch, open, *tracking);
	later = exact::MayBecomeTracked(open);
	RelationClose(open);
	return *tracked || later;
}

List *
AddSlot(List *slots, exact::SlotNo slot)
{
	return lappend_int(slots, static_cast<int>(slot));
}

/* What is shown of a key or range. */
int16
ShownOf(const PinnedKey &key)
{
	return static_cast<int16>(key.range ? key.column + kGrainRange : key.column);
}

List *
AddPinned(List *slots, Oid relation, const PinnedKey &key, exact::Change change)
{
	uint32 nodes[exact::kMostCovering];

	if (!key.range)
		return AddSlot(slots, exact::KeySlot(relation, key.column, key.hash, change));
	for (int n = exact::NodesThatCover(key.hash, key.high, nodes); n > 0; n--)
		slots = AddSlot(slots, exact::RangeSlot(relation, key.column, nodes[n - 1], change));
	return slots;
}

/* How many AddPinned() adds of all of them at most. */
int
CountSlots(const Grain &grain)
{
	int n = 0;

	for (int i = 0; i < grain.n; i++)
		n += grain.keys[i].range ? exact::kMostCovering : 1;
	return n;
}

} // namespace

Bitmapset *
AddConstants(Bitmapset *constants, const PlanState *node)
{
	ListCell *cell;

	foreach (cell, node->initPlan)
	{
		const SubPlanState *state = lfirst_node(SubPlanState, cell);
		const SubPlan *plan = state->subplan;
		ListCell *param;

		if (plan->subLinkType != EXPR_SUBLINK || plan->parParam != NIL ||
			!bms_is_empty(state->planstate->plan->extParam))
			continue;
		foreach (param, plan->setParam)
			constants = bms_add_member(constants, lfirst_int(param));
	}
	return constants;
}

void
NotePins(Watch *watch, List *scans, const Bitmapset *constants)
{
	ListCell *cell;

	foreach (cell, scans)
	{
		PlanState *node = static_cast<PlanState *>(lfirst(cell));
		Relation relation = reinterpret_cast<ScanState *>(node)->ss_currentRelation;
		const exact::Tracking *tracking;
		Grain *grain;
		Scan scan = {};

		CHECK_FOR_INTERRUPTS();
		if (!exact::TrackingOf(relation, &tracking))
			MakeGrain(watch, RelationGetRelid(relation))->whole = true;
		if (tracking == nullptr)
			continue;
		grain = MakeGrain(watch, RelationGetRelid(relation));
		scan.watch = watch;
		scan.node = node;
		scan.tracking = *tracking;
		scan.quals = QualsOf(node->plan);
		scan.constants = constants;
		if (!grain->whole)
			NoteScan(scan, grain);
	}
}

List *
AddKeySlots(List *slots, const Watch &watch, Oid relation, int16 *shown)
{
	const Grain *grain = FindGrain(watch, relation);
	const bool pinned = grain != nullptr && !grain->whole &&
						list_length(slots) + 2 * CountSlots(*grain) <= kMostKeySlots;
	bool tracked;
	bool reads_quiet;

	*shown = kGrainTable;
	if (!MayBeTracked(watch, relation, &tracked, &reads_quiet))
		return slots;
	if (tracked)
		*shown = kGrainNoKey;
	if (pinned)
		*shown = grain->n == 0 ? kGrainKeys : ShownOf(grain->keys[0]);
	for (exact::Change change : {exact::Change::rows, exact::Change::quiet})
	{
		if (change == exact::Change::quiet && !reads_quiet)
			continue;
		if (!pinned)
			slots = AddSlot(slots, exact::AnyRowSlot(relation, change));
		for (int i = 0; pinned && i < grain->n; i++)
		{
			slots = AddPinned(slots, relation, grain->keys[i], change);
			if (ShownOf(grain->keys[i]) != *shown)
				*shown = kGrainKeys;
		}
	}
	return slots;
}

} // namespace cq
