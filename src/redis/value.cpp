/*
 * value.cpp
 *		Encoding, authenticating and decoding Redis values.  value.h tells what they look like.
 *
 * Order of trust in DecodeHead(): nothing is used before the HMAC has been checked except to find
 * where the HMAC is, and for that each length is held against its limit and the sum, in 64 bits,
 * against the bytes that are there.
 */
#include "redis/value.h"
#include "redis/value_crypto.h"

#include <cstring>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

namespace cq::redis
{
namespace
{

/* --- the head ------------------------------------------------------------------------------- */

/* Length of a head, without data inside; 0 if a length is beyond its limit. */
size_t
LengthOf(const Header &header)
{
	if (header.key_length > kMaxKeyBytes || header.meta_length > kMaxMetaBytes ||
		header.chunk_count > kMaxChunks)
		return 0;
	return HeadBytes(header.key_length, header.meta_length, header.chunk_count);
}

bool
HeaderSound(const Header &header)
{
	return header.rows <= kMaxRows && header.facts_length <= kFactsRoom && header.age_us >= 0 &&
		   header.px_ms >= 0 && header.compression <= Compression::zstd &&
		   header.chunk_bytes == kChunkBytes &&
		   header.chunk_count == ChunksFor(header.plain_size) && header.reserved == 0 &&
		   header.origin.reserved == 0;
}

/* All chunks but the last are full, and what is not compressed is as long as its rows. */
bool
ChunkSound(const Header &header, uint32_t n, const Chunk &chunk)
{
	uint64_t left = header.plain_size - uint64_t{n} * kChunkBytes;
	uint32_t plain = left < kChunkBytes ? static_cast<uint32_t>(left) : kChunkBytes;

	if (chunk.plain != plain || chunk.stored == 0 || chunk.stored > plain)
		return false;
	return chunk.stored == plain || header.compression != Compression::none;
}

bool
Same(const ServerIdentity &a, const ServerIdentity &b)
{
	return a.pg_version == b.pg_version && a.catalog_version == b.catalog_version &&
		   a.layout == b.layout;
}

/* Magic number and version: what is there of a header of any version. */
Decoded
CheckStart(const uint8_t *bytes, size_t length)
{
	uint64_t magic;
	uint32_t version;

	if (length < sizeof(magic))
		return length == 0 ? Decoded::truncated : Decoded::not_ours;
	memcpy(&magic, bytes, sizeof(magic));
	if (magic == __builtin_bswap64(kMagic))
		return Decoded::other_build;
	if (magic != kMagic)
		return Decoded::not_ours;
	if (length < offsetof(Header, version) + sizeof(version))
		return Decoded::truncated;
	memcpy(&version, bytes + offsetof(Header, version), sizeof(version));
	if (version != kFormatVersion)
		return Decoded::version;
	return length < sizeof(Header) ? Decoded::truncated : Decoded::ok;
}

/* Splits an authenticated head.  bytes has head_length of them, and rest after that. */
Decoded
Split(const uint8_t *bytes, size_t head_length, size_t rest, Head *head)
{
	const Header &header = head->header;

	if (!HeaderSound(header))
		return Decoded::corrupt;
	head->key = bytes + sizeof(Header);
	head->meta = head->key + header.key_length;
	head->table = head->meta + header.meta_length;
	head->inside = nullptr;
	head->inside_length = 0;
	for (uint32_t n = 0; n < header.chunk_count; n++)
	{
		if (!ChunkSound(header, n, GetChunk(*head, n)))
			return Decoded::corrupt;
	}
	if (header.chunk_count == 1)
	{
		head->inside = bytes + head_length;
		head->inside_length = GetChunk(*head, 0).stored;
	}
	if (rest < head->inside_length)
		return Decoded::truncated;
	return rest == head->inside_length ? Decoded::ok : Decoded::corrupt;
}

/* May these rows answer this question here? */
Decoded
Compare(const Head &head, const Expectation &expected)
{
	const Header &header = head.header;

	if (header.origin.system_identifier != expected.origin.system_identifier)
		return Decoded::other_server;
	if (!Same(header.origin, expected.origin))
		return Decoded::other_build;
	if (header.key_length != expected.key_length ||
		(header.key_length > 0 && memcmp(head.key, expected.key, header.key_length) != 0))
		return Decoded::other_key;
	return Decoded::ok;
}

uint8_t *
Append(uint8_t *out, const void *bytes, size_t length)
{
	if (length > 0)
		memcpy(out, bytes, length);
	return out + length;
}

} // namespace

const char *
NameOf(Decoded decoded)
{
	switch (decoded)
	{
	case Decoded::ok:
		return "ok";
	case Decoded::not_ours:
		return "not a value of cached_query";
	case Decoded::version:
		return "another format version";
	case Decoded::truncated:
		return "truncated";
	case Decoded::corrupt:
		return "not authentic";
	case Decoded::other_server:
		return "of another database cluster";
	case Decoded::other_build:
		return "of another PostgreSQL build";
	case Decoded::other_key:
		return "of another query";
	}
	return "unknown";
}

Decoded
DecodeHead(const void *bytes, size_t length, const Secret &secret, const Expectation &expected,
		   Head *head)
{
	const uint8_t *begin = static_cast<const uint8_t *>(bytes);
	Decoded start = CheckStart(begin, length);
	uint8_t mac[kMacBytes];
	Head found;

	if (start != Decoded::ok)
		return start;
	memcpy(&found.header, begin, sizeof(Header));
	found.secret = secret;

	/* Not authenticated yet: only to find the HMAC. */
	size_t head_length = LengthOf(found.header);

	if (found.header.header_length != sizeof(Header) || head_length == 0)
		return Decoded::corrupt;
	if (head_length > length)
		return Decoded::truncated;
	if (!Sign(secret, begin, head_length - kMacBytes, mac) ||
		CRYPTO_memcmp(mac, begin + head_length - kMacBytes, kMacBytes) != 0)
		return Decoded::corrupt;

	Decoded split = Split(begin, head_length, length - head_length, &found);

	if (split == Decoded::ok)
		split = Compare(found, expected);
	if (split == Decoded::ok)
		*head = found;
	return split;
}

Chunk
GetChunk(const Head &head, uint32_t n)
{
	Chunk chunk;

	memcpy(&chunk, head.table + sizeof(Chunk) * size_t{n}, sizeof(chunk));
	return chunk;
}

bool
CheckChunk(const Head &head, uint32_t n, const void *bytes, size_t length)
{
	uint8_t tag[kTagBytes];

	if (n >= head.header.chunk_count)
		return false;

	Chunk chunk = GetChunk(head, n);

	return length == chunk.stored &&
		   MakeTag(head.secret, head.header.fill_id, n, bytes, chunk.stored, tag) &&
		   CRYPTO_memcmp(tag, chunk.tag, kTagBytes) == 0;
}

bool
CryptoWorks()
{
	uint8_t tag[kTagBytes];

	return MakeTag(Secret{}, FillId{}, 0, "", 0, tag);
}

bool
NewFillId(FillId *id)
{
	return RAND_bytes(id->bytes, kFillIdBytes) == 1;
}

bool
SealChunk(const Secret &secret, const FillId &id, uint32_t n, Compression compression,
		  const void *plain, size_t length, void *scratch, Chunk *chunk, const void **stored)
{
	if (length == 0 || length > kChunkBytes || n >= kMaxChunks)
		return false;
	chunk->plain = static_cast<uint32_t>(length);
	chunk->stored = Compress(compression, plain, chunk->plain, scratch);
	*stored = scratch;
	if (chunk->stored == 0)
	{
		chunk->stored = chunk->plain;
		*stored = plain;
	}
	return MakeTag(secret, id, n, *stored, chunk->stored, chunk->tag);
}

size_t
EncodeHead(const Secret &secret, const Header &header, const void *key, const void *meta,
		   const Chunk *table, const void *inside, void *out, size_t room)
{
	Header full = header;
	uint64_t chunks = ChunksFor(header.plain_size);
	uint8_t *begin = static_cast<uint8_t *>(out);
	uint8_t *next;

	if (chunks > kMaxChunks)
		return 0;
	full.magic = kMagic;
	full.version = kFormatVersion;
	full.header_length = sizeof(Header);
	full.chunk_count = static_cast<uint32_t>(chunks);
	full.chunk_bytes = kChunkBytes;
	full.reserved = 0;
	full.origin.reserved = 0;

	size_t head_length = LengthOf(full);
	uint32_t inside_length = chunks == 1 ? table[0].stored : 0;

	if (head_length == 0 || !HeaderSound(full) || room < head_length + inside_length)
		return 0;
	for (uint32_t n = 0; n < full.chunk_count; n++)
	{
		if (!ChunkSound(full, n, table[n]))
			return 0;
	}
	next = Append(begin, &full, sizeof(full));
	next = Append(next, key, full.key_length);
	next = Append(next, meta, full.meta_length);
	next = Append(next, table, sizeof(Chunk) * chunks);
	if (!Sign(secret, begin, head_length - kMacBytes, next))
		return 0;
	Append(next + kMacBytes, inside, inside_length);
	return head_length + inside_length;
}

} // namespace cq::redis
