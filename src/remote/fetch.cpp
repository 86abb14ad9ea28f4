/*
 * fetch.cpp
 *		Fetching a value from Redis: its head, then its rows.
 */
#include "pg.h"
#include "redis/resolve.h"
#include "validity/lookup.h"
#include "remote/server.h"
#include "remote/fetch.h"
#include "remote/writer.h"
#include "remote/queue.h"
#include "redis/client.h"
#include "redis/identity.h"
#include "stats/stats.h"

namespace cq
{
namespace
{

constexpr int kWindow = 4;

/* A value that is not to be believed; somebody should know. */
void
Reject(redis::Decoded why)
{
	Count(Counter::redis_rejected);
	if (!NoteRejected())
		return;
	ereport(LOG, (errmsg("a value in Redis was not used: %s", redis::NameOf(why)),
				  errhint("Servers that share a namespace must be of one cluster and have the same "
						  "PostgreSQL version and cached_query.redis_secret. This is said once a "
						  "minute at most; redis_rejected in cached_query_stats counts it.")));
}

} // namespace

void
NoReply()
{
	Count(Counter::redis_skipped);
	if (redis::ResolveWanted())
		EnsureRedisWriter();
}

namespace
{

/* --- the head ------------------------------------------------------------------------------- */

struct HeadRequest
{
	redis::Slice name;
	int64 left_ms; /* until it expires; negative: none, or no expiry */
	char *bytes;   /* palloc'd */
	size_t length;
};

/* The life first: a newer value that comes between the two is taken for older than it is. */
int
AskForHead(void *arg, int index, redis::Slice *argv, int)
{
	const HeadRequest *request = static_cast<HeadRequest *>(arg);

	argv[0] = index == 0 ? "PTTL"_s : "GET"_s;
	argv[1] = request->name;
	return 2;
}

bool
TakeHead(void *arg, int index, const redis::Reply &reply)
{
	HeadRequest *request = static_cast<HeadRequest *>(arg);

	if (index == 0)
		request->left_ms = reply.type == redis::Reply::Type::integer ? reply.integer : -2;
	else if (reply.type == redis::Reply::Type::string)
	{
		request->bytes = NewArray<char>(reply.length);
		request->length = reply.length;
		memcpy(request->bytes, reply.bytes, reply.length);
	}
	return true;
}

} // namespace

bool
FetchHead(const Key &key, Found *found)
{
	const redis::Identity &identity = redis::GetIdentity();
	char name[redis::kNameRoom];
	HeadRequest request = {};
	redis::Decoded decoded;

	if (!identity.usable || !redis::HashKey(identity, key.bytes, key.length, &found->hash))
	{
		Count(Counter::redis_skipped);
		return false;
	}
	request.name = {name, static_cast<size_t>(redis::HeadName(identity, found->hash, name))};
	request.left_ms = -2;
	found->asked = GetCurrentTimestamp();
	found->asked_ms = exact::MonotonicMs();
	if (redis::Run({request.name, 2, 2, AskForHead, TakeHead, &request}) != redis::Result::done)
	{
		NoReply();
		return false;
	}
	if (request.bytes == nullptr || request.left_ms == -2)
	{
		Count(Counter::redis_misses);
		return false;
	}
	decoded = redis::DecodeHead(request.bytes, request.length, identity.secret,
								{ServerIdentityHere(), key.bytes, key.length}, &found->head);
	/* without an expiry, or with more of it than it was given, its age can't be told */
	if (decoded == redis::Decoded::ok &&
		(request.left_ms < 0 || request.left_ms > found->head.header.px_ms))
		decoded = redis::Decoded::corrupt;
	if (decoded != redis::Decoded::ok)
	{
		Reject(decoded);
		return false;
	}
	found->left_ms = request.left_ms;
	return true;
}

namespace
{

/* --- the rows ------------------------------------------------------------------------------- */

struct Load
{
	const redis::Identity *identity;
	const Found *found;
	Pin *fill;
	char *plain; /* room for a decompressed chunk, or nullptr */
	char names[kWindow][redis::kNameRoom];
	bool good;
};

/* A chunk is checked, then it goes into the entry. */
bool
TakeChunk(Load *load, uint32 n, const void *bytes, size_t length)
{
	const redis::Head &head = load->found->head;
	const redis::Chunk chunk = redis::GetChunk(head, n);
	const bool last = n + 1 == head.header.chunk_count;

	if (!redis::CheckChunk(head, n, bytes, length))
	{
		Reject(redis::Decoded::corrupt);
		return false;
	}
	if (chunk.stored < chunk.plain)
	{
		if (load->plain == nullptr)
			load->plain = NewArray<char>(redis::kChunkBytes);
		if (!redis::Decompress(head, n, bytes, length, load->plain, redis::kChunkBytes))
		{
			Reject(redis::Decoded::corrupt);
			return false;
		}
		bytes = load->plain;
	}
	return chunk.plain == MAXALIGN(chunk.plain) &&
		   AppendStream(load->fill, bytes, chunk.plain, last ? head.header.rows : 0,
						MaxEntryBytes());
}

int
AskForChunk(void *arg, int index, redis::Slice *argv, int)
{
	Load *load = static_cast<Load *>(arg);
	char *name = load->names[index % kWindow];
	const int length =
		redis::ChunkName(*load->identity, load->found->hash, load->found->head.header.fill_id,
						 static_cast<uint32>(index), name);

	argv[0] = "GET"_s;
	argv[1] = {name, static_cast<size_t>(length)};
	return 2;
}

bool
TakeChunkReply(void *arg, int index, const redis::Reply &reply)
{
	Load *load = static_cast<Load *>(arg);

	load->good = reply.type == redis::Reply::Type::string &&
				 TakeChunk(load, static_cast<uint32>(index), reply.bytes, reply.length);
	return load->good;
}

} // namespace

bool
LoadRows(const Found &found, Pin *fill)
{
	const redis::Head &head = found.head;
	const redis::Identity identity = redis::GetIdentity();
	Load load = {};
	char name[redis::kNameRoom];
	redis::Slice route;

	load.identity = &identity;
	load.found = &found;
	load.fill = fill;
	if (head.header.chunk_count == 0)
		return head.header.rows == 0;
	if (head.header.chunk_count == 1)
		return TakeChunk(&load, 0, head.inside, head.inside_length);

	route = {name, static_cast<size_t>(redis::HeadName(identity, found.hash, name))};
	switch (redis::Run({route, static_cast<int>(head.header.chunk_count), kWindow, AskForChunk,
						TakeChunkReply, &load}))
	{
	case redis::Result::done:
		return load.good;
	case redis::Result::stopped:
		return false;
	case redis::Result::unavailable:
		break;
	}
	NoReply();
	return false;
}

bool
MakeRoom(const Lookup *lookup, const Found &found, Pin *fill)
{
	const redis::Head &head = found.head;
	uint64 bytes = 0;

	if (lookup->call->options.store != StoreKind::tiered)
		return true;
	for (uint32 n = 0; n < head.header.chunk_count; n++)
		bytes += redis::GetChunk(head, n).plain;
	return FillBytes(fill) + bytes <= MaxEntryBytes() && ResumeFill(fill, bytes);
}

} // namespace cq
