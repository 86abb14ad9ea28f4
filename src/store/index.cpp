/*
 * index.cpp
 *		The index: buckets and the directory; linking, finding and unlinking entries.
 *
 * Part of store.h.
 */
#include "pg.h"
#include "store/index.h"

#include <bit>

#include "store/internal.h"

namespace cq
{
namespace
{

/* The last one of its kind moves to the freed position. */
void
DirectoryRemove(Entry *entry)
{
	StoreShared *shared = map.shared;
	UnitRef last;

	LWLockAcquire(map.directory_lock, LW_EXCLUSIVE);
	if (IsImage(entry))
	{
		last = map.directory[map.directory_size - shared->nimages--];
		shared->image_units -= entry->units;
	}
	else
	{
		last = map.directory[--shared->nentries];
		shared->payload -= entry->payload;
	}
	map.directory[entry->directory_position] = last;
	EntryAt(last)->directory_position = entry->directory_position;
	AccountDischarge(shared->accounts, entry);
	LWLockRelease(map.directory_lock);
}

/* Take the entry that a link of its bucket leads to out of both. */
void
UnlinkAt(UnitRef *link, TimestampTz now, UnitRef *garbage)
{
	UnitRef unit = *link;
	Entry *entry = EntryAt(unit);

	*link = entry->next_in_bucket;
	entry->next_in_bucket = kNoUnit;

	/*
	 * It leaves the directory before the flag is set.  A backend that found the entry in the directory
	 * has pinned it by then.  So either we see its pin, or it sees our flag.
	 */
	DirectoryRemove(entry);
	if (!IsImage(entry) && link_count != nullptr)
		link_count(entry, -1);
	if (!IsImage(entry) && IsExpired(entry, now))
		pg_atomic_fetch_add_u64(&map.shared->expirations, 1);
	if ((pg_atomic_fetch_or_u64(&entry->state, kUnlinked) & kPinMask) == 0)
	{
		entry->next_in_bucket = *garbage;
		*garbage = unit;
	}
}

/* The linked entry with the same key, partition lock held. */
Entry *
FindSame(const Entry *entry)
{
	for (UnitRef unit = *BucketOf(entry->hash); unit != kNoUnit;)
	{
		Entry *other = EntryAt(unit);

		if (other->hash == entry->hash && SameKey(other, entry))
			return other;
		unit = other->next_in_bucket;
	}
	return nullptr;
}

enum class Link
{
	done,
	newer_there,
	directory_full,
	over_quota
};

/* Link a finished fill in place of the entry with its key, if there is one. */
Link
LinkEntry(Entry *entry, TimestampTz now, Owner *owner)
{
	LWLock *lock = PartitionLock(entry->hash);
	UnitRef *bucket = BucketOf(entry->hash);
	Entry *old;
	Added added;
	UnitRef garbage = kNoUnit;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	old = FindSame(entry);
	if (old != nullptr && old->facts.as_of > entry->facts.as_of)
	{
		LWLockRelease(lock);
		return Link::newer_there;
	}

	/*
	 * Nobody can read the bucket now.  But from the moment when it is in the directory, a backend that
	 * evicts or walks may pin the entry.  So it must be complete by then.  It can't be freed, since we
	 * have it pinned.
	 */
	pg_atomic_fetch_and_u64(&entry->state, ~kUnlinked);
	if (old != nullptr)
	{
		if (owner->inherit)
			*owner = OwnerOf(old);
		UnlinkLocked(old, now, &garbage);
	}
	added = DirectoryAdd(entry, *owner);
	if (added != Added::yes)
	{
		pg_atomic_fetch_or_u64(&entry->state, kUnlinked);
		LWLockRelease(lock);
		FreeGarbage(garbage);
		return added == Added::full ? Link::directory_full : Link::over_quota;
	}
	entry->next_in_bucket = *bucket;
	*bucket = UnitOf(entry);
	if (link_count != nullptr)
		link_count(entry, 1);
	LWLockRelease(lock);

	FreeGarbage(garbage);
	return Link::done;
}

} // namespace

/* The linked entry with this key, pinned, or nullptr. */
Pin *
FindEntry(uint64 hash, const void *key, uint32 key_len)
{
	Pin *pin = NewPin();
	LWLock *lock = PartitionLock(hash);
	Entry *entry = nullptr;

	LWLockAcquire(lock, LW_SHARED);
	for (UnitRef unit = *BucketOf(hash); unit != kNoUnit;)
	{
		Entry *candidate = EntryAt(unit);

		if (candidate->hash == hash && KeyIs(candidate, key, key_len))
		{
			entry = PinFound(candidate);
			break;
		}
		unit = candidate->next_in_bucket;
	}
	LWLockRelease(lock);
	return HoldFound(pin, entry);
}

Entry *
LinkedAt(uint64 hash, UnitRef unit, uint64 id)
{
	/* the entry that began at `unit` may be freed: don't read there unless the bucket leads there */
	for (UnitRef at = *BucketOf(hash); at != kNoUnit; at = EntryAt(at)->next_in_bucket)
	{
		if (at == unit)
			return EntryAt(at)->id == id ? EntryAt(at) : nullptr;
	}
	return nullptr;
}

/* Pin an entry that was seen in the directory a while ago, if it is still linked. */
Pin *
PinListed(uint64 hash, UnitRef unit, uint64 id)
{
	Pin *pin = NewPin();
	LWLock *lock = PartitionLock(hash);
	Entry *entry;

	LWLockAcquire(lock, LW_SHARED);
	entry = PinFound(LinkedAt(hash, unit, id));
	LWLockRelease(lock);
	return HoldFound(pin, entry);
}

EntryTicket
TicketOf(const Pin *pin)
{
	return {pin->entry->hash, pin->entry->id, UnitOf(pin->entry)};
}

Pin *
PinTicket(const EntryTicket &ticket)
{
	return PinListed(ticket.hash, ticket.unit, ticket.id);
}

/* Count one hit and note its time; nothing is written outside of the entry's first line. */
void
CountHit(Pin *pin, TimestampTz now, int64 ttl_us)
{
	Entry *entry = pin->entry;
	uint64 aging = pg_atomic_read_u64(&map.shared->aging);
	uint64 ttl = pg_atomic_read_u64(&entry->ttl_us);

	pg_atomic_fetch_add_u64(&entry->state, kHitOne);
	if (now - static_cast<TimestampTz>(pg_atomic_read_u64(&entry->last_hit)) >= USECS_PER_SEC)
		pg_atomic_write_u64(&entry->last_hit, static_cast<uint64>(now));
	if (pg_atomic_read_u64(&entry->aging) != aging)
		pg_atomic_write_u64(&entry->aging, aging);
	while (static_cast<int64>(ttl) < ttl_us)
	{
		if (pg_atomic_compare_exchange_u64(&entry->ttl_us, &ttl, static_cast<uint64>(ttl_us)))
			break;
	}
}

/* Unlink a pinned entry, so that nobody finds it again. */
void
DropEntry(Pin *pin)
{
	UnlinkPinned(pin->entry, GetCurrentTimestamp());
}

Added
DirectoryAdd(Entry *entry, const Owner &owner)
{
	StoreShared *shared = map.shared;
	const bool image = IsImage(entry);
	Added added = Added::full;
	uint32 account;

	LWLockAcquire(map.directory_lock, LW_EXCLUSIVE);
	account = AccountOf(shared->accounts, owner);
	if (account != kSharedAccount)
		shared->accounts[account].quota = owner.quota;
	if (!AccountHasRoom(shared->accounts, account, owner, entry->units))
		added = Added::over_quota;
	else if (shared->nentries + shared->nimages < map.directory_size)
		added = Added::yes;
	if (added == Added::yes)
	{
		entry->directory_position =
			image ? map.directory_size - ++shared->nimages : shared->nentries++;
		map.directory[entry->directory_position] = UnitOf(entry);
		if (image)
			shared->image_units += entry->units;
		else
			shared->payload += entry->payload;
		AccountCharge(shared->accounts, entry, account, !image && owner.quota != kNoQuota);
	}
	LWLockRelease(map.directory_lock);
	return added;
}

void
UnlinkLocked(Entry *entry, TimestampTz now, UnitRef *garbage)
{
	UnitRef unit = UnitOf(entry);
	UnitRef *link = BucketOf(entry->hash);

	while (*link != unit)
		link = &EntryAt(*link)->next_in_bucket;
	UnlinkAt(link, now, garbage);
	while (*link != kNoUnit && EntryAt(*link)->image_of == entry->id)
		UnlinkAt(link, now, garbage);
}

/* Free entries that were unlinked and that nobody has pinned: a list by next_in_bucket. */
void
FreeGarbage(UnitRef garbage)
{
	while (garbage != kNoUnit)
	{
		UnitRef next = EntryAt(garbage)->next_in_bucket;

		FreeChain(garbage);
		garbage = next;
	}
}

bool
UnlinkPinned(Entry *entry, TimestampTz now)
{
	LWLock *lock = PartitionLock(entry->hash);
	UnitRef garbage = kNoUnit;
	bool linked;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	linked = !IsUnlinked(entry);
	if (linked)
		UnlinkLocked(entry, now, &garbage);
	LWLockRelease(lock);
	FreeGarbage(garbage);
	return linked;
}

/* Link a fill under its key; it is readable afterwards whatever the outcome. */
Published
PublishFill(Pin *fill, const EntryFacts *facts, const Owner &given, const void *meta,
			uint32 meta_len)
{
	Entry *entry = fill->entry;
	Owner owner = given;
	bool complete;
	Link link;

	if (!fill->filling)
	{
		/* it had to leave tuples out */
		SealFill(fill, facts->rows);
		return Published::no;
	}
	fill->claim.known = true; /* its query has ended, and it is to be kept */
	entry->facts = *facts;
	pg_atomic_write_u64(&entry->ttl_us, static_cast<uint64>(facts->ttl_us));
	pg_atomic_write_u64(&entry->aging, pg_atomic_read_u64(&map.shared->aging));
	entry->published = GetCurrentTimestamp();
	complete = WriteMeta(fill, meta, meta_len);
	SealFill(fill, facts->rows);
	if (!complete)
		return Published::no;
	if (!owner.inherit && entry->units > owner.quota)
		return Published::over_quota;

	for (int evicted = 0;; evicted++)
	{
		link = LinkEntry(entry, entry->published, &owner);
		if (link == Link::over_quota && entry->units <= owner.quota && evicted < kMaxOwn &&
			EvictOwn(owner))
			continue;
		if (link != Link::directory_full || !EvictForDirectory(false))
			break;
	}
	if (link == Link::over_quota)
		return Published::over_quota;
	if (link != Link::done)
		return Published::no;
	SettleClaim(&fill->claim, true);
	PoolOffer(entry);
	return Published::yes;
}

} // namespace cq
