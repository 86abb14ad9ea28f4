/*
 * worth.h
 *		Which statements took so long that answering them from the cache is worth it.
 *
 * Measured on the whole server, by a hash of the text: planner costs are wrong exactly where it hurts, and say
 * nothing of the time that planning takes.  A small table in shared memory (base/hint_table.h); who is forgotten
 * in it is measured again.
 */
#pragma once

#include "pg.h"

namespace cq
{

/*
 * A hash of the statement's text, without comments and spaces around it, as tools put a new number into these
 * each time.  It is an accelerator and no identity: whoever uses it compares trees then.  Also the length of
 * the statement.
 */
extern uint64 HashStatement(const char *source, int location, int length, int *text_length);

extern bool IsWorth(uint64 hash);
extern void MarkWorth(uint64 hash);
extern void UnmarkWorth(uint64 hash);

/* This session has decided what a kept plan of it is to be; backend-local. */
extern bool IsSettled(uint64 hash);
extern void MarkSettled(uint64 hash);

extern void WorthRequestShmem();
extern void WorthInitShmem();

} // namespace cq
