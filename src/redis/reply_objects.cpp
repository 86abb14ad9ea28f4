/*
 * reply_objects.cpp
 *		The objects that hiredis has us make of a reply.
 *
 * Part of protocol.h.
 */
#include "pg.h"
#include "redis/reply_objects.h"
#include "redis/protocol.h"

namespace cq::redis
{

MemoryContext
Context()
{
	static MemoryContext context = nullptr;

	if (context == nullptr)
		context =
			AllocSetContextCreate(TopMemoryContext, "CachedQueryRedis", ALLOCSET_DEFAULT_SIZES);
	return context;
}

namespace
{

constexpr int kMaxElements = 16384; /* of one array */
constexpr int kMaxDepth = 7; /* of arrays in arrays, as in hiredis 0.14; 1.x knows no limit */
constexpr size_t kMaxNodeBytes = 16 * 1024 * 1024;

/* createArray's type of length differs between hiredis 0.14 and 1.x. */
template <typename T> struct LengthOf;
template <typename Result, typename Task, typename Length> struct LengthOf<Result (*)(Task, Length)>
{
	using Type = Length;
};
using ArrayLength = LengthOf<decltype(redisReplyObjectFunctions::createArray)>::Type;

void *
AllocateNodes(Incoming *in, size_t size)
{
	if (in->node_bytes + size > kMaxNodeBytes)
		return nullptr;
	in->node_bytes += size;
	return MemoryContextAllocExtended(in->nodes, Max(size, static_cast<size_t>(1)),
									  MCXT_ALLOC_NO_OOM);
}

/* The place of a new object: an element of its array, or a root. */
Reply *
Place(const redisReadTask *task)
{
	Reply *place;

	if (task->parent != nullptr && task->parent->obj != nullptr)
	{
		Reply *parent = static_cast<Reply *>(task->parent->obj);

		if (task->idx < 0 || task->idx >= parent->count)
			return nullptr;
		place = const_cast<Reply *>(&parent->children[task->idx]);
	}
	else
		place = static_cast<Reply *>(
			AllocateNodes(static_cast<Incoming *>(task->privdata), sizeof(Reply)));
	if (place != nullptr)
		memset(static_cast<void *>(place), 0, sizeof(*place));
	return place;
}

void *
CreateString(const redisReadTask *task, char *bytes, size_t length)
{
	Incoming *in = static_cast<Incoming *>(task->privdata);
	Reply *reply = Place(task);
	char *copy = static_cast<char *>(AllocateNodes(in, length));

	if (reply == nullptr || copy == nullptr)
		return nullptr;
	switch (task->type)
	{
	case REDIS_REPLY_STRING:
		reply->type = Reply::Type::string;
		break;
	case REDIS_REPLY_STATUS:
		reply->type = Reply::Type::status;
		break;
	case REDIS_REPLY_ERROR:
		reply->type = Reply::Type::error;
		break;
	default:
		return nullptr; /* of RESP3, which we didn't ask for */
	}
	memcpy(copy, bytes, length);
	reply->bytes = copy;
	reply->length = length;
	return reply;
}

/* Arrays around an object. */
int
Depth(const redisReadTask *task)
{
	int depth = 0;

	for (; task->parent != nullptr; task = task->parent)
		depth++;
	return depth;
}

void *
CreateArray(const redisReadTask *task, ArrayLength length)
{
	Incoming *in = static_cast<Incoming *>(task->privdata);
	Reply *reply = Place(task);
	Reply *children;

	if (reply == nullptr || task->type != REDIS_REPLY_ARRAY || Depth(task) >= kMaxDepth ||
		length > static_cast<ArrayLength>(kMaxElements))
		return nullptr;
	children = static_cast<Reply *>(AllocateNodes(in, static_cast<size_t>(length) * sizeof(Reply)));
	if (children == nullptr)
		return nullptr;
	memset(static_cast<void *>(children), 0, static_cast<size_t>(length) * sizeof(Reply));
	reply->type = Reply::Type::array;
	reply->children = children;
	reply->count = static_cast<int>(length);
	return reply;
}

void *
CreateInteger(const redisReadTask *task, long long value)
{
	Reply *reply = Place(task);

	if (reply != nullptr)
	{
		reply->type = Reply::Type::integer;
		reply->integer = value;
	}
	return reply;
}

void *
CreateNil(const redisReadTask *task)
{
	return Place(task); /* nil is all zero */
}

static_assert(static_cast<int>(Reply::Type::nil) == 0);

/* Objects go with their memory context. */
void
FreeObject(void *)
{
}

} // namespace

redisReplyObjectFunctions *
ObjectFunctions()
{
	static redisReplyObjectFunctions functions = {};

	functions.createString = CreateString;
	functions.createArray = CreateArray;
	functions.createInteger = CreateInteger;
	functions.createNil = CreateNil;
	functions.freeObject = FreeObject;
#if HIREDIS_MAJOR >= 1
	/* RESP3's types are refused: left unset, hiredis would make up pointers. */
	functions.createDouble = [](const redisReadTask *, double, char *, size_t) -> void * {
		return nullptr;
	};
	functions.createBool = [](const redisReadTask *, int) -> void * { return nullptr; };
#endif
	return &functions;
}

} // namespace cq::redis
