/*
 * definitions.cpp
 *		From the invalidation messages of a transaction to the slots that it changes.
 *
 * When a catalog row changes, PostgreSQL sends a message for every system cache of that catalog.  One of
 * these caches is looked at here, and the messages for the others are ignored.  A cache that is on no list
 * counts as one that every entry of the database depends on.
 *
 * Attributes, indexes, rules, triggers, policies, partitions and constraints of tables need no cache here,
 * because they come with a relcache message of their relation.  A domain's constraint comes with a message
 * of its type.  Aggregates and ranges never change without their function or type.  Statistics change
 * plans, but not results.
 *
 * No entry depends on an object that this transaction creates.  But the object's name may now be found by
 * code that looks names up while it runs, see NameSlot().  The names in a query itself are resolved again
 * by each session (query/handle.cpp), and the objects they name are part of the key.
 */
#include "pg.h"
#include "exact/changed.h"
#include "exact/definitions.h"

extern "C" {
#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_auth_members.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_conversion.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_transform.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_ts_dict.h"
#include "catalog/pg_ts_parser.h"
#include "catalog/pg_ts_template.h"
#include "catalog/pg_type.h"
#include "catalog/pg_user_mapping.h"
#include "common/hashfn.h"
}

namespace cq::exact
{
namespace
{

/* --- kinds of objects ------------------------------------------------------------------------ */

/* A function, type, operator or collation. */
void
JudgeObject(Definitions *d, const Catalog &kind, NameKind what, int cacheid, Oid oid)
{
	Relation catalog = table_open(kind.relation, AccessShareLock);
	Versions versions;

	ReadVersions(catalog, kind, oid, &versions);
	if (versions.any == nullptr)
		AddEverything(d, MyDatabaseId);
	else if (!IsTemporary(catalog, kind, versions))
	{
		/* Entries do not list built-in objects among their dependencies. */
		if (versions.existed && oid < FirstUnpinnedObjectId)
			AddEverything(d, MyDatabaseId);
		else if (versions.existed)
			Add(d, CatalogSlot(cacheid, murmurhash32(oid), MyDatabaseId));
		AddNames(d, catalog, kind, what, versions);
	}
	table_close(catalog, AccessShareLock);
}

/* A new schema is empty.  Renaming or dropping a schema, or a GRANT on it, changes what names mean. */
void
JudgeSchema(Definitions *d, Oid oid)
{
	Relation catalog = table_open(kSchemas.relation, AccessShareLock);
	Versions versions;

	ReadVersions(catalog, kSchemas, oid, &versions);
	if (versions.any == nullptr || (versions.existed && !isAnyTempNamespace(oid)))
		AddUnknownName(d, MyDatabaseId);
	table_close(catalog, AccessShareLock);
}

void
JudgeLabel(Definitions *d, Oid oid)
{
	Relation catalog = table_open(kLabels.relation, AccessShareLock);
	Versions versions;

	ReadVersions(catalog, kLabels, oid, &versions);
	if (versions.any == nullptr)
		Add(d, GroupSlot(Group::machinery, MyDatabaseId));
	else
		Add(d, ObjectSlot(TYPEOID,
						  DatumGetObjectId(Column(catalog, versions.any, Anum_pg_enum_enumtypid))));
	table_close(catalog, AccessShareLock);
}

/*
 * Casts, operator classes and the like of a user's type concern the entries that use that type.  Those of
 * built-in types only concern all entries that depend on Group::machinery.
 */
struct Machinery
{
	int cacheid;
	Oid relation;
	AttrNumber types[2]; // 0: none
};

constexpr Machinery kMachinery[] = {
	{CASTSOURCETARGET, CastRelationId, {Anum_pg_cast_castsource, Anum_pg_cast_casttarget}},
	{AMOPOPID,
	 AccessMethodOperatorRelationId,
	 {Anum_pg_amop_amoplefttype, Anum_pg_amop_amoprighttype}},
	{AMPROCNUM,
	 AccessMethodProcedureRelationId,
	 {Anum_pg_amproc_amproclefttype, Anum_pg_amproc_amprocrighttype}},
	{CLAOID, OperatorClassRelationId, {Anum_pg_opclass_opcintype, 0}},
	{TRFOID, TransformRelationId, {Anum_pg_transform_trftype, 0}},
	{LANGOID, LanguageRelationId, {0, 0}},
};

/* A row that this transaction made or ended. */
void
JudgePart(Definitions *d, const Machinery &kind, Relation catalog, HeapTuple tuple)
{
	bool of_user = false;

	for (const AttrNumber column : kind.types)
	{
		const Oid type =
			column == 0 ? InvalidOid : DatumGetObjectId(Column(catalog, tuple, column));

		if (type < FirstUnpinnedObjectId)
			continue;
		Add(d, ObjectSlot(TYPEOID, type));
		of_user = true;
	}
	/* a new language has no functions yet */
	if (!of_user && (kind.types[0] != 0 || EndedByUs(tuple->t_data)))
		Add(d, GroupSlot(Group::machinery, MyDatabaseId));
}

/* The hash value does not tell which row it is, so all rows that this transaction made or ended count. */
void
JudgeMachinery(Definitions *d, int cacheid)
{
	for (const Machinery &kind : kMachinery)
	{
		Relation catalog;
		SysScanDesc scan;
		HeapTuple tuple;

		if (kind.cacheid != cacheid || Seen(d, static_cast<uint64>(1) << 42 | cacheid))
			continue;
		catalog = table_open(kind.relation, AccessShareLock);
		scan = systable_beginscan(catalog, InvalidOid, false, SnapshotAny, 0, nullptr);
		while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		{
			CHECK_FOR_INTERRUPTS();
			if (IsOurs(HeapTupleHeaderGetXmin(tuple->t_data)) || EndedByUs(tuple->t_data))
				JudgePart(d, kind, catalog, tuple);
		}
		systable_endscan(scan);
		table_close(catalog, AccessShareLock);
	}
}

/* Do two versions of a role differ at most in the password and in how it may log in? */
bool
SameRights(Relation catalog, HeapTuple before, HeapTuple after)
{
	static const AttrNumber rights[] = {Anum_pg_authid_rolsuper,       Anum_pg_authid_rolinherit,
										Anum_pg_authid_rolcreaterole,  Anum_pg_authid_rolcreatedb,
										Anum_pg_authid_rolreplication, Anum_pg_authid_rolbypassrls};

	for (const AttrNumber right : rights)
	{
		if (DatumGetBool(Column(catalog, before, right)) !=
			DatumGetBool(Column(catalog, after, right)))
			return false;
	}
	return strcmp(NameOf(catalog, kRoles, before), NameOf(catalog, kRoles, after)) == 0;
}

void
JudgeRole(Definitions *d, Oid oid)
{
	Relation catalog = table_open(kRoles.relation, AccessShareLock);
	Versions versions;

	ReadVersions(catalog, kRoles, oid, &versions);
	if (versions.any == nullptr)
		AddUnknownRole(d);
	else if (versions.existed && (versions.before == nullptr || versions.after == nullptr ||
								  !SameRights(catalog, versions.before, versions.after)))
		AddRole(d, oid);
	table_close(catalog, AccessShareLock);
}

/*
 * Whose memberships changed?  The message's key has two or three columns and can't be read from its
 * hash value, so all rows that our transaction made or ended are looked for.
 */
void
JudgeMemberships(Definitions *d)
{
	Relation catalog;
	SysScanDesc scan;
	HeapTuple tuple;
	bool found = false;

	if (Seen(d, static_cast<uint64>(1) << 42 | AUTHMEMROLEMEM))
		return;
	catalog = table_open(AuthMemRelationId, AccessShareLock);
	scan = systable_beginscan(catalog, InvalidOid, false, SnapshotAny, 0, nullptr);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		CHECK_FOR_INTERRUPTS();
		if (!IsOurs(HeapTupleHeaderGetXmin(tuple->t_data)) && !EndedByUs(tuple->t_data))
			continue;
		AddRole(d, reinterpret_cast<Form_pg_auth_members>(GETSTRUCT(tuple))->member);
		found = true;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	if (!found)
		AddUnknownRole(d);
}

/* Indexes and TOAST tables are read only as part of their tables, on which entries depend. */
bool
IsRead(char kind)
{
	return kind != RELKIND_INDEX && kind != RELKIND_PARTITIONED_INDEX && kind != RELKIND_TOASTVALUE;
}

void
JudgeRelation(Definitions *d, Oid relation)
{
	const SlotNo slot = DdlSlot(MyDatabaseId, relation);
	Relation catalog;
	Versions versions;

	if (OwnIsNeutral(slot))
		return;
	catalog = table_open(kRelations.relation, AccessShareLock);
	ReadVersions(catalog, kRelations, relation, &versions);
	if (versions.any == nullptr)
		Add(d, slot);
	else
	{
		const Form_pg_class form = reinterpret_cast<Form_pg_class>(GETSTRUCT(versions.any));

		if (IsRead(form->relkind) && form->relpersistence != RELPERSISTENCE_TEMP)
		{
			if (versions.existed)
				Add(d, slot);
			AddNames(d, catalog, kRelations, NameKind::relation, versions);
		}
	}
	table_close(catalog, AccessShareLock);
}

void
JudgeCatalogMessage(Definitions *d, int cacheid, uint32 hash, Oid database)
{
	const Oid oid = OidOfHash(hash);

	switch (EffectOf(cacheid))
	{
	case Effect::none:
		break;
	case Effect::everything:
		AddEverything(d, database);
		break;
	case Effect::function:
		JudgeObject(d, kFunctions, NameKind::function, cacheid, oid);
		break;
	case Effect::type:
		JudgeObject(d, kTypes, NameKind::type, cacheid, oid);
		break;
	case Effect::op:
		JudgeObject(d, kOperators, NameKind::op, cacheid, oid);
		break;
	case Effect::collation:
		JudgeObject(d, kCollations, NameKind::collation, cacheid, oid);
		break;
	case Effect::schema:
		JudgeSchema(d, oid);
		break;
	case Effect::label:
		JudgeLabel(d, oid);
		break;
	case Effect::machinery:
		JudgeMachinery(d, cacheid);
		break;
	case Effect::text_search:
		Add(d, GroupSlot(Group::text_search, database));
		break;
	case Effect::foreign:
		Add(d, GroupSlot(Group::foreign, database));
		break;
	case Effect::role:
		JudgeRole(d, oid);
		break;
	case Effect::membership:
		JudgeMemberships(d);
		break;
	case Effect::database:
		Add(d, CatalogSlot(cacheid, hash, database));
		break;
	}
}

} // namespace

void
AddDefinition(Definitions *d, const SharedInvalidationMessage &message)
{
	if (message.id >= 0)
	{
		if (!Seen(d, static_cast<uint64>(message.cc.id) << 32 | message.cc.hashValue | 1ULL << 40))
			JudgeCatalogMessage(d, message.cc.id, message.cc.hashValue, message.cc.dbId);
	}
	else if (message.id == SHAREDINVALRELCACHE_ID)
	{
		if (Seen(d, static_cast<uint64>(1) << 41 | message.rc.relId))
			return;
		if (!OidIsValid(message.rc.relId))
		{
			/* all relations at once, as for publications FOR ALL TABLES */
			if (!OwnIsNeutral(kSlotAllDdl))
				Add(d, kSlotAllDdl);
		}
		else if (message.rc.dbId == MyDatabaseId)
			JudgeRelation(d, message.rc.relId);
		else
			Add(d, kSlotAllDdl); /* a shared catalog's definition */
	}
}

/*
 * A relation that is made, renamed or dropped comes with a message of its row type, a sequence with
 * one of its own.
 */
void
AddReplayed(Definitions *d, const SharedInvalidationMessage &message)
{
	if (message.id >= 0)
	{
		const int cacheid = message.cc.id;
		const uint32 hash = message.cc.hashValue;
		const Oid database = message.cc.dbId;

		switch (EffectOf(cacheid))
		{
		case Effect::none:
			if (cacheid == SEQRELID)
				AddUnknownName(d, database);
			break;
		case Effect::everything:
			AddEverything(d, database);
			break;
		case Effect::function:
		case Effect::type:
			if (OidOfHash(hash) < FirstUnpinnedObjectId)
				AddEverything(d, database);
			Add(d, CatalogSlot(cacheid, hash, database));
			AddUnknownName(d, database);
			break;
		case Effect::op:
		case Effect::collation:
		case Effect::schema:
			AddUnknownName(d, database);
			break;
		case Effect::label:
		case Effect::machinery:
			Add(d, GroupSlot(Group::machinery, database));
			break;
		case Effect::text_search:
			Add(d, GroupSlot(Group::text_search, database));
			break;
		case Effect::foreign:
			Add(d, GroupSlot(Group::foreign, database));
			break;
		case Effect::role:
			AddRole(d, OidOfHash(hash));
			break;
		case Effect::membership:
			AddUnknownRole(d);
			break;
		case Effect::database:
			Add(d, CatalogSlot(cacheid, hash, database));
			break;
		}
	}
	else if (message.id == SHAREDINVALRELCACHE_ID)
	{
		if (OidIsValid(message.rc.relId) && OidIsValid(message.rc.dbId))
			Add(d, DdlSlot(message.rc.dbId, message.rc.relId));
		else
			Add(d, kSlotAllDdl);
	}
}

} // namespace cq::exact
