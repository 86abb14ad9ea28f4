/*
 * literals.cpp
 *		Literals that parse analysis converted: by which settings, and on which day.
 *
 * Part of walk.h.
 */
#include "pg.h"
#include "query/walk.h"
#include "query/catalog.h"
#include "query/functions.h"
#include "settings.h"

#include <initializer_list>

namespace cq
{
namespace
{

/* Types whose values are OIDs and whose text is names, with a schema if the path requires one. */
bool
TextIsNames(Oid type)
{
	return type < FirstUnpinnedObjectId && get_typtype(type) == TYPTYPE_BASE &&
		   ListOf(OutputFunction(type, false)) == BuiltinList::names;
}

/* Types whose input functions read settings, the clock or names. */
bool
InputDependsOnSettings(Oid type)
{
	Oid element;
	Oid input;
	Oid parameter;

	type = getBaseType(type);
	element = get_element_type(type);
	if (OidIsValid(element))
		return InputDependsOnSettings(element);
	if (type_is_range(type))
		return InputDependsOnSettings(get_range_subtype(type));
	if (type_is_multirange(type))
		return InputDependsOnSettings(get_multirange_range(type));
	if (type_is_rowtype(type) || type >= FirstUnpinnedObjectId)
		return !type_is_enum(type);
	if (get_typtype(type) == TYPTYPE_PSEUDO)
		return false;
	getTypeInputInfo(type, &input, &parameter);
	return ListOf(input) != BuiltinList::pure;
}

/* A time of day with no date has the offset that its zone has today: a word like 'today' isn't needed. */
bool
InputDependsOnDay(Oid type)
{
	TupleDesc desc;
	bool found = false;

	check_stack_depth();
	type = getBaseType(type);
	if (OidIsValid(get_element_type(type)))
		return InputDependsOnDay(get_element_type(type));
	if (type_is_range(type))
		return InputDependsOnDay(get_range_subtype(type));
	if (type_is_multirange(type))
		return InputDependsOnDay(get_multirange_range(type));
	if (!type_is_rowtype(type) || type == RECORDOID)
		return type == TIMETZOID;
	desc = lookup_rowtype_tupdesc_copy(type, -1);
	for (int i = 0; i < desc->natts && !found; i++)
		found = !TupleDescAttr(desc, i)->attisdropped &&
				InputDependsOnDay(TupleDescAttr(desc, i)->atttypid);
	FreeTupleDesc(desc);
	return found;
}

/* What kind of literal one of this type is. */
Thing
KindOfLiteral(Findings *f, Oid type)
{
	Thing kind = Thing::plain;

	for (Thing known : {Thing::plain, Thing::moving, Thing::daily})
	{
		if (HasMet(f->seen, known, type))
			return known;
	}
	if (InputDependsOnSettings(type))
		kind = InputDependsOnDay(type) ? Thing::daily : Thing::moving;
	(void) FirstTime(&f->seen, kind, type);
	return kind;
}

} // namespace

void
JudgeLiteral(Findings *f, Oid type)
{
	const Thing kind = KindOfLiteral(f, type);

	f->literals = f->literals || kind != Thing::plain;
	f->daily = f->daily || kind == Thing::daily;
}

void
JudgeText(Findings *f, Oid type)
{
	if (TextIsNames(type) || TextIsNames(get_element_type(type)) ||
		get_typtype(type) == TYPTYPE_COMPOSITE)
		f->name_values = true;
}

bool
ReadsThroughChecks(Oid type)
{
	constexpr int kMaxParts = 1000;
	List *parts;

	if (type < FirstUnpinnedObjectId)
		return false;
	parts = list_make1_oid(type);
	for (int i = 0; i < list_length(parts); i++)
	{
		const Oid part = list_nth_oid(parts, i);

		CHECK_FOR_INTERRUPTS();
		if (i == kMaxParts ||
			(get_typtype(part) == TYPTYPE_DOMAIN && compat::HasDomainConstraints(part)))
			return true;
		parts = PartsOf(part, parts);
	}
	list_free(parts);
	return false;
}

bool
ReadsText(Oid function)
{
	return function < FirstUnpinnedObjectId && ListOf(function) == BuiltinList::reads;
}

} // namespace cq
