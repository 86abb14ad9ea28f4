/*
 * columns_read.cpp
 *		Which columns of its tables a query names.
 */
#include "pg.h"
#include "query/columns_read.h"

extern "C" {
#include "catalog/partition.h"
#include "catalog/pg_inherits.h"
#include "nodes/bitmapset.h"
#include "parser/parsetree.h"
}

namespace cq
{
namespace
{

struct OfTable
{
	Oid relation;
	Bitmapset *numbers; /* 0: the whole row */
};

struct ColumnWalk
{
	Columns *columns;
	List *queries; /* that are around what is walked, the innermost first */
};

OfTable *
FindTable(const Columns &columns, Oid relation)
{
	ListCell *cell;

	foreach (cell, columns.of)
	{
		OfTable *table = static_cast<OfTable *>(lfirst(cell));

		if (table->relation == relation)
			return table;
	}
	return nullptr;
}

OfTable *
TableOf(Columns *columns, Oid relation)
{
	OfTable *table = FindTable(*columns, relation);

	if (table != nullptr)
		return table;
	table = New<OfTable>();
	*table = {relation, nullptr};
	columns->of = lappend(columns->of, table);
	return table;
}

bool WalkColumns(Node *node, void *arg);

/* System columns are none that change without the row; results that show them are not exact. */
void
NoteVar(ColumnWalk *walk, const Var *var)
{
	const int level = static_cast<int>(var->varlevelsup);
	const int number = static_cast<int>(var->varno);
	const Query *query;
	const RangeTblEntry *entry;

	if (level >= list_length(walk->queries))
	{
		walk->columns->all = true;
		return;
	}
	query = static_cast<Query *>(list_nth(walk->queries, level));
	if (number < 1 || number > list_length(query->rtable))
	{
		walk->columns->all = true;
		return;
	}
	entry = rt_fetch(number, query->rtable);
	if (entry->rtekind == RTE_RELATION)
	{
		OfTable *table = TableOf(walk->columns, entry->relid);

		if (var->varattno >= 0)
			table->numbers = bms_add_member(table->numbers, var->varattno);
	}
	else if (entry->rtekind == RTE_JOIN)
	{
		ColumnWalk inside = {walk->columns, list_copy_tail(walk->queries, level)};

		if (var->varattno < 1 || var->varattno > list_length(entry->joinaliasvars))
			walk->columns->all = true;
		else
			(void) WalkColumns(
				static_cast<Node *>(list_nth(entry->joinaliasvars, var->varattno - 1)), &inside);
	}
}

bool
WalkColumns(Node *node, void *arg)
{
	ColumnWalk *walk = static_cast<ColumnWalk *>(arg);

	if (node == nullptr)
		return false;
	if (IsA(node, Query))
	{
		Query *query = reinterpret_cast<Query *>(node);
		ColumnWalk inside = {walk->columns, lcons(query, list_copy(walk->queries))};
		ListCell *cell;

		foreach (cell, query->rtable)
		{
			const RangeTblEntry *entry = lfirst_node(RangeTblEntry, cell);

			if (entry->rtekind == RTE_RELATION)
				(void) TableOf(walk->columns, entry->relid);
		}
		/* a join's columns are followed where they are used */
		return compat::WalkQuery(query, WalkColumns, &inside, QTW_IGNORE_JOINALIASES);
	}
	if (IsA(node, Var))
	{
		NoteVar(walk, reinterpret_cast<Var *>(node));
		return false;
	}
	return compat::WalkExpression(node, WalkColumns, walk);
}

/* A partition's columns may have other numbers. */
bool
Names(const OfTable &table, Relation relation, const Bitmapset *numbers)
{
	const Oid oid = RelationGetRelid(relation);
	int number = -1;

	while ((number = bms_next_member(table.numbers, number)) >= 0)
	{
		AttrNumber here = static_cast<AttrNumber>(number);

		if (number == 0)
			return true;
		if (table.relation != oid)
		{
			const char *name = get_attname(table.relation, here, true);

			here = name == nullptr ? 0 : get_attnum(oid, name);
		}
		if (here <= 0 || bms_is_member(here, numbers))
			return true;
	}
	return false;
}

bool
HasVirtualColumns(Relation relation)
{
	for (int i = 0; i < RelationGetNumberOfAttributes(relation); i++)
	{
		if (compat::IsVirtualColumn(TupleDescAttr(RelationGetDescr(relation), i)))
			return true;
	}
	return false;
}

} // namespace

void
AddColumns(Columns *columns, Query *query)
{
	ColumnWalk walk = {columns, NIL};

	(void) WalkColumns(reinterpret_cast<Node *>(query), &walk);
}

bool
ReadsColumns(const Columns &columns, Relation relation, const Bitmapset *numbers)
{
	List *family;
	ListCell *cell;
	bool met = false;

	if (bms_is_empty(numbers))
		return false;
	if (columns.all || HasVirtualColumns(relation))
		return true;
	/* a parent by INHERITS may have been named, beside the table itself */
	if (!relation->rd_rel->relispartition && has_superclass(RelationGetRelid(relation)))
		return true;
	family = relation->rd_rel->relispartition ? get_partition_ancestors(RelationGetRelid(relation))
											  : NIL;
	family = lappend_oid(family, RelationGetRelid(relation));
	foreach (cell, family)
	{
		const OfTable *table = FindTable(columns, lfirst_oid(cell));

		if (table == nullptr)
			continue;
		if (Names(*table, relation, numbers))
			return true;
		met = true;
	}
	/* the trees don't name it: a child of one of their tables, or what an inlined function reads */
	return !met;
}

} // namespace cq
