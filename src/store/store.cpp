/*
 * store.cpp
 *		Set-up of the store, its index, and its totals.
 *
 * The shared memory of the setting `memory` is laid out once:
 *
 *		StoreShared | buckets | directory | Units and page table | units of 256 bytes
 *
 * The index is a fixed array of buckets, each the head of a chain through next_in_bucket.  Beside
 * it the directory lists the linked entries densely: eviction samples it, sweeps go over it.  A
 * linked entry is in exactly one bucket and one slot of the directory, an unlinked one in none.
 *
 * A look-up holds its partition's lock shared for one comparison and one atomic addition.  A fill
 * is an entry that was born unlinked: publishing links it.  internal.h has the order of locks.
 */
#include "pg.h"

#include <bit>

#include "store/internal.h"

namespace cq
{

StoreMap map;
EntryDeadFn entry_dead = nullptr;
int eviction_policy = static_cast<int>(EvictionPolicy::cost);

namespace
{

EntryLinkFn link_count = nullptr; // may be null

/* Of his answers that the owner of one gives for it while it is published; more than that: QuotaHasRoom(). */
constexpr int kMaxOwn = 64;

constexpr uint32 kMaxBuckets = UINT32_C(1) << 28;
constexpr Size kBytesPerBucket = 1024;

/* Each unit but those of the very smallest entries shares its slot with one other. */
constexpr uint32 kSlotsPerPage = kUnitsPerPage / 2;

struct Layout
{
	uint32 npages;
	uint32 nbuckets;
	uint32 nslots;
	Size buckets; // offsets
	Size directory;
	Size units;
	Size memory; // but for its alignment
	Size total;
};

/* How `memory` bytes are divided. */
Layout
Plan(Size memory)
{
	Layout plan;
	Size nbuckets = std::bit_floor(Max(memory / kBytesPerBucket, Size{kPartitions}));
	Size fixed;
	Size per_page;

	plan.nbuckets = static_cast<uint32>(Min(nbuckets, Size{kMaxBuckets}));
	plan.buckets = MAXALIGN(sizeof(StoreShared));
	plan.directory = add_size(plan.buckets, mul_size(plan.nbuckets, sizeof(UnitRef)));

	/* each part begins aligned, and the units at a multiple of their size */
	fixed = add_size(plan.directory, UnitsSize(0) + 2 * MAXIMUM_ALIGNOF + kUnitBytes);
	per_page = kUnitsPerPage * kUnitBytes + kSlotsPerPage * sizeof(UnitRef) + sizeof(UnitPage);
	if (memory < add_size(fixed, per_page))
		memory = add_size(fixed, per_page);
	plan.npages = static_cast<uint32>(Min((memory - fixed) / per_page, Size{kMaxUnitPages}));
	plan.nslots = plan.npages * kSlotsPerPage;

	plan.units = MAXALIGN(add_size(plan.directory, mul_size(plan.nslots, sizeof(UnitRef))));
	plan.memory = MAXALIGN(add_size(plan.units, UnitsSize(plan.npages)));
	plan.total = add_size(add_size(plan.memory, kUnitBytes),
						  mul_size(plan.npages, kUnitsPerPage * kUnitBytes));
	return plan;
}

/* First start: only what is in use from the beginning is written to, never the units. */
void
InitShared(const Layout &plan)
{
	StoreShared *shared = map.shared;

	memset(shared, 0, sizeof(*shared));
	pg_atomic_init_u64(&shared->next_id, 1);
	pg_atomic_init_u64(&shared->evictions, 0);
	pg_atomic_init_u64(&shared->expirations, 0);
	pg_atomic_init_u64(&shared->voided, 0);
	pg_atomic_init_u64(&shared->pinned, 0);
	pg_atomic_init_u64(&shared->aging, std::bit_cast<uint64>(0.0));
	memset(map.buckets, 0, plan.nbuckets * sizeof(UnitRef));
	AccountsInit(shared->accounts);
	UnitsInit(map.units, plan.npages);
	RoomInit(&shared->room, UnitsTotal(map.units));
	PoolClear(&shared->pool, static_cast<EvictionPolicy>(eviction_policy));
	shared->vain_search = 0;
	shared->spared = 0;
}

/* The last one of its kind takes the place of the one that goes. */
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
	map.directory[entry->directory_slot] = last;
	EntryAt(last)->directory_slot = entry->directory_slot;
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
	 * Out of the directory before the flag is set: who pinned the entry by way of the directory
	 * has done so by then, and we see its pin or it sees our flag.
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
	 * Nobody can look into the bucket, but as soon as it is in the directory a backend that
	 * evicts or walks may pin the entry: it must be complete by then.  It can't be freed, as we
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

/* Space and locks, from shmem_request_hook. */
void
StoreRequestShmem(Size memory)
{
	RequestAddinShmemSpace(Plan(memory).total);
	RequestNamedLWLockTranche("CachedQueryPartition", kPartitions);
	RequestNamedLWLockTranche("CachedQueryDirectory", 1);
	RequestNamedLWLockTranche("CachedQueryAllocator", 1);
	RequestNamedLWLockTranche("CachedQueryEviction", 1);
}

/* Create or attach to the store, from shmem_startup_hook. */
void
StoreInitShmem(Size memory)
{
	Layout plan = Plan(memory);
	bool found;
	char *base;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	base = static_cast<char *>(ShmemInitStruct("cached_query store", plan.total, &found));

	map.shared = reinterpret_cast<StoreShared *>(base);
	map.buckets = reinterpret_cast<UnitRef *>(base + plan.buckets);
	map.directory = reinterpret_cast<UnitRef *>(base + plan.directory);
	map.units = reinterpret_cast<Units *>(base + plan.units);
	map.memory = reinterpret_cast<char *>(TYPEALIGN(kUnitBytes, base + plan.memory));
	map.bucket_mask = plan.nbuckets - 1;
	map.directory_size = plan.nslots;
	map.partition_locks = GetNamedLWLockTranche("CachedQueryPartition");
	map.directory_lock = &GetNamedLWLockTranche("CachedQueryDirectory")->lock;
	map.allocator_lock = &GetNamedLWLockTranche("CachedQueryAllocator")->lock;
	map.eviction_lock = &GetNamedLWLockTranche("CachedQueryEviction")->lock;

	if (!found)
		InitShared(plan);
	map.total_units = UnitsTotal(map.units);
	LWLockRelease(AddinShmemInitLock);
}

/* The owner's answer to: can this entry ever be served again? */
void
StoreSetDeadTest(EntryDeadFn fn)
{
	entry_dead = fn;
}

/* Who counts what is linked. */
void
StoreSetLinkCount(EntryLinkFn fn)
{
	link_count = fn;
}

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
			if (likely(PinsOf(candidate) < kMaxPins))
			{
				PinRaw(candidate);
				entry = candidate;
			}
			break;
		}
		unit = candidate->next_in_bucket;
	}
	LWLockRelease(lock);

	if (entry == nullptr)
	{
		DiscardPin(pin);
		return nullptr;
	}
	HoldPin(pin, entry);
	return pin;
}

Entry *
LinkedAt(uint64 hash, UnitRef unit, uint64 id)
{
	/* `unit` may be anything by now: don't look there unless the bucket leads there */
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
	entry = LinkedAt(hash, unit, id);
	if (entry != nullptr && PinsOf(entry) < kMaxPins)
		PinRaw(entry);
	else
		entry = nullptr;
	LWLockRelease(lock);

	if (entry == nullptr)
	{
		DiscardPin(pin);
		return nullptr;
	}
	HoldPin(pin, entry);
	return pin;
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
		entry->directory_slot = image ? map.directory_size - ++shared->nimages : shared->nentries++;
		map.directory[entry->directory_slot] = UnitOf(entry);
		if (image)
			shared->image_units += entry->units;
		else
			shared->payload += entry->payload;
		AccountCharge(shared->accounts, entry, account, !image && owner.quota != kNoQuota);
	}
	LWLockRelease(map.directory_lock);
	return added;
}

/* What changes of an account but its quota are sums; the quota may be the one before. */
Owner
OwnerOf(const Entry *entry)
{
	const Account &account = map.shared->accounts[entry->account];

	return {account.database, account.role, account.quota, false};
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

/* Free what was unlinked and is nobody's: a list by next_in_bucket. */
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

/* The counters of the store; three locks shared, one after the other. */
StoreTotals
Totals()
{
	StoreTotals totals;

	LWLockAcquire(map.directory_lock, LW_SHARED);
	totals.entries = map.shared->nentries;
	totals.payload = map.shared->payload;
	totals.images = map.shared->nimages;
	totals.image_memory = map.shared->image_units * kUnitBytes;
	LWLockRelease(map.directory_lock);

	LWLockAcquire(map.allocator_lock, LW_SHARED);
	totals.memory_used = map.units->used * kUnitBytes;
	LWLockRelease(map.allocator_lock);

	totals.memory_total = map.total_units * kUnitBytes;
	totals.evictions = pg_atomic_read_u64(&map.shared->evictions);
	totals.expirations = pg_atomic_read_u64(&map.shared->expirations);
	totals.voided = pg_atomic_read_u64(&map.shared->voided);
	return totals;
}

Owner
MakeOwner(Oid database, Oid role, int quota_kb)
{
	uint64 quota = kNoQuota;

	if (quota_kb >= 0)
		quota = static_cast<uint64>(quota_kb) * 1024 / kUnitBytes;
	return {database, role, quota, false};
}

bool
FitsQuota(const Owner &owner, uint64 bytes)
{
	return owner.quota == kNoQuota || bytes <= owner.quota * kUnitBytes;
}

bool
QuotaHasRoom(const Owner &owner, uint64 bytes)
{
	bool room;

	if (owner.quota == kNoQuota)
		return true;
	LWLockAcquire(map.directory_lock, LW_EXCLUSIVE);
	room = AccountHasRoom(map.shared->accounts, AccountOf(map.shared->accounts, owner), owner,
						  (bytes + kUnitBytes - 1) / kUnitBytes);
	LWLockRelease(map.directory_lock);
	return room;
}

bool
GetHolding(uint32 n, Holding *holding)
{
	Account account;

	if (n >= kAccounts)
		return false;
	LWLockAcquire(map.directory_lock, LW_SHARED);
	account = map.shared->accounts[n];
	LWLockRelease(map.directory_lock);
	*holding = {account.database,
				account.role,
				account.entries,
				account.units * kUnitBytes,
				account.image_units * kUnitBytes,
				account.quota == kNoQuota ? -1 : static_cast<int64>(account.quota * kUnitBytes)};
	return true;
}

/* Start counting again. */
void
ResetStoreCounters()
{
	pg_atomic_write_u64(&map.shared->evictions, 0);
	pg_atomic_write_u64(&map.shared->expirations, 0);
	pg_atomic_write_u64(&map.shared->voided, 0);
}

} // namespace cq
