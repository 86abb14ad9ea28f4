/*
 * units.h
 *		Which units of the store's memory are free.
 *
 * Memory is an array of units of 256 bytes, 64 units to a page.  What is handed out is a run: 1 to
 * 64 contiguous units inside one page.  A page with free units is in the list of its class, the
 * power of two at or below the length of its longest free run; a full page is in no list.
 *
 * A request for n units gets n if a run of n is known, else the longest shorter run: the caller
 * chains runs.  So whatever the pattern of use, every free unit can be handed out and nothing is
 * stranded.  Pages at or beyond high_water were never touched and cost nothing at start.
 *
 * Leaf code: no lock (the caller has one), no backend header, no pointers inside.  The units
 * themselves are never read or written here.
 */
#pragma once

#include <cstddef>
#include <cstdint>

namespace cq
{

using UnitRef = uint32_t;

constexpr size_t kUnitBytes = 256;
constexpr uint32_t kUnitsPerPage = 64;
constexpr uint32_t kUnitClasses = 7;                // runs of 1, 2, 4, .. 64
constexpr uint32_t kMaxUnitPages = UINT32_MAX / 64; // so that each unit has a 32 bit number
constexpr UnitRef kNoUnit = 0;                      // unit 0 is never handed out

struct UnitRun
{
	UnitRef first;
	uint32_t count; // 0 = there was none
};

struct UnitPage
{
	uint64_t free; // bit i = unit i of the page is free
	uint32_t prev; // in the list of its class; of no meaning in a full page
	uint32_t next;
};

struct Units
{
	uint32_t npages;
	uint32_t high_water;          // pages below have been in use
	uint64_t used;                // units handed out
	uint32_t heads[kUnitClasses]; // first page of each class
	uint32_t reserved;
	/* UnitPage[npages] follow */
};

static_assert(sizeof(UnitPage) == 16);
static_assert(sizeof(Units) % alignof(UnitPage) == 0);

/* Bytes that the bookkeeping of npages takes. */
extern size_t UnitsSize(uint32_t npages);
/* Starts with everything free; touches nothing but the header. */
extern void UnitsInit(Units *units, uint32_t npages);
/* How many units there are to hand out. */
extern uint64_t UnitsTotal(const Units *units);
/* Takes up to `want` units, 1..64; fewer only if no run of `want` was found, 0 if there is none of
 * at least `least`, a power of two. */
extern UnitRun UnitsTake(Units *units, uint32_t want, uint32_t least = 1);
/* The free units of a page as a bit each; none of a page that was never used. */
extern uint64_t UnitsFreeIn(const Units *units, uint32_t page);
/* Length of the longest run of set bits. */
extern uint32_t LongestRun(uint64_t bits);
/* Gives back a run or any part of one; false, and nothing done, if it was not all in use. */
extern bool UnitsGive(Units *units, UnitRun run);
/* Are all units of the run handed out? */
extern bool UnitsInUse(const Units *units, UnitRun run);
/* Recounts everything; on a contradiction says what in `why` and returns false. */
extern bool UnitsCheck(const Units *units, char *why, size_t why_size);

} // namespace cq
