/*
 * procedural_values.cpp
 *		Expressions and assignments of PL/pgSQL functions.
 *
 * Part of procedural.h.
 */
#include "pg.h"
#include "query/procedural_walk.h"
#include "query/inside.h"
#include "query/walk.h"
#include "query/compiled.h"
#include "query/procedural.h"

extern "C" {
#include "parser/parser.h"
}

namespace cq
{
namespace
{

template <typename T>
PLpgSQL_datum *
CopyOf(const PLpgSQL_datum *datum)
{
	T *copy = New<T>();

	*copy = *reinterpret_cast<const T *>(datum);
	return reinterpret_cast<PLpgSQL_datum *>(copy);
}

} // namespace

PLpgSQL_datum *
CopyDatum(PLpgSQL_datum *datum)
{
	PLpgSQL_datum *copy;

	switch (datum->dtype)
	{
	case PLPGSQL_DTYPE_VAR:
	case PLPGSQL_DTYPE_PROMISE:
		return CopyOf<PLpgSQL_var>(datum);
	case PLPGSQL_DTYPE_REC:
		copy = CopyOf<PLpgSQL_rec>(datum);
		reinterpret_cast<PLpgSQL_rec *>(copy)->erh = nullptr;
		return copy;
	case PLPGSQL_DTYPE_RECFIELD:
		copy = CopyOf<PLpgSQL_recfield>(datum);
		reinterpret_cast<PLpgSQL_recfield *>(copy)->rectupledescid = INVALID_TUPLEDESC_IDENTIFIER;
		return copy;
	default:
		return datum;
	}
}

void
NoteTypeOf(Findings *f, const PLpgSQL_datum *datum)
{
	if (datum->dtype == PLPGSQL_DTYPE_VAR)
		NoteType(f, reinterpret_cast<const PLpgSQL_var *>(datum)->datatype->typoid);
	else if (datum->dtype == PLPGSQL_DTYPE_REC &&
			 reinterpret_cast<const PLpgSQL_rec *>(datum)->rectypeid != RECORDOID)
		NoteType(f, reinterpret_cast<const PLpgSQL_rec *>(datum)->rectypeid);
}

void
NotUnderstoodInside(Body *body, const char *what)
{
	NotUnderstood(body->f, psprintf("%s in function %s", what, body->function.fn_signature));
}

namespace
{

/* --- expressions ------------------------------------------------------------------------------ */

/* What the query returns, as the columns or as one value. */
void
Describe(const Query *query, Outcome *outcome)
{
	List *list = query->commandType == CMD_SELECT ? query->targetList : query->returningList;
	TargetEntry *entry = list == NIL ? nullptr : linitial_node(TargetEntry, list);

	outcome->columns = ExecCleanTypeFromTL(list);
	if (entry != nullptr)
	{
		outcome->value = reinterpret_cast<Node *>(entry->expr);
		outcome->type = exprType(outcome->value);
		outcome->typmod = exprTypmod(outcome->value);
	}
}

/* Resolve, analyse and walk one expression or query of the function. */
void
Analyze(Body *body, const PLpgSQL_expr *original, Outcome *outcome)
{
	PLpgSQL_expr expr = *original;
	List *raw;
	Query *query;

	expr.func = &body->function;
	expr.paramnos = nullptr;
	raw = raw_parser(expr.query, expr.parseMode);
	if (list_length(raw) != 1)
		ereport(ERROR, (errcode(ERRCODE_SYNTAX_ERROR), errmsg("one statement expected")));
	body->f->words_inside = false;
	query = AnalyzeInside(body->f, linitial_node(RawStmt, raw), expr.query,
						  reinterpret_cast<ParserSetupHook>(LoadPlpgsql().parser_setup), &expr);
	for (int number = -1; (number = bms_next_member(expr.paramnos, number)) >= 0;)
		body->cursors[number].shared = true;
	Describe(query, outcome);
	WalkInside(body->f, query);
}

} // namespace

Outcome
Examine(Body *body, const PLpgSQL_expr *expr)
{
	Outcome outcome = {};

	if (expr == nullptr)
		return outcome;
	outcome.known = Tried(body->f, [&] { Analyze(body, expr, &outcome); });
	if (!outcome.known)
	{
		NotUnderstoodInside(body, psprintf("\"%s\"", expr->query));
		body->f->fleeting = true; /* what is analysed during a fill, the watch sees */
		for (int i = 0; i < body->function.ndatums; i++)
			body->cursors[i].shared = true;
	}
	return outcome;
}

void
ExamineList(Body *body, List *exprs)
{
	ListCell *cell;

	foreach (cell, exprs)
		Examine(body, static_cast<PLpgSQL_expr *>(lfirst(cell)));
}

namespace
{

/* --- assignments ------------------------------------------------------------------------------ */

} // namespace

void
Convert(Body *body, Oid source, int32 source_typmod, Oid target, int32 target_typmod)
{
	if (source == target && (source_typmod == target_typmod || target_typmod == -1))
		return; /* nothing is done */
	if (!Tried(body->f,
			   [=] { JudgeAssignment(body->f, source, source_typmod, target, target_typmod); }))
		NotUnderstoodInside(body, "a conversion");
}

void
ConvertTo(Body *body, const Outcome &outcome, Oid type)
{
	if (outcome.known && OidIsValid(outcome.type))
		Convert(body, outcome.type, outcome.typmod, type, -1);
}

PLpgSQL_datum *
VariableOf(Body *body, int number)
{
	return body->function.datums[number];
}

bool
SameShape(TupleDesc a, TupleDesc b)
{
	if (a->natts != b->natts)
		return false;
	for (int i = 0; i < a->natts; i++)
	{
		Form_pg_attribute one = TupleDescAttr(a, i);
		Form_pg_attribute other = TupleDescAttr(b, i);

		if (one->atttypid != other->atttypid || one->attisdropped != other->attisdropped ||
			strcmp(NameStr(one->attname), NameStr(other->attname)) != 0)
			return false;
	}
	return true;
}

namespace
{

/* A RECORD variable takes the columns of what is assigned to it. */
void
TakeShape(Body *body, PLpgSQL_rec *record, TupleDesc columns)
{
	if (record->erh == nullptr && columns != nullptr)
		record->erh = make_expanded_record_from_tupdesc(CreateTupleDescCopy(columns),
														body->state.datum_context);
	else if (columns == nullptr || !SameShape(expanded_record_get_tupdesc(record->erh), columns))
		body->several[record->dno] = true;
	if (body->several[record->dno])
		NotUnderstoodInside(body, psprintf("record \"%s\" of several types", record->refname));
}

} // namespace

bool
TypeOf(Body *body, PLpgSQL_datum *datum, Oid *type, int32 *typmod)
{
	*typmod = -1;
	switch (datum->dtype)
	{
	case PLPGSQL_DTYPE_VAR:
	case PLPGSQL_DTYPE_PROMISE:
		*type = reinterpret_cast<PLpgSQL_var *>(datum)->datatype->typoid;
		*typmod = reinterpret_cast<PLpgSQL_var *>(datum)->datatype->atttypmod;
		return true;
	case PLPGSQL_DTYPE_REC:
		*type = reinterpret_cast<PLpgSQL_rec *>(datum)->rectypeid;
		return true;
	case PLPGSQL_DTYPE_RECFIELD:
	{
		PLpgSQL_recfield *field = reinterpret_cast<PLpgSQL_recfield *>(datum);
		PLpgSQL_rec *record = reinterpret_cast<PLpgSQL_rec *>(VariableOf(body, field->recparentno));
		ExpandedRecordFieldInfo info;

		if (record->erh == nullptr && record->rectypeid != RECORDOID)
			record->erh =
				make_expanded_record_from_typeid(record->rectypeid, -1, body->state.datum_context);
		if (record->erh == nullptr ||
			!expanded_record_lookup_field(record->erh, field->fieldname, &info))
			return false;
		*type = info.ftypeid;
		*typmod = info.ftypmod;
		return true;
	}
	default:
		return false;
	}
}

void
AssignColumns(Body *body, TupleDesc columns, PLpgSQL_datum *target)
{
	TupleDesc desc = nullptr;
	int next = 0;
	int wanted;

	if (target->dtype == PLPGSQL_DTYPE_REC)
	{
		PLpgSQL_rec *record = reinterpret_cast<PLpgSQL_rec *>(target);

		if (record->rectypeid == RECORDOID)
		{
			TakeShape(body, record, columns);
			return;
		}
		Convert(body, UNKNOWNOID, -1, record->rectypeid, -1);
		desc = lookup_rowtype_tupdesc_domain(record->rectypeid, -1, false);
	}
	wanted = desc ? desc->natts : reinterpret_cast<PLpgSQL_row *>(target)->nfields;
	for (int i = 0; i < wanted; i++)
	{
		int number = desc ? 0 : reinterpret_cast<PLpgSQL_row *>(target)->varnos[i];
		Form_pg_attribute column;

		if (number < 0 || (desc && TupleDescAttr(desc, i)->attisdropped))
			continue;
		while (next < columns->natts && TupleDescAttr(columns, next)->attisdropped)
			next++;
		if (next >= columns->natts)
			break;
		column = TupleDescAttr(columns, next++);
		if (desc)
			Convert(body, column->atttypid, column->atttypmod, TupleDescAttr(desc, i)->atttypid,
					TupleDescAttr(desc, i)->atttypmod);
		else
			AssignValue(body, column->atttypid, column->atttypmod, nullptr,
						VariableOf(body, number));
	}
	if (desc)
		ReleaseTupleDesc(desc);
}

namespace
{

/* The columns of a composite value; NULL: nobody knows before it is there. */
TupleDesc
ColumnsOf(Oid type, Node *value)
{
	TupleDesc desc = nullptr;

	if (type != RECORDOID)
		return type_is_rowtype(type) ? lookup_rowtype_tupdesc_domain(type, -1, true) : nullptr;
	if (value == nullptr || !(IsA(value, RowExpr) || IsA(value, FuncExpr)))
		return nullptr;
	(void) get_expr_result_type(value, nullptr, &desc);
	return desc;
}

void
AssignRow(Body *body, Oid type, Node *value, PLpgSQL_datum *target)
{
	TupleDesc columns = nullptr;

	if (!Tried(body->f, [&] {
			TupleDesc found = ColumnsOf(type, value);

			columns = found ? CreateTupleDescCopy(found) : nullptr;
			if (found && found->tdrefcount >= 0)
				ReleaseTupleDesc(found);
		}))
		columns = nullptr;
	if (columns != nullptr)
		AssignColumns(body, columns, target);
	else if (target->dtype == PLPGSQL_DTYPE_REC &&
			 reinterpret_cast<PLpgSQL_rec *>(target)->rectypeid == RECORDOID)
		TakeShape(body, reinterpret_cast<PLpgSQL_rec *>(target), nullptr);
	else if (type == RECORDOID)
		NotUnderstoodInside(body, "a row of unknown columns");
}

} // namespace

namespace
{

/* A row is checked by its domain when one of its fields is assigned to. */
void
CheckRecordOf(Body *body, PLpgSQL_datum *field)
{
	Oid type;

	if (field->dtype != PLPGSQL_DTYPE_RECFIELD)
		return;
	type = reinterpret_cast<PLpgSQL_rec *>(
			   VariableOf(body, reinterpret_cast<PLpgSQL_recfield *>(field)->recparentno))
			   ->rectypeid;
	if (get_typtype(type) == TYPTYPE_DOMAIN)
		Convert(body, UNKNOWNOID, -1, type, -1);
}

} // namespace

void
AssignValue(Body *body, Oid type, int32 typmod, Node *value, PLpgSQL_datum *target)
{
	Oid wanted;
	int32 wanted_typmod;

	if (target->dtype == PLPGSQL_DTYPE_ROW || target->dtype == PLPGSQL_DTYPE_REC)
	{
		if (target->dtype != PLPGSQL_DTYPE_REC ||
			reinterpret_cast<PLpgSQL_rec *>(target)->rectypeid != type || type == RECORDOID)
			AssignRow(body, type, value, target);
	}
	else if (TypeOf(body, target, &wanted, &wanted_typmod))
	{
		Convert(body, type, typmod, wanted, wanted_typmod);
		CheckRecordOf(body, target);
	}
	else
		NotUnderstoodInside(body, "a field of a record");
}

void
AssignOutcome(Body *body, const Outcome &outcome, PLpgSQL_datum *target)
{
	if (outcome.known && OidIsValid(outcome.type))
		AssignValue(body, outcome.type, outcome.typmod, outcome.value, target);
}

void
AssignRows(Body *body, const Outcome &outcome, PLpgSQL_variable *target)
{
	if (target != nullptr && outcome.known)
		AssignColumns(body, outcome.columns, VariableOf(body, target->dno));
}

void
AssignUnknown(Body *body, PLpgSQL_variable *target)
{
	if (target != nullptr && target->dtype == PLPGSQL_DTYPE_REC)
		body->several[target->dno] = true;
}

} // namespace cq
