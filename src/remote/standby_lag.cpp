/*
 * standby_lag.cpp
 *		How far the primary's history has come, for a standby.
 *
 * Part of invalidations.h.
 */
#include "pg.h"
#include "remote/server.h"
#include "validity/lag.h"
#include "remote/peers.h"
#include "redis/command.h"
#include "redis/identity.h"

extern "C" {
#include "access/xlogrecovery.h"
}

namespace cq
{
namespace
{

constexpr int kMoments = 128;
constexpr int64 kClockLifeMs = 60 * 1000;

/* The Redis writer's: moments of the primary that were not proved to be shown yet, oldest first. */
struct Moment
{
	int64 at_ms; /* MonotonicMs(), rather too early */
	XLogRecPtr wal;
};
Moment moments[kMoments];
int nmoments = 0;

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
		argv[0] = "TIME"_s;
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

} // namespace

void
Tell(const redis::Identity &identity, const Names &names)
{
	char text[128];
	char digits[2 * sizeof(redis::EntryHash) + 1];
	char value[256];
	char life[24];
	ClockRequest request;
	const redis::Slice argv[] = {"SET"_s, redis::Text(names.clock), {}, "PX"_s, {}};
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

namespace
{

/* What the primary said; false: nothing, or nothing that is authentic. */
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
	const int64 then_ms = exact::MonotonicMs();
	int64 shown_ms = 0;
	int proved = 0;

	while (proved < nmoments && moments[proved].wal <= replayed)
		shown_ms = moments[proved++].at_ms;
	if (proved == 0)
		return;
	/* the last one stays: until there is a newer one it is still true */
	nmoments -= proved - 1;
	memmove(moments, moments + proved - 1, sizeof(Moment) * static_cast<size_t>(nmoments));
	AddProof(then_ms, shown_ms);
}

} // namespace

void
Follow(const redis::Identity &identity, const Names &names)
{
	const redis::Slice argv[] = {"GET"_s, redis::Text(names.clock)};
	const int64 asked_ms = exact::MonotonicMs();
	ClockRequest request;
	int64 redis_ms;
	XLogRecPtr wal;

	if (Clock(names, argv, lengthof(argv), &request) &&
		ReadTick(identity, names, request, &redis_ms, &wal) && redis_ms <= request.redis_ms)
		AddMoment(asked_ms - (request.redis_ms - redis_ms), wal);
	Prove();
}

} // namespace cq
