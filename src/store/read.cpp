/*
 * read.cpp
 *		Reading an entry's stream: its key, its tuples, its meta bytes.
 *
 * The entry is pinned, or its partition is locked; beyond that nothing here needs a lock, as a
 * linked entry does not change.
 *
 * Part of store.h.
 */
#include "pg.h"
#include "store/internal.h"

namespace cq
{

namespace
{

/* A place in a stream, going forward. */
using Cursor = StreamReader;

Cursor
CursorAt(Position position)
{
	const Extent *extent = ExtentAt(position.unit);
	const char *base = reinterpret_cast<const char *>(extent);

	return {base + position.offset, base + extent->used, extent->next};
}

/* The first byte of the key. */
Cursor
KeyCursor(const Entry *entry)
{
	return CursorAt({UnitOf(entry), kStreamStart});
}

/* Up to `want` bytes that lie in one piece: their address, and their number in *got. */
const char *
NextPiece(Cursor *cursor, Size want, Size *got)
{
	const char *piece;

	while (cursor->at == cursor->end)
	{
		CqAssert(cursor->next_extent != kNoUnit);
		*cursor = CursorAt({cursor->next_extent, sizeof(Extent)});
	}
	piece = cursor->at;
	*got = Min(want, static_cast<Size>(cursor->end - cursor->at));
	cursor->at += *got;
	return piece;
}

void
Skip(Cursor *cursor, Size len)
{
	Size got;

	for (; len > 0; len -= got)
		NextPiece(cursor, len, &got);
}

void
Copy(Cursor *cursor, void *to, Size len)
{
	char *at = static_cast<char *>(to);
	Size got;

	for (; len > 0; len -= got, at += got)
	{
		const char *piece = NextPiece(cursor, len, &got);

		memcpy(at, piece, got);
	}
}

bool
Equal(Cursor *cursor, const void *bytes, Size len)
{
	const char *at = static_cast<const char *>(bytes);
	Size got;

	for (; len > 0; len -= got, at += got)
	{
		const char *piece = NextPiece(cursor, len, &got);

		if (memcmp(piece, at, got) != 0)
			return false;
	}
	return true;
}

/* Put a tuple that crosses extents together in scratch memory. */
MinimalTuple
Gather(TupleReader *reader, Size len)
{
	Cursor cursor = {reader->at, reader->end, reader->next_extent};

	if (reader->scratch_size < len)
	{
		Size size = Max(len, 2 * reader->scratch_size);

		if (reader->scratch != nullptr)
			pfree(reader->scratch);
		reader->scratch = nullptr;
		reader->scratch_size = 0;
		reader->scratch = static_cast<char *>(MemoryContextAllocHuge(reader->context, size));
		reader->scratch_size = size;
	}
	Copy(&cursor, reader->scratch, len);
	reader->at = cursor.at;
	reader->end = cursor.end;
	reader->next_extent = cursor.next_extent;
	return reinterpret_cast<MinimalTuple>(reader->scratch);
}

} // namespace

bool
KeyIs(const Entry *entry, const void *key, uint32 key_len)
{
	Cursor cursor = KeyCursor(entry);

	return entry->key_len == key_len && Equal(&cursor, key, key_len);
}

bool
SameKey(const Entry *a, const Entry *b)
{
	Cursor cursor_a = KeyCursor(a);
	Cursor cursor_b = KeyCursor(b);
	Size got;

	if (a->key_len != b->key_len)
		return false;
	for (Size left = a->key_len; left > 0; left -= got)
	{
		const char *piece = NextPiece(&cursor_a, left, &got);

		if (!Equal(&cursor_b, piece, got))
			return false;
	}
	return true;
}

/* The owner's facts, with the time to live as raised so far. */
EntryFacts
FactsOf(const Entry *entry)
{
	EntryFacts facts = entry->facts;

	facts.ttl_us = static_cast<int64>(ReadAtomic(entry->ttl_us));
	return facts;
}

uint64
HashOf(const Entry *entry)
{
	return entry->hash;
}

uint32
MetaLength(const Entry *entry)
{
	return entry->meta_len;
}

uint32
KeyLength(const Entry *entry)
{
	return entry->key_len;
}

/* Start before the first tuple; scratch memory is taken from `context` when it is needed. */
void
ReaderBegin(TupleReader *reader, Pin *pin, MemoryContext context)
{
	reader->pin = pin;
	reader->scratch = nullptr;
	reader->scratch_size = 0;
	reader->context = context;
	ReaderRewind(reader);
}

void
ReaderRewind(TupleReader *reader)
{
	const Entry *entry = reader->pin->entry;
	Cursor cursor = CursorAt(entry->tuples);

	reader->at = cursor.at;
	reader->end = cursor.end;
	reader->next_extent = cursor.next_extent;
	reader->left = entry->facts.rows;
}

/* The next tuple, in place if it lies in one extent. */
MinimalTuple
ReaderNext(TupleReader *reader)
{
	if (reader->left == 0)
		return nullptr;
	reader->left--;
	while (reader->at == reader->end)
	{
		CqAssert(reader->next_extent != kNoUnit);

		Cursor cursor = CursorAt({reader->next_extent, sizeof(Extent)});

		reader->at = cursor.at;
		reader->end = cursor.end;
		reader->next_extent = cursor.next_extent;
	}

	MinimalTuple tuple = reinterpret_cast<MinimalTuple>(const_cast<char *>(reader->at));
	Size len = MAXALIGN(tuple->t_len);

	if (likely(len <= static_cast<Size>(reader->end - reader->at)))
	{
		reader->at += len;
		return tuple;
	}
	return Gather(reader, len);
}

void
StreamBegin(StreamReader *reader, const Pin *pin)
{
	*reader = CursorAt(pin->entry->tuples);
}

const char *
StreamNext(StreamReader *reader, Size want, Size *got)
{
	return NextPiece(reader, want, got);
}

void
StreamCopy(StreamReader *reader, void *to, Size len)
{
	Copy(reader, to, len);
}

void
ReadMeta(const Entry *entry, uint32 offset, void *to, uint32 len)
{
	Cursor cursor = CursorAt(entry->meta);

	CqAssert(uint64{offset} + len <= entry->meta_len);
	Skip(&cursor, offset);
	Copy(&cursor, to, len);
}

void
ReadKey(const Entry *entry, uint32 offset, void *to, uint32 len)
{
	Cursor cursor = KeyCursor(entry);

	CqAssert(uint64{offset} + len <= entry->key_len);
	Skip(&cursor, offset);
	Copy(&cursor, to, len);
}

} // namespace cq
