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
 * Whoever looks an answer up asks for itself whether it is void by that.  Nobody here looks at
 * entries, least of all a client that happens to be the one who asks Redis.
 *
 * Locking: a spinlock protects the place in the stream and the proofs; the counters are atomic.  The
 * moments that a standby has heard of are the carrier's own.
 */
#include "pg.h"
#include "remote/invalidations.h"
#include "workers/sweeper.h"
#include "remote/lookup.h"
#include "redis/command.h"
#include "redis/identity.h"

extern "C" {
#include "access/xlogrecovery.h"
}

namespace cq
{
namespace
{

constexpr int kTickMs = 1000;
constexpr int64 kSilentMs = 3 * kTickMs; /* then who needs it asks himself */
constexpr int kBatch = 500;
constexpr int kMaxLength = 16384;
constexpr int kIdRoom = 48;
constexpr int kMoments = 128;
constexpr int kProofs = 64;
constexpr int64 kClockLifeMs = 60 * 1000;

/* A standby's snapshot of then or later shows what the primary showed at another moment. */
struct Proof
{
	int64 then_ms; /* both MonotonicMs() */
	int64 shown_ms;
};

struct Shared
{
	slock_t lock;
	uint64 circle;              /* lock: of which Redis and namespace the rest is; 0: none */
	char cursor[kIdRoom];       /* lock: the last record that was taken in */
	uint64 nproofs;             /* lock: so far */
	Proof proofs[kProofs];      /* lock */
	pg_atomic_uint64 heard_at;  /* MonotonicMs(), 0: never */
	pg_atomic_uint64 asking_at; /* the same, by whoever asks because nobody does */
	pg_atomic_uint64 sent;
	pg_atomic_uint64 received;
};

Shared *shared = nullptr;

/* The carrier's: moments of the primary that were not proved to be shown yet, oldest first. */
struct Moment
{
	int64 at_ms; /* MonotonicMs(), rather too early */
	XLogRecPtr wal;
};
Moment moments[kMoments];
int nmoments = 0;
int64 ticked_at = 0;
bool said = false; /* that Redis refuses */

/* --- names ---------------------------------------------------------------------------------- */

struct Names
{
	char changes[redis::kNameRoom];
	char clock[redis::kNameRoom];
	char numbering[64]; /* what must be the same for slots to mean the same */
	char me[24];
};

void
MakeNames(const redis::Identity &identity, Names *names)
{
	const redis::Origin origin = OriginHere();

	snprintf(names->changes, sizeof(names->changes), "%s%s:changes", redis::kNamePrefix,
			 identity.name_space);
	snprintf(names->clock, sizeof(names->clock), "%s%s:clock", redis::kNamePrefix,
			 identity.name_space);
	snprintf(names->numbering, sizeof(names->numbering), "%016llx-%x-%x",
			 static_cast<unsigned long long>(origin.system_identifier), origin.catalog_version,
			 origin.layout);
	snprintf(names->me, sizeof(names->me), "%016llx",
			 static_cast<unsigned long long>(exact::Incarnation()));
}

/* Not 0. */
uint64
CircleOf(const redis::Identity &identity)
{
	const unsigned char *name = reinterpret_cast<const unsigned char *>(identity.name_space);

	return hash_bytes_extended(name, static_cast<int>(strlen(identity.name_space)),
							   redis::ServerHash()) |
		   1;
}

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

/* Whose record it is, and what it says; anything else is left alone. */
void
TakeRecord(Intake *intake, const redis::Reply &record)
{
	const redis::Reply &fields = record.children[1];
	bool others = false;
	bool ours = false;
	int64 slot = -1;

	if (fields.type != redis::Reply::Type::array)
		return;
	for (int i = 0; i + 1 < fields.count; i += 2)
	{
		const redis::Reply &value = fields.children[i + 1];

		if (Is(fields.children[i], "by"))
			others = !Is(value, intake->names->me);
		else if (Is(fields.children[i], "of"))
			ours = Is(value, intake->names->numbering);
		else if (Is(fields.children[i], "slot"))
			slot = redis::NumberIn(value);
	}
	if (!others || !ours || slot < 0 || slot >= exact::kSlots)
		return;
	exact::InvalidatedElsewhere(static_cast<exact::SlotNo>(slot),
								OnOurClock(intake, strtoll(intake->cursor, nullptr, 10)));
	pg_atomic_fetch_add_u64(&shared->received, 1);
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

/* What was cut off before we have read it could have been anything. */
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
		argv[0] = {"TIME", 4};
		return 1;
	case 1:
		argv[0] = {"XLEN", 4};
		argv[1] = name;
		return 2;
	case 2:
	case 3:
		argv[0] = {"XRANGE", 6};
		argv[1] = name;
		argv[2] = index == 2 ? redis::Slice{"-", 1} : redis::Text(intake->from);
		argv[3] = {"+", 1};
		argv[4] = {"COUNT", 5};
		argv[5] = index == 2 ? redis::Slice{"1", 1} : redis::Slice{"500", 3};
		return 6;
	default:
		return 0;
	}
}
static_assert(kBatch == 500, "as AskForChanges() says it");

/* Says once that Redis has refused a command, which its ACL may. */
bool
Refused(const redis::Reply &reply)
{
	if (reply.type != redis::Reply::Type::error)
		return false;
	if (!said)
		ereport(LOG,
				(errmsg("Redis refuses what servers that share a namespace tell each other: %.*s",
						static_cast<int>(Min(reply.length, 200)), reply.bytes),
				 errhint("The user of cached_query.redis_url needs the commands TIME, XADD, XLEN, "
						 "XRANGE, SET and GET for keys that begin with \"%s\".",
						 redis::kNamePrefix)));
	said = true;
	return true;
}

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

/* Take in what the others have told since we asked last; false: that could not be told. */
bool
Listen(const redis::Identity &identity)
{
	const uint64 circle = CircleOf(identity);
	Names names;
	Intake intake = {};
	bool done;

	MakeNames(identity, &names);
	SpinLockAcquire(&shared->lock);
	if (shared->circle == circle)
		memcpy(intake.cursor, shared->cursor, sizeof(intake.cursor));
	SpinLockRelease(&shared->lock);
	done = ReadChanges(names, &intake);
	if (intake.any)
		RequestSweep();
	if (!done)
		return false;

	SpinLockAcquire(&shared->lock);
	if (shared->circle != circle || IsLater(intake.cursor, shared->cursor))
		memcpy(shared->cursor, intake.cursor, sizeof(shared->cursor));
	shared->circle = circle;
	SpinLockRelease(&shared->lock);
	pg_atomic_write_u64(&shared->heard_at, static_cast<uint64>(exact::MonotonicMs()));
	return true;
}

bool
InCircle(const redis::Identity &identity)
{
	uint64 circle;

	SpinLockAcquire(&shared->lock);
	circle = shared->circle;
	SpinLockRelease(&shared->lock);
	return circle == CircleOf(identity);
}

/* --- how far the primary is ----------------------------------------------------------------- */

struct ClockRequest
{
	const redis::Slice *argv;
	int argc;
	int64 redis_ms;
	char text[128];
	size_t length;
	bool good;
};

/* TIME, and then the command that was given, if any. */
int
AskClock(void *arg, int index, redis::Slice *argv, int)
{
	const ClockRequest *request = static_cast<ClockRequest *>(arg);

	if (index == 0)
	{
		argv[0] = {"TIME", 4};
		return 1;
	}
	for (int i = 0; i < request->argc; i++)
		argv[i] = request->argv[i];
	return request->argc;
}

bool
TakeClock(void *arg, int index, const redis::Reply &reply)
{
	ClockRequest *request = static_cast<ClockRequest *>(arg);

	request->good = !Refused(reply);
	if (index == 0 && request->good)
		request->good = redis::TimeIn(reply, &request->redis_ms);
	else if (reply.type == redis::Reply::Type::string && reply.length < sizeof(request->text))
	{
		memcpy(request->text, reply.bytes, reply.length);
		request->length = reply.length;
	}
	return request->good;
}

bool
Clock(const Names &names, const redis::Slice *argv, int argc, ClockRequest *request)
{
	*request = {argv, argc, 0, {}, 0, false};
	return redis::Run({redis::Text(names.clock), argc > 0 ? 2 : 1, 2, AskClock, TakeClock,
					   request}) == redis::Result::done &&
		   request->good;
}

/* The signature, in hex, of what stands before it. */
bool
SignClock(const redis::Identity &identity, const char *text, char *digits)
{
	char signed_text[192];
	redis::EntryHash hash;
	const int length = snprintf(signed_text, sizeof(signed_text), "cached_query clock %s %s",
								identity.name_space, text);

	if (!redis::HashKey(identity, signed_text, static_cast<size_t>(length), &hash))
		return false;
	(void) redis::AppendHex(digits, hash.bytes, sizeof(hash.bytes));
	return true;
}

/* The moment comes first: what is written by then is all that was to be seen at it. */
void
Tell(const redis::Identity &identity, const Names &names)
{
	char text[128];
	char digits[2 * sizeof(redis::EntryHash) + 1];
	char value[256];
	char life[24];
	ClockRequest request;
	const redis::Slice argv[] = {{"SET", 3}, redis::Text(names.clock), {}, {"PX", 2}, {}};
	redis::Slice full[lengthof(argv)];

	if (!Clock(names, nullptr, 0, &request))
		return;
	snprintf(text, sizeof(text), INT64_FORMAT " %llx %u %s", request.redis_ms,
			 static_cast<unsigned long long>(GetXLogInsertRecPtr()), TimelineHere(),
			 names.numbering);
	if (!SignClock(identity, text, digits))
		return;
	snprintf(value, sizeof(value), "%s %s", text, digits);
	snprintf(life, sizeof(life), INT64_FORMAT, kClockLifeMs);
	memcpy(full, argv, sizeof(full));
	full[2] = redis::Text(value);
	full[4] = redis::Text(life);
	(void) Clock(names, full, lengthof(full), &request);
}

/* What the primary said; false: nothing, or not to be believed. */
bool
ReadTick(const redis::Identity &identity, const Names &names, const ClockRequest &request,
		 int64 *redis_ms, XLogRecPtr *wal)
{
	char text[sizeof(request.text)];
	char digits[2 * sizeof(redis::EntryHash) + 1];
	char *signature;
	char numbering[sizeof(names.numbering)];
	long long ms;
	unsigned long long at;
	unsigned int timeline;

	memcpy(text, request.text, sizeof(text));
	text[Min(request.length, sizeof(text) - 1)] = '\0';
	signature = strrchr(text, ' ');
	if (signature == nullptr)
		return false;
	*signature++ = '\0';
	if (!SignClock(identity, text, digits) || strcmp(signature, digits) != 0 ||
		sscanf(text, "%lld %llx %u %63s", &ms, &at, &timeline, numbering) != 4 ||
		timeline != TimelineHere() || strcmp(numbering, names.numbering) != 0)
		return false;
	*redis_ms = ms;
	*wal = static_cast<XLogRecPtr>(at);
	return true;
}

void
AddMoment(int64 at_ms, XLogRecPtr wal)
{
	if (nmoments > 0 && moments[nmoments - 1].at_ms >= at_ms)
		return;
	if (nmoments == kMoments)
		memmove(moments, moments + 1, sizeof(Moment) * static_cast<size_t>(--nmoments));
	moments[nmoments++] = {at_ms, wal};
}

/* What has been replayed by now proves some of the moments. */
void
Prove()
{
	const XLogRecPtr replayed = GetXLogReplayRecPtr(nullptr);
	Proof proof = {exact::MonotonicMs(), 0};
	int proved = 0;

	while (proved < nmoments && moments[proved].wal <= replayed)
		proof.shown_ms = moments[proved++].at_ms;
	if (proved == 0)
		return;
	/* the last one stays: until there is another, time goes on and it is still true */
	nmoments -= proved - 1;
	memmove(moments, moments + proved - 1, sizeof(Moment) * static_cast<size_t>(nmoments));
	SpinLockAcquire(&shared->lock);
	shared->proofs[shared->nproofs++ % kProofs] = proof;
	SpinLockRelease(&shared->lock);
}

void
Follow(const redis::Identity &identity, const Names &names)
{
	const redis::Slice argv[] = {{"GET", 3}, redis::Text(names.clock)};
	const int64 asked_ms = exact::MonotonicMs();
	ClockRequest request;
	int64 redis_ms;
	XLogRecPtr wal;

	if (Clock(names, argv, lengthof(argv), &request) &&
		ReadTick(identity, names, request, &redis_ms, &wal) && redis_ms <= request.redis_ms)
		AddMoment(asked_ms - (request.redis_ms - redis_ms), wal);
	Prove();
}

} // namespace

bool
RelayWanted()
{
	const redis::Identity &identity = redis::GetIdentity();

	return redis::Configured() && identity.usable && !identity.own;
}

bool
RelayInStep()
{
	const redis::Identity identity = redis::GetIdentity();
	const int64 now = exact::MonotonicMs();
	uint64 asking = pg_atomic_read_u64(&shared->asking_at);
	const bool known = InCircle(identity);

	if (!identity.usable || identity.own)
		return identity.usable;
	if (known && now - static_cast<int64>(pg_atomic_read_u64(&shared->heard_at)) < kSilentMs)
		return true;
	/* the carrier is late: one asks, and until there is an answer the others do without Redis */
	if (known &&
		(now - static_cast<int64>(asking) < kTickMs ||
		 !pg_atomic_compare_exchange_u64(&shared->asking_at, &asking, static_cast<uint64>(now))))
		return false;
	return Listen(identity);
}

bool
ProvedAt(TimestampTz taken, TimestampTz *shown)
{
	const int64 then_ms = exact::MonotonicMs() - (GetCurrentTimestamp() - taken) / 1000;
	int64 shown_ms = -1;

	SpinLockAcquire(&shared->lock);
	for (uint64 i = 0; i < Min(shared->nproofs, static_cast<uint64>(kProofs)); i++)
	{
		/* clocks are read one after the other, and in milliseconds */
		if (shared->proofs[i].then_ms < then_ms && shared->proofs[i].shown_ms > shown_ms)
			shown_ms = shared->proofs[i].shown_ms;
	}
	SpinLockRelease(&shared->lock);
	*shown = taken - (then_ms - shown_ms) * 1000;
	return shown_ms >= 0;
}

int
RelayTick()
{
	const redis::Identity identity = redis::GetIdentity();
	const int64 now = exact::MonotonicMs();
	Names names;

	if (now - ticked_at < kTickMs)
		return static_cast<int>(kTickMs - (now - ticked_at));
	ticked_at = now;
	if (!redis::Usable())
		return kTickMs;
	if (Listen(identity))
		said = false;
	MakeNames(identity, &names);
	if (RecoveryInProgress())
		Follow(identity, names);
	else
		Tell(identity, names);
	return kTickMs;
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
RelayInvalidation(exact::SlotNo slot)
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

	const redis::Slice argv[] = {{"XADD", 4},         redis::Text(names.changes),
								 {"MAXLEN", 6},       {"~", 1},
								 redis::Text(length), {"*", 1},
								 {"by", 2},           redis::Text(names.me),
								 {"of", 2},           redis::Text(names.numbering),
								 {"slot", 4},         redis::Text(number)};

	if (!redis::RunCommand(redis::Text(names.changes), argv, lengthof(argv), TakeNoticed, &good) ||
		!good)
		return false;
	pg_atomic_fetch_add_u64(&shared->sent, 1);
	return true;
}

void
GetRelayStatus(RelayStatus *status)
{
	const uint64 heard_at = pg_atomic_read_u64(&shared->heard_at);
	const TimestampTz now = GetCurrentTimestamp();
	TimestampTz shown;

	status->sent = pg_atomic_read_u64(&shared->sent);
	status->received = pg_atomic_read_u64(&shared->received);
	status->heard_ms =
		heard_at == 0 ? -1 : Max(exact::MonotonicMs() - static_cast<int64>(heard_at), 0);
	if (!RecoveryInProgress())
		status->lag_ms = 0;
	else if (ProvedAt(now, &shown))
		status->lag_ms = (now - shown) / 1000;
	else
		status->lag_ms = -1;
}

void
RelayRequestShmem()
{
	RequestAddinShmemSpace(add_size(sizeof(Shared), PG_CACHE_LINE_SIZE));
}

void
RelayInitShmem()
{
	bool found;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = static_cast<Shared *>(ShmemInitStruct("cached_query relay", sizeof(Shared), &found));
	if (!found)
	{
		memset(static_cast<void *>(shared), 0, sizeof(Shared));
		SpinLockInit(&shared->lock);
		pg_atomic_init_u64(&shared->heard_at, 0);
		pg_atomic_init_u64(&shared->asking_at, 0);
		pg_atomic_init_u64(&shared->sent, 0);
		pg_atomic_init_u64(&shared->received, 0);
	}
	LWLockRelease(AddinShmemInitLock);
}

} // namespace cq
