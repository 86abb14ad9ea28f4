/*
 * image.cpp
 *		Images: another form of an entry's answer, kept beside it.
 *
 * An image is an entry of its own, with its own pins and its own place in the directory, so that
 * memory, readers and eviction need nothing new.  It is found only by way of the entry whose answer
 * it is, in whose bucket it follows it (entry.h); so it can't outlive that one in the index, and
 * whatever voids the entry voids the image with it.  Both are pinned while an image is read.
 *
 * Its key is what sets it apart from other images of the same entry.
 */
#include "pg.h"

#include "store/internal.h"

namespace cq
{

namespace
{

/* Of one entry: a session can ask for as many as there are values of its settings. */
constexpr int kMaxImages = 8;

enum class Link
{
	done,
	refused,
	directory_full
};

/* The images of a linked entry, their partition locked: those with this key, or nullptr. */
Entry *
ImageWithKey(const Entry *answer, const Entry *like, const void *key, uint32 key_len, int *count)
{
	*count = 0;
	for (UnitRef unit = answer->next_in_bucket; unit != kNoUnit;)
	{
		Entry *image = EntryAt(unit);

		if (image->image_of != answer->id)
			break;
		if (like != nullptr ? SameKey(image, like) : KeyIs(image, key, key_len))
			return image;
		++*count;
		unit = image->next_in_bucket;
	}
	return nullptr;
}

Link
LinkImage(Entry *image, Entry *answer)
{
	LWLock *lock = PartitionLock(answer->hash);
	Link link = Link::refused;
	int count;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	if (!IsUnlinked(answer) && ImageWithKey(answer, image, nullptr, 0, &count) == nullptr &&
		count < kMaxImages)
	{
		/* as in LinkEntry(): complete before it is in the directory */
		pg_atomic_fetch_and_u64(&image->state, ~kUnlinked);
		if (DirectoryAdd(image))
		{
			image->next_in_bucket = answer->next_in_bucket;
			answer->next_in_bucket = UnitOf(image);
			link = Link::done;
		}
		else
		{
			pg_atomic_fetch_or_u64(&image->state, kUnlinked);
			link = Link::directory_full;
		}
	}
	LWLockRelease(lock);
	return link;
}

} // namespace

Pin *
FindImage(const Pin *answer, const void *key, uint32 key_len)
{
	Pin *pin = NewPin();
	LWLock *lock = PartitionLock(answer->entry->hash);
	Entry *image = nullptr;
	int count;

	LWLockAcquire(lock, LW_SHARED);
	if (!IsUnlinked(answer->entry))
		image = ImageWithKey(answer->entry, nullptr, key, key_len, &count);
	if (image != nullptr && PinsOf(image) < kMaxPins)
		PinRaw(image);
	else
		image = nullptr;
	LWLockRelease(lock);

	if (image == nullptr)
	{
		DiscardPin(pin);
		return nullptr;
	}
	HoldPin(pin, image);
	return pin;
}

Pin *
BeginImage(const Pin *answer, const void *key, uint32 key_len)
{
	return BeginEntry(answer->entry->hash, key, key_len, answer->entry->id);
}

bool
PublishImage(Pin *image, const Pin *answer)
{
	Entry *entry = image->entry;
	bool complete = image->filling;
	uint64 tuples = image->rows;
	Link link;

	entry->facts = answer->entry->facts;
	entry->published = GetCurrentTimestamp();
	entry->meta = entry->tuples; /* none */
	SealFill(image, tuples);
	if (!complete)
		return false;
	do
	{
		link = LinkImage(entry, answer->entry);
	}
	while (link == Link::directory_full && EvictForDirectory(true));
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
HitsOf(const Pin *answer)
{
	return ReadAtomic(answer->entry->state) >> kHitShift;
}

/*
 * Each attempt doubles the number of hits before the next, in case that it fails or that nobody
 * says how it ended.
 */
bool
ClaimImage(Pin *answer, uint64 hits)
{
	pg_atomic_uint64 *due = &answer->entry->image_due;
	uint64 expected = pg_atomic_read_u64(due);

	return hits >= expected && pg_atomic_compare_exchange_u64(due, &expected, 2 * hits);
}

void
SetImageDue(Pin *answer, uint64 hits)
{
	pg_atomic_write_u64(&answer->entry->image_due, hits);
}

} // namespace cq
