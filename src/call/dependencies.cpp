/*
 * dependencies.cpp
 *		What a new entry depends on: slots that hits check, and relations.
 *
 * Definitions come from two sides: from the query (its trees and its plan, examined before the run) and
 * from what was seen to run inside (watch.cpp).  What they call by name while they run is not known
 * before; then the result depends on names, see exact::Group.
 */
#include "pg.h"
#include "validity/lookup.h"
#include "validity/pins.h"
#include "validity/watch.h"
#include "call/dependencies.h"
#include "query/catalog.h"

extern "C" {
#include "catalog/pg_auth_members.h"
#include "utils/catcache.h"
}

namespace cq
{
namespace
{

/* Roles that one is a member of, itself included; more are not told apart. */
constexpr int kMaxRoles = 32;

/* One may come twice: publish.cpp sorts them out. */
List *
AddSlot(List *slots, exact::SlotNo slot)
{
	return lappend_int(slots, static_cast<int>(slot));
}

List *
AddGroup(List *slots, exact::Group group, Oid database)
{
	return AddSlot(slots, exact::GroupSlot(group, database));
}

List *
AddObjects(List *slots, int cacheid, List *oids)
{
	ListCell *cell;

	foreach (cell, oids)
		slots = AddSlot(slots, exact::ObjectSlot(cacheid, lfirst_oid(cell)));
	return slots;
}

/* What any result depends on, and this one by its key, its tag and its database. */
List *
AddCommon(Lookup *lookup, List *slots)
{
	const char *tag = lookup->call->options.tag;

	slots = AddSlot(slots, exact::kSlotAllDdl);
	slots = AddSlot(slots, exact::kSlotClear);
	slots = AddSlot(slots, exact::DatabaseSlot(MyDatabaseId));
	slots = AddSlot(slots, exact::ObjectSlot(DATABASEOID, MyDatabaseId));
	slots = AddSlot(slots, lookup->key_slot);
	if (lookup->examined->automatic)
		slots = AddSlot(slots, exact::NamedSlot(exact::Named::query, MyDatabaseId,
												&lookup->examined->digest, sizeof(Digest)));
	slots = AddGroup(slots, exact::Group::extension, MyDatabaseId);
	if (tag[0] != '\0')
		slots = AddSlot(slots, exact::NamedSlot(exact::Named::tag, MyDatabaseId, tag, strlen(tag)));
	return slots;
}

/* The roles with these and all that they are members of, directly or not. */
List *
WithMemberships(List *roles)
{
	for (int i = 0; i < list_length(roles) && list_length(roles) <= kMaxRoles; i++)
	{
		CatCList *list =
			SearchSysCacheList1(AUTHMEMMEMROLE, ObjectIdGetDatum(list_nth_oid(roles, i)));

		for (int j = 0; j < list->n_members; j++)
			roles = list_append_unique_oid(
				roles, reinterpret_cast<Form_pg_auth_members>(GETSTRUCT(&list->members[j]->tuple))
						   ->roleid);
		ReleaseSysCacheList(list);
	}
	return roles;
}

/* The roles that are in the key, and those that views are read as and functions run as. */
List *
AddRoles(List *slots, const Findings &findings)
{
	List *roles = list_copy(findings.owners);
	ListCell *cell;

	foreach (cell, findings.functions)
	{
		const Oid role = FunctionRunsAs(lfirst_oid(cell));

		if (OidIsValid(role))
			roles = list_append_unique_oid(roles, role);
	}

	if (findings.role)
		roles = list_append_unique_oid(roles, GetUserId());
	if (findings.session_role)
		roles = list_append_unique_oid(roles, GetSessionUserId());
	if (roles == NIL)
		return slots;
	roles = WithMemberships(roles);
	slots = AddGroup(slots, exact::Group::unknown_role, InvalidOid);
	if (list_length(roles) > kMaxRoles)
		return AddGroup(slots, exact::Group::any_role, InvalidOid);
	return AddObjects(slots, AUTHOID, roles);
}

/* What bodies look up while they run, if all was understood: any new operator may be meant. */
List *
AddLooked(List *slots, const Findings &findings)
{
	slots = list_concat(slots, findings.names_late);
	slots = AddSlot(slots, exact::NameSlot(exact::NameKind::op, MyDatabaseId, ""));
	slots = AddSlot(slots, exact::NameSlot(exact::NameKind::collation, MyDatabaseId, ""));
	return AddGroup(slots, exact::Group::unknown_name, MyDatabaseId);
}

/* What code may meet that looks names up while it runs, nobody knows which. */
List *
AddLate(List *slots)
{
	slots = AddGroup(slots, exact::Group::any_name, MyDatabaseId);
	slots = AddGroup(slots, exact::Group::unknown_name, MyDatabaseId);
	slots = AddGroup(slots, exact::Group::text_search, MyDatabaseId);
	slots = AddGroup(slots, exact::Group::foreign, MyDatabaseId);
	slots = AddGroup(slots, exact::Group::any_role, InvalidOid);
	return AddGroup(slots, exact::Group::unknown_role, InvalidOid);
}

List *
AddDefinitions(List *slots, const Findings &findings)
{
	slots = AddObjects(slots, PROCOID, findings.functions);
	slots = AddObjects(slots, TYPEOID, findings.types);
	slots = AddObjects(slots, TYPEOID, findings.types_believed);
	if (findings.functions != NIL || findings.types != NIL || findings.late)
		slots = AddGroup(slots, exact::Group::machinery, MyDatabaseId);
	if (findings.text_search)
		slots = AddGroup(slots, exact::Group::text_search, MyDatabaseId);
	if (findings.foreign)
		slots = AddGroup(slots, exact::Group::foreign, MyDatabaseId);
	if (findings.late)
		slots = AddLate(slots);
	else if (findings.functions != NIL)
		slots = AddLooked(slots, findings);
	return AddRoles(slots, findings);
}

/*
 * The slots in which writers of its rows are listed.  A standby knows the file that they write to; it is a part of
 * the relation's definition, so an entry with the file of before is void by the relation's DdlSlot().  Those of which the primary has told
 * all keys are listed by key there, too.
 */
void
AddRows(Dependencies *d, const exact::View &view, const Watch &watch, Oid relation, int16 *grain)
{
	char kind;
	Oid file;

	*grain = kGrainTable;

	if (!exact::InRecovery(view))
	{
		d->write_slots = AddSlot(d->write_slots, exact::WriteSlot(MyDatabaseId, relation));
		d->write_slots = AddKeySlots(d->write_slots, watch, relation, grain);
	}
	else if (!RelationFile(relation, &kind, &file))
		d->rows_untold = true;
	else if (file >= FirstNormalObjectId)
	{
		d->write_slots = AddSlot(d->write_slots, exact::FileSlot(MyDatabaseId, file));
		d->write_slots = AddKeySlots(d->write_slots, watch, relation, grain);
	}
	else if (OidIsValid(file) || (kind != RELKIND_VIEW && kind != RELKIND_PARTITIONED_TABLE &&
								  kind != RELKIND_COMPOSITE_TYPE))
		d->rows_untold = true; /* a catalog, or a table whose file stands elsewhere */
}

} // namespace

Dependencies
CollectDependencies(Lookup *lookup, const Watch &watch)
{
	const Findings &findings = lookup->examined->findings;
	Dependencies d = {};
	int16 grain;
	ListCell *cell;

	d.relations = watch.findings.relations; /* the query's among them */
	d.slots = AddCommon(lookup, list_copy(watch.slots));
	d.write_slots = AddSlot(NIL, exact::AllRowsSlot(MyDatabaseId));
	foreach (cell, d.relations)
	{
		d.slots = AddSlot(d.slots, exact::DdlSlot(MyDatabaseId, lfirst_oid(cell)));
		grain = kGrainUnread;
		if (ReadRows(watch, lfirst_oid(cell)))
			AddRows(&d, lookup->view, watch, lfirst_oid(cell), &grain);
		d.grains = lappend_int(d.grains, grain);
	}
	foreach (cell, findings.rowtypes)
		d.slots = AddSlot(d.slots, exact::DdlSlot(MyDatabaseId, lfirst_oid(cell)));
	d.slots = AddDefinitions(d.slots, findings);
	d.slots = AddDefinitions(d.slots, watch.findings);
	return d;
}

} // namespace cq
