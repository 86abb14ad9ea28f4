/*
 * resolve.cpp
 *		The table of host names.
 */
#include "pg.h"
#include "base/shared.h"
#include "redis/breaker.h"
#include "redis/resolve.h"
#include "redis/url.h"

#include <arpa/inet.h>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <unistd.h>

namespace cq::redis
{

int debug_sleep_resolve_ms = 0;

namespace
{

constexpr int kMaxNames = 64;
constexpr int64 kMaxAgeUs = 60 * 1000000;
constexpr int64 kFailedAgeUs = 1000000;
constexpr int kLongestLookMs = 200;
const char *const tranche_name = "CachedQueryRedis";

struct Name
{
	char name[kMaxHostName + 1]; /* "": free */
	Address addresses[kMaxAddresses];
	int count;       /* addresses; 0: none known */
	bool wanted;     /* should be looked up */
	int64 looked_up; /* NowUs(); 0: never */
	int64 asked_for;
};

struct Shared
{
	pg_atomic_uint32 wanted; /* some name is */
	Name names[kMaxNames];   /* lock */
};

Shared *shared = nullptr;
LWLock *lock = nullptr;

bool
Numeric(const char *name, uint16 port, Address *address)
{
	sockaddr_in *v4 = reinterpret_cast<sockaddr_in *>(&address->storage);
	sockaddr_in6 *v6 = reinterpret_cast<sockaddr_in6 *>(&address->storage);

	memset(static_cast<void *>(address), 0, sizeof(*address));
	if (inet_pton(AF_INET, name, &v4->sin_addr) == 1)
	{
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		address->length = sizeof(*v4);
		return true;
	}
	if (inet_pton(AF_INET6, name, &v6->sin6_addr) == 1)
	{
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		address->length = sizeof(*v6);
		return true;
	}
	return false;
}

void
SetPort(Address *address, uint16 port)
{
	if (address->storage.ss_family == AF_INET)
		reinterpret_cast<sockaddr_in *>(&address->storage)->sin_port = htons(port);
	else
		reinterpret_cast<sockaddr_in6 *>(&address->storage)->sin6_port = htons(port);
}

Name *
Find(const char *name)
{
	for (Name &entry : shared->names)
	{
		if (pg_strcasecmp(entry.name, name) == 0)
			return &entry;
	}
	return nullptr;
}

/* A free place, or that of the name that was not asked for for the longest time. */
Name *
Enter(const char *name)
{
	Name *place = &shared->names[0];

	for (Name &entry : shared->names)
	{
		if (place->name[0] != '\0' && (entry.name[0] == '\0' || entry.asked_for < place->asked_for))
			place = &entry;
	}
	memset(static_cast<void *>(place), 0, sizeof(*place));
	strlcpy(place->name, name, sizeof(place->name));
	return place;
}

void
Want(Name *entry)
{
	entry->wanted = true;
	pg_atomic_write_u32(&shared->wanted, 1);
}

/* The next name to look up; false when there is none. */
bool
NextWanted(char *name)
{
	bool found = false;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (Name &entry : shared->names)
	{
		if (!entry.wanted || entry.name[0] == '\0')
			continue;
		entry.wanted = false;
		strlcpy(name, entry.name, sizeof(entry.name));
		found = true;
		break;
	}
	if (!found)
		pg_atomic_write_u32(&shared->wanted, 0);
	LWLockRelease(lock);
	return found;
}

/* --- the thread: nothing of the server's is used from here on ---------------------------------- */

/* malloc'd; the thread's until `done`, then ours. */
struct Search
{
	char name[kMaxHostName + 1];
	int pause_ms;
	int64 began;
	Address addresses[kMaxAddresses];
	int count;
	std::atomic<bool> done;
};

int
LookUp(const char *name, Address *addresses)
{
	addrinfo hints = {};
	addrinfo *list = nullptr;
	int count = 0;

	hints.ai_socktype = SOCK_STREAM;
	if (getaddrinfo(name, nullptr, &hints, &list) != 0)
		return 0;
	for (const addrinfo *one = list; one != nullptr && count < kMaxAddresses; one = one->ai_next)
	{
		if (one->ai_family != AF_INET && one->ai_family != AF_INET6)
			continue;
		memset(static_cast<void *>(&addresses[count]), 0, sizeof(Address));
		memcpy(&addresses[count].storage, one->ai_addr, one->ai_addrlen);
		addresses[count++].length = one->ai_addrlen;
	}
	freeaddrinfo(list);
	return count;
}

void *
RunSearch(void *arg)
{
	Search *one = static_cast<Search *>(arg);

	if (one->pause_ms > 0)
		usleep(static_cast<useconds_t>(one->pause_ms) * 1000);
	one->count = LookUp(one->name, one->addresses);
	one->done.store(true, std::memory_order_release);
	return nullptr;
}

/* --- and ends here ----------------------------------------------------------------------------- */

Search *search = nullptr; /* the one that is under way */

/* Signals are for the process's own thread. */
bool
StartThread(Search *one)
{
	sigset_t all;
	sigset_t before;
	pthread_t thread;
	bool started;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	started = pthread_create(&thread, nullptr, RunSearch, one) == 0;
	pthread_sigmask(SIG_SETMASK, &before, nullptr);
	if (started)
		pthread_detach(thread);
	return started;
}

void
StartSearch(const char *name)
{
	search = static_cast<Search *>(calloc(1, sizeof(Search)));
	if (search == nullptr)
		return;
	strlcpy(search->name, name, sizeof(search->name));
	search->began = NowUs();
#ifdef CQ_DEBUG
	search->pause_ms = debug_sleep_resolve_ms;
#endif
	if (StartThread(search))
		return;
	free(search);
	search = nullptr;
}

/* Old addresses are better than none. */
void
KeepFound(const Search &found)
{
	Name *entry;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	entry = Find(found.name);
	if (entry != nullptr)
	{
		if (found.count > 0)
		{
			memcpy(entry->addresses, found.addresses, sizeof(found.addresses));
			entry->count = found.count;
		}
		entry->looked_up = NowUs();
	}
	LWLockRelease(lock);
}

} // namespace

Resolved
Resolve(const char *name, uint16 port, Address *addresses, int *count)
{
	Resolved result = Resolved::unknown;
	int64 now = NowUs();
	Name *entry;

	*count = 0;
	if (pg_strcasecmp(name, "localhost") == 0)
	{
		(void) Numeric("127.0.0.1", port, &addresses[0]);
		(void) Numeric("::1", port, &addresses[1]);
		*count = 2;
		return Resolved::found;
	}
	if (Numeric(name, port, &addresses[0]))
	{
		*count = 1;
		return Resolved::found;
	}
	LWLockAcquire(lock, LW_EXCLUSIVE);
	entry = Find(name);
	if (entry == nullptr)
		entry = Enter(name);
	entry->asked_for = now;
	if (entry->count > 0)
	{
		memcpy(addresses, entry->addresses, sizeof(entry->addresses));
		*count = entry->count;
		result = Resolved::found;
	}
	else if (entry->looked_up != 0)
		result = Resolved::failed;
	if (entry->looked_up == 0 ||
		now - entry->looked_up > (entry->count > 0 ? kMaxAgeUs : kFailedAgeUs))
		Want(entry);
	LWLockRelease(lock);
	for (int i = 0; i < *count; i++)
		SetPort(&addresses[i], port);
	return result;
}

void
ResolveAgain(const char *name)
{
	Name *entry;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	entry = Find(name);
	if (entry != nullptr && NowUs() - entry->looked_up > kFailedAgeUs)
		Want(entry);
	LWLockRelease(lock);
}

bool
ResolveWanted()
{
	return pg_atomic_read_u32(&shared->wanted) != 0;
}

int
ResolveNames()
{
	char name[kMaxHostName + 1];

	if (search != nullptr && search->done.load(std::memory_order_acquire))
	{
		KeepFound(*search);
		free(search);
		search = nullptr;
	}
	if (search == nullptr && NextWanted(name))
		StartSearch(name);
	if (search == nullptr)
		return ResolveWanted() ? kLongestLookMs : 0;
	/* the longer it takes, the less it matters */
	return static_cast<int>(Min((NowUs() - search->began) / 4000 + 1, int64{kLongestLookMs}));
}

#ifdef CQ_DEBUG
void
DefineDebugSettings()
{
	DefineCustomIntVariable("cached_query.debug_sleep_resolve",
							"Tests: how long a host name is looked up, in milliseconds.", nullptr,
							&debug_sleep_resolve_ms, 0, 0, INT_MAX / 1000, PGC_SIGHUP, 0, nullptr,
							nullptr, nullptr);
}
#endif

Size
ResolveSize()
{
	return MAXALIGN(sizeof(Shared));
}

void
ResolveRequestShmem()
{
	RequestNamedLWLockTranche(tranche_name, 1);
}

void
ResolveInitShmem()
{
	shared = MakeOrFindShared<Shared>("cached_query Redis names",
									  [](Shared *made) { pg_atomic_init_u32(&made->wanted, 0); });
	lock = &GetNamedLWLockTranche(tranche_name)->lock;
}

} // namespace cq::redis
