/*
 * machinery.cpp
 *		Casts, operator classes, transforms and languages that changed.
 *
 * Part of exact.h.
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
#include "catalog/pg_am.h"
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

/*
 * Casts, operator classes and the like of a user's type matter to answers with that type, those of
 * built-in types alone to anybody who has the machinery among his dependencies.
 */
struct Machinery
{
	int cacheid;
	Oid relation;
	AttrNumber types[2]; // 0: none
	AttrNumber family;   // of operators; 0: it has none
};

constexpr Machinery kMachinery[] = {
	{CASTSOURCETARGET, CastRelationId, {Anum_pg_cast_castsource, Anum_pg_cast_casttarget}, 0},
	{AMOPOPID,
	 AccessMethodOperatorRelationId,
	 {Anum_pg_amop_amoplefttype, Anum_pg_amop_amoprighttype},
	 Anum_pg_amop_amopfamily},
	{AMPROCNUM,
	 AccessMethodProcedureRelationId,
	 {Anum_pg_amproc_amproclefttype, Anum_pg_amproc_amprocrighttype},
	 Anum_pg_amproc_amprocfamily},
	{CLAOID, OperatorClassRelationId, {Anum_pg_opclass_opcintype, 0}, Anum_pg_opclass_opcfamily},
	{TRFOID, TransformRelationId, {Anum_pg_transform_trftype, 0}, 0},
	{LANGOID, LanguageRelationId, {0, 0}, 0},
};

/* Values are compared and hashed by two access methods' operators; those of others find rows faster. */
bool
OnlyForIndexes(const Machinery &kind, Relation catalog, HeapTuple tuple)
{
	HeapTuple family;
	Oid method;

	if (kind.family == 0)
		return false;
	family = SearchSysCache1(OPFAMILYOID, Column(catalog, tuple, kind.family));
	if (!HeapTupleIsValid(family))
		return false; /* dropped, too */
	method = reinterpret_cast<Form_pg_opfamily>(GETSTRUCT(family))->opfmethod;
	ReleaseSysCache(family);
	return method != BTREE_AM_OID && method != HASH_AM_OID;
}

/* A row that this transaction made or ended. */
void
JudgePart(Definitions *d, const Machinery &kind, Relation catalog, HeapTuple tuple)
{
	bool of_user = false;

	if (OnlyForIndexes(kind, catalog, tuple))
		return;
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

} // namespace

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

} // namespace cq::exact
