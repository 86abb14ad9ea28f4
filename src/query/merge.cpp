/*
 * merge.cpp
 *		From what was found about a part, a body of a function, to what is found about all.
 *
 * The outcome is the one that there would be if the part had been walked here: what was met is not
 * met again, and what was left for later is left for later.
 *
 * Part of walk.h.
 */
#include "pg.h"
#include "query/walk.h"

namespace cq
{
namespace
{

/* Those flags that tell what was found; the others belong to the walk. */
constexpr bool Findings::*kFlags[] = {&Findings::role,          &Findings::session_role,
									  &Findings::regional,      &Findings::customized,
									  &Findings::search_path,   &Findings::names,
									  &Findings::temp_schema,   &Findings::everything,
									  &Findings::literals,      &Findings::checked_literal,
									  &Findings::daily,         &Findings::fleeting,
									  &Findings::kept_old,      &Findings::restricted,
									  &Findings::folded,        &Findings::unread,
									  &Findings::clock,         &Findings::time_literal,
									  &Findings::user_function, &Findings::makes_text,
									  &Findings::name_values,   &Findings::catalogs,
									  &Findings::opaque,        &Findings::late,
									  &Findings::text_search,   &Findings::foreign,
									  &Findings::long_lists,    &Findings::unidentified};

void
MergeOids(Seen *seen, Thing thing, List **into, const List *part)
{
	ListCell *cell;

	foreach (cell, part)
	{
		if (FirstTime(seen, thing, lfirst_oid(cell)))
			*into = lappend_oid(*into, lfirst_oid(cell));
	}
}

/* Those inside are some of the relations, in the same order. */
void
MergeRelations(Findings *f, const Findings &part)
{
	const ListCell *inside = list_head(part.inside);
	ListCell *cell;

	foreach (cell, part.relations)
	{
		const bool is_inside = inside != nullptr && lfirst_oid(inside) == lfirst_oid(cell);

		if (is_inside)
			inside = lnext(part.inside, inside);
		if (!FirstTime(&f->seen, Thing::relation, lfirst_oid(cell)))
			continue;
		f->relations = lappend_oid(f->relations, lfirst_oid(cell));
		if (is_inside)
			f->inside = lappend_oid(f->inside, lfirst_oid(cell));
	}
}

/* What it has left for later, as Defer() and who calls it have it. */
void
MergePending(Findings *f, const Findings &part)
{
	ListCell *cell;

	foreach (cell, part.pending)
	{
		const Pending *item = static_cast<Pending *>(lfirst(cell));
		const bool in_believed = item->thing == Thing::body && item->believed && !f->believed;
		Pending *copy;

		if (!FirstTime(in_believed ? &f->seen_believed : &f->seen, item->thing, item->oid,
					   item->variant))
			continue;
		copy = New<Pending>();
		*copy = *item;
		copy->call = copyObject(item->call);
		f->pending = lappend(f->pending, copy);
	}
}

void
MergeSeen(Seen *seen, const Seen &part)
{
	for (uint32 i = 0; i < part.size; i++)
		(void) FirstTime(seen, part.keys[i].thing, part.keys[i].oid, part.keys[i].variant);
}

} // namespace

void
Merge(Findings *f, const Findings &part, const NameHashes &names)
{
	MemoryContext caller = MemoryContextSwitchTo(f->context);
	ListCell *cell;

	static_assert(sizeof(Findings) == 328, "a new field must be merged, if it is a finding");
	for (bool Findings::*flag : kFlags)
		f->*flag = f->*flag || part.*flag;
	if (part.exact != Reason::none)
		RefuseExact(f, part.exact, part.exact_detail);
	if (part.ttl != Reason::none)
		RefuseBoth(f, part.ttl, part.ttl_detail);
	if (f->volatile_detail == nullptr)
		f->volatile_detail = Keep(f, part.volatile_detail);
	AddNames(&f->settings, part.settings);
	AddNames(&f->cursors, part.cursors);
	foreach (cell, part.names_late)
		NoteLateSlot(f, static_cast<exact::SlotNo>(lfirst_int(cell)));
	for (int i = 0; f->names_inside != nullptr && i < names.count; i++)
		AddHash(f->names_inside, names.caches[i], names.hashes[i]);
	MergeRelations(f, part);
	MergeOids(&f->seen, Thing::rowtype, &f->rowtypes, part.rowtypes);
	MergeOids(&f->seen, Thing::type, &f->types, part.types);
	MergeOids(&f->seen, Thing::owner, &f->owners, part.owners);
	MergeOids(&f->seen, Thing::object, &f->functions, part.functions);
	f->inlined = list_concat(f->inlined, part.inlined);
	if (part.environments != NIL)
		f->environments = part.environments;
	MergePending(f, part);
	MergeSeen(&f->seen, part.seen);
	if (!f->believed)
	{
		MergeOids(&f->seen_believed, Thing::type, &f->types_believed, part.types_believed);
		MergeSeen(&f->seen_believed, part.seen_believed);
		if (!DigestDigest(part.inside_digest, &f->inside_digest))
			f->unidentified = true;
	}
	MemoryContextSwitchTo(caller);
}

} // namespace cq
