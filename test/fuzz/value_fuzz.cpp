/*
 * value_fuzz.cpp
 *		libFuzzer target: bytes from Redis against the decoder of values.
 *
 * sources: src/redis/value.cpp src/redis/value_crypto.cpp
 * libraries: -lcrypto -llz4 -lzstd
 *
 * The first byte says what is done with the others:
 *
 *	raw		to the decoder as they are; nothing without the secret may be accepted
 *	signed	with magic number, version, key and a valid HMAC put where the decoder looks for them, so
 *			that the checks behind it are reached; tags of the chunks, too, so that what is
 *			decompressed is the fuzzer's
 *
 * Everything accepted is used as a reader would.  Buffers are of the exact size, for ASan.  The seeds
 * are made here: the custom mutator starts from one of them whenever the input is short.
 */
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "redis/value.h"

using namespace cq::redis;

extern "C" {
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);
}

namespace
{

const Secret secret = {{1, 2, 3, 4, 5, 6, 7, 8}};
const Secret unused_secret = {{8, 7, 6, 5, 4, 3, 2, 1}}; // never signed with
const ServerIdentity origin = {4711, 150000, 202209061, 8, 0};
const char key[] = {'k', 'e', 'y'};

enum Mode : uint8_t
{
	raw,
	signed_head
};

void
Require(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "fuzz failure: %s\n", what);
	abort();
}

/* Bytes in memory of their own and no larger. */
struct Copy
{
	std::unique_ptr<uint8_t[]> bytes;
	size_t length;

	Copy(const void *from, size_t size) : bytes(new uint8_t[size]), length(size)
	{
		if (size > 0)
			memcpy(bytes.get(), from, size);
	}
};

/* What can be relied on after Decoded::ok. */
void
CheckHead(const Head &head, const uint8_t *bytes, size_t length)
{
	const Header &header = head.header;
	const uint8_t *end = bytes + length;
	uint64_t plain = 0;

	Require(head.key == bytes + sizeof(Header) && head.meta == head.key + header.key_length &&
				head.table == head.meta + header.meta_length &&
				head.table + sizeof(Chunk) * header.chunk_count + kMacBytes <= end,
			"parts of the head lie outside");
	Require(header.key_length == sizeof(key) && memcmp(head.key, key, sizeof(key)) == 0,
			"another key");
	Require(header.facts_length <= kFactsRoom && header.rows <= kMaxRows, "beyond a limit");
	for (uint32_t n = 0; n < header.chunk_count; n++)
	{
		Chunk chunk = GetChunk(head, n);

		Require(chunk.stored > 0 && chunk.stored <= chunk.plain && chunk.plain <= kChunkBytes,
				"a chunk's lengths");
		plain += chunk.plain;
	}
	Require(plain == header.plain_size, "chunks don't add up");
	Require(head.inside == nullptr || head.inside + head.inside_length == end,
			"the chunk inside lies outside");
	Require((header.chunk_count == 1) == (head.inside != nullptr), "inside or not");
}

/* As a reader would: chunks that pass are decompressed. */
void
UseChunks(const Head &head, const uint8_t *bytes, size_t length)
{
	for (uint32_t n = 0; n < head.header.chunk_count && n < 4; n++)
	{
		Chunk chunk = GetChunk(head, n);
		size_t take = head.inside ? head.inside_length : std::min<size_t>(length, chunk.stored);
		Copy stored(head.inside ? head.inside : bytes, take);

		if (!CheckChunk(head, n, stored.bytes.get(), stored.length))
			continue;

		std::unique_ptr<uint8_t[]> out(new uint8_t[chunk.plain]);

		Decompress(head, n, stored.bytes.get(), stored.length, out.get(), chunk.plain);
	}
}

/* The decoder may accept nothing here: nobody signed it. */
void
TryRaw(const uint8_t *data, size_t size)
{
	Copy copy(data, size);
	Head head;

	Require(DecodeHead(copy.bytes.get(), copy.length, unused_secret, {origin, key, sizeof(key)},
					   &head) != Decoded::ok,
			"unsigned bytes were accepted");
}

/* The tag that the fuzzer's bytes would have had, for the chunk inside. */
void
TagInside(uint8_t *bytes, size_t head_length, size_t length, const Header &header)
{
	uint8_t *line = bytes + sizeof(Header) + header.key_length + size_t{header.meta_length};
	size_t left = length - head_length;
	Chunk chunk;
	Chunk sealed;
	const void *stored;

	if (header.chunk_count != 1 || left == 0 || left > kChunkBytes)
		return;
	memcpy(&chunk, line, sizeof(chunk));
	if (chunk.stored % 2 == 0) /* mostly the right length, sometimes the fuzzer's */
		chunk.stored = static_cast<uint32_t>(left);
	chunk.plain = static_cast<uint32_t>(header.plain_size);
	if (!SealChunk(secret, header.fill_id, 0, Compression::none, bytes + head_length, left, nullptr,
				   &sealed, &stored))
		return;
	memcpy(chunk.tag, sealed.tag, kTagBytes);
	memcpy(line, &chunk, sizeof(chunk));
}

/* Mends what the decoder looks at first, so that it goes on; the rest is the fuzzer's. */
void
TrySigned(const uint8_t *data, size_t size)
{
	Copy copy(data, size);
	uint8_t *bytes = copy.bytes.get();
	Header header;
	Head head;

	if (size < HeadBytes(sizeof(key), 0, 0))
		return;
	memcpy(&header, bytes, sizeof(header));
	header.magic = kMagic;
	header.version = kFormatVersion;
	header.header_length = sizeof(Header);
	header.key_length = sizeof(key);
	if (header.incarnation % 4 != 0)
	{
		header.origin = origin;
		header.chunk_bytes = kChunkBytes;
		header.reserved = 0;
	}
	if (header.incarnation % 4 == 2)
	{
		header.meta_length %= 64;
		header.chunk_count %= 4;
		header.plain_size %= uint64_t{4} * kChunkBytes;
		header.compression =
			static_cast<Compression>(static_cast<uint32_t>(header.compression) % 3);
		header.rows %= kMaxRows;
	}
	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(Header), key, sizeof(key));
	if (header.meta_length <= kMaxMetaBytes && header.chunk_count <= kMaxChunks)
	{
		size_t head_length = HeadBytes(header.key_length, header.meta_length, header.chunk_count);

		if (head_length <= size)
		{
			TagInside(bytes, head_length, size, header);
			Require(Sign(secret, bytes, head_length - kMacBytes, bytes + head_length - kMacBytes),
					"no HMAC");
		}
	}
	if (DecodeHead(bytes, size, secret, {origin, key, sizeof(key)}, &head) != Decoded::ok)
		return;
	CheckHead(head, bytes, size);
	UseChunks(head, data, size);
}

/* A value as the encoder makes it, of up to a few hundred bytes: 0, 1 or 3 chunks. */
size_t
MakeSeed(uint8_t *out, size_t room, unsigned int seed)
{
	static uint8_t rows[3][kChunkBytes];
	static uint8_t scratch[3][kChunkBytes];
	Header header = {};
	Chunk table[3];
	const void *stored[3];
	const uint32_t sizes[] = {0, 60, 400, 2 * kChunkBytes + 60};
	uint32_t left = sizes[seed / 3 % 4];

	header.origin = origin;
	header.incarnation = seed / 12;
	header.fill_id.bytes[0] = 1;
	header.compression = static_cast<Compression>(seed % 3);
	header.plain_size = left;
	header.rows = left / 20;
	header.key_length = sizeof(key);
	header.meta_length = seed % 5;
	memset(rows[0], 'r', 100);
	for (uint32_t n = 0; left > 0; n++)
	{
		uint32_t length = std::min(left, kChunkBytes);

		Require(SealChunk(secret, header.fill_id, n, header.compression, rows[n], length,
						  scratch[n], &table[n], &stored[n]),
				"seed");
		left -= length;
	}
	if (room == 0)
		return 0;
	out[0] = signed_head;
	return 1 + EncodeHead(secret, header, key, "meta", table, stored[0], out + 1, room - 1);
}

} // namespace

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned int seed)
{
	if (size < HeadBytes(sizeof(key), 0, 0) || seed % 64 == 0)
	{
		size_t length = MakeSeed(data, room, seed / 64);

		if (length > 1)
			size = length;
	}
	return LLVMFuzzerMutate(data, size, room);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 2 == raw)
		TryRaw(data + 1, size - 1);
	else
		TrySigned(data + 1, size - 1);
	return 0;
}
