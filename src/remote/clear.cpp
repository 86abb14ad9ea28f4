/*
 * clear.cpp
 *		Giving back the memory of everything that is in our namespace in Redis.
 *
 * SCAN goes through all keys of a server in small steps and blocks nobody.  It knows no slots: in a
 * cluster each master is asked for itself, addressed by a key that was made to lie in a slot of its.  A
 * slot that moves meanwhile can be missed.  Nothing depends on that: the values are void already, and
 * end with their ttl.
 *
 * Locking: none.
 */
#include "pg.h"
#include "remote/clear.h"
#include "redis/command.h"
#include "redis/identity.h"
#include "redis/slot.h"
#include "base/process.h"

namespace cq
{
namespace
{

constexpr int kStep = 500;       /* keys that SCAN looks at */
constexpr int kRoom = kStep * 4; /* it may return more; what finds no room here stays */
constexpr int kMaxMasters = 256; /* as the client */
constexpr int kWindow = 64;

/* --- who has keys? -------------------------------------------------------------------------- */

struct Masters
{
	struct
	{
		uint64 address; /* hash of it */
		int slot;
	} master[kMaxMasters];
	int count;
};

/* [first slot, last slot, [address, port, ...], ...] */
void
TakeMaster(Masters *masters, const redis::Reply &range)
{
	const redis::Reply *node;
	uint64 address;

	if (range.type != redis::Reply::Type::array || range.count < 3)
		return;
	node = &range.children[2];
	if (node->type != redis::Reply::Type::array || node->count < 2)
		return;
	address = hash_bytes_extended(reinterpret_cast<const unsigned char *>(node->children[0].bytes),
								  static_cast<int>(node->children[0].length),
								  static_cast<uint64>(node->children[1].integer));
	for (int i = 0; i < masters->count; i++)
	{
		if (masters->master[i].address == address)
			return;
	}
	if (masters->count < kMaxMasters)
		masters->master[masters->count++] = {address, static_cast<int>(range.children[0].integer)};
}

/* An error means that it is no cluster. */
bool
TakeSlots(void *arg, const redis::Reply &reply)
{
	Masters *masters = static_cast<Masters *>(arg);

	for (int i = 0; reply.type == redis::Reply::Type::array && i < reply.count; i++)
		TakeMaster(masters, reply.children[i]);
	return true;
}

/* A key in this slot; one in 16384 is. */
void
KeyIn(int slot, char *key, size_t room)
{
	for (unsigned int i = 0;; i++)
	{
		snprintf(key, room, "%u", i);
		if (redis::SlotOf(key, strlen(key)) == slot)
			return;
	}
}

/* --- one server's --------------------------------------------------------------------------- */

/* One step; the names it found are copied out of the reply. */
struct Step
{
	char pattern[redis::kNameRoom];
	char count[16];
	char cursor[32];
	char (*names)[redis::kNameRoom];
	size_t *lengths;
	int found;
	bool good;
};

bool
TakeScan(void *arg, const redis::Reply &reply)
{
	Step *step = static_cast<Step *>(arg);

	step->found = 0;
	step->good = reply.type == redis::Reply::Type::array && reply.count == 2 &&
				 reply.children[0].length < sizeof(step->cursor);
	if (!step->good)
		return true;
	memcpy(step->cursor, reply.children[0].bytes, reply.children[0].length);
	step->cursor[reply.children[0].length] = '\0';
	for (int i = 0; i < reply.children[1].count && step->found < kRoom; i++)
	{
		const redis::Reply &key = reply.children[1].children[i];

		if (key.length >= redis::kNameRoom)
			continue;
		memcpy(step->names[step->found], key.bytes, key.length);
		step->lengths[step->found++] = key.length;
	}
	return true;
}

struct Unlinking
{
	const Step *step;
	int first;
};

int
AskToUnlink(void *arg, int index, redis::Slice *argv, int)
{
	const Unlinking *unlinking = static_cast<Unlinking *>(arg);
	const int i = unlinking->first + index;

	argv[0] = "UNLINK"_s;
	argv[1] = {unlinking->step->names[i], unlinking->step->lengths[i]};
	return 2;
}

bool
TakeUnlinked(void *, int, const redis::Reply &)
{
	return true;
}

/*
 * In a cluster a pipeline is for one slot, so there each name goes alone; names that follow each other
 * are in the same slot if they are chunks of one entry, which is not worth looking for.
 */
bool
Unlink(const Step &step, bool cluster)
{
	const int batch = cluster ? 1 : kWindow;

	for (int i = 0; i < step.found; i += batch)
	{
		Unlinking unlinking = {&step, i};

		if (redis::Run({{step.names[i], step.lengths[i]},
						Min(batch, step.found - i),
						kWindow,
						AskToUnlink,
						TakeUnlinked,
						&unlinking}) != redis::Result::done)
			return false;
	}
	return true;
}

bool
PurgeServer(redis::Slice route, Step *step, bool cluster)
{
	strcpy(step->cursor, "0");
	do
	{
		const redis::Slice scan[] = {"SCAN"_s,  redis::Text(step->cursor),
									 "MATCH"_s, redis::Text(step->pattern),
									 "COUNT"_s, redis::Text(step->count)};

		step->good = false;
		if (!redis::RunCommand(route, scan, lengthof(scan), TakeScan, step) || !step->good ||
			!Unlink(*step, cluster))
			return false;
		workers::Interrupts();
	}
	while (strcmp(step->cursor, "0") != 0);
	return true;
}

} // namespace

bool
ClearRedis()
{
	const redis::Identity identity = redis::GetIdentity();
	Masters *masters = NewZeroed<Masters>();
	const redis::Slice slots[] = {"CLUSTER"_s, "SLOTS"_s};
	Step step = {};

	if (!identity.usable)
		return false;
	/* names of values have a hash tag, what servers tell each other (invalidations.cpp) has none */
	snprintf(step.pattern, sizeof(step.pattern), "%s%s:{*", redis::kNamePrefix,
			 identity.name_space);
	snprintf(step.count, sizeof(step.count), "%d", kStep);
	step.names = NewArray<char[redis::kNameRoom]>(kRoom);
	step.lengths = NewArray<size_t>(kRoom);

	if (!redis::RunCommand(redis::Text(step.pattern), slots, lengthof(slots), TakeSlots, masters))
		return false;
	if (masters->count == 0)
		return PurgeServer(redis::Text(step.pattern), &step, false);
	for (int i = 0; i < masters->count; i++)
	{
		char route[16];

		KeyIn(masters->master[i].slot, route, sizeof(route));
		if (!PurgeServer(redis::Text(route), &step, true))
			return false;
	}
	return true;
}

} // namespace cq
