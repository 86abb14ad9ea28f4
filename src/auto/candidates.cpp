/*
 * candidates.cpp
 *		What was seen of statements by cached_query.auto.
 *
 * Each place has a spinlock, held for a few instructions, or for copying the text of a new statement.
 */
#include "pg.h"
#include "base/shared.h"
#include "auto/candidates.h"

extern "C" {
#include "mb/pg_wchar.h"
}

namespace cq
{
namespace
{

constexpr uint32 kGroups = 256;
constexpr uint32 kPlaces = 4; /* in each */

struct Place
{
	slock_t lock;        /* protects what follows */
	Candidate candidate; /* the key is also read without the lock, as a hint */
};

Place *places = nullptr;

uint64
KeyOf(const Subject &subject)
{
	const uint64 key = subject.tree ^ (static_cast<uint64>(subject.role) * 0x9E3779B97F4A7C15);

	return key != 0 ? key : 1;
}

/* Its place, or the one that it may take.  Read without a lock: a wrong guess only drops another candidate. */
Place *
PlaceFor(uint64 key)
{
	Place *group = &places[key % kGroups * kPlaces];
	Place *least = group;

	for (uint32 i = 0; i < kPlaces; i++)
	{
		if (group[i].candidate.key == key)
			return &group[i];
		if (group[i].candidate.key == 0 ||
			(least->candidate.key != 0 && group[i].candidate.run_us < least->candidate.run_us))
			least = &group[i];
	}
	return least;
}

void
Begin(Candidate *candidate, uint64 key, const Subject &subject, int length)
{
	memset(static_cast<void *>(candidate), 0, offsetof(Candidate, text));
	candidate->key = key;
	candidate->database = MyDatabaseId;
	candidate->role = subject.role;
	candidate->queryid = subject.queryid;
	candidate->encoding = GetDatabaseEncoding();
	candidate->length = static_cast<uint32>(length);
	memcpy(candidate->text, subject.text, static_cast<Size>(length));
}

void
Add(Candidate *candidate, const Outcome &outcome)
{
	const bool hit = Describe(outcome.reason).kind == Kind::hit;

	candidate->calls++;
	candidate->hits += hit;
	candidate->would_hit += outcome.reason == Reason::would_hit;
	candidate->exact_calls += outcome.exact;
	candidate->exact_gain += outcome.exact && (hit || outcome.reason == Reason::would_hit);
	candidate->ttl_possible = outcome.ttl_possible;
	candidate->runs += outcome.ran;
	candidate->run_us += outcome.ran ? static_cast<uint64>(outcome.run_us) : 0;
	candidate->saved_us += static_cast<uint64>(outcome.saved_us);
	candidate->voids += outcome.voided;
	if (OidIsValid(outcome.voided_by))
	{
		candidate->voided_by = outcome.voided_by;
		candidate->keys = outcome.keys;
	}
	if (!hit)
		candidate->reason = outcome.reason;
}

Size
ShmemSize()
{
	return mul_size(sizeof(Place), kGroups * kPlaces);
}

} // namespace

void
NoteCandidate(const Subject &subject, const Outcome &outcome)
{
	const uint64 key = KeyOf(subject);
	const int length = pg_mbcliplen(subject.text, subject.length, kCandidateText);
	Place *place = PlaceFor(key);

	SpinLockAcquire(&place->lock);
	if (place->candidate.key != key)
		Begin(&place->candidate, key, subject, length);
	Add(&place->candidate, outcome);
	SpinLockRelease(&place->lock);
}

bool
GetCandidate(int n, Candidate *copy)
{
	if (n >= static_cast<int>(kGroups * kPlaces))
		return false;
	SpinLockAcquire(&places[n].lock);
	*copy = places[n].candidate;
	SpinLockRelease(&places[n].lock);
	return true;
}

void
ResetCandidates()
{
	for (uint32 i = 0; i < kGroups * kPlaces; i++)
	{
		SpinLockAcquire(&places[i].lock);
		places[i].candidate.key = 0;
		SpinLockRelease(&places[i].lock);
	}
}

void
CandidatesRequestShmem()
{
	RequestShared(ShmemSize());
}

void
CandidatesInitShmem()
{
	places = MakeOrFindShared<Place>("cached_query candidates", ShmemSize(), [](Place *made) {
		memset(static_cast<void *>(made), 0, ShmemSize());
		for (uint32 i = 0; i < kGroups * kPlaces; i++)
			SpinLockInit(&made[i].lock);
	});
}

} // namespace cq
