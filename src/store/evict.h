/*
 * evict.h
 *		The steps of an eviction.
 *
 * Part of store.h.
 */
#pragma once

#include "pg.h"
#include "store/internal.h"

namespace cq
{

/* Slots of the directory that are looked at for one sample. */
constexpr uint64 kMaxProbes = 1024;

/* Choices in a row that came to nothing before we believe that everything is in use. */
constexpr int kMaxVain = 100;

/* Evictions for one request; others may take what they free. */
constexpr int kMaxSteps = 1000;

/* What is long enough for an extent of a large entry: 4 kB. */
constexpr uint32 kRun = 16;

/* Entries of the pool that are looked at again under one hold of the directory's lock. */
constexpr int kMaxLooks = 32;

/* What a backend asks for. */
struct UnitRequest
{
	uint32 want;
	uint32 least; // a run of fewer units is of no use
	Claim *claim;
	UnitRun run;  // what it got
	bool refused; // there are units, but not for this claim
	bool barred;  // the claim may hold no more at all
};

/* What was pinned: entries, then images. */
struct Sample
{
	Entry *entries[2 * kSampled];
	int nentries;
	int all;
};

/* What is to be evicted next. */
struct Choice
{
	Victim victims[kUnitsPerPage];
	int count;
	bool good;       // entries that could be served yet
	uint64 reserved; // of the claim, for them
	bool any;        // was there anything that is not in use?
	bool refused;    // by room.h
};

/*
 * All positions below n, each once, from a random one on.  Entries that were made one after the other
 * stand side by side and are often alike.  A stride of the golden section spreads any number of
 * positions evenly, so that a walk does not look at one such group only.
 */
struct Steps
{
	uint64 n;
	uint64 at;
	uint64 stride;
};

/* --- sample.cpp */

extern Steps StepsOver(uint64 n);
extern uint64 NextStep(Steps *steps);
extern void TakeSample(Sample *sample);
extern TimestampTz LastUse(const Entry *entry);
/* An entry that is pinned or listed, with what the policy makes of it. */
extern Victim VictimOf(const Entry *entry);
/* The linked entry that begins at this unit, if there is one.  Directory lock held. */
extern const Entry *ListedAt(UnitRef unit);
/* An image goes with its entry; whether that one is good is asked there. */
extern bool IsGone(const Entry *entry, TimestampTz now);
/* The page to clear, of those around the lowest entries of the pool.  Directory lock held. */
extern bool ChoosePage(Choice *choice, TimestampTz now);

/* --- victim.cpp */

extern void Choose(Choice *choice, const UnitRequest &request, TimestampTz now);

} // namespace cq
