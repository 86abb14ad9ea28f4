/*
 * write_entry.cpp
 *		Writing one entry to Redis: chunks first, the head last.
 */
#include "pg.h"
#include "remote/server.h"
#include "validity/lag.h"
#include "remote/write_entry.h"
#include "redis/command.h"
#include "redis/identity.h"
#include "settings.h"
#include "base/process.h"

namespace cq
{
namespace
{

constexpr int kWindow = 4;
/* A longer life is of no use, and PX must not overflow. */
constexpr int64 kMaxLifeMs = INT64CONST(10) * 365 * 86400 * 1000;

bool refused = false; /* the last write was refused: said once */

/* --- writing an entry ----------------------------------------------------------------------- */

struct Shipment
{
	redis::Identity identity;
	redis::EntryHash hash;
	redis::Header header;
	redis::Chunk *table;
	StreamReader rows;
	uint64 left; /* bytes of them */
	char *plain[kWindow];
	char *scratch[kWindow];
	const void *stored[kWindow];
	char names[kWindow][redis::kNameRoom];
	char px[32]; /* end of its life, see EndOfLife() */
	bool good;
};

/* Says once that writes are refused, and once that they are not any more. */
void
NoteWrite(const redis::Reply &reply)
{
	if (reply.type == redis::Reply::Type::error && !refused)
		ereport(LOG, (errmsg("Redis refuses to store: %.*s", static_cast<int>(reply.length),
							 reply.bytes)));
	else if (reply.type != redis::Reply::Type::error && refused)
		ereport(LOG, (errmsg("Redis stores again")));
	refused = reply.type == redis::Reply::Type::error;
}

bool
TakeWritten(Shipment *shipment, const redis::Reply &reply)
{
	NoteWrite(reply);
	shipment->good = reply.type == redis::Reply::Type::status;
	return shipment->good;
}

/* The next chunk of rows, sealed, in the place of this number. */
bool
SealNext(Shipment *shipment, uint32 n)
{
	const int place = static_cast<int>(n % kWindow);
	const Size length = Min(shipment->left, uint64{redis::kChunkBytes});

	StreamCopy(&shipment->rows, shipment->plain[place], length);
	shipment->left -= length;
	return redis::SealChunk(shipment->identity.secret, shipment->header.fill_id, n,
							shipment->header.compression, shipment->plain[place], length,
							shipment->scratch[place], &shipment->table[n],
							&shipment->stored[place]);
}

/* If it is asked for a number again, it must give the same bytes: so a chunk is sealed once only. */
struct ChunkWriter
{
	Shipment *shipment;
	uint32 sealed;
};

int
AskToWriteChunk(void *arg, int index, redis::Slice *argv, int)
{
	ChunkWriter *writer = static_cast<ChunkWriter *>(arg);
	Shipment *shipment = writer->shipment;
	const uint32 n = static_cast<uint32>(index);
	const int place = index % kWindow;

	if (n == writer->sealed)
	{
		if (!SealNext(shipment, n))
			elog(ERROR, "could not seal rows for Redis");
		writer->sealed++;
	}
	argv[0] = "SET"_s;
	argv[1] = {shipment->names[place], static_cast<size_t>(redis::ChunkName(
										   shipment->identity, shipment->hash,
										   shipment->header.fill_id, n, shipment->names[place]))};
	argv[2] = {static_cast<const char *>(shipment->stored[place]), shipment->table[n].stored};
	argv[3] = "PXAT"_s;
	argv[4] = redis::Text(shipment->px);
	return 5;
}

bool
TakeChunkWritten(void *arg, int, const redis::Reply &reply)
{
	return TakeWritten(static_cast<ChunkWriter *>(arg)->shipment, reply);
}

bool
TakeHeadWritten(void *arg, const redis::Reply &reply)
{
	return TakeWritten(static_cast<Shipment *>(arg), reply);
}

/* What the value that is there says of its chunks; not authenticated, and used for names only. */
struct OldValue
{
	uint32 chunks;
	redis::FillId fill_id;
};

bool
TakeOldValue(void *arg, const redis::Reply &reply)
{
	OldValue *old_value = static_cast<OldValue *>(arg);
	redis::Header header;

	if (reply.type != redis::Reply::Type::string || reply.length != sizeof(header))
		return true;
	memcpy(&header, reply.bytes, sizeof(header));
	if (header.magic != redis::kMagic || header.version != redis::kFormatVersion ||
		header.chunk_count < 2 || header.chunk_count > redis::kMaxChunks)
		return true;
	old_value->chunks = header.chunk_count;
	old_value->fill_id = header.fill_id;
	return true;
}

void
FindOldValue(redis::Slice head, OldValue *old_value)
{
	char last[16];
	const int length = snprintf(last, sizeof(last), "%zu", sizeof(redis::Header) - 1);
	const redis::Slice argv[] = {"GETRANGE"_s, head, "0"_s, {last, static_cast<size_t>(length)}};

	old_value->chunks = 0;
	redis::RunCommand(head, argv, 4, TakeOldValue, old_value);
}

void
RemoveOldValue(const Shipment &shipment, redis::Slice head, const OldValue &old_value)
{
	for (uint32 n = 0; n < old_value.chunks; n++)
	{
		char name[redis::kNameRoom];
		const int length =
			redis::ChunkName(shipment.identity, shipment.hash, old_value.fill_id, n, name);
		const redis::Slice argv[] = {"UNLINK"_s, {name, static_cast<size_t>(length)}};

		if (!redis::RunCommand(head, argv, 2))
			return;
	}
}

/* The head, with the rows in it if they are one chunk. */
bool
WriteHead(Shipment *shipment, redis::Slice name, const char *key, const char *meta)
{
	const uint32 chunks = static_cast<uint32>(redis::ChunksFor(shipment->header.plain_size));
	const Size room =
		redis::HeadBytes(shipment->header.key_length, shipment->header.meta_length, chunks) +
		(chunks == 1 ? redis::kChunkBytes : 0);
	char *head = static_cast<char *>(MemoryContextAllocHuge(CurrentMemoryContext, room));
	size_t length;

	if (chunks == 1 && !SealNext(shipment, 0))
		return false;
	length =
		redis::EncodeHead(shipment->identity.secret, shipment->header, key, meta, shipment->table,
						  chunks == 1 ? shipment->stored[0] : nullptr, head, room);
	if (length == 0)
		return false;

	const redis::Slice argv[] = {
		"SET"_s, name, {head, length}, "PXAT"_s, redis::Text(shipment->px)};

	shipment->good = false;
	return redis::RunCommand(name, argv, 5, TakeHeadWritten, shipment) && shipment->good;
}

bool
WriteChunks(Shipment *shipment, redis::Slice head)
{
	const int chunks = static_cast<int>(redis::ChunksFor(shipment->header.plain_size));
	ChunkWriter writer = {shipment, 0};

	if (chunks < 2)
		return true;
	shipment->good = false;
	return redis::Run({head, chunks, kWindow, AskToWriteChunk, TakeChunkWritten, &writer}) ==
			   redis::Result::done &&
		   shipment->good;
}

redis::Compression
CompressionNow()
{
	switch (static_cast<Compression>(settings::redis_compression))
	{
	case Compression::lz4:
		return redis::Compression::lz4;
	case Compression::zstd:
		return redis::Compression::zstd;
	case Compression::none:
		break;
	}
	return redis::Compression::none;
}

bool
TakeTime(void *arg, const redis::Reply &reply)
{
	(void) redis::TimeIn(reply, static_cast<int64 *>(arg));
	return true;
}

/*
 * When the value shall end, by Redis's clock: however long it is on the way, what is left of its life
 * then tells how old its rows are.  Needs Redis 6.2, for PXAT.
 */
bool
EndOfLife(Shipment *shipment, redis::Slice head, const EntrySummary &entry)
{
	const int64 life_ms = Min(entry.facts.ttl_us / 1000, kMaxLifeMs);
	const redis::Slice argv[] = {"TIME"_s};
	int64 redis_ms = 0;
	int64 age_ms;

	if (!redis::RunCommand(head, argv, 1, TakeTime, &redis_ms) || redis_ms == 0)
		return false;
	age_ms = (Max(GetCurrentTimestamp() - entry.facts.as_of, 0) + 999) / 1000;
	if (entry.facts.lag_ms != kLagUnknown)
		age_ms += entry.facts.lag_ms;
	shipment->header.px_ms = life_ms;
	shipment->header.written_us = entry.facts.as_of;
	snprintf(shipment->px, sizeof(shipment->px), INT64_FORMAT, redis_ms + life_ms - age_ms);
	return age_ms < life_ms;
}

/* All that is to be said of the entry; false: it is not worth writing any more. */
bool
FillHeader(Shipment *shipment, const Pin *pin, redis::Slice head, const EntrySummary &entry)
{
	redis::Header &header = shipment->header;

	static_assert(sizeof(EntryFacts) <= redis::kFactsRoom);
	if (!redis::NewFillId(&header.fill_id) || !EndOfLife(shipment, head, entry))
		return false;
	header.origin = ServerIdentityHere();
	header.incarnation = exact::Incarnation();
	header.plain_size = entry.payload;
	header.rows = entry.facts.rows;
	header.timeline = TimelineHere();
	header.compression = CompressionNow();
	header.key_length = entry.key_len;
	header.meta_length = entry.meta_len;
	header.facts_length = sizeof(EntryFacts);
	memcpy(header.facts, &entry.facts, sizeof(EntryFacts));
	StreamBegin(&shipment->rows, pin);
	shipment->left = entry.payload;
	return true;
}

} // namespace

bool
WriteEntry(const Pin *pin)
{
	const Entry *entry = PinnedEntry(pin);
	const EntrySummary summary = Summarize(pin);
	Shipment *shipment = NewZeroed<Shipment>();
	char *key = NewArray<char>(summary.key_len);
	char *meta = NewArray<char>(summary.meta_len);
	char name[redis::kNameRoom];
	redis::Slice head;
	OldValue old_value;

	shipment->identity = redis::GetIdentity();
	ReadKey(entry, 0, key, summary.key_len);
	ReadMeta(entry, 0, meta, summary.meta_len);
	if (!shipment->identity.usable || redis::ChunksFor(summary.payload) > redis::kMaxChunks ||
		!redis::HashKey(shipment->identity, key, summary.key_len, &shipment->hash))
		return false;
	head = {name, static_cast<size_t>(redis::HeadName(shipment->identity, shipment->hash, name))};
	if (!FillHeader(shipment, pin, head, summary))
		return false;
	shipment->table = NewArray<redis::Chunk>(redis::ChunksFor(summary.payload));
	for (uint64 i = 0; i < Min(redis::ChunksFor(summary.payload), uint64{kWindow}); i++)
	{
		shipment->plain[i] = NewArray<char>(redis::kChunkBytes);
		shipment->scratch[i] = NewArray<char>(redis::kChunkBytes);
	}
	FindOldValue(head, &old_value);
	if (!WriteChunks(shipment, head) || !WriteHead(shipment, head, key, meta))
		return false;
	RemoveOldValue(*shipment, head, old_value);
	return true;
}

} // namespace cq
