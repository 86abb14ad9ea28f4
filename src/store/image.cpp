/*
 * image.cpp
 *		Images: other forms of an entry's rows, kept beside it.
 *
 * An image is an entry of its own, with its own pins and its own place in the directory, so that
 * memory, readers and eviction need nothing new.  It is found only by way of its entry, which
 * it follows in the same bucket (entry.h).  So it can't outlive its entry in the index, and what
 * voids the entry voids the image, too.  Both are pinned while an image is read.
 *
 * Its key is what sets it apart from other images of the same entry.
 *
 * Part of store.h.
 */
#include "pg.h"
#include "store/internal.h"

namespace cq
{

namespace
{

/*
 * Of one entry.  Sessions with other settings ask for other images, and may have any number of
 * settings.
 */
constexpr int kMaxImages = 8;

enum class Link
{
	done,
	refused,
	directory_full
};

/* The image of a linked entry with this key, or nullptr; its partition is locked. */
Entry *
ImageWithKey(const Entry *entry, const void *key, uint32 key_len)
{
	for (UnitRef unit = entry->next_in_bucket; unit != kNoUnit;)
	{
		Entry *image = EntryAt(unit);

		if (image->image_of != entry->id)
			break;
		if (KeyIs(image, key, key_len))
			return image;
		unit = image->next_in_bucket;
	}
	return nullptr;
}

TimestampTz
LastUse(const Entry *image)
{
	TimestampTz last_hit = static_cast<TimestampTz>(ReadAtomic(image->last_hit));

	return Max(last_hit, image->published);
}

/*
 * Make sure that another image may follow a linked entry, whose partition is locked: false if it
 * has this one already.  If it has as many as it may, the one not used for longest goes.
 */
bool
MakePlace(Entry *entry, const Entry *image, UnitRef *garbage)
{
	Entry *oldest = nullptr;
	int count = 0;

	for (UnitRef unit = entry->next_in_bucket; unit != kNoUnit;)
	{
		Entry *other = EntryAt(unit);

		if (other->image_of != entry->id)
			break;
		if (SameKey(other, image))
			return false;
		if (oldest == nullptr || LastUse(other) < LastUse(oldest))
			oldest = other;
		count++;
		unit = other->next_in_bucket;
	}
	if (count >= kMaxImages)
		UnlinkLocked(oldest, image->published, garbage);
	return true;
}

Link
LinkImage(Entry *image, Entry *entry)
{
	LWLock *lock = PartitionLock(entry->hash);
	UnitRef garbage = kNoUnit;
	Link link = Link::refused;
	Added added;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	if (!IsUnlinked(entry) && MakePlace(entry, image, &garbage))
	{
		/* as in LinkEntry(): complete before it is in the directory */
		pg_atomic_fetch_and_u64(&image->state, ~kUnlinked);
		added = DirectoryAdd(image, OwnerOf(entry));
		if (added == Added::yes)
		{
			image->next_in_bucket = entry->next_in_bucket;
			entry->next_in_bucket = UnitOf(image);
			link = Link::done;
		}
		else
		{
			pg_atomic_fetch_or_u64(&image->state, kUnlinked);
			link = added == Added::full ? Link::directory_full : Link::refused;
		}
	}
	LWLockRelease(lock);
	FreeGarbage(garbage);
	return link;
}

} // namespace

Pin *
FindImage(const Pin *of, const void *key, uint32 key_len)
{
	Pin *pin = NewPin();
	LWLock *lock = PartitionLock(of->entry->hash);
	Entry *image = nullptr;

	LWLockAcquire(lock, LW_SHARED);
	if (!IsUnlinked(of->entry))
		image = PinFound(ImageWithKey(of->entry, key, key_len));
	LWLockRelease(lock);
	return HoldFound(pin, image);
}

Pin *
BeginImage(const Pin *of, const void *key, uint32 key_len)
{
	return BeginEntry(of->entry->hash, key, key_len, of->entry->id);
}

bool
PublishImage(Pin *image, const Pin *of)
{
	Entry *entry = image->entry;
	bool complete = image->filling;
	uint64 tuples = image->rows;
	Link link;

	entry->facts = of->entry->facts;
	entry->published = GetCurrentTimestamp();
	entry->meta = entry->tuples; /* none */
	SealFill(image, tuples);
	if (!complete)
		return false;
	do
	{
		link = LinkImage(entry, of->entry);
	}
	while (link == Link::directory_full && EvictForDirectory(true));
	if (link == Link::done)
		SettleClaim(&image->claim, true);
	return link == Link::done;
}

void
TouchImage(Pin *image, TimestampTz now)
{
	Entry *entry = image->entry;

	if (now - static_cast<TimestampTz>(pg_atomic_read_u64(&entry->last_hit)) >= USECS_PER_SEC)
		pg_atomic_write_u64(&entry->last_hit, static_cast<uint64>(now));
}

uint64
HitsOf(const Pin *pin)
{
	return ReadAtomic(pin->entry->state) >> kHitShift;
}

/*
 * Each attempt doubles the number of hits that the next one waits for.  It may fail, and nobody may
 * report how it ended.
 */
bool
ClaimImage(Pin *pin, uint64 hits)
{
	pg_atomic_uint64 *due = &pin->entry->image_due;
	uint64 expected = pg_atomic_read_u64(due);

	return hits >= expected && pg_atomic_compare_exchange_u64(due, &expected, 2 * hits);
}

void
SetImageDue(Pin *pin, uint64 hits)
{
	pg_atomic_write_u64(&pin->entry->image_due, hits);
}

} // namespace cq
