/*
 * definitions.h
 *		From the invalidation messages of a transaction to the slots that it changes.
 *
 * A message says of which system cache an entry changed, and the hash value of its key.  For a key
 * that is one OID the hash function is one to one, so the OID is known, and with it what the
 * transaction made of the row: the versions before and after are both still there.
 *
 * Part of exact.h.
 */
#pragma once

#include "exact/slots.h"

namespace cq::exact
{

/* Takes the slots of one message; may be called with the same one again. */
using AddSlot = void (*)(SlotNo slot, void *arg);

/* The slots of one transaction, each once. */
constexpr int kMaxChanged = 1024;
struct Changed
{
	Oid database; // the transaction's
	int count;
	SlotNo slots[kMaxChanged];
};
/*
 * Adds a slot to a Changed.  If there is no room, the database's slot takes the place of all slots that only
 * entries of this database depend on, and one slot for all roles takes the place of the roles' slots.
 */
extern void AddChanged(SlotNo slot, void *changed);

/* What was found out while the messages of one transaction were read. */
struct Definitions
{
	AddSlot add;
	void *arg;
	int names;        // told apart so far
	uint64 seen[256]; // messages that were judged; one place for several
};

/*
 * The slots of a message of this transaction, before it commits.  It reads catalogs, so it may raise.  No
 * entry depends on objects that are new or temporary; neutral commands change nothing.
 */
extern void AddDefinition(Definitions *definitions, const SharedInvalidationMessage &message);
/* The same for a transaction that is being replayed.  Catalogs cannot be read, so more slots count as changed. */
extern void AddReplayed(Definitions *definitions, const SharedInvalidationMessage &message);

/* Catalogs that any result may depend on, for OwnChangedEverything(). */
extern bool IsDefinitionCatalog(Oid catalog);

/* --- written.cpp: of a transaction with an id; may raise, can be interrupted */

/* Has this transaction written a relation, not counting what was rolled back?  It, or one of a sort. */
extern const PgStat_TableStatus *Wrote(Oid relation); // null: no
extern bool OwnRedefined(Oid relation);               // of a transaction with an id
extern bool WroteDefinitions();                       // IsDefinitionCatalog()
extern bool WroteCatalogs();

} // namespace cq::exact
