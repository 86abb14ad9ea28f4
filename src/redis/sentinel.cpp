/*
 * sentinel.cpp
 *		Asking sentinels for the master.
 *
 * Part of route.h.
 */
#include "pg.h"
#include "redis/route_internal.h"
#include "redis/sentinel.h"
#include "redis/settings.h"

namespace cq::redis
{
namespace
{

Host known;    /* name "": not known */
int first = 0; /* the sentinel that answered last */

struct Question
{
	Endpoint endpoint;
	Host master;
	bool good;
};

int
MasterCommand(void *, int, Slice *argv, int)
{
	argv[0] = "SENTINEL"_s;
	argv[1] = "get-master-addr-by-name"_s;
	argv[2] = {url.master, strlen(url.master)};
	return 3;
}

bool
MasterReply(void *arg, int, const Reply &reply)
{
	Question *question = static_cast<Question *>(arg);
	const Reply *parts = reply.children;
	char port[8] = {};

	if (reply.type == Reply::Type::error)
		SetTrouble(question->endpoint, "%.*s", static_cast<int>(Min(reply.length, 150)),
				   reply.bytes);
	else
		SetTrouble(question->endpoint, "it does not know the master \"%s\"", url.master);
	if (reply.type != Reply::Type::array || reply.count != 2 ||
		parts[0].type != Reply::Type::string || parts[1].type != Reply::Type::string ||
		parts[0].length == 0 || parts[0].length > kMaxHostName || parts[1].length > 5)
		return true;
	memcpy(question->master.name, parts[0].bytes, parts[0].length);
	memcpy(port, parts[1].bytes, parts[1].length);
	question->master.port = static_cast<uint16>(atoi(port));
	question->good = question->master.port != 0;
	return true;
}

ExchangeResult
Ask(const Host &sentinel, Timeout *timeout)
{
	Question question = {{true, sentinel}, {}, false};
	Pipeline pipeline = {{nullptr, 0}, 1, 1, MasterCommand, MasterReply, &question};
	Timeout brief = *timeout;
	int64 now = NowUs();
	int next = 0;
	bool reused = true;
	ExchangeResult verdict = ExchangeResult::lost;

	/* One that hangs must not use up the time that is needed to ask the others. */
	brief.deadline =
		Min(brief.deadline, now + Max((timeout->deadline - now) / 3, static_cast<int64>(10000)));
	while (verdict == ExchangeResult::lost && reused)
		verdict = ExchangeWith(question.endpoint, pipeline, &next, false, Errors::deliver, &brief,
							   &reused);
	if (verdict == ExchangeResult::lost || (verdict == ExchangeResult::done && !question.good) ||
		(verdict == ExchangeResult::timeout && NowUs() < timeout->deadline))
		return ExchangeResult::failed;
	if (verdict == ExchangeResult::done)
		known = question.master;
	return verdict;
}

} // namespace

ExchangeResult
SentinelMaster(Host *master, Timeout *timeout)
{
	for (int i = 0; known.name[0] == '\0' && i < url.hosts; i++)
	{
		int number = (first + i) % url.hosts;
		ExchangeResult verdict = Ask(url.host[number], timeout);

		if (verdict == ExchangeResult::done)
			first = number;
		else if (i + 1 == url.hosts ||
				 (verdict != ExchangeResult::failed && verdict != ExchangeResult::unresolved))
			return verdict;
	}
	*master = known;
	return ExchangeResult::done;
}

bool
SentinelNamed(const Host &host)
{
	return known.port == host.port && strcmp(known.name, host.name) == 0;
}

void
SentinelForget()
{
	memset(static_cast<void *>(&known), 0, sizeof(known));
}

} // namespace cq::redis
