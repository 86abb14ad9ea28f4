/*
 * meta.cpp
 *		What an entry depends on, as the meta bytes that the store keeps behind its tuples.
 */
#include "pg.h"
#include "fill/meta.h"

namespace cq
{

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
	appendBinaryStringInfo(&bytes, meta.tag, static_cast<int>(meta.head.tag_length));
	if (meta.origin_length > 0)
		appendBinaryStringInfo(&bytes, meta.origin, static_cast<int>(meta.origin_length));
	*length = static_cast<uint32>(bytes.len);
	return bytes.data;
}

Meta
ReadEntryMeta(const Entry *entry, char *buffer, Size size)
{
	uint32 length = MetaLength(entry);
	char *bytes = length <= size ? buffer : static_cast<char *>(palloc(length));
	Meta meta;

	ReadMeta(entry, 0, bytes, length);
	memcpy(&meta.head, bytes, sizeof(MetaHead));
	meta.slots = reinterpret_cast<exact::SlotNo *>(bytes + sizeof(MetaHead));
	meta.write_slots = meta.slots + meta.head.slots;
	meta.relations = reinterpret_cast<const Oid *>(meta.write_slots + meta.head.write_slots);
	meta.tag = reinterpret_cast<const char *>(meta.relations + meta.head.relations);
	meta.origin = meta.tag + meta.head.tag_length;
	meta.origin_length = length - TagOffset(meta.head) - meta.head.tag_length;
	return meta;
}

} // namespace cq
