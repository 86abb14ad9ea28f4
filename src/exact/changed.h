/*
 * changed.h
 *		From a message to what changed, and to its slots.
 *
 * Part of exact.h.
 */
#pragma once

#include "pg.h"
#include "exact/definitions.h"

extern "C" {
#include "catalog/pg_authid.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_operator.h"
}

namespace cq::exact
{

enum class Effect : uint8
{
	none,        // it changes no result, or another message tells
	everything,  // any result of the database may depend on it
	function,    // results that call it
	type,        // results that have it
	op,          // who looks its name up; what it calls is a function
	collation,   // who looks its name up
	schema,      // who looks names up
	label,       // of an enum: as its type
	machinery,   // results with types or functions of users
	text_search, // results with text search
	foreign,     // results from foreign tables
	role,        // results for it
	membership,  // results for the member
	database     // results in it
};

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

/* --- effects.cpp */

extern Effect EffectOf(int cacheid);
/* murmurhash32() backwards: the OID whose hash value this is. */
extern Oid OidOfHash(uint32 h);

/* --- row_versions.cpp */

extern bool IsOurs(TransactionId xid);
/* Was this version replaced or removed by our transaction? */
extern bool EndedByUs(HeapTupleHeader header);
/*
 * SnapshotAny: nothing that our transaction ended can have been removed yet.  A version of another
 * transaction, living or dead, only says that there was something before.
 */
extern void ReadVersions(Relation catalog, const Catalog &kind, Oid oid, Versions *versions);
extern Datum Column(Relation catalog, HeapTuple tuple, AttrNumber column);
extern const char *NameOf(Relation catalog, const Catalog &kind, HeapTuple tuple);
/* Was it made, dropped, renamed or moved?  Then its old and its new name mean something else. */
extern void AddNames(Definitions *d, Relation catalog, const Catalog &kind, NameKind what,
					 const Versions &versions);
/* A temporary object is nobody else's. */
extern bool IsTemporary(Relation catalog, const Catalog &kind, const Versions &versions);

/* --- changed.cpp */

extern void Add(Definitions *d, SlotNo slot);
extern void AddEverything(Definitions *d, Oid database);
/* A name of the database means something else now, but it isn't known which. */
extern void AddUnknownName(Definitions *d, Oid database);
extern void AddUnknownRole(Definitions *d);
extern void AddRole(Definitions *d, Oid role);
/* Was the like of this message judged already? */
extern bool Seen(Definitions *d, uint64 message);

} // namespace cq::exact
