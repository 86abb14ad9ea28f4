/*
 * meta.cpp
 *		What an entry depends on, as the meta bytes that the store keeps behind its tuples.
 */
#include "pg.h"
#include "validity/meta.h"

namespace cq
{

int64
MomentOf(const EntryFacts &facts)
{
	return exact::MonotonicMs() - Max(GetCurrentTimestamp() - facts.as_of, 0) / 1000;
}

char *
EncodeMeta(const Meta &meta, uint32 *length)
{
	StringInfoData bytes;

	initStringInfo(&bytes);
	appendBinaryStringInfo(&bytes, reinterpret_cast<const char *>(&meta.head), sizeof(MetaHead));
	appendBinaryStringInfo(&bytes, reinterpret_cast<const char *>(meta.slots),
						   static_cast<int>(sizeof(exact::SlotNo) * meta.head.slots));
	appendBinaryStringInfo(&bytes, reinterpret_cast<const char *>(meta.write_slots),
						   static_cast<int>(sizeof(exact::SlotNo) * meta.head.write_slots));
	appendBinaryStringInfo(&bytes, reinterpret_cast<const char *>(meta.relations),
						   static_cast<int>(sizeof(Oid) * meta.head.relations));
	appendBinaryStringInfo(&bytes, reinterpret_cast<const char *>(meta.grains),
						   static_cast<int>(sizeof(int16) * meta.head.relations));
	appendBinaryStringInfo(&bytes, meta.tag, static_cast<int>(meta.head.tag_length));
	appendBinaryStringInfo(&bytes, meta.query, static_cast<int>(meta.head.query_length));
	appendBinaryStringInfo(&bytes, meta.args, static_cast<int>(meta.head.args_length));
	if (meta.rerun_length > 0)
		appendBinaryStringInfo(&bytes, meta.origin, static_cast<int>(meta.rerun_length));
	*length = static_cast<uint32>(bytes.len);
	return bytes.data;
}

namespace
{

/* Where the parts begin. */
void
Locate(const char *bytes, Meta *meta)
{
	memcpy(&meta->head, bytes, sizeof(MetaHead));
	meta->slots = reinterpret_cast<const exact::SlotNo *>(bytes + sizeof(MetaHead));
	meta->write_slots = meta->slots + meta->head.slots;
	meta->relations = reinterpret_cast<const Oid *>(meta->write_slots + meta->head.write_slots);
	meta->grains = reinterpret_cast<const int16 *>(meta->relations + meta->head.relations);
	meta->tag = reinterpret_cast<const char *>(meta->grains + meta->head.relations);
	meta->query = meta->tag + meta->head.tag_length;
	meta->args = meta->query + meta->head.query_length;
	meta->origin = meta->args + meta->head.args_length;
}

} // namespace

bool
DecodeMeta(const char *bytes, uint32 length, Meta *meta)
{
	uint64 fixed;

	if (length < sizeof(MetaHead))
		return false;
	Locate(bytes, meta);
	fixed = sizeof(MetaHead) +
			(uint64{meta->head.slots} + meta->head.write_slots) * sizeof(exact::SlotNo) +
			uint64{meta->head.relations} * (sizeof(Oid) + sizeof(int16)) + meta->head.tag_length +
			meta->head.query_length + meta->head.args_length;
	if (fixed > length)
		return false;
	meta->rerun_length = length - static_cast<uint32>(fixed);
	return true;
}

Meta
ReadEntryMeta(const Entry *entry)
{
	uint32 length = MetaLength(entry);
	char *bytes = NewArray<char>(length);
	bool whole pg_attribute_unused();
	Meta meta;

	ReadMeta(entry, 0, bytes, length);
	whole = DecodeMeta(bytes, length, &meta);
	CqAssert(whole);
	return meta;
}

Meta
ReadDependencies(const Entry *entry, char *buffer, Size size)
{
	uint32 length = Min(MetaLength(entry), static_cast<uint32>(size));
	MetaHead head;
	Meta meta;

	ReadMeta(entry, 0, buffer, length);
	memcpy(&head, buffer, sizeof(head));
	if (TagOffset(head) > length)
	{
		length = TagOffset(head);
		buffer = NewArray<char>(length);
		ReadMeta(entry, 0, buffer, length);
	}
	Locate(buffer, &meta);
	meta.rerun_length = 0;
	return meta;
}

} // namespace cq
