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

/* What one transaction changed, each once. */
constexpr int kMaxChanged = 20000;
struct Changed
{
	bool coarse; // things are not told apart any more
	int count;
	SlotNo slots[kMaxChanged];
	uint16 places[1 << 15]; // a hash table: 1 + the index in `slots`, 0 = none
};
static_assert(kMaxChanged < 1 << 15 && kMaxChanged > kMaxSlotsOfDatabase);
extern void InitChanged(Changed *changed);
/* Adds one to a Changed; when there is no more room, slots as a whole take the place of the things in them. */
extern void AddChanged(SlotNo slot, void *changed);

/* What may be known of a transaction beside its messages; one for each transaction. */
struct Definitions
{
	AddSlot add;
	void *arg;
	uint64 seen[256]; // messages that were judged; one place for several
};

/*
 * Of this transaction, before it commits: reads catalogs, so it may raise.  What is new or temporary
 * has nobody who depends on it; a command that changes no contents is passed over.
 */
extern void AddDefinition(Definitions *definitions, const SharedInvalidationMessage &message);
/* Of one that is being replayed: no catalogs can be read, so more is taken to have changed. */
extern void AddReplayed(Definitions *definitions, const SharedInvalidationMessage &message);

/* Catalogs that any answer may depend on, for OwnChangedEverything(). */
extern bool IsDefinitionCatalog(Oid catalog);

/* --- written.cpp: of a transaction with an id; may raise, can be interrupted */

/* Has this transaction written a relation, not counting what was rolled back?  It, or one of a sort. */
extern bool Wrote(Oid relation);
extern bool WroteDefinitions(); // IsDefinitionCatalog()
extern bool WroteCatalogs();

} // namespace cq::exact
