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
#include "base/shared.h"
#include "store/index.h"

#include <bit>

#include "store/internal.h"

namespace cq
{

StoreMap map;
EntryDeadFn entry_dead = nullptr;
int eviction_policy = static_cast<int>(EvictionPolicy::cost);

EntryLinkFn link_count = nullptr; // may be null

namespace
{

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

} // namespace

/* Space and locks, from shmem_request_hook. */
namespace
{

const config_enum_entry eviction_options[] = {
	{"lru", static_cast<int>(EvictionPolicy::lru), false},
	{"cost", static_cast<int>(EvictionPolicy::cost), false},
	{nullptr, 0, false}};

} // namespace

void
DefineStoreSettings()
{
	DefineCustomEnumVariable("cached_query.eviction", "What makes room when the cache is full.",
							 "lru: the entry not used for the longest time goes. cost: the entry "
							 "that saves the least time per byte goes.",
							 &eviction_policy, static_cast<int>(EvictionPolicy::cost),
							 eviction_options, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
}

void
StoreRequestShmem(Size memory)
{
	RequestShared(Plan(memory).total);
	RequestNamedLWLockTranche("CachedQueryPartition", kPartitions);
	RequestNamedLWLockTranche("CachedQueryDirectory", 1);
	RequestNamedLWLockTranche("CachedQueryAllocator", 1);
	RequestNamedLWLockTranche("CachedQueryEviction", 1);
}

namespace
{

/* Where everything is, for this process. */
void
MapStore(const Layout &plan, char *base)
{
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
}

} // namespace

/* Create or attach to the store, from shmem_startup_hook. */
void
StoreInitShmem(Size memory)
{
	const Layout plan = Plan(memory);
	char *base = MakeOrFindShared<char>("cached_query store", plan.total, [&](char *made) {
		MapStore(plan, made);
		InitShared(plan);
	});

	MapStore(plan, base);
	map.total_units = UnitsTotal(map.units);
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

/* The sums of an account change under the lock; the quota may be the one before. */
Owner
OwnerOf(const Entry *entry)
{
	const Account &account = map.shared->accounts[entry->account];

	return {account.database, account.role, account.quota, false};
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
