/*
 * catalog.h
 *		Small questions to the system catalogs, answered from the syscache.
 */
#pragma once

#include "pg.h"

namespace cq
{

extern bool FunctionFacts(Oid function, char *volatility, char *kind, bool *has_acl);
extern Oid FunctionLanguage(Oid function);
/* Is its body kept parsed, with its names resolved (BEGIN ATOMIC)? */
extern bool BodyIsTree(Oid function);
extern bool RelationFacts(Oid relation, char *kind, char *persistence, bool *row_security,
						  Oid *access_method);
/* Where its rows are: the number of its file, 0 if it has none or the file of another name. */
extern bool RelationFile(Oid relation, char *kind, Oid *file);
extern Oid TypeNamespace(Oid type);
extern char *NameOfType(Oid type); /* without its schema */
/* What a domain is made of, which may be a domain, too; InvalidOid: it is none. */
extern Oid TypeBelow(Oid domain);
/* CHECK constraints (char *: stored trees) of a domain and of those that it is made of. */
extern List *ChecksOf(Oid domain);
/* As whom it runs: the owner of a SECURITY DEFINER function, else 0. */
extern Oid FunctionRunsAs(Oid function);
/* Of a type's text or binary form; invalid: it has none. */
extern Oid OutputFunction(Oid type, bool binary);
extern Oid CollationNamespace(Oid collation);
/*
 * Was the relation made, or its storage replaced, by a transaction that the snapshot doesn't see?
 * After TRUNCATE the snapshot finds neither the old rows nor the new ones.
 */
extern bool StorageReplacedSince(Oid relation, Snapshot snapshot);
/*
 * Was it made by a transaction that the snapshot doesn't see?  Such a table is empty for the snapshot.
 */
extern bool MadeSince(Oid relation, Snapshot snapshot);

} // namespace cq
