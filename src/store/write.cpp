/*
 * write.cpp
 *		Fills: writing an entry's stream while nobody else can see it.
 *
 * The first extent has room for the header, the key and a little; each further one doubles the
 * entry until extents are whole pages.  What is not needed in the end is given back when the fill
 * is sealed: a one-row result takes its size, rounded up to units.
 *
 * A fill is an unlinked entry with one pin, ours, so no lock protects it.  Its extents' `used` is
 * kept up to date at each step, so that it can be read or freed at any moment.
 *
 * Part of store.h.
 */
#include "pg.h"
#include "store/internal.h"

namespace cq
{

namespace
{

/* Room in the first extent beyond the key: for a short row and the meta bytes. */
constexpr Size kFirstRoom = 512;

char *
Base(Extent *extent)
{
	return reinterpret_cast<char *>(extent);
}

Size
BytesOf(const Extent *extent)
{
	return extent->units * kUnitBytes;
}

Position
Here(const Pin *fill)
{
	return {UnitOf(fill->extent), fill->extent->used};
}

/* Units for `bytes` in one extent of a page at most. */
uint32
UnitsFor(Size bytes)
{
	Size units = (bytes + sizeof(Extent) + kUnitBytes - 1) / kUnitBytes;

	return static_cast<uint32>(Min(units, Size{kUnitsPerPage}));
}

/* A run of units becomes an extent, not yet part of the owner's chain. */
Extent *
NewExtent(UnitRun run, UnitRef owner)
{
	Extent *extent = ExtentAt(run.first);

	extent->next = kNoUnit;
	extent->units = run.count;
	extent->used = sizeof(Extent);
	extent->owner = owner;
	return extent;
}

/* Make sure that `need` more bytes can be written. */
bool
EnsureRoom(Pin *fill, uint64 need)
{
	Entry *entry = fill->entry;
	uint64 room;

	/* don't evict everything for what could never fit */
	if (need > StoreCapacity())
		return false;
	while ((room = static_cast<uint64>(fill->end - fill->at) + fill->spare) < need)
	{
		uint32 want = Max(UnitsFor(need - room), Min(entry->units, kUnitsPerPage));
		UnitRun run = TakeUnits(want, &fill->claim);

		if (run.count == 0)
			return false;
		fill->tail->next = run.first;
		fill->tail = NewExtent(run, UnitOf(entry));
		fill->spare += BytesOf(fill->tail) - sizeof(Extent);
		entry->units += run.count;
	}
	return true;
}

/* Go on in the next extent, which EnsureRoom() got. */
void
NextExtent(Pin *fill)
{
	Extent *extent = ExtentAt(fill->extent->next);

	CqAssert(fill->extent->next != kNoUnit);
	fill->extent = extent;
	fill->at = Base(extent) + sizeof(Extent);
	fill->end = Base(extent) + BytesOf(extent);
	fill->spare -= BytesOf(extent) - sizeof(Extent);
}

/* The next `len` bytes of the extent are written. */
void
Advance(Pin *fill, Size len)
{
	fill->at += len;
	fill->bytes += len;
	fill->extent->used += static_cast<uint32>(len);
}

/* Write what EnsureRoom() made room for. */
void
WriteBytes(Pin *fill, const void *bytes, Size len)
{
	const char *from = static_cast<const char *>(bytes);

	while (len > 0)
	{
		if (fill->at == fill->end)
			NextExtent(fill);

		Size n = Min(len, static_cast<Size>(fill->end - fill->at));

		memcpy(fill->at, from, n);
		Advance(fill, n);
		from += n;
		len -= n;
	}
}

/* Zeros after `len` bytes, to the next multiple of 8: extents are, so they are in the same one. */
void
Pad(Pin *fill, Size len)
{
	Size pad = MAXALIGN(len) - len;

	memset(fill->at, 0, pad);
	Advance(fill, pad);
}

void
Write(Pin *fill, const void *bytes, Size len)
{
	WriteBytes(fill, bytes, len);
	Pad(fill, len);
}

/* A new entry in its first extent: unlinked and pinned once. */
Entry *
NewEntry(Extent *extent, uint64 hash, uint32 key_len, uint64 image_of)
{
	Entry *entry = reinterpret_cast<Entry *>(extent + 1);

	memset(entry, 0, sizeof(*entry));
	pg_atomic_init_u64(&entry->state, kUnlinked | kPinOne);
	pg_atomic_init_u64(&entry->last_hit, 0);
	pg_atomic_init_u64(&entry->ttl_us, 0);
	pg_atomic_init_u64(&entry->aging, 0);
	pg_atomic_init_u64(&entry->image_due, 0);
	entry->hash = hash;
	entry->key_len = key_len;
	entry->id = pg_atomic_fetch_add_u64(&map.shared->next_id, 1);
	entry->image_of = image_of;
	entry->units = extent->units;
	extent->used = kStreamStart;
	return entry;
}

} // namespace

/* A new private entry that holds its key, pinned by us; nullptr when everything is pinned. */
Pin *
BeginFill(uint64 hash, const void *key, uint32 key_len)
{
	return BeginEntry(hash, key, key_len, 0);
}

Pin *
BeginEntry(uint64 hash, const void *key, uint32 key_len, uint64 image_of)
{
	Pin *fill = NewPin();
	UnitRun run;

	fill->claim = NewClaim(image_of != 0);
	run = TakeUnits(UnitsFor(sizeof(Entry) + MAXALIGN(Size{key_len}) + kFirstRoom), &fill->claim);
	if (run.count == 0)
	{
		DiscardPin(fill);
		return nullptr;
	}
	fill->filling = true;
	fill->extent = fill->tail = NewExtent(run, run.first);
	HoldPin(fill, NewEntry(fill->extent, hash, key_len, image_of));
	fill->at = Base(fill->extent) + kStreamStart;
	fill->end = Base(fill->extent) + BytesOf(fill->extent);
	fill->bytes = sizeof(Entry);

	if (!EnsureRoom(fill, MAXALIGN(Size{key_len})))
	{
		Unpin(fill);
		return nullptr;
	}
	Write(fill, key, key_len);
	fill->entry->tuples = fill->entry->meta = Here(fill);
	return fill;
}

char *
ReserveTuple(Pin *fill, uint32 len)
{
	Size size = MAXALIGN(Size{len});
	char *tuple = fill->at;

	if (!fill->filling || size > static_cast<Size>(fill->end - fill->at))
		return nullptr;
	Advance(fill, size);
	fill->entry->payload += size;
	fill->rows++;
	return tuple;
}

bool
AppendTuple(Pin *fill, const void *tuple, uint32 len, uint64 max_bytes)
{
	Piece piece = {tuple, len};

	return AppendPieces(fill, &piece, 1, max_bytes);
}

bool
AppendPieces(Pin *fill, const Piece *pieces, int count, uint64 max_bytes)
{
	Size len = 0;

	for (int i = 0; i < count; i++)
		len += pieces[i].len;
	if (!fill->filling)
		return false;
	if (fill->bytes + MAXALIGN(len) > max_bytes || !EnsureRoom(fill, MAXALIGN(len)))
	{
		fill->filling = false;
		return false;
	}
	for (int i = 0; i < count; i++)
		WriteBytes(fill, pieces[i].bytes, pieces[i].len);
	Pad(fill, len);
	fill->entry->payload += MAXALIGN(len);
	fill->rows++;
	return true;
}

bool
AppendStream(Pin *fill, const void *bytes, Size len, uint64 rows, uint64 max_bytes)
{
	CqAssert(len == MAXALIGN(len));
	if (!fill->filling)
		return false;
	if (fill->bytes + len > max_bytes || !EnsureRoom(fill, len))
	{
		fill->filling = false;
		return false;
	}
	Write(fill, bytes, len);
	fill->entry->payload += len;
	fill->rows += rows;
	return true;
}

uint64
StoreCapacity()
{
	return map.total_units * kUnitBytes;
}

void
ExpectSize(Pin *fill, uint64 bytes)
{
	fill->claim.pass = bytes / kUnitBytes + bytes / kUnitBytes / 16 + kUnitsPerPage;
}

bool
ResumeFill(Pin *fill, uint64 bytes)
{
	if (fill->extent == nullptr || fill->bytes + bytes > StoreCapacity())
		return false;
	fill->claim.known = true;
	fill->filling = true;
	return true;
}

uint64
FillBytes(const Pin *fill)
{
	return fill->bytes;
}

bool
WriteMeta(Pin *fill, const void *meta, uint32 meta_len)
{
	fill->entry->meta = Here(fill);
	if (!EnsureRoom(fill, MAXALIGN(Size{meta_len})))
		return false;
	Write(fill, meta, meta_len);
	fill->entry->meta_len = meta_len;
	return true;
}

/* Nothing more will be written: give back what is not needed. */
void
SealFill(Pin *fill, uint64 rows)
{
	Entry *entry = fill->entry;
	Extent *extent = fill->extent;

	CqAssert(rows <= fill->rows);
	fill->filling = false;
	entry->facts.rows = rows;
	if (extent == nullptr)
		return; /* sealed before */

	UnitRef rest = extent->next;
	uint32 keep = static_cast<uint32>((extent->used + kUnitBytes - 1) / kUnitBytes);

	for (UnitRef unit = rest; unit != kNoUnit; unit = ExtentAt(unit)->next)
		entry->units -= ExtentAt(unit)->units;
	extent->next = kNoUnit;
	if (rest != kNoUnit)
		FreeChain(rest);
	entry->units -= extent->units - keep;
	TrimExtent(extent, keep);
	fill->extent = fill->tail = nullptr;
	fill->at = fill->end = nullptr;
	fill->spare = 0;
	SealPin(fill);
}

} // namespace cq
