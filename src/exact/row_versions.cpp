/*
 * row_versions.cpp
 *		What this transaction made of a catalog row: the versions before and after.
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
#include "catalog/namespace.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
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
#include "utils/fmgroids.h"
}

namespace cq::exact
{
namespace
{

/* More names of one transaction are not told apart. */
constexpr int kMaxNames = 64;

/* --- what the transaction made of a row ------------------------------------------------------ */

} // namespace

bool
IsOurs(TransactionId xid)
{
	return TransactionIdIsValid(xid) && TransactionIdIsCurrentTransactionId(xid);
}

bool
EndedByUs(HeapTupleHeader header)
{
	return (header->t_infomask & HEAP_XMAX_INVALID) == 0 &&
		   !HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask) &&
		   IsOurs(HeapTupleHeaderGetUpdateXid(header));
}

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

namespace
{

Oid
SchemaOf(Relation catalog, const Catalog &kind, HeapTuple tuple)
{
	return kind.schema == 0 ? InvalidOid : DatumGetObjectId(Column(catalog, tuple, kind.schema));
}

} // namespace

const char *
NameOf(Relation catalog, const Catalog &kind, HeapTuple tuple)
{
	return NameStr(*DatumGetName(Column(catalog, tuple, kind.name)));
}

namespace
{

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

} // namespace

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

bool
IsTemporary(Relation catalog, const Catalog &kind, const Versions &versions)
{
	return versions.any != nullptr && isAnyTempNamespace(SchemaOf(catalog, kind, versions.any));
}

} // namespace cq::exact
