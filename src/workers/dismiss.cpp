/*
 * dismiss.cpp
 *		Ends refresh workers in a database that a command needs for itself.
 *
 * DROP DATABASE, CREATE DATABASE .. TEMPLATE, ALTER DATABASE .. SET TABLESPACE and RENAME fail if other
 * sessions are still in the database after five seconds.  PostgreSQL ends autovacuum workers there, but
 * no other processes.  A refresh worker is no reason for such a command to fail either.  So it is ended,
 * and its requests are dropped: the next caller runs the query itself.
 *
 * An idle worker sees the lock on its database and ends (refresh_worker.cpp).  A worker that runs a query
 * gets a signal from here.  A user who lacks the right to run the command ends no worker.
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

/* The check of CREATE DATABASE for a template that the user does not own. */
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

/* The database that the command needs for itself, or nullptr.  *copied: as a template, which is only read. */
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
