/*
 * cluster.cpp
 *		Reading and keeping the map of slots.
 *
 * Part of route.h.
 */
#include "pg.h"
#include "redis/cluster.h"
#include "redis/route_internal.h"
#include "redis/settings.h"
#include "redis/slot.h"

namespace cq::redis
{
namespace
{

constexpr int kMaxNodes = 256;
constexpr int64 kRefreshUs = 1000000; /* redirections don't have it read more often */

struct Map
{
	int nodes;
	Host node[kMaxNodes];
	uint16 owner[kSlots]; /* index into node[] + 1; 0: unknown */
};

Map *map = nullptr;
Map *coming = nullptr; /* while it is read */
bool doubted = false;  /* read it before it is used again */
bool stale = false;    /* read it when kRefreshUs have passed */
int64 read_at = 0;
Host avoided; /* the node that failed */

bool
IsSame(const Host &a, const Host &b)
{
	return a.port == b.port && strcmp(a.name, b.name) == 0;
}

Map *
NewMap()
{
	Map *fresh = reinterpret_cast<Map *>(Allocate(sizeof(Map)));

	if (fresh != nullptr)
		memset(static_cast<void *>(fresh), 0, sizeof(Map));
	return fresh;
}

void
FreeMap(Map **which)
{
	if (*which != nullptr)
		pfree(*which);
	*which = nullptr;
}

/* The node's number in the map, + 1; 0 when there is no room. */
uint16
Number(Map *in, const Host &host)
{
	for (int i = 0; i < in->nodes; i++)
	{
		if (IsSame(in->node[i], host))
			return static_cast<uint16>(i + 1);
	}
	if (in->nodes == kMaxNodes)
		return 0;
	in->node[in->nodes++] = host;
	return static_cast<uint16>(in->nodes);
}

int
SlotsCommand(void *, int, Slice *argv, int)
{
	argv[0] = "CLUSTER"_s;
	argv[1] = "SLOTS"_s;
	return 2;
}

/* [first, last, [host, port, ...], replicas...]; a node without a host is the one that was asked. */
bool
TakeRange(const Reply &range, const Host &asked)
{
	const Reply *node;
	Host host = {};
	uint16 number;

	if (range.type != Reply::Type::array || range.count < 3)
		return false;
	node = &range.children[2];
	if (range.children[0].type != Reply::Type::integer ||
		range.children[1].type != Reply::Type::integer || range.children[0].integer < 0 ||
		range.children[1].integer >= kSlots || node->type != Reply::Type::array ||
		node->count < 2 || node->children[1].type != Reply::Type::integer ||
		node->children[1].integer < 1 || node->children[1].integer > 65535 ||
		node->children[0].length > kMaxHostName)
		return false;
	host.port = static_cast<uint16>(node->children[1].integer);
	if (node->children[0].type == Reply::Type::string && node->children[0].length > 0)
		memcpy(host.name, node->children[0].bytes, node->children[0].length);
	else
		strlcpy(host.name, asked.name, sizeof(host.name));
	number = Number(coming, host);
	for (int64 slot = range.children[0].integer; slot <= range.children[1].integer; slot++)
		coming->owner[slot] = number;
	return number != 0;
}

struct Question
{
	Endpoint endpoint;
	bool good;
};

bool
SlotsReply(void *arg, int, const Reply &reply)
{
	Question *question = static_cast<Question *>(arg);

	if (reply.type == Reply::Type::error)
		SetTrouble(question->endpoint, "%.*s", static_cast<int>(Min(reply.length, 150)),
				   reply.bytes);
	else
		SetTrouble(question->endpoint, "it does not tell who has which slots");
	question->good = reply.type == Reply::Type::array && reply.count > 0;
	for (int i = 0; question->good && i < reply.count; i++)
		question->good = TakeRange(reply.children[i], question->endpoint.host);
	return true;
}

/* Reads the map from one node. */
ExchangeResult
Ask(const Host &host, Timeout *timeout)
{
	Question question = {{false, host}, false};
	Pipeline pipeline = {{nullptr, 0}, 1, 1, SlotsCommand, SlotsReply, &question};
	int next = 0;
	bool reused = true;
	ExchangeResult verdict = ExchangeResult::lost;

	FreeMap(&coming);
	coming = NewMap();
	if (coming == nullptr)
	{
		SetTrouble(question.endpoint, "out of memory");
		return ExchangeResult::failed;
	}
	while (verdict == ExchangeResult::lost && reused)
		verdict = ExchangeWith(question.endpoint, pipeline, &next, false, Errors::deliver, timeout,
							   &reused);
	if (verdict != ExchangeResult::done)
		return verdict == ExchangeResult::lost ? ExchangeResult::failed : verdict;
	if (!question.good)
		return ExchangeResult::failed;
	FreeMap(&map);
	map = coming;
	coming = nullptr;
	doubted = stale = false;
	memset(static_cast<void *>(&avoided), 0, sizeof(avoided));
	read_at = NowUs();
	return ExchangeResult::done;
}

/* A node that hangs must not use up the time that is needed to ask the others. */
ExchangeResult
AskBriefly(const Host &host, Timeout *timeout)
{
	Timeout brief = *timeout;
	int64 now = NowUs();
	ExchangeResult verdict;

	brief.deadline =
		Min(brief.deadline, now + Max((timeout->deadline - now) / 3, static_cast<int64>(10000)));
	verdict = Ask(host, &brief);
	if (verdict == ExchangeResult::timeout && NowUs() < timeout->deadline)
		verdict = ExchangeResult::failed;
	return verdict;
}

/* Tries nodes until one answers: those of the map, then the seeds; who failed comes last. */
ExchangeResult
ReadMap(Timeout *timeout)
{
	ExchangeResult verdict = ExchangeResult::failed;
	Host known[kMaxHosts * 2];
	int count = 0;

	for (int i = 0; map != nullptr && i < map->nodes && count < kMaxHosts; i++)
	{
		if (!IsSame(map->node[i], avoided))
			known[count++] = map->node[i];
	}
	for (int i = 0; i < url.hosts; i++)
	{
		if (!IsSame(url.host[i], avoided))
			known[count++] = url.host[i];
	}
	if (count == 0 && avoided.name[0] != '\0')
		known[count++] = avoided;
	for (int i = 0; i < count; i++)
	{
		verdict = AskBriefly(known[i], timeout);
		if (verdict != ExchangeResult::failed && verdict != ExchangeResult::unresolved)
			break;
	}
	return verdict;
}

} // namespace

bool
ClusterIsKnown()
{
	return map != nullptr;
}

ExchangeResult
ClusterNode(int slot, Host *node, Timeout *timeout)
{
	if (map == nullptr || doubted || map->owner[slot] == 0 ||
		(stale && NowUs() - read_at > kRefreshUs))
	{
		ExchangeResult verdict = ReadMap(timeout);

		if (verdict != ExchangeResult::done)
			return verdict;
	}
	if (map->owner[slot] == 0)
	{
		Endpoint endpoint = {false, map->node[0]};

		SetTrouble(endpoint, "no node has slot %d", slot);
		return ExchangeResult::failed;
	}
	*node = map->node[map->owner[slot] - 1];
	return ExchangeResult::done;
}

bool
ClusterHas(const Host &node)
{
	for (int i = 0; map != nullptr && i < map->nodes; i++)
	{
		if (IsSame(map->node[i], node))
			return true;
	}
	return false;
}

bool
ClusterMoved(int slot, const Host &node)
{
	uint16 number;

	if (WithPassword() && !ClusterHas(node))
	{
		doubted = true;
		return map != nullptr;
	}
	if (map == nullptr)
		map = NewMap();
	number = map != nullptr ? Number(map, node) : 0;
	if (number == 0)
	{
		ClusterForget();
		return false;
	}
	map->owner[slot] = number;
	stale = true;
	return true;
}

void
ClusterDoubt(const Host &node)
{
	doubted = true;
	avoided = node;
}

void
ClusterForget()
{
	FreeMap(&map);
	FreeMap(&coming);
	doubted = stale = false;
	read_at = 0;
	memset(static_cast<void *>(&avoided), 0, sizeof(avoided));
}

} // namespace cq::redis
