/*
 * oid_table.h
 *		What this process knows of objects, by their Oids.
 */
#pragma once

#include "pg.h"

extern "C" {
#include "utils/hsearch.h"
}

namespace cq
{

/* An Entry has no constructor, and its first member is `oid`. */
template <typename Entry> struct OidTable
{
	const char *name;
	HTAB *entries;    /* nullptr: nothing is known */
	uint64 forgotten; /* times that it was emptied */

	/* nullptr: nothing is known of it. */
	Entry *
	Find(Oid oid) const
	{
		return entries == nullptr
				   ? nullptr
				   : static_cast<Entry *>(hash_search(entries, &oid, HASH_FIND, nullptr));
	}

	/* If nothing is known of it yet, only the `oid` of the entry is set.  A table is made in this context. */
	Entry *
	Enter(Oid oid, bool *found, MemoryContext context = TopMemoryContext)
	{
		static_assert(offsetof(Entry, oid) == 0 && sizeof(Entry::oid) == sizeof(Oid));
		if (entries == nullptr)
		{
			HASHCTL control = {};

			control.keysize = sizeof(Oid);
			control.entrysize = sizeof(Entry);
			control.hcxt = context;
			entries = hash_create(name, 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		}
		return static_cast<Entry *>(hash_search(entries, &oid, HASH_ENTER, found));
	}

	/*
	 * What is known of it, or what read(oid) finds in the catalogs.  Reading may process invalidation
	 * messages, whose callback empties the table.  Then what was read may be out of date the next time, so
	 * it is not entered.
	 */
	template <typename Read>
	Entry
	FindOrRead(Oid oid, Read read)
	{
		const Entry *known = Find(oid);
		const uint64 before = forgotten;
		bool found;

		if (likely(known != nullptr))
			return *known;

		const Entry entry = read(oid);

		if (forgotten == before)
			*Enter(oid, &found) = entry;
		return entry;
	}

	/* For an invalidation callback: raises nothing. */
	void
	ForgetAll()
	{
		if (entries != nullptr)
			hash_destroy(entries);
		entries = nullptr;
		forgotten++;
	}
};

} // namespace cq
