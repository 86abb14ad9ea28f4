/*
 * meta.h
 *		What an entry depends on, as the meta bytes that the store keeps behind its tuples.
 */
#pragma once

#include "pg.h"
#include "exact/exact.h"
#include "store/store.h"

namespace cq
{

/* EntryFacts.flags */
constexpr uint32 kEntryExact = 1;     /* good for exact reads, too */
constexpr uint32 kEntryElsewhere = 2; /* from Redis, of another server or of before a restart */
constexpr uint32 kEntryTransit = 4;   /* on its way to Redis, then dropped here */
constexpr uint32 kEntryAuto = 8;      /* of a statement that doesn't know of the cache */

constexpr uint32 kMaxDependencies = 1000; /* of each kind; more is not kept */

struct MetaHead
{
	uint32 slots;       /* what every hit checks */
	uint32 write_slots; /* what an exact hit checks, too */
	uint32 relations;
	uint32 tag_length;
	uint32 query_length;
	uint32 args_length;
	int32 encoding; /* of the texts: entries of all databases are shown together */
};

/*
 * In this order in the stream: head, slots, write slots, relations, grains, tag, query, arguments, and with
 * cached_query.warm_start what it takes to run the query again (warm_start.cpp).
 */
struct Meta
{
	MetaHead head;
	const exact::SlotNo *slots;       /* each once, in order */
	const exact::SlotNo *write_slots; /* the same */
	const Oid *relations;
	const int16 *grains; /* which of their rows count, as in pins.h */
	const char *tag;     /* not terminated */
	const char *query;   /* the text of the call that filled it, not terminated */
	const char *args;    /* for people, not terminated; made when the entry was */
	const char *origin;
	uint32 rerun_length;
};

/* For reading one part alone. */
inline uint32
RelationsOffset(const MetaHead &head)
{
	return static_cast<uint32>(sizeof(MetaHead) +
							   (head.slots + head.write_slots) * sizeof(exact::SlotNo));
}

inline uint32
TagOffset(const MetaHead &head)
{
	return RelationsOffset(head) +
		   head.relations * static_cast<uint32>(sizeof(Oid) + sizeof(int16));
}

/* The moment of its rows on the clock of exact::MonotonicMs(). */
extern int64 MomentOf(const EntryFacts &facts);
extern char *EncodeMeta(const Meta &meta, uint32 *length);
/* The parts of meta bytes, aligned for 4; false: they contradict themselves. */
extern bool DecodeMeta(const char *bytes, uint32 length, Meta *meta);
/* The meta of a pinned entry, palloc'd. */
extern Meta ReadEntryMeta(const Entry *entry);
/*
 * What a hit needs of it, slots and relations and nothing behind them, in `buffer` if it fits there,
 * else palloc'd.
 */
extern Meta ReadDependencies(const Entry *entry, char *buffer, Size size);

} // namespace cq
