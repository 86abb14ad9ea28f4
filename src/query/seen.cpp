/*
 * seen.cpp
 *		What a walk has met, so that it goes nowhere twice and can be bounded.
 */
#include "pg.h"
#include "query/seen.h"

namespace cq
{
namespace
{

/* Where the key is, or the free place that it would take; an OID of 0 is no key. */
SeenKey *
Place(const Seen *seen, Thing thing, Oid oid, uint64 variant)
{
	const uint64 hash =
		hash_bytes_uint32_extended(oid, variant ^ (static_cast<uint64>(thing) << 32));

	for (uint32 i = static_cast<uint32>(hash) & (seen->size - 1);; i = (i + 1) & (seen->size - 1))
	{
		SeenKey *key = &seen->keys[i];

		if (key->oid == InvalidOid ||
			(key->oid == oid && key->thing == thing && key->variant == variant))
			return key;
	}
}

void
Enlarge(Seen *seen)
{
	MemoryContext context = seen->keys ? GetMemoryChunkContext(seen->keys) : CurrentMemoryContext;
	const Seen old = *seen;

	seen->size = Max(old.size * 2, 32);
	seen->keys =
		static_cast<SeenKey *>(MemoryContextAllocZero(context, sizeof(SeenKey) * seen->size));
	for (uint32 i = 0; i < old.size; i++)
	{
		const SeenKey &key = old.keys[i];

		if (key.oid != InvalidOid)
			*Place(seen, key.thing, key.oid, key.variant) = key;
	}
	if (old.keys)
		pfree(old.keys);
}

} // namespace

bool
HasMet(const Seen &seen, Thing thing, Oid oid, uint64 variant)
{
	return seen.count > 0 && Place(&seen, thing, oid, variant)->oid != InvalidOid;
}

bool
FirstTime(Seen *seen, Thing thing, Oid oid, uint64 variant)
{
	SeenKey *key;

	if (oid == InvalidOid)
		return false;
	if (seen->count * 2 >= seen->size)
		Enlarge(seen);
	key = Place(seen, thing, oid, variant);
	if (key->oid != InvalidOid)
		return false;
	*key = {thing, oid, variant};
	seen->count++;
	return true;
}

} // namespace cq
