/*
 * worth.h
 *		Which statements took so long that answering them from the cache is worth it.
 *
 * The time is measured by all sessions of the server, for a hash of the text.  Planner costs would not do:
 * they are often wrong for just those statements that are slow, and they do not include planning.  The
 * result is kept in a small table in shared memory (base/hint_table.h).  A statement that loses its place
 * there is measured again.
 */
#pragma once

#include "pg.h"
#include "auto/hint.h"

namespace cq
{

struct StatementText
{
	const char *begin; /* the statement alone, with its comments */
	int length;
	uint64 hash;
	HintText hint;
};

/* Of a hash: a hint says that it is worth it. */
constexpr uint64 kHinted = 2;

/*
 * A statement of a source text.  The hash is that of its text without comments and spaces around it, as tools
 * put a new number into these each time, and of its hint.  It is an accelerator and no identity: whoever uses
 * it compares trees then.
 */
extern StatementText ReadStatement(const char *source, int location, int length);

extern bool IsWorth(uint64 hash);
extern void MarkWorth(uint64 hash);
extern void UnmarkWorth(uint64 hash);

/* This session has decided what a kept plan of it is to be for this role; backend-local. */
extern bool IsSettled(uint64 hash);
extern void MarkSettled(uint64 hash);
extern void ForgetSettled();

extern void WorthRequestShmem();
extern void WorthInitShmem();

} // namespace cq
