/*
 * invalidations.cpp
 *		Talk between the servers that share a namespace.
 *
 * cached_query:<namespace>:changes is a stream with one record for each slot that was explicitly
 * invalidated: who says so ("by"), in which numbering of slots ("of"), and which ("slot").  Its ids are
 * Redis's time.  Each server reads it on from where it was, once a second, and voids what is older than
 * the record, in memory and in Redis, by time (exact/elsewhere.cpp).  A record that nobody signed
 * can cost misses and nothing else, and who can write to Redis can have these by removing values.
 * The stream is cut at about kMaxLength; a server that finds it cut above its own place takes
 * everything of before its first record for invalidated.
 *
 * cached_query:<namespace>:clock is where the primary's WAL was at a moment of Redis's time, signed, once
 * a second.  A standby that has replayed as much shows at least that moment.  So the age of what it
 * computes can be told on the primary, too, or on a standby that is less behind: its lag is added.  No
 * server's clock is compared with another's.
 *
 * Whoever looks an entry up asks for itself whether it is void by that.  Nobody here looks at
 * entries, least of all a client that happens to be the one who asks Redis.
 *
 * Locking: a spinlock protects the place in the stream and the proofs; the counters are atomic.  The
 * moments that a standby has heard of are the Redis writer's own.
 */
#include "pg.h"
#include "validity/sweep.h"
#include "remote/peers.h"
#include "remote/invalidations.h"
#include "redis/command.h"
#include "redis/identity.h"

extern "C" {
#include "access/xlogrecovery.h"
}

namespace cq
{
namespace
{

constexpr int kBatch = 500;
constexpr int kMaxLength = 16384;

/* --- what the others say -------------------------------------------------------------------- */

struct Intake
{
	const Names *names;
	char from[kIdRoom + 1]; /* "-", or "(" and the cursor */
	char cursor[kIdRoom];
	int64 redis_ms; /* Redis's time when it answered */
	int64 length;
	int64 first_ms;    /* of the first record there is */
	bool first_is_new; /* it comes after our cursor */
	int records;
	bool good;
	bool any; /* something was invalidated */
};

bool
Is(const redis::Reply &reply, const char *text)
{
	return reply.length == strlen(text) && memcmp(reply.bytes, text, reply.length) == 0;
}

/* Ids are two numbers, so their text says nothing about their order. */
bool
IsLater(const char *a, const char *b)
{
	const char *a_end;
	const char *b_end;
	const unsigned long long a_ms = strtoull(a, const_cast<char **>(&a_end), 10);
	const unsigned long long b_ms = strtoull(b, const_cast<char **>(&b_end), 10);

	if (a_ms != b_ms)
		return a_ms > b_ms;
	return strtoull(*a_end == '-' ? a_end + 1 : "0", nullptr, 10) >
		   strtoull(*b_end == '-' ? b_end + 1 : "0", nullptr, 10);
}

bool
CopyId(const redis::Reply &record, char *id)
{
	if (record.type != redis::Reply::Type::array || record.count != 2 ||
		record.children[0].length == 0 || record.children[0].length >= kIdRoom)
		return false;
	memcpy(id, record.children[0].bytes, record.children[0].length);
	id[record.children[0].length] = '\0';
	return true;
}

/* When was it, on our clock?  Not before it really was. */
int64
OnOurClock(const Intake *intake, int64 redis_ms)
{
	return exact::MonotonicMs() - Max(intake->redis_ms - redis_ms, 0);
}

/* A server of the same cluster, but of another release: what its slots mean is not known here. */
bool
IsOtherRelease(const Intake *intake, const redis::Reply &numbering)
{
	const Size system = strcspn(intake->names->numbering, "-") + 1;

	return numbering.length > system &&
		   memcmp(numbering.bytes, intake->names->numbering, system) == 0 &&
		   !Is(numbering, intake->names->numbering);
}

/* Reads who wrote the record and what it says; records of another form are skipped. */
void
TakeRecord(Intake *intake, const redis::Reply &record)
{
	const redis::Reply &fields = record.children[1];
	bool others = false;
	bool ours = false;
	bool of_other_release = false;
	int64 slot = -1;

	if (fields.type != redis::Reply::Type::array)
		return;
	for (int i = 0; i + 1 < fields.count; i += 2)
	{
		const redis::Reply &value = fields.children[i + 1];

		if (Is(fields.children[i], "by"))
			others = !Is(value, intake->names->me);
		else if (Is(fields.children[i], "of"))
		{
			ours = Is(value, intake->names->numbering);
			of_other_release = IsOtherRelease(intake, value);
		}
		else if (Is(fields.children[i], "slot"))
			slot = redis::NumberIn(value);
	}
	if (of_other_release)
	{
		ours = true;
		slot = exact::kSlotClear;
	}
	if (!others || !ours || slot < 0 || slot >= exact::kSlots)
		return;
	exact::InvalidatedElsewhere(static_cast<exact::SlotNo>(slot),
								OnOurClock(intake, strtoll(intake->cursor, nullptr, 10)));
	pg_atomic_fetch_add_u64(&peers_state->received, 1);
	intake->any = true;
}

void
TakeFirst(Intake *intake, const redis::Reply &reply)
{
	char id[kIdRoom];

	intake->first_is_new = false;
	if (reply.count != 1 || !CopyId(reply.children[0], id))
		return;
	intake->first_ms = strtoll(id, nullptr, 10);
	intake->first_is_new =
		intake->cursor[0] == '\0' ? intake->length >= kMaxLength : IsLater(id, intake->cursor);
}

/* Records were cut off before we read them.  They may have been about any slot. */
void
TakeGap(Intake *intake)
{
	if (!intake->first_is_new)
		return;
	exact::InvalidatedElsewhere(exact::kSlotClear, OnOurClock(intake, intake->first_ms));
	intake->any = true;
}

int
AskForChanges(void *arg, int index, redis::Slice *argv, int)
{
	const Intake *intake = static_cast<Intake *>(arg);
	const redis::Slice name = redis::Text(intake->names->changes);

	switch (index)
	{
	case 0:
		argv[0] = "TIME"_s;
		return 1;
	case 1:
		argv[0] = "XLEN"_s;
		argv[1] = name;
		return 2;
	case 2:
	case 3:
		argv[0] = "XRANGE"_s;
		argv[1] = name;
		argv[2] = index == 2 ? "-"_s : redis::Text(intake->from);
		argv[3] = "+"_s;
		argv[4] = "COUNT"_s;
		argv[5] = index == 2 ? "1"_s : "500"_s;
		return 6;
	default:
		return 0;
	}
}
static_assert(kBatch == 500, "as AskForChanges() says it");

bool
TakeChanges(void *arg, int index, const redis::Reply &reply)
{
	Intake *intake = static_cast<Intake *>(arg);

	intake->good = !Refused(reply);
	if (!intake->good)
		return false;
	switch (index)
	{
	case 0:
		intake->good = redis::TimeIn(reply, &intake->redis_ms);
		break;
	case 1:
		intake->length = reply.integer;
		break;
	case 2:
		TakeFirst(intake, reply);
		TakeGap(intake);
		break;
	case 3:
		intake->records = reply.count;
		for (int i = 0; i < reply.count; i++)
		{
			if (CopyId(reply.children[i], intake->cursor))
				TakeRecord(intake, reply.children[i]);
		}
		break;
	default:
		break;
	}
	return intake->good;
}

/* Is there an end to it, and are we there? */
bool
ReadChanges(const Names &names, Intake *intake)
{
	intake->names = &names;
	do
	{
		if (intake->cursor[0] == '\0')
			strcpy(intake->from, "-");
		else
			snprintf(intake->from, sizeof(intake->from), "(%s", intake->cursor);
		intake->good = false;
		intake->records = 0;
		if (redis::Run({redis::Text(names.changes), 4, 4, AskForChanges, TakeChanges, intake}) !=
				redis::Result::done ||
			!intake->good)
			return false;
	}
	while (intake->records >= kBatch);
	return true;
}

} // namespace

bool
Listen(const redis::Identity &identity)
{
	const uint64 peers_hash = PeersHash(identity);
	Names names;
	Intake intake = {};
	bool done;

	MakeNames(identity, &names);
	SpinLockAcquire(&peers_state->lock);
	if (peers_state->peers_hash == peers_hash)
		memcpy(intake.cursor, peers_state->cursor, sizeof(intake.cursor));
	SpinLockRelease(&peers_state->lock);
	done = ReadChanges(names, &intake);
	if (intake.any)
		RequestSweep();
	if (!done)
		return false;

	SpinLockAcquire(&peers_state->lock);
	if (peers_state->peers_hash != peers_hash || IsLater(intake.cursor, peers_state->cursor))
		memcpy(peers_state->cursor, intake.cursor, sizeof(peers_state->cursor));
	peers_state->peers_hash = peers_hash;
	SpinLockRelease(&peers_state->lock);
	pg_atomic_write_u64(&peers_state->heard_at, static_cast<uint64>(exact::MonotonicMs()));
	return true;
}

bool
InvalidationsTakenIn()
{
	const redis::Identity identity = redis::GetIdentity();
	const int64 now = exact::MonotonicMs();
	uint64 asking = pg_atomic_read_u64(&peers_state->asking_at);
	const bool known = IsPeersState(identity);

	if (!identity.usable || identity.own)
		return identity.usable;
	if (known && now - static_cast<int64>(pg_atomic_read_u64(&peers_state->heard_at)) < kSilentMs)
		return true;
	/* the Redis writer is late: one asks, and until there is a reply the others do without Redis */
	if (known && (now - static_cast<int64>(asking) < kTickMs ||
				  !pg_atomic_compare_exchange_u64(&peers_state->asking_at, &asking,
												  static_cast<uint64>(now))))
		return false;
	return Listen(identity);
}

namespace
{

bool
TakeNoticed(void *arg, const redis::Reply &reply)
{
	*static_cast<bool *>(arg) = !Refused(reply);
	return true;
}

} // namespace

bool
SendInvalidation(exact::SlotNo slot)
{
	const redis::Identity identity = redis::GetIdentity();
	Names names;
	char number[16];
	char length[16];
	bool good = false;

	if (!identity.usable)
		return false;
	if (identity.own)
		return true;
	MakeNames(identity, &names);
	snprintf(number, sizeof(number), "%u", slot);
	snprintf(length, sizeof(length), "%d", kMaxLength);

	const redis::Slice argv[] = {"XADD"_s,
								 redis::Text(names.changes),
								 "MAXLEN"_s,
								 "~"_s,
								 redis::Text(length),
								 "*"_s,
								 "by"_s,
								 redis::Text(names.me),
								 "of"_s,
								 redis::Text(names.numbering),
								 "slot"_s,
								 redis::Text(number)};

	if (!redis::RunCommand(redis::Text(names.changes), argv, lengthof(argv), TakeNoticed, &good) ||
		!good)
		return false;
	pg_atomic_fetch_add_u64(&peers_state->sent, 1);
	return true;
}

} // namespace cq
