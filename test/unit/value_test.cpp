/*
 * value_test.cpp
 *		Redis values: what is written is read back, and nothing else is ever taken for it.
 *
 * sources: src/redis/value.cpp src/redis/value_crypto.cpp
 * libraries: -lcrypto -llz4 -lzstd
 */
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "redis/value.h"
#include "tap.h"

using namespace cq::redis;
using tap::Done;
using tap::Ok;

namespace
{

using Bytes = std::vector<uint8_t>;

const char *const names[] = {"none", "lz4", "zstd"};
const Compression compressions[] = {Compression::none, Compression::lz4, Compression::zstd};

Secret
MakeSecret(uint8_t start)
{
	Secret secret;

	for (size_t i = 0; i < kSecretBytes; i++)
		secret.bytes[i] = static_cast<uint8_t>(start + i);
	return secret;
}

const Secret secret = MakeSecret(1);
const ServerIdentity origin = {UINT64_C(7300000000000000001), 150015, 202209061, 0x8018, 0};

Bytes
Repeating(size_t length)
{
	Bytes bytes(length);

	for (size_t i = 0; i < length; i++)
		bytes[i] = static_cast<uint8_t>(i / 64 % 7);
	return bytes;
}

Bytes
Random(size_t length)
{
	std::mt19937 random(4711);
	Bytes bytes(length);

	for (uint8_t &byte : bytes)
		byte = static_cast<uint8_t>(random());
	return bytes;
}

/* An entry's values, as Redis has them. */
struct Value
{
	Header header = {};
	std::string key = "key";
	std::string meta = "meta";
	std::vector<Chunk> table;
	std::vector<Bytes> chunks;
	Bytes head; // with the chunk inside if there is one
	bool good = true;

	Value(const Bytes &plain, Compression compression, uint8_t fill)
	{
		Bytes scratch(kChunkBytes);

		memset(header.fill_id.bytes, fill, kFillIdBytes);
		header.origin = origin;
		header.incarnation = 0x1122334455667788;
		header.plain_size = plain.size();
		header.rows = plain.size() / 16;
		header.age_us = 5000000;
		header.px_ms = 60000;
		header.written_us = 817000000000000;
		header.timeline = 3;
		header.compression = compression;
		header.facts_length = 3;
		memcpy(header.facts, "abc", 3);
		for (size_t at = 0; at < plain.size(); at += kChunkBytes)
		{
			Chunk chunk;
			const void *stored;
			uint32_t n = static_cast<uint32_t>(table.size());

			good = SealChunk(secret, header.fill_id, n, compression, &plain[at],
							 std::min<size_t>(kChunkBytes, plain.size() - at), scratch.data(),
							 &chunk, &stored) &&
				   good;
			table.push_back(chunk);
			chunks.emplace_back(static_cast<const uint8_t *>(stored),
								static_cast<const uint8_t *>(stored) + chunk.stored);
		}
		Encode();
	}

	void
	Encode()
	{
		header.key_length = static_cast<uint32_t>(key.size());
		header.meta_length = static_cast<uint32_t>(meta.size());
		head.assign(
			HeadBytes(header.key_length, header.meta_length, static_cast<uint32_t>(table.size())) +
				(table.size() == 1 ? table[0].stored : 0),
			0xee);

		size_t length =
			EncodeHead(secret, header, key.data(), meta.data(), table.data(),
					   table.size() == 1 ? chunks[0].data() : nullptr, head.data(), head.size());

		good = good && length == head.size();
	}

	size_t
	Inside() const
	{
		return table.size() == 1 ? table[0].stored : 0;
	}

	/* Where the HMAC is. */
	size_t
	MacAt() const
	{
		return head.size() - Inside() - kMacBytes;
	}

	/* Puts the right HMAC on what was changed by hand. */
	void
	Resign()
	{
		good = Sign(secret, head.data(), MacAt(), &head[MacAt()]) && good;
	}

	Header *
	Raw()
	{
		return reinterpret_cast<Header *>(head.data());
	}

	void
	SetChunk(uint32_t n, const Chunk &chunk)
	{
		memcpy(&head[sizeof(Header) + key.size() + meta.size() + n * sizeof(Chunk)], &chunk,
			   sizeof(chunk));
	}
};

Expectation
Expect(const std::string &key, const ServerIdentity &where = origin)
{
	return {where, key.data(), static_cast<uint32_t>(key.size())};
}

/* Decodes a copy that ends where its memory ends, so that the sanitizer sees each byte too far. */
Decoded
Decode(const uint8_t *bytes, size_t length, const Expectation &expected, Head *head = nullptr,
	   const Secret &under = secret)
{
	static std::unique_ptr<uint8_t[]> copy; // what *head points into
	Head unused;

	copy.reset(new uint8_t[length]);
	if (length > 0)
		memcpy(copy.get(), bytes, length);
	return DecodeHead(copy.get(), length, under, expected, head ? head : &unused);
}

Decoded
Decode(const Bytes &bytes, Head *head = nullptr)
{
	static const std::string key = "key";

	return Decode(bytes.data(), bytes.size(), Expect(key), head);
}

/* Everything that a reader checks before it uses a value. */
bool
Accepted(const Bytes &bytes)
{
	Head head;

	if (Decode(bytes, &head) != Decoded::ok)
		return false;
	return head.header.chunk_count != 1 || CheckChunk(head, 0, head.inside, head.inside_length);
}

bool
ReadBack(const Value &value, Bytes *plain)
{
	Head head;

	if (Decode(value.head, &head) != Decoded::ok || head.header.chunk_count != value.chunks.size())
		return false;
	plain->assign(head.header.plain_size, 0);
	for (uint32_t n = 0; n < head.header.chunk_count; n++)
	{
		const uint8_t *bytes = head.header.chunk_count == 1 ? head.inside : value.chunks[n].data();
		size_t length = head.header.chunk_count == 1 ? head.inside_length : value.chunks[n].size();
		size_t at = size_t{n} * kChunkBytes;

		if (!CheckChunk(head, n, bytes, length) ||
			!Decompress(head, n, bytes, length, &(*plain)[at], plain->size() - at))
			return false;
	}
	return true;
}

/* --- what is written is read back ------------------------------------------------------------ */

void
TestRoundTrips()
{
	const size_t sizes[] = {
		0, 1, 7, 100, kChunkBytes - 1, kChunkBytes, kChunkBytes + 1, 3 * kChunkBytes + 4711};

	for (Compression compression : compressions)
	{
		bool good = true;

		for (size_t size : sizes)
		{
			for (const Bytes &plain : {Repeating(size), Random(size)})
			{
				Value value(plain, compression, 1);
				Bytes back;

				good = good && value.good && ReadBack(value, &back) && back == plain;
			}
		}
		Ok(good, std::string("round trips, ") + names[static_cast<int>(compression)]);
	}
}

void
TestHead()
{
	Value value(Repeating(100), Compression::none, 1);
	Head head;

	Ok(Decode(value.head, &head) == Decoded::ok, "a head");
	Ok(head.header.rows == 6 && head.header.plain_size == 100 &&
		   head.header.incarnation == 0x1122334455667788 && head.header.timeline == 3 &&
		   head.header.age_us == 5000000 && head.header.px_ms == 60000 &&
		   head.header.written_us == 817000000000000 && head.header.facts_length == 3 &&
		   memcmp(head.header.facts, "abc", 3) == 0 && memcmp(head.meta, "meta", 4) == 0 &&
		   memcmp(head.key, "key", 3) == 0 && head.inside_length == 100,
	   "has what was put into it");

	value.key = std::string(100000, 'k');
	value.meta.clear();
	value.Encode();
	Ok(Decode(value.head.data(), value.head.size(), Expect(value.key), &head) == Decoded::ok &&
		   head.header.key_length == 100000 && head.header.meta_length == 0,
	   "long key, no meta");

	Bytes shifted(value.head.size() + 1);

	std::copy(value.head.begin(), value.head.end(), shifted.begin() + 1);
	Ok(DecodeHead(&shifted[1], value.head.size(), secret, Expect(value.key), &head) ==
			   Decoded::ok &&
		   CheckChunk(head, 0, head.inside, head.inside_length),
	   "at an odd address");
}

void
TestCompression()
{
	for (Compression compression : {Compression::lz4, Compression::zstd})
	{
		std::string name = names[static_cast<int>(compression)];
		Bytes mixed = Random(1000);
		Value small(Repeating(10000), compression, 1);
		Value large(Random(10000), compression, 1);

		/* about a sixteenth of it compresses: not worth it */
		memset(&mixed[400], 0, 62);
		Value little(mixed, compression, 1);

		Ok(small.table[0].stored <= 10000 - 10000 / 8, name + ": smaller is kept");
		Ok(large.table[0].stored == 10000, name + ": random bytes are stored as they are");
		Ok(little.table[0].stored == 1000, name + ": less than an eighth is not worth it");
	}
}

void
TestManyChunks()
{
	Value value(Bytes(), Compression::none, 1);
	Chunk chunk = {kChunkBytes, kChunkBytes, {}};

	value.table.assign(kMaxChunks, chunk);
	value.header.plain_size = uint64_t{kMaxChunks} * kChunkBytes;
	value.Encode();
	Ok(value.good && Decode(value.head) == Decoded::ok, "as many chunks as there may be");
	value.table.push_back(chunk);
	value.header.plain_size += kChunkBytes;
	value.Encode();
	Ok(!value.good, "one more is refused");
}

/* The static contexts follow the secret and the fill from call to call. */
void
TestInterleaved()
{
	Value a(Repeating(2 * kChunkBytes), Compression::none, 1);
	Value b(Repeating(2 * kChunkBytes), Compression::none, 2);
	Secret other = MakeSecret(99);
	bool good = true;

	for (int i = 0; i < 4; i++)
	{
		Bytes back;
		uint8_t mac[kMacBytes];

		good =
			good && ReadBack(i % 2 ? a : b, &back) && Sign(other, "x", 1, mac) &&
			Decode(a.head.data(), a.head.size(), Expect("key"), nullptr, other) == Decoded::corrupt;
	}
	Ok(good, "two fills and two secrets in turn");
}

/* --- nothing else is taken for it ------------------------------------------------------------ */

void
TestFlippedBits()
{
	for (Compression compression : compressions)
	{
		Value value(Repeating(100), compression, 1);
		size_t accepted = 0;

		for (size_t bit = 0; bit < value.head.size() * 8; bit++)
		{
			value.head[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
			accepted += Accepted(value.head);
			value.head[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
		}
		Ok(accepted == 0 && Accepted(value.head),
		   std::string("no bit of a value can be flipped, ") +
			   names[static_cast<int>(compression)]);
	}

	Value value(Repeating(kChunkBytes + 100), Compression::none, 1);
	Bytes &last = value.chunks[1];
	size_t accepted = 0;
	Head head;

	Decode(value.head, &head);
	for (size_t bit = 0; bit < last.size() * 8; bit++)
	{
		last[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
		accepted += CheckChunk(head, 1, last.data(), last.size());
		last[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
	}
	Ok(accepted == 0 && CheckChunk(head, 1, last.data(), last.size()),
	   "no bit of a chunk can be flipped");

	size_t caught = 0;

	for (size_t at = 0; at < kChunkBytes; at += 4099)
	{
		value.chunks[0][at] ^= 1;
		caught += !CheckChunk(head, 0, value.chunks[0].data(), kChunkBytes);
		value.chunks[0][at] ^= 1;
	}
	Ok(caught == (kChunkBytes + 4098) / 4099, "nor one anywhere in a full chunk");
}

void
TestTruncations()
{
	Value one(Repeating(100), Compression::none, 1);
	Value two(Repeating(kChunkBytes + 100), Compression::lz4, 1);
	bool good = true;

	for (const Value *value : {&one, &two})
	{
		for (size_t length = 0; length < value->head.size(); length++)
		{
			Decoded decoded = Decode(value->head.data(), length, Expect("key"));

			good = good &&
				   decoded == (length > 0 && length < 8 ? Decoded::not_ours : Decoded::truncated);
		}
	}
	Ok(good, "every truncation of a head");

	Head head;
	const Bytes &last = two.chunks[1];
	size_t accepted = 0;

	Decode(two.head, &head);
	for (size_t length = 0; length < last.size(); length++)
	{
		Bytes part(last.begin(), last.begin() + static_cast<ptrdiff_t>(length));

		accepted += CheckChunk(head, 1, part.data(), part.size());
	}
	Ok(accepted == 0, "every truncation of a chunk");

	for (Value *value : {&one, &two})
		value->head.push_back(0);
	Ok(Decode(one.head) == Decoded::corrupt && Decode(two.head) == Decoded::corrupt,
	   "a byte too many");
}

void
TestOthers()
{
	Value value(Repeating(100), Compression::none, 1);
	const uint8_t *bytes = value.head.data();
	size_t length = value.head.size();
	ServerIdentity other = origin;
	Head head;

	memset(static_cast<void *>(&head), 0x5a, sizeof(head));
	Ok(Decode(bytes, length, Expect("kez"), &head) == Decoded::other_key &&
		   Decode(bytes, length, Expect("ke"), &head) == Decoded::other_key &&
		   Decode(bytes, length, Expect("keys"), &head) == Decoded::other_key &&
		   Decode(bytes, length, Expect(""), &head) == Decoded::other_key,
	   "another key, shorter, longer, none");
	Ok(Decode(bytes, length, Expect("key"), &head, MakeSecret(2)) == Decoded::corrupt,
	   "another secret");
	other.system_identifier++;
	Ok(Decode(bytes, length, Expect("key", other), &head) == Decoded::other_server,
	   "another system identifier");
	other = origin;
	other.pg_version++;
	Ok(Decode(bytes, length, Expect("key", other), &head) == Decoded::other_build,
	   "another version of PostgreSQL");
	other = origin;
	other.catalog_version++;
	Ok(Decode(bytes, length, Expect("key", other), &head) == Decoded::other_build,
	   "another catalog version");
	other = origin;
	other.layout++;
	Ok(Decode(bytes, length, Expect("key", other), &head) == Decoded::other_build,
	   "another layout");
	Ok(head.header.rows == UINT64_C(0x5a5a5a5a5a5a5a5a), "none of them wrote to *head");

	for (uint32_t version : {kFormatVersion - 1, kFormatVersion + 1})
	{
		Value changed = value;

		changed.Raw()->version = version;
		changed.Resign();
		Ok(Decode(changed.head) == Decoded::version,
		   version < kFormatVersion ? "an older format" : "a newer format");
		changed.head.resize(12);
		Ok(Decode(changed.head) == Decoded::version, "of which only the start is known");
	}

	Value changed = value;

	std::reverse(changed.head.begin(), changed.head.begin() + 8);
	Ok(Decode(changed.head) == Decoded::other_build, "another byte order");
	Ok(Decode(Random(1000)) == Decoded::not_ours && Decode(Bytes(1000)) == Decoded::not_ours,
	   "rubbish");
}

void
TestOtherChunks()
{
	Value a(Repeating(3 * kChunkBytes), Compression::none, 1);
	Value b(Repeating(3 * kChunkBytes), Compression::none, 2);
	Head head;

	Decode(b.head, &head);
	Ok(a.chunks[0] == b.chunks[0] && a.table[0].plain == b.table[0].plain &&
		   memcmp(a.table[0].tag, b.table[0].tag, kTagBytes) != 0,
	   "the same rows have another tag in another fill");

	Value other(Random(3 * kChunkBytes), Compression::none, 2);

	Ok(!CheckChunk(head, 0, other.chunks[0].data(), kChunkBytes), "a chunk of another fill");
	Decode(other.head, &head);
	Ok(CheckChunk(head, 0, other.chunks[0].data(), kChunkBytes) &&
		   !CheckChunk(head, 0, other.chunks[1].data(), kChunkBytes) &&
		   !CheckChunk(head, 1, other.chunks[0].data(), kChunkBytes),
	   "swapped chunks");
	Ok(!CheckChunk(head, 3, other.chunks[2].data(), kChunkBytes) &&
		   !Decompress(head, 3, other.chunks[2].data(), kChunkBytes, a.chunks[0].data(),
					   kChunkBytes),
	   "a chunk beyond the last");
	Ok(!Decompress(head, 0, other.chunks[0].data(), kChunkBytes - 1, a.chunks[0].data(),
				   kChunkBytes) &&
		   !Decompress(head, 0, other.chunks[0].data(), kChunkBytes, a.chunks[0].data(),
					   kChunkBytes - 1),
	   "too few bytes, too little room");

	/* The table's lines swapped: under an HMAC that is right, the tags still know their places. */
	Value swapped = other;

	swapped.SetChunk(0, other.table[1]);
	swapped.SetChunk(1, other.table[0]);
	Ok(Decode(swapped.head) == Decoded::corrupt, "swapped lines of the table");
	swapped.Resign();
	Decode(swapped.head, &head);
	Ok(!CheckChunk(head, 0, other.chunks[1].data(), kChunkBytes), "and tags know their number");
}

/* Contradictions under a valid HMAC: somebody with the secret has a bug. */
void
TestContradictions()
{
	const Value one(Repeating(100), Compression::none, 1);
	const Value two(Repeating(kChunkBytes + 100), Compression::none, 1);
	size_t accepted = 0;
	size_t tried = 0;
	auto Try = [&](const Value &from, auto change) {
		Value value = from;

		change(value);
		value.Resign();
		tried++;
		accepted += Decode(value.head) != Decoded::corrupt;
	};

	Try(one, [](Value &v) { v.Raw()->rows = kMaxRows + 1; });
	Try(one, [](Value &v) { v.Raw()->facts_length = kFactsRoom + 1; });
	Try(one, [](Value &v) { v.Raw()->age_us = -1; });
	Try(one, [](Value &v) { v.Raw()->px_ms = -1; });
	Try(one, [](Value &v) { v.Raw()->compression = static_cast<Compression>(3); });
	Try(one, [](Value &v) { v.Raw()->chunk_bytes = kChunkBytes / 2; });
	Try(one, [](Value &v) { v.Raw()->plain_size = 99; });
	Try(one, [](Value &v) { v.Raw()->plain_size = 0; });
	Try(one, [](Value &v) { v.Raw()->plain_size = UINT64_MAX; });
	Try(one, [](Value &v) { v.Raw()->reserved = 1; });
	Try(one, [](Value &v) { v.Raw()->origin.reserved = 1; });
	Try(one, [](Value &v) { v.Raw()->header_length--; });
	Try(one, [](Value &v) { v.Raw()->key_length = kMaxKeyBytes + 1; });
	Try(one, [](Value &v) { v.Raw()->meta_length = kMaxMetaBytes + 1; });
	Try(one, [](Value &v) { v.Raw()->meta_length = UINT32_MAX; });
	Try(one, [](Value &v) { v.Raw()->chunk_count = kMaxChunks + 1; });
	Try(one, [](Value &v) { v.Raw()->chunk_count = UINT32_MAX; });
	Try(one, [](Value &v) { v.SetChunk(0, {0, 100, {}}); });
	Try(one, [](Value &v) { v.SetChunk(0, {101, 100, {}}); });
	Try(one, [](Value &v) { v.SetChunk(0, {100, 101, {}}); });
	Try(one, [](Value &v) { v.SetChunk(0, {99, 100, {}}); }); // not without compression
	Try(two, [](Value &v) { v.Raw()->plain_size = kChunkBytes; });
	Try(two, [](Value &v) { v.SetChunk(0, {100, 100, {}}); });
	Try(two, [](Value &v) { v.SetChunk(1, {kChunkBytes, kChunkBytes, {}}); });
	Ok(accepted == 0 && tried == 24, "contradictions under a valid HMAC");
}

/* Tagged bytes that are not what compression gave, or of another length than the table says. */
void
TestWrongCompression()
{
	for (Compression compression : {Compression::lz4, Compression::zstd})
	{
		std::string name = names[static_cast<int>(compression)];
		Value good(Repeating(1000), compression, 1);
		Value rubbish(Random(50), Compression::none, 1);
		Head head;
		Bytes out(2000);
		bool never = true;

		for (uint32_t plain : {999u, 1001u, 2000u})
		{
			Value value = good;

			value.Raw()->plain_size = plain;
			value.table[0].plain = plain;
			value.SetChunk(0, value.table[0]);
			value.Resign();
			never = never && Decode(value.head, &head) == Decoded::ok &&
					CheckChunk(head, 0, head.inside, head.inside_length) &&
					!Decompress(head, 0, head.inside, head.inside_length, out.data(), out.size());
		}
		Ok(never, name + ": more or fewer bytes than the table says");

		rubbish.Raw()->plain_size = 1000;
		rubbish.Raw()->compression = compression;
		rubbish.table[0].plain = 1000;
		rubbish.SetChunk(0, rubbish.table[0]);
		rubbish.Resign();
		Ok(Decode(rubbish.head, &head) == Decoded::ok &&
			   CheckChunk(head, 0, head.inside, head.inside_length) &&
			   !Decompress(head, 0, head.inside, head.inside_length, out.data(), out.size()),
		   name + ": rubbish");
	}
}

void
TestEncoderRefuses()
{
	Value value(Repeating(100), Compression::none, 1);
	size_t refused = 0;
	auto Try = [&](auto change) {
		Header header = value.header;
		Chunk chunk = value.table[0];
		size_t room = value.head.size();

		change(header, chunk, room);
		refused += EncodeHead(secret, header, "key", "meta", &chunk, value.chunks[0].data(),
							  value.head.data(), room) == 0;
	};

	Try([](Header &, Chunk &, size_t &room) { room--; });
	Try([](Header &, Chunk &, size_t &room) { room = 0; });
	Try([](Header &header, Chunk &, size_t &) { header.key_length = kMaxKeyBytes + 1; });
	Try([](Header &header, Chunk &, size_t &) { header.meta_length = kMaxMetaBytes + 1; });
	Try([](Header &header, Chunk &, size_t &) { header.rows = kMaxRows + 1; });
	Try([](Header &header, Chunk &, size_t &) { header.facts_length = kFactsRoom + 1; });
	Try([](Header &header, Chunk &, size_t &) { header.age_us = -1; });
	Try([](Header &, Chunk &chunk, size_t &) { chunk.plain++; });
	Try([](Header &, Chunk &chunk, size_t &) { chunk.stored = 0; });
	Ok(refused == 9, "the encoder writes nothing that the decoder would not take");

	Chunk chunk;
	const void *stored;
	Bytes plain(kChunkBytes + 1);

	Ok(!SealChunk(secret, value.header.fill_id, 0, Compression::none, plain.data(), plain.size(),
				  plain.data(), &chunk, &stored) &&
		   !SealChunk(secret, value.header.fill_id, 0, Compression::none, plain.data(), 0,
					  plain.data(), &chunk, &stored) &&
		   !SealChunk(secret, value.header.fill_id, kMaxChunks, Compression::none, plain.data(), 1,
					  plain.data(), &chunk, &stored),
	   "no chunk of a length or number out of bounds");
}

void
TestFillIds()
{
	FillId a;
	FillId b;

	Ok(CryptoWorks() && NewFillId(&a) && NewFillId(&b) && memcmp(&a, &b, sizeof(a)) != 0,
	   "fill ids differ");
}

/* --- the format stays what it is ------------------------------------------------------------- */

/*
 * A value in full.  If this fails, the format has changed: raise kFormatVersion and put the new
 * bytes here.
 */
const char golden[] =
	"65756c61765f7163010000000801000001005aac52cf4e65ff49020025770d0c188000000000000088776655"
	"44332211f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f104000000000000000000000000000000404b4c0000000000"
	"60ea0000000000000010c8a20ee7020003000000000000000300000004000000010000000000100003000000"
	"0000000061626300000000000000000000000000000000000000000000000000000000000000000000000000"
	"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	"6b65796d65746104000000040000005b62ab1480b27ac6d235d53e11de8bf463641a5a9ab17f0834f295c3a4"
	"20afc2dbee5f50918368aa0bb262dc78a25266726f7773";

void
TestGolden()
{
	Value value({'r', 'o', 'w', 's'}, Compression::none, 0xf1);
	std::string hex;

	if constexpr (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
	{
		Ok(true, "golden bytes # SKIP they are of a little-endian machine");
		return;
	}
	for (uint8_t byte : value.head)
	{
		char digits[3];

		snprintf(digits, sizeof(digits), "%02x", byte);
		hex += digits;
	}
	Ok(kFormatVersion == 1 && hex == golden, "golden bytes");
	if (hex != golden)
		printf("# %s\n", hex.c_str());
}

} // namespace

int
main()
{
	TestRoundTrips();
	TestHead();
	TestCompression();
	TestManyChunks();
	TestInterleaved();
	TestFlippedBits();
	TestTruncations();
	TestOthers();
	TestOtherChunks();
	TestContradictions();
	TestWrongCompression();
	TestEncoderRefuses();
	TestFillIds();
	TestGolden();
	return Done();
}
