/*
 * catalog.cpp
 *		Small questions to the system catalogs, answered from the syscache.
 */
#include "pg.h"
#include "query/catalog.h"

extern "C" {
#include "catalog/pg_collation.h"
}

namespace cq
{

/* False when there is no such function (any more). */
bool
FunctionFacts(Oid function, char *volatility, char *kind, bool *has_acl)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));

	if (!HeapTupleIsValid(tuple))
		return false;

	Form_pg_proc form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));

	*volatility = form->provolatile;
	*kind = form->prokind;
	*has_acl = !heap_attisnull(tuple, Anum_pg_proc_proacl, nullptr);
	ReleaseSysCache(tuple);
	return true;
}

Oid
FunctionLanguage(Oid function)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid language = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		language = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple))->prolang;
		ReleaseSysCache(tuple);
	}
	return language;
}

/* False when there is no such relation (any more). */
bool
RelationFacts(Oid relation, char *kind, char *persistence, bool *row_security, Oid *access_method)
{
	HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));

	if (!HeapTupleIsValid(tuple))
		return false;

	Form_pg_class form = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));

	*kind = form->relkind;
	*persistence = form->relpersistence;
	*row_security = form->relrowsecurity;
	*access_method = form->relam;
	ReleaseSysCache(tuple);
	return true;
}

Oid
TypeNamespace(Oid type)
{
	HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	Oid schema = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		schema = reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple))->typnamespace;
		ReleaseSysCache(tuple);
	}
	return schema;
}

Oid
CollationNamespace(Oid collation)
{
	HeapTuple tuple = SearchSysCache1(COLLOID, ObjectIdGetDatum(collation));
	Oid schema = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		schema = reinterpret_cast<Form_pg_collation>(GETSTRUCT(tuple))->collnamespace;
		ReleaseSysCache(tuple);
	}
	return schema;
}

} // namespace cq
