/*
 * candidates.h
 *		What was seen of statements by cached_query.auto: for the view cached_query_candidates.
 *
 * One row for each tree, role and database.  A table of fixed size in shared memory: a new statement takes
 * the place of the one of its group that took least time.
 */
#pragma once

#include "pg.h"
#include "stats/reason.h"
#include "validity/advise.h"

namespace cq
{

constexpr int kCandidateText = 400;

struct Candidate
{
	uint64 key; /* 0: none */
	Oid database;
	Oid role;
	uint64 queryid;
	int32 encoding; /* of the text */
	uint32 length;
	uint64 calls;
	uint64 hits;
	uint64 would_hit;   /* in observe: runs whose result was that of the run before */
	uint64 exact_calls; /* of these calls, those that wanted exact results */
	uint64 exact_gain;  /* ... and were hits, or would have been */
	bool ttl_possible;  /* nothing in it forbids results within a ttl */
	uint64 runs;        /* of which the time is known */
	uint64 run_us;
	uint64 saved_us;  /* that hits did not take, or would not have taken */
	uint64 voids;     /* times that something it read had changed since its last run */
	Oid voided_by;    /* the relation that had, the last time it could be told */
	AdvisedKeys keys; /* of it, that would help */
	Reason reason;    /* of the last run that was no hit */
	char text[kCandidateText];
};

/* One outcome of it. */
struct Outcome
{
	Reason reason;
	bool ran;
	int64 run_us;
	int64 saved_us;
	bool voided;
	Oid voided_by;
	AdvisedKeys keys;
	bool exact; /* it wanted an exact result */
	bool ttl_possible;
};
/* Which statement it was. */
struct Subject
{
	uint64 tree; /* a hash of what tells it from others, but for the role */
	Oid role;
	uint64 queryid;
	const char *text;
	int length;
};
extern void NoteCandidate(const Subject &subject, const Outcome &outcome);
/* A copy of number n, which may be of none; false: there are not so many. */
extern bool GetCandidate(int n, Candidate *copy);
extern void ResetCandidates();

extern void CandidatesRequestShmem();
extern void CandidatesInitShmem();

} // namespace cq
