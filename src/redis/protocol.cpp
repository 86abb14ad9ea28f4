/*
 * protocol.cpp
 *		Writing commands and reading replies.
 */
#include "pg.h"
#include "redis/reply_objects.h"
#include "redis/protocol.h"

namespace cq::redis
{
namespace
{

constexpr size_t kReadAhead = 64 * 1024;      /* least room for a recv() */
constexpr size_t kMaxReply = 4 * 1024 * 1024; /* of a reply that the reader makes */
constexpr size_t kMaxLine = 64 * 1024;        /* of a status, error or number */
constexpr size_t kMaxHeader = 32;             /* of "$n\r\n" */
constexpr size_t kKeepBuffer = 2 * 1024 * 1024;
constexpr size_t kByReference = 4096; /* such arguments are not copied */

/* ---- Reading ---- */

Parsed
Bad(Incoming *in, const char *error)
{
	in->error = error;
	return Parsed::bad;
}

/*
 * A string that is a reply by itself, left where it is.  Its header is ours to check: digits, or
 * -1, within what we take.
 */
Parsed
NextString(Incoming *in, Reply *reply)
{
	const char *at = in->buffer + in->head;
	size_t have = in->tail - in->head;
	const char *end = static_cast<const char *>(memchr(at, '\r', Min(have, kMaxHeader)));
	size_t header = end != nullptr ? static_cast<size_t>(end - at) + 2 : 0;
	size_t length = 0;

	if (end == nullptr)
		return have >= kMaxHeader ? Bad(in, "protocol error: bad length of a string")
								  : Parsed::more;
	if (have < header)
		return Parsed::more;
	if (at[header - 1] != '\n' || header < 4)
		return Bad(in, "protocol error: bad length of a string");
	memset(static_cast<void *>(reply), 0, sizeof(*reply));
	if (header == 5 && memcmp(at, "$-1", 3) == 0)
	{
		in->taken = header;
		return Parsed::reply;
	}
	for (const char *p = at + 1; p < end; p++)
	{
		if (*p < '0' || *p > '9')
			return Bad(in, "protocol error: bad length of a string");
		length = length * 10 + static_cast<size_t>(*p - '0');
		if (length > kMaxBulk)
			return Bad(in, "protocol error: a string is too long");
	}
	in->wanted = header + length + 2;
	if (have < in->wanted)
		return Parsed::more;
	if (memcmp(at + header + length, "\r\n", 2) != 0)
		return Bad(in, "protocol error: a string does not end where it should");
	reply->type = Reply::Type::string;
	reply->bytes = at + header;
	reply->length = length;
	in->taken = in->wanted;
	return Parsed::reply;
}

/*
 * Any other reply, by hiredis.  It gets all that came; what it did not need for this reply stays in
 * our buffer and is taken away from its.
 */
Parsed
NextByReader(Incoming *in, Reply *reply)
{
	redisReader *reader = in->reader;
	size_t have = in->tail - in->head;
	void *object = nullptr;

	if (have == in->fed)
		return Parsed::more;
	if (redisReaderFeed(reader, in->buffer + in->head + in->fed, have - in->fed) != REDIS_OK)
		return Bad(in, "out of memory");
	in->fed = have;
	if (redisReaderGetReply(reader, &object) != REDIS_OK)
		return Bad(in, reader->err == REDIS_ERR_OOM ? "protocol error: a reply is too large"
													: "protocol error");
	if (object == nullptr)
	{
		if (have > (in->buffer[in->head] == '*' ? kMaxReply : kMaxLine))
			return Bad(in, "protocol error: a reply is too large");
		return Parsed::more;
	}
	*reply = *static_cast<Reply *>(object);
	in->taken = in->fed - (reader->len - reader->pos);
	reader->pos = reader->len;
	return Parsed::reply;
}

char *
Grow(char *old, size_t used, size_t size)
{
	char *bigger = Allocate(size);

	if (bigger == nullptr)
		return nullptr;
	if (used > 0)
		memcpy(bigger, old, used);
	if (old != nullptr)
		pfree(old);
	return bigger;
}

} // namespace

char *
Allocate(size_t size)
{
	return static_cast<char *>(
		MemoryContextAllocExtended(Context(), size, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM));
}

bool
IncomingInit(Incoming *in)
{
	memset(in, 0, sizeof(*in));
	in->reader = redisReaderCreateWithFunctions(ObjectFunctions());
	if (in->reader == nullptr)
		return false;
	in->reader->maxbuf = 0;
	in->reader->privdata = in;
	in->nodes = AllocSetContextCreate(Context(), "CachedQueryRedisReply", ALLOCSET_DEFAULT_SIZES);
	return true;
}

Parsed
IncomingNext(Incoming *in, Reply *reply)
{
	if (in->taken > 0)
	{
		in->head += in->taken;
		in->taken = in->fed = in->wanted = 0;
		if (in->node_bytes > 0)
			MemoryContextReset(in->nodes);
		in->node_bytes = 0;
		if (in->head == in->tail)
			in->head = in->tail = 0;
	}
	if (in->head == in->tail)
		return Parsed::more;
	return in->buffer[in->head] == '$' ? NextString(in, reply) : NextByReader(in, reply);
}

char *
IncomingRoom(Incoming *in, size_t *room)
{
	size_t have = in->tail - in->head;
	size_t need = Max(in->wanted, have) + kReadAhead;

	if (in->head + need > in->capacity)
	{
		if (need > in->capacity)
		{
			char *bigger = Allocate(need);

			if (bigger == nullptr)
				return nullptr;
			if (have > 0)
				memcpy(bigger, in->buffer + in->head, have);
			if (in->buffer != nullptr)
				pfree(in->buffer);
			in->buffer = bigger;
			in->capacity = need;
		}
		else if (have > 0)
			memmove(in->buffer, in->buffer + in->head, have);
		in->head = 0;
		in->tail = have;
	}
	*room = need - have;
	return in->buffer + in->tail;
}

void
IncomingAdd(Incoming *in, size_t length)
{
	in->tail += length;
}

void
IncomingTrim(Incoming *in)
{
	if (in->capacity <= kKeepBuffer || !IncomingIsEmpty(in))
		return;
	pfree(in->buffer);
	in->buffer = nullptr;
	in->capacity = in->head = in->tail = in->taken = in->fed = in->wanted = 0;
}

void
IncomingFree(Incoming *in)
{
	if (in->reader != nullptr)
		redisReaderFree(in->reader);
	if (in->nodes != nullptr)
		MemoryContextDelete(in->nodes);
	if (in->buffer != nullptr)
		pfree(in->buffer);
	memset(in, 0, sizeof(*in));
}

/* ---- Writing ---- */

namespace
{

bool
AddBytes(Outgoing *out, const char *bytes, size_t length)
{
	Segment *last = out->count > out->first ? &out->segments[out->count - 1] : nullptr;

	if (out->used + length > out->capacity)
	{
		size_t size = Max(2 * out->capacity, out->used + length + 4096);
		char *bigger = Grow(out->scratch, out->used, size);

		if (bigger == nullptr)
			return false;
		out->scratch = bigger;
		out->capacity = size;
	}
	memcpy(out->scratch + out->used, bytes, length);
	if (last != nullptr && last->external == nullptr)
		last->length += length;
	else
		out->segments[out->count++] = {nullptr, out->used, length};
	out->used += length;
	return true;
}

bool
AddHeader(Outgoing *out, char type, size_t n)
{
	char header[kMaxHeader];
	int length = snprintf(header, sizeof(header), "%c%zu\r\n", type, n);

	return AddBytes(out, header, static_cast<size_t>(length));
}

} // namespace

bool
OutgoingHasRoom(const Outgoing *out)
{
	return kMaxSegments - out->count > 2 * kMaxArguments + 1 && out->used < 256 * 1024;
}

bool
OutgoingAdd(Outgoing *out, const Slice *argv, int argc)
{
	if (!AddHeader(out, '*', static_cast<size_t>(argc)))
		return false;
	for (int i = 0; i < argc; i++)
	{
		if (!AddHeader(out, '$', argv[i].length))
			return false;
		if (argv[i].length >= kByReference)
			out->segments[out->count++] = {argv[i].bytes, 0, argv[i].length};
		else if (!AddBytes(out, argv[i].bytes, argv[i].length))
			return false;
		if (!AddBytes(out, "\r\n", 2))
			return false;
	}
	return true;
}

int
OutgoingParts(const Outgoing *out, iovec *parts, int room)
{
	int n = 0;

	for (int i = out->first; i < out->count && n < room; i++)
	{
		const Segment &segment = out->segments[i];
		const char *bytes = segment.external ? segment.external : out->scratch + segment.at;

		parts[n++] = {const_cast<char *>(bytes), segment.length};
	}
	return n;
}

void
OutgoingSent(Outgoing *out, size_t length)
{
	while (length > 0 && out->first < out->count)
	{
		Segment *segment = &out->segments[out->first];
		size_t n = Min(length, segment->length);

		if (segment->external != nullptr)
			segment->external += n;
		else
			segment->at += n;
		segment->length -= n;
		length -= n;
		if (segment->length == 0)
			out->first++;
	}
	if (out->first == out->count)
	{
		out->first = out->count = 0;
		out->used = 0;
	}
}

void
OutgoingFree(Outgoing *out)
{
	if (out->scratch != nullptr)
		pfree(out->scratch);
	memset(out, 0, sizeof(*out));
}

} // namespace cq::redis
