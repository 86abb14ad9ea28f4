/*
 * client.cpp
 *		The client's entry points.
 */
#include "pg.h"
#include "base/exit.h"
#include "base/shared.h"
#include "redis/breaker.h"
#include "redis/client.h"
#include "redis/resolve.h"
#include "redis/route.h"
#include "redis/settings.h"
#include "base/process.h"

namespace cq::redis
{
namespace
{

bool running = false;          /* this process is in Run() */
int64 limit_us = PG_INT64_MAX; /* no request lasts longer: BeginLastRequests() */

/*
 * Neither a suspicion nor a probe of this process may outlast it.  Sockets are closed by the exit
 * itself.
 */
void
AtExit(int, Datum)
{
	BreakerCancelled();
}

Result
Conclude(ExchangeResult verdict, int64 begin)
{
	uint64 in;
	uint64 out;

	TakeTraffic(&in, &out);
	/* our haste is not its fault */
	if (verdict == ExchangeResult::timeout && NowUs() >= limit_us)
		verdict = ExchangeResult::overtaken;
	switch (verdict)
	{
	case ExchangeResult::done:
	case ExchangeResult::stopped:
		BreakerSucceeded(NowUs() - begin, in, out);
		return verdict == ExchangeResult::done ? Result::done : Result::stopped;
	case ExchangeResult::overtaken:
	case ExchangeResult::unresolved:
		BreakerLeft();
		return Result::unavailable;
	default:
		BreakerFailed(verdict == ExchangeResult::timeout ? Failure::timeout : Failure::fast,
					  trouble.text);
		return Result::unavailable;
	}
}

} // namespace

/* The server of pg_upgrade, or one in single-user mode: other servers must not hear of it. */
bool
Configured()
{
	return url.kind != UrlKind::none && !workers::ServesNobody();
}

uint64
ServerHash()
{
	return url_hash;
}

bool
Usable()
{
	return Configured() && BreakerAllows();
}

Result
Run(const Pipeline &pipeline)
{
	Timeout timeout;
	int64 begin;
	volatile ExchangeResult verdict = ExchangeResult::failed;

	if (!Configured() || running || NowUs() >= limit_us || !BreakerEnter())
		return Result::unavailable;
	BeforeExit<AtExit>();
	begin = NowUs();
	timeout.idle_since = begin;
	timeout.deadline = Min(begin + static_cast<int64>(timeout_ms) * 1000, limit_us);
	trouble.text[0] = '\0';
	trouble.answered = false;
	running = true;
	PG_TRY();
	{
		verdict = Serve(pipeline, &timeout);
	}
	PG_CATCH();
	{
		/* Cancelled, or the callback raised: replies are outstanding. */
		running = false;
		CloseBusy();
		if (trouble.answered)
			BreakerLeft();
		else
			BreakerCancelled();
		PG_RE_THROW();
	}
	PG_END_TRY();
	running = false;
	return Conclude(verdict, begin);
}

void
BeginLastRequests(int64 ms)
{
	if (running)
		CloseBusy();
	running = false;
	limit_us = NowUs() + ms * 1000;
}

void
GetStatus(Status *status)
{
	BreakerGetStatus(status);
	if (!Configured())
		status->state = "off";
}

void
RequestShmem()
{
	RequestShared(BreakerSize());
	RequestShared(ResolveSize());
	ResolveRequestShmem();
}

void
InitShmem()
{
	BreakerInitShmem();
	ResolveInitShmem();
}

} // namespace cq::redis
