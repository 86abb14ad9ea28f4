/*
 * value.h
 *		The format of cached entries as Redis values: naming nothing, reading and writing bytes.
 *
 * An entry is one head and, if its rows take more than one chunk, its chunks, each a value of its
 * own.  Rows are cut every kChunkBytes; each piece is stored as it is, or compressed when that
 * makes it at least an eighth smaller, and has a tag.
 *
 *		Header | key bytes | meta bytes | Chunk[chunk_count] | HMAC | data, if there is one chunk
 *		\____________ what the HMAC is over ______________/
 *
 * A head names its chunks by the fill id, 128 random bits drawn anew for each attempt at writing an
 * entry.  Chunks are written first and the head last, so nobody assembles two fills.  Numbers are
 * in native order: the magic number shows another one.
 *
 * What comes from Redis is untrusted until authenticated.  DecodeHead() looks at magic number,
 * version and lengths (against the length received and fixed limits), then checks the HMAC-SHA256,
 * and only then believes a field.  A chunk is checked, over its stored bytes, against the tag that
 * stands in the authenticated head; only then may it be decompressed, into room of a size that the
 * head says.  Nothing here is allocated by a length that was received.
 *
 * A chunk's tag is ChaCha20-Poly1305 with the chunk as additional data and no plaintext, under
 * HMAC-SHA256(secret, "cached_query chunks" | fill id), with the chunk's number as nonce.  So a
 * (key, nonce) pair must never tag two different chunks: who seals again draws a new fill id.
 * test/bench/mac.cpp compares what OpenSSL 1.1.1 and 3.0 both have; 12.65 MB in ms, Debian's 3.0.22:
 *
 *		CPU with SHA, AES, PCLMULQDQ, AVX		all		no SHA	nor AES		nor AVX
 *		HMAC-SHA256								7.2		30		28			29
 *		BLAKE2b with a keyed prefix				18		16		15			16
 *		AES-256-GMAC							1.6		1.5		24			27
 *		ChaCha20-Poly1305						1.0		1.0		1.0			3.1
 *
 * Where OpenSSL runs in FIPS mode there is no ChaCha20: CryptoWorks() is false, Redis is not used.
 *
 * Leaf code: no backend header, no lock, no errors but return values, nothing to free.  OpenSSL's and
 * zstd's contexts are static, made on first use, good for any order of calls and kept until the
 * process ends; between two calls a caller may be gone by longjmp.  Not thread-safe.
 */
#pragma once

#include <cstddef>
#include <cstdint>

namespace cq::redis
{

constexpr uint64_t kMagic = UINT64_C(0x63715f76616c7565); // "cq_value"
constexpr uint32_t kFormatVersion = 1;

constexpr uint32_t kChunkBytes = 1024 * 1024; // of rows, before compression; the last has the rest
constexpr uint32_t kMaxChunks = 1024 * 1024;
constexpr uint32_t kMaxKeyBytes = 16 * 1024 * 1024;
constexpr uint32_t kMaxMetaBytes = 16 * 1024 * 1024;
constexpr uint64_t kMaxRows = UINT64_C(1) << 40;

constexpr size_t kSecretBytes = 32;
constexpr size_t kFillIdBytes = 16;
constexpr size_t kTagBytes = 16;
constexpr size_t kMacBytes = 32;
constexpr size_t kFactsRoom = 128;

/* What heads are signed with; whoever makes one has it from a random source or a digest. */
struct Secret
{
	uint8_t bytes[kSecretBytes];
};

struct FillId
{
	uint8_t bytes[kFillIdBytes];
};

enum class Compression : uint32_t
{
	none,
	lz4,
	zstd
};

/* Which servers can use a value: the same cluster or a replica, with the same layout of rows. */
struct ServerIdentity
{
	uint64_t system_identifier;
	uint32_t pg_version; // PG_VERSION_NUM
	uint32_t catalog_version;
	uint32_t layout; // the caller's: a hash of alignment, passing by value, release, ..
	uint32_t reserved;
};

/* The fixed part.  All of it is covered by the HMAC. */
struct Header
{
	/* where every version has them */
	uint64_t magic;
	uint32_t version;
	uint32_t header_length;

	/* the caller's; EncodeHead() takes them as they are */
	ServerIdentity origin;
	uint64_t incarnation; // of the shared memory of the server that wrote it
	FillId fill_id;
	uint64_t plain_size; // bytes of rows, all chunks together
	uint64_t rows;
	int64_t age_us;     // of the rows when px_ms began: age now = age_us + px_ms - PTTL
	int64_t px_ms;      // the life whose end Redis was given
	int64_t written_us; // wall clock when px_ms began: bounds how far a life can be prolonged
	uint32_t timeline;
	Compression compression; // of the chunks that are smaller than their rows
	uint32_t key_length;
	uint32_t meta_length;

	/* derived */
	uint32_t chunk_count;
	uint32_t chunk_bytes; // kChunkBytes

	uint32_t facts_length; // used of facts, the caller's
	uint32_t reserved;
	uint8_t facts[kFactsRoom];
};

/* One line of the table of chunks.  Compressed if stored < plain. */
struct Chunk
{
	uint32_t stored;
	uint32_t plain;
	uint8_t tag[kTagBytes];
};

static_assert(sizeof(Secret) == kSecretBytes && sizeof(FillId) == kFillIdBytes);
static_assert(sizeof(ServerIdentity) == 24);
static_assert(offsetof(Header, version) == 8 && offsetof(Header, header_length) == 12);
static_assert(offsetof(Header, facts_length) == 128);
static_assert(sizeof(Header) == 136 + kFactsRoom, "no padding: all bytes are ours to write");
static_assert(sizeof(Chunk) == 24 && alignof(Chunk) == 4);

/* --- reading -------------------------------------------------------------------------------- */

enum class Decoded
{
	ok,
	not_ours,     // no magic number
	version,      // an older or a newer format
	truncated,    // shorter than it says
	corrupt,      // HMAC, limits, or lengths that contradict each other; another secret, too
	other_server, // another system identifier
	other_build,  // another PostgreSQL version, catalog version or layout; another byte order
	other_key     // of another question
};

/* For messages. */
extern const char *NameOf(Decoded decoded);

struct Expectation
{
	ServerIdentity origin;
	const void *key;
	uint32_t key_length;
};

/* An authenticated head.  Pointers point into what was decoded, which must stay. */
struct Head
{
	Header header;
	Secret secret;
	const uint8_t *key;
	const uint8_t *meta;
	const uint8_t *table;  // Chunk[chunk_count], not aligned: GetChunk()
	const uint8_t *inside; // stored bytes of chunk 0 if chunk_count is 1, not checked yet
	uint32_t inside_length;
};

/* *head is written if the result is Decoded::ok. */
extern Decoded DecodeHead(const void *bytes, size_t length, const Secret &secret,
						  const Expectation &expected, Head *head);
/* Lengths and tag of chunk n < chunk_count. */
extern Chunk GetChunk(const Head &head, uint32_t n);
/* Are these the stored bytes of chunk n of this fill?  If not, don't look at them. */
extern bool CheckChunk(const Head &head, uint32_t n, const void *bytes, size_t length);
/*
 * The rows in chunk n, from bytes for which CheckChunk() was true: GetChunk().plain bytes, room
 * for which must be in out.  False if they are not exactly that.
 */
extern bool Decompress(const Head &head, uint32_t n, const void *bytes, size_t length, void *out,
					   size_t room);

/* --- writing -------------------------------------------------------------------------------- */

/* Has OpenSSL what we need?  Asked once, so that one message tells why nothing is ever stored. */
extern bool CryptoWorks();
/* False if there is no randomness. */
extern bool NewFillId(FillId *id);

/* Number of chunks for so many bytes of rows. */
constexpr uint64_t
ChunksFor(uint64_t plain_size)
{
	return plain_size / kChunkBytes + (plain_size % kChunkBytes != 0);
}

/* Bytes of a head, without the data that may lie in it. */
constexpr size_t
HeadBytes(uint32_t key_length, uint32_t meta_length, uint32_t chunk_count)
{
	return sizeof(Header) + key_length + meta_length + sizeof(Chunk) * size_t{chunk_count} +
		   kMacBytes;
}

/*
 * Compresses and tags the rows of chunk n, 1 to kChunkBytes of them.  scratch has kChunkBytes of
 * room.  *stored is what is to be stored, chunk->stored bytes of it: either plain or scratch.
 * False if OpenSSL fails, or for lengths out of bounds.
 */
extern bool SealChunk(const Secret &secret, const FillId &id, uint32_t n, Compression compression,
					  const void *plain, size_t length, void *scratch, Chunk *chunk,
					  const void **stored);
/*
 * Writes a head into out.  header has the caller's fields; the others are set here.  table has
 * ChunksFor(plain_size) lines; inside is what SealChunk() gave if that is one.  out has room for
 * HeadBytes() and table[0].stored.  Returns the length, 0 if something is out of bounds.
 */
extern size_t EncodeHead(const Secret &secret, const Header &header, const void *key,
						 const void *meta, const Chunk *table, const void *inside, void *out,
						 size_t room);

/* HMAC-SHA256 under the secret.  EncodeHead() and DecodeHead() use it; so do tests and fuzzing. */
extern bool Sign(const Secret &secret, const void *bytes, size_t length, uint8_t mac[kMacBytes]);

} // namespace cq::redis
