/*
 * definitions.cpp
 *		From the invalidation messages of a transaction to the slots that it changes.
 *
 * Each change of a catalog's row is told for every system cache of that catalog; one of these is
 * judged here, the others are passed over.  A cache that is on no list counts as one that any answer
 * of the database depends on.
 *
 * Not judged by a cache of their own, because a relation's definition is told by its relcache
 * message: attributes, indexes, rules, triggers, policies, partitions, constraints of tables.  A
 * domain's constraint comes with a message of its type.  Aggregates and ranges never change
 * without their function or type.  Statistics change plans and no answers.
 *
 * Nobody depends on an object that this transaction makes.  But a name may mean it now: that matters
 * to code that looks names up while it runs, see NameSlot().  A query's own names are resolved
 * again by each session (query/handle.cpp), and what they mean is in the key.
 */
#include "pg.h"
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
#include "catalog/pg_ts_config_map.h"
#include "catalog/pg_ts_dict.h"
#include "catalog/pg_ts_parser.h"
#include "catalog/pg_ts_template.h"
#include "catalog/pg_type.h"
#include "catalog/pg_user_mapping.h"
#include "common/hashfn.h"
#include "utils/fmgroids.h"
}

namespace cq::exact
{
namespace
{

/* More names of one transaction are not told apart. */
constexpr int kMaxNames = 64;

enum class Effect : uint8
{
	none,        // it changes no answer, or another message tells
	everything,  // any answer of the database may depend on it
	function,    // answers that call it
	type,        // answers that have it
	op,          // who looks its name up; what it calls is a function
	collation,   // who looks its name up
	schema,      // who looks names up
	label,       // of an enum: as its type
	machinery,   // answers with types or functions of users
	text_search, // answers with text search
	foreign,     // answers from foreign tables
	role,        // answers for it
	membership,  // answers for the member
	database     // answers in it
};

Effect
EffectOf(int cacheid)
{
	switch (cacheid)
	{
	case PROCOID:
		return Effect::function;
	case TYPEOID:
		return Effect::type;
	case OPEROID:
		return Effect::op;
	case COLLOID:
		return Effect::collation;
	case NAMESPACEOID:
		return Effect::schema;
	case ENUMOID: /* ADD VALUE, RENAME VALUE: no TYPEOID message */
		return Effect::label;
	case AMOPOPID:
	case AMPROCNUM:
	case CASTSOURCETARGET:
	case CLAOID:
	case LANGOID:
	case TRFOID:
		return Effect::machinery;
	case TSCONFIGMAP: /* ALTER MAPPING: no TSCONFIGOID message */
	case TSCONFIGOID:
	case TSDICTOID:
	case TSPARSEROID:
	case TSTEMPLATEOID:
		return Effect::text_search;
	case FOREIGNDATAWRAPPEROID:
	case FOREIGNSERVEROID:
	case USERMAPPINGOID:
		return Effect::foreign;
	case AUTHOID:
		return Effect::role;
	case AUTHMEMROLEMEM:
		return Effect::membership;
	case DATABASEOID:
		return Effect::database;

	/* other caches of these catalogs */
	case AMOPSTRATEGY:
	case AUTHMEMMEMROLE:
	case AUTHNAME:
	case CLAAMNAMENSP:
	case COLLNAMEENCNSP:
	case CONDEFAULT:
	case CONNAMENSP:
	case ENUMTYPOIDNAME:
	case FOREIGNDATAWRAPPERNAME:
	case FOREIGNSERVERNAME:
	case LANGNAME:
	case NAMESPACENAME:
	case OPERNAMENSP:
	case OPFAMILYAMNAMENSP:
	case PROCNAMEARGSNSP:
	case TRFTYPELANG:
	case TSCONFIGNAMENSP:
	case TSDICTNAMENSP:
	case TSPARSERNAMENSP:
	case TSTEMPLATENAMENSP:
	case TYPENAMENSP:
	case USERMAPPINGUSERSERVER:
	/* a relation's definition: its relcache message comes along */
	case ATTNAME:
	case ATTNUM:
	case CONSTROID:
	case FOREIGNTABLEREL:
	case INDEXRELID:
	case PARTRELID:
	case RELNAMENSP:
	case RELOID:
	case RULERELNAME:
	case SEQRELID:
	/* a function's or type's message comes along */
	case AGGFNOID:
	case RANGEMULTIRANGE:
	case RANGETYPE:
	/* no answer depends on them; of an operator family it does on the members */
	case OPFAMILYOID:
	case AMNAME:
	case AMOID:
	case DEFACLROLENSPOBJ:
	case EVENTTRIGGERNAME:
	case EVENTTRIGGEROID:
	case PARAMETERACLNAME:
	case PARAMETERACLOID:
	case PUBLICATIONNAME:
	case PUBLICATIONNAMESPACE:
	case PUBLICATIONNAMESPACEMAP:
	case PUBLICATIONOID:
	case PUBLICATIONREL:
	case PUBLICATIONRELMAP:
	case REPLORIGIDENT:
	case REPLORIGNAME:
	case STATEXTDATASTXOID:
	case STATEXTNAMENSP:
	case STATEXTOID:
	case STATRELATTINH:
	case SUBSCRIPTIONNAME:
	case SUBSCRIPTIONOID:
	case SUBSCRIPTIONRELMAP:
	case TABLESPACEOID:
		return Effect::none;
	case CONVOID:
	default:
		return compat::IsExtensionCache(cacheid) ? Effect::none : Effect::everything;
	}
}

/* murmurhash32() backwards: the OID whose hash value this is. */
Oid
OidOfHash(uint32 h)
{
	h ^= h >> 16;
	h *= 0x7ed1b41dU;
	h ^= h >> 13 ^ h >> 26;
	h *= 0xa5cb9243U;
	h ^= h >> 16;
	return h;
}

void
Add(Definitions *d, SlotNo slot)
{
	d->add(slot, d->arg);
}

void
AddEverything(Definitions *d, Oid database)
{
	Add(d, OidIsValid(database) ? DatabaseSlot(database) : kSlotAllDdl);
}

/* A name of the database means something else now, but it isn't known which. */
void
AddUnknownName(Definitions *d, Oid database)
{
	Add(d, GroupSlot(Group::any_name, database));
	Add(d, GroupSlot(Group::unknown_name, database));
}

void
AddUnknownRole(Definitions *d)
{
	Add(d, GroupSlot(Group::any_role, InvalidOid));
	Add(d, GroupSlot(Group::unknown_role, InvalidOid));
}

void
AddRole(Definitions *d, Oid role)
{
	Add(d, RoleSlot(role));
	Add(d, GroupSlot(Group::any_role, InvalidOid));
}

/* Was the like of this message judged already? */
bool
Seen(Definitions *d, uint64 message)
{
	uint64 *place = &d->seen[(message ^ message >> 40) % lengthof(d->seen)];

	if (*place == message)
		return true;
	*place = message;
	return false;
}

/* --- what the transaction made of a row ------------------------------------------------------ */

/* Where rows are found by OID, and the columns that are looked at; 0: it has no such column. */
struct Catalog
{
	Oid relation;
	Oid index;
	AttrNumber oid;
	AttrNumber name;
	AttrNumber schema;
};

constexpr Catalog kRelations = {RelationRelationId, ClassOidIndexId, Anum_pg_class_oid,
								Anum_pg_class_relname, Anum_pg_class_relnamespace};
constexpr Catalog kFunctions = {ProcedureRelationId, ProcedureOidIndexId, Anum_pg_proc_oid,
								Anum_pg_proc_proname, Anum_pg_proc_pronamespace};
constexpr Catalog kTypes = {TypeRelationId, TypeOidIndexId, Anum_pg_type_oid, Anum_pg_type_typname,
							Anum_pg_type_typnamespace};
constexpr Catalog kOperators = {OperatorRelationId, OperatorOidIndexId, Anum_pg_operator_oid,
								Anum_pg_operator_oprname, Anum_pg_operator_oprnamespace};
constexpr Catalog kCollations = {CollationRelationId, CollationOidIndexId, Anum_pg_collation_oid,
								 Anum_pg_collation_collname, Anum_pg_collation_collnamespace};
constexpr Catalog kSchemas = {NamespaceRelationId, NamespaceOidIndexId, Anum_pg_namespace_oid,
							  Anum_pg_namespace_nspname, 0};
constexpr Catalog kLabels = {EnumRelationId, EnumOidIndexId, Anum_pg_enum_oid, 0, 0};
constexpr Catalog kRoles = {AuthIdRelationId, AuthIdOidIndexId, Anum_pg_authid_oid,
							Anum_pg_authid_rolname, 0};

struct Versions
{
	HeapTuple any;    // null: there is none
	bool existed;     // one is not of this transaction
	HeapTuple before; // the one that this transaction replaced or removed
	HeapTuple after;  // the one that it leaves
};

bool
IsOurs(TransactionId xid)
{
	return TransactionIdIsValid(xid) && TransactionIdIsCurrentTransactionId(xid);
}

/* Was this version replaced or removed by our transaction? */
bool
EndedByUs(HeapTupleHeader header)
{
	return (header->t_infomask & HEAP_XMAX_INVALID) == 0 &&
		   !HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask) &&
		   IsOurs(HeapTupleHeaderGetUpdateXid(header));
}

/*
 * SnapshotAny: nothing that our transaction ended can have been removed yet.  A version of another
 * transaction, living or dead, only says that there was something before.
 */
void
ReadVersions(Relation catalog, const Catalog &kind, Oid oid, Versions *versions)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	*versions = {};
	ScanKeyInit(&key, kind.oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(oid));
	scan = systable_beginscan(catalog, kind.index, true, SnapshotAny, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		const bool ours = IsOurs(HeapTupleHeaderGetXmin(tuple->t_data));
		const bool ended = EndedByUs(tuple->t_data);

		versions->any = heap_copytuple(tuple);
		versions->existed = versions->existed || !ours;
		if (!ours && ended)
			versions->before = versions->any;
		else if (ours && !ended)
			versions->after = versions->any;
	}
	systable_endscan(scan);
}

Datum
Column(Relation catalog, HeapTuple tuple, AttrNumber column)
{
	bool null;

	return heap_getattr(tuple, column, RelationGetDescr(catalog), &null);
}

Oid
SchemaOf(Relation catalog, const Catalog &kind, HeapTuple tuple)
{
	return kind.schema == 0 ? InvalidOid : DatumGetObjectId(Column(catalog, tuple, kind.schema));
}

const char *
NameOf(Relation catalog, const Catalog &kind, HeapTuple tuple)
{
	return NameStr(*DatumGetName(Column(catalog, tuple, kind.name)));
}

void
AddName(Definitions *d, NameKind kind, const char *name)
{
	if (kind == NameKind::function && strcmp(name, "cached_query_clear") == 0)
		Add(d, GroupSlot(Group::extension, MyDatabaseId));
	if (d->names++ >= kMaxNames)
	{
		AddUnknownName(d, MyDatabaseId);
		return;
	}
	Add(d, GroupSlot(Group::any_name, MyDatabaseId));
	if (kind == NameKind::op || kind == NameKind::collation)
		name = ""; /* few are made, and many are meant without being named */
	Add(d, NameSlot(kind, MyDatabaseId, name));
}

/* Was it made, dropped, renamed or moved?  Then its old and its new name mean something else. */
void
AddNames(Definitions *d, Relation catalog, const Catalog &kind, NameKind what,
		 const Versions &versions)
{
	const HeapTuple before = versions.before;
	const HeapTuple after = versions.after;

	if (before != nullptr && after != nullptr &&
		SchemaOf(catalog, kind, before) == SchemaOf(catalog, kind, after) &&
		strcmp(NameOf(catalog, kind, before), NameOf(catalog, kind, after)) == 0)
		return;
	if (before != nullptr)
		AddName(d, what, NameOf(catalog, kind, before));
	if (after != nullptr)
		AddName(d, what, NameOf(catalog, kind, after));
}

/* A temporary object is nobody else's. */
bool
IsTemporary(Relation catalog, const Catalog &kind, const Versions &versions)
{
	return versions.any != nullptr && isAnyTempNamespace(SchemaOf(catalog, kind, versions.any));
}

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
		/* Of those that are built in nobody notes that he depends on them. */
		if (versions.existed && oid < FirstUnpinnedObjectId)
			AddEverything(d, MyDatabaseId);
		else if (versions.existed)
			Add(d, CatalogSlot(cacheid, murmurhash32(oid), MyDatabaseId));
		AddNames(d, catalog, kind, what, versions);
	}
	table_close(catalog, AccessShareLock);
}

/* A new schema is empty.  One that is renamed, dropped or that others may now use is not. */
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
 * Casts, operator classes and the like of a user's type matter to answers with that type, those of
 * built-in types alone to anybody who has the machinery among his dependencies.
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

/* The message's key can't be read from its hash value: all that our transaction did is looked for. */
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

/* Do two versions of a role say the same, but for its password and how it may log in? */
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

/* Indexes and TOAST tables are read by way of their tables only. */
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

/* Is the slot among the first `count`? */
bool
HasChanged(const Changed *changed, int count, SlotNo slot)
{
	for (int i = 0; i < count; i++)
	{
		if (changed->slots[i] == slot)
			return true;
	}
	return false;
}

/* What stands for the slot when the transaction changed too much. */
SlotNo
Coarse(const Changed *changed, SlotNo slot)
{
	if (IsShared(slot))
		return slot;
	if (IsRole(slot)) /* who depends on a role depends on this; any_role comes with each role */
		return GroupSlot(Group::unknown_role, InvalidOid);
	return OidIsValid(changed->database) ? DatabaseSlot(changed->database) : kSlotAllDdl;
}

/* Fewer slots, which every answer depends on that depends on one of these. */
void
Coarsen(Changed *changed)
{
	int kept = 0;

	for (int i = 0; i < changed->count; i++)
	{
		const SlotNo slot = Coarse(changed, changed->slots[i]);

		if (!HasChanged(changed, kept, slot))
			changed->slots[kept++] = slot;
	}
	changed->count = kept;
}

} // namespace

void
AddChanged(SlotNo slot, void *arg)
{
	Changed *changed = static_cast<Changed *>(arg);

	if (HasChanged(changed, changed->count, slot))
		return;
	if (changed->count == kMaxChanged)
	{
		Coarsen(changed);
		slot = Coarse(changed, slot);
		if (HasChanged(changed, changed->count, slot))
			return;
	}
	changed->slots[changed->count++] = slot;
}

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
			/* all relations: publications FOR ALL TABLES do that */
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

bool
IsDefinitionCatalog(Oid catalog)
{
	switch (catalog)
	{
	case AccessMethodOperatorRelationId:
	case AccessMethodProcedureRelationId:
	case AuthIdRelationId:
	case AuthMemRelationId:
	case CastRelationId:
	case CollationRelationId:
	case ConversionRelationId:
	case EnumRelationId:
	case ForeignDataWrapperRelationId:
	case ForeignServerRelationId:
	case LanguageRelationId:
	case NamespaceRelationId:
	case OperatorClassRelationId:
	case OperatorFamilyRelationId:
	case OperatorRelationId:
	case ProcedureRelationId:
	case TransformRelationId:
	case TSConfigMapRelationId:
	case TSConfigRelationId:
	case TSDictionaryRelationId:
	case TSParserRelationId:
	case TSTemplateRelationId:
	case UserMappingRelationId:
		return true;
	default:
		return false;
	}
}

} // namespace cq::exact
