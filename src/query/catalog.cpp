/*
 * catalog.cpp
 *		Small questions to the system catalogs, answered from the syscache.
 */
#include "pg.h"
#include "query/catalog.h"

extern "C" {
#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_constraint.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
}

namespace cq
{
namespace
{

/* read(form, tuple) on the row with this OID; false when there is none (any more). */
template <typename Form, typename Read>
bool
ReadRow(compat::CacheId cache, Oid oid, Read read)
{
	HeapTuple tuple = SearchSysCache1(cache, ObjectIdGetDatum(oid));

	if (!HeapTupleIsValid(tuple))
		return false;
	read(reinterpret_cast<Form>(GETSTRUCT(tuple)), tuple);
	ReleaseSysCache(tuple);
	return true;
}

} // namespace

bool
FunctionFacts(Oid function, char *volatility, char *kind, bool *has_acl)
{
	return ReadRow<Form_pg_proc>(PROCOID, function, [&](Form_pg_proc form, HeapTuple tuple) {
		*volatility = form->provolatile;
		*kind = form->prokind;
		*has_acl = !heap_attisnull(tuple, Anum_pg_proc_proacl, nullptr);
	});
}

Oid
FunctionLanguage(Oid function)
{
	Oid language = InvalidOid;

	ReadRow<Form_pg_proc>(PROCOID, function,
						  [&](Form_pg_proc form, HeapTuple) { language = form->prolang; });
	return language;
}

bool
BodyIsTree(Oid function)
{
	bool tree = false;

	ReadRow<Form_pg_proc>(PROCOID, function, [&](Form_pg_proc, HeapTuple tuple) {
		tree = !heap_attisnull(tuple, Anum_pg_proc_prosqlbody, nullptr);
	});
	return tree;
}

bool
RelationFacts(Oid relation, char *kind, char *persistence, bool *row_security, Oid *access_method)
{
	return ReadRow<Form_pg_class>(RELOID, relation, [&](Form_pg_class form, HeapTuple) {
		*kind = form->relkind;
		*persistence = form->relpersistence;
		*row_security = form->relrowsecurity;
		*access_method = form->relam;
	});
}

bool
RelationFile(Oid relation, char *kind, Oid *file)
{
	return ReadRow<Form_pg_class>(RELOID, relation, [&](Form_pg_class form, HeapTuple) {
		*kind = form->relkind;
		*file = form->relfilenode;
	});
}

Oid
TypeNamespace(Oid type)
{
	Oid schema = InvalidOid;

	ReadRow<Form_pg_type>(TYPEOID, type,
						  [&](Form_pg_type form, HeapTuple) { schema = form->typnamespace; });
	return schema;
}

char *
NameOfType(Oid type)
{
	char *name = pstrdup("");

	ReadRow<Form_pg_type>(TYPEOID, type, [&](Form_pg_type form, HeapTuple) {
		name = pstrdup(NameStr(form->typname));
	});
	return name;
}

namespace
{

List *
AddChecks(List *checks, Relation catalog, Oid domain)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;

	ScanKeyInit(&key, Anum_pg_constraint_contypid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(domain));
	scan = systable_beginscan(catalog, ConstraintTypidIndexId, true, nullptr, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool null;
		Datum tree =
			heap_getattr(tuple, Anum_pg_constraint_conbin, RelationGetDescr(catalog), &null);

		if (!null)
			checks = lappend(checks, TextDatumGetCString(tree));
	}
	systable_endscan(scan);
	return checks;
}

} // namespace

Oid
TypeBelow(Oid domain)
{
	Oid base = InvalidOid;

	ReadRow<Form_pg_type>(TYPEOID, domain,
						  [&](Form_pg_type form, HeapTuple) { base = form->typbasetype; });
	return base;
}

List *
ChecksOf(Oid domain)
{
	Relation catalog = table_open(ConstraintRelationId, AccessShareLock);
	List *checks = NIL;

	for (; OidIsValid(domain) && get_typtype(domain) == TYPTYPE_DOMAIN; domain = TypeBelow(domain))
		checks = AddChecks(checks, catalog, domain);
	table_close(catalog, AccessShareLock);
	return checks;
}

Oid
FunctionRunsAs(Oid function)
{
	Oid role = InvalidOid;

	ReadRow<Form_pg_proc>(PROCOID, function, [&](Form_pg_proc form, HeapTuple) {
		role = form->prosecdef ? form->proowner : InvalidOid;
	});
	return role;
}

Oid
OutputFunction(Oid type, bool binary)
{
	Oid function = InvalidOid;

	ReadRow<Form_pg_type>(TYPEOID, type, [&](Form_pg_type form, HeapTuple) {
		function = binary ? form->typsend : form->typoutput;
	});
	return function;
}

Oid
CollationNamespace(Oid collation)
{
	Oid schema = InvalidOid;

	ReadRow<Form_pg_collation>(COLLOID, collation, [&](Form_pg_collation form, HeapTuple) {
		schema = form->collnamespace;
	});
	return schema;
}

namespace
{

/* The relation's file, as this snapshot sees it; false: there is no such relation. */
bool
FileUnder(Oid relation, Snapshot snapshot, Oid *file)
{
	Relation catalog = table_open(RelationRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple tuple;
	bool found;

	ScanKeyInit(&key, Anum_pg_class_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relation));
	scan = systable_beginscan(catalog, ClassOidIndexId, true, snapshot, 1, &key);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
		*file = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relfilenode;
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

/* Does the snapshot see the newest row of the relation in pg_class?  Then also all before. */
bool
SeesDefinition(Oid relation, Snapshot snapshot)
{
	bool sees = true;

	ReadRow<Form_pg_class>(RELOID, relation, [&](Form_pg_class, HeapTuple tuple) {
		const TransactionId maker = HeapTupleHeaderGetXmin(tuple->t_data);

		sees = !TransactionIdIsNormal(maker) || TransactionIdIsCurrentTransactionId(maker) ||
			   !XidInMVCCSnapshot(maker, snapshot);
	});
	return sees;
}

} // namespace

bool
StorageReplacedSince(Oid relation, Snapshot snapshot)
{
	Oid now = InvalidOid;
	Oid then = InvalidOid;

	if (SeesDefinition(relation, snapshot))
		return false;
	ReadRow<Form_pg_class>(RELOID, relation,
						   [&](Form_pg_class form, HeapTuple) { now = form->relfilenode; });
	return !FileUnder(relation, snapshot, &then) || now != then;
}

bool
MadeSince(Oid relation, Snapshot snapshot)
{
	Oid file;

	return !SeesDefinition(relation, snapshot) && !FileUnder(relation, snapshot, &file);
}

} // namespace cq
