/*
 * comparison.cpp
 *		What values are compared, sorted and hashed by: operators, operator classes.
 *
 * Part of walk.h.
 */
#include "pg.h"
#include "query/walk.h"

extern "C" {
#include "access/nbtree.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_index.h"
#include "catalog/pg_partitioned_table.h"
#include "catalog/pg_type.h"
#include "utils/catcache.h"
}

#include <initializer_list>

namespace cq
{

void
JudgeIfUsers(Findings *f, Oid function)
{
	if (function >= FirstUnpinnedObjectId)
		JudgeFunction(function, f);
}

void
JudgeOperator(Findings *f, Oid op)
{
	Oid family;
	Oid input;
	Oid hashes[2] = {};

	if (!OidIsValid(op))
		return;
	JudgeIfUsers(f, get_opcode(op));
	if (compat::OrderingFamily(op, &family, &input))
		JudgeIfUsers(f, get_opfamily_proc(family, input, input, BTORDER_PROC));
	if (get_op_hash_functions(op, &hashes[0], &hashes[1]))
	{
		JudgeIfUsers(f, hashes[0]);
		JudgeIfUsers(f, hashes[1]);
	}
}

void
JudgeComparison(Findings *f, Oid type)
{
	const TypeCacheEntry *entry = lookup_type_cache(
		type, TYPECACHE_EQ_OPR | TYPECACHE_LT_OPR | TYPECACHE_GT_OPR | TYPECACHE_CMP_PROC |
				  TYPECACHE_HASH_PROC | TYPECACHE_HASH_EXTENDED_PROC | TYPECACHE_RANGE_INFO |
				  TYPECACHE_MULTIRANGE_INFO);

	for (Oid function :
		 {get_opcode(entry->eq_opr), get_opcode(entry->lt_opr), get_opcode(entry->gt_opr),
		  entry->cmp_proc, entry->hash_proc, entry->hash_extended_proc,
		  /* a range's bounds, by the operator class that it was made with */
		  entry->rng_cmp_proc_finfo.fn_oid, entry->rng_canonical_finfo.fn_oid,
		  entry->rng_subdiff_finfo.fn_oid})
		JudgeIfUsers(f, function);
}

bool
MayGetComparison(Oid type)
{
	char category;
	bool preferred;

	if (get_typtype(type) != TYPTYPE_BASE)
		return false;
	get_type_category_preferred(type, &category, &preferred);
	switch (category)
	{
	case TYPCATEGORY_BITSTRING:
	case TYPCATEGORY_BOOLEAN:
	case TYPCATEGORY_DATETIME:
	case TYPCATEGORY_NETWORK:
	case TYPCATEGORY_NUMERIC:
	case TYPCATEGORY_STRING:
	case TYPCATEGORY_TIMESPAN:
		return false;
	default:
		return true;
	}
}

namespace
{

/* All support functions of a user's operator class, and of those in its family. */
void
JudgeClasses(Findings *f, const oidvector *classes)
{
	const bool nested = f->nested;

	f->nested = true;
	for (int i = 0; i < classes->dim1; i++)
	{
		CatCList *procs;

		if (classes->values[i] < FirstUnpinnedObjectId)
			continue;
		procs = SearchSysCacheList1(AMPROCNUM,
									ObjectIdGetDatum(get_opclass_family(classes->values[i])));
		for (int j = 0; j < procs->n_members; j++)
			JudgeIfUsers(
				f, reinterpret_cast<Form_pg_amproc>(GETSTRUCT(&procs->members[j]->tuple))->amproc);
		ReleaseSysCacheList(procs);
	}
	f->nested = nested;
}

/* The operator classes that a catalog's row holds. */
void
JudgeClassesOf(Findings *f, compat::CacheId cache, Oid relation, int column)
{
	HeapTuple tuple = SearchSysCache1(cache, ObjectIdGetDatum(relation));
	bool null;
	Datum classes;

	if (!HeapTupleIsValid(tuple))
		return;
	classes = SysCacheGetAttr(cache, tuple, column, &null);
	if (!null)
		JudgeClasses(f, reinterpret_cast<oidvector *>(DatumGetPointer(classes)));
	ReleaseSysCache(tuple);
}

} // namespace

void
JudgeIndex(Findings *f, Oid index)
{
	JudgeClassesOf(f, INDEXRELID, index, Anum_pg_index_indclass);
}

void
JudgePartitioning(Findings *f, Oid relation)
{
	JudgeClassesOf(f, PARTRELID, relation, Anum_pg_partitioned_table_partclass);
}

} // namespace cq
