/*
 * dismiss.cpp
 *		Sends refresh workers away from a database that somebody wants for himself.
 *
 * DROP DATABASE, CREATE DATABASE .. TEMPLATE, ALTER DATABASE .. SET TABLESPACE and RENAME wait five
 * seconds for other sessions to go.  They tell autovacuum workers so, and nobody else.  Ours are as little
 * reason to wait: their requests are dropped, and whoever asks next runs the query himself.
 *
 * An idle worker sees the lock on its database and goes (refresh_worker.cpp); one that runs a query is told here.
 * Who may not do what he says sends nobody away.
 */
#include "pg.h"
#include "call/refresh_queue.h"
#include "workers/dismiss.h"

extern "C" {
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
}

namespace cq
{
namespace
{

DefElem *
Option(List *options, const char *name)
{
	ListCell *cell;

	foreach (cell, options)
	{
		DefElem *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, name) == 0 && option->arg != nullptr)
			return option;
	}
	return nullptr;
}

/* What CREATE DATABASE asks before it copies a database that is not one's own. */
bool
MayCopy(Oid database)
{
	HeapTuple role = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	HeapTuple source = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	const bool may = HeapTupleIsValid(role) && HeapTupleIsValid(source) &&
					 reinterpret_cast<Form_pg_authid>(GETSTRUCT(role))->rolcreatedb &&
					 reinterpret_cast<Form_pg_database>(GETSTRUCT(source))->datistemplate;

	if (HeapTupleIsValid(role))
		ReleaseSysCache(role);
	if (HeapTupleIsValid(source))
		ReleaseSysCache(source);
	return may;
}

/* The database that a statement wants for itself; nullptr: none.  *copied: it is only read. */
const char *
WantedDatabase(Node *node, bool *copied)
{
	*copied = false;
	if (IsA(node, DropdbStmt))
		return reinterpret_cast<DropdbStmt *>(node)->dbname;
	if (IsA(node, RenameStmt) &&
		reinterpret_cast<RenameStmt *>(node)->renameType == OBJECT_DATABASE)
		return reinterpret_cast<RenameStmt *>(node)->subname;
	if (IsA(node, AlterDatabaseStmt))
	{
		const AlterDatabaseStmt *alter = reinterpret_cast<AlterDatabaseStmt *>(node);

		return Option(alter->options, "tablespace") != nullptr ? alter->dbname : nullptr;
	}
	if (IsA(node, CreatedbStmt))
	{
		DefElem *source = Option(reinterpret_cast<CreatedbStmt *>(node)->options, "template");

		*copied = true;
		return source != nullptr ? defGetString(source) : "template1";
	}
	return nullptr;
}

} // namespace

void
DismissWorkersFor(Node *command)
{
	bool copied;
	const char *name = WantedDatabase(command, &copied);
	Oid database;

	if (name == nullptr || !IsTransactionState())
		return;
	database = get_database_oid(name, true);
	if (OidIsValid(database) && (compat::OwnsDatabase(database) || (copied && MayCopy(database))))
		DismissWorkers(database);
}

} // namespace cq
