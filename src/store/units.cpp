/*
 * units.cpp
 *		Which units of the store's memory are free: runs of bits in pages of 64, see units.h.
 *
 * Everything is O(1) but for a probe of a few pages and, in the worst case, 64 steps over the bits
 * of one word.  Small requests go to pages without long runs first, which keeps long runs whole;
 * a page never used before is touched only when no page in use has a run that is long enough.
 */
#include "store/units.h"

#include <bit>
#include <cstdio>

namespace cq
{

namespace
{

constexpr uint32_t kNoPage = UINT32_MAX;

/*
 * A request that is no power of two may find its run in pages of the class below: so many of these are
 * looked at.
 */
constexpr int kProbes = 8;

UnitPage *
Pages(Units *units)
{
	return reinterpret_cast<UnitPage *>(units + 1);
}

const UnitPage *
Pages(const Units *units)
{
	return reinterpret_cast<const UnitPage *>(units + 1);
}

/* Bits start .. start + count - 1. */
uint64_t
Mask(uint32_t start, uint32_t count)
{
	return (~UINT64_C(0) >> (kUnitsPerPage - count)) << start;
}

/* The bits at which a run of `count` set bits starts. */
uint64_t
RunStarts(uint64_t bits, uint32_t count)
{
	for (uint32_t have = 1; have < count;)
	{
		uint32_t step = have < count - have ? have : count - have;

		bits &= bits >> step;
		have += step;
	}
	return bits;
}

/* The power of two at or below the longest run: what list the page belongs in. */
uint32_t
ClassOf(uint64_t free)
{
	uint32_t c = 0;

	for (uint32_t have = 1; have < kUnitsPerPage; have *= 2)
	{
		free &= free >> have;
		if (free == 0)
			break;
		c++;
	}
	return c;
}

void
Unlist(Units *units, uint32_t page)
{
	UnitPage *pages = Pages(units);
	const UnitPage &p = pages[page];

	if (p.prev != kNoPage)
		pages[p.prev].next = p.next;
	else
		units->heads[ClassOf(p.free)] = p.next;
	if (p.next != kNoPage)
		pages[p.next].prev = p.prev;
}

void
List(Units *units, uint32_t page)
{
	UnitPage *pages = Pages(units);
	UnitPage &p = pages[page];
	uint32_t &head = units->heads[ClassOf(p.free)];

	p.prev = kNoPage;
	p.next = head;
	if (head != kNoPage)
		pages[head].prev = page;
	head = page;
}

/* Changes the free units of a page and moves it to the list where it belongs now. */
void
SetFree(Units *units, uint32_t page, uint64_t free)
{
	UnitPage &p = Pages(units)[page];

	if (p.free != 0 && free != 0 && ClassOf(p.free) == ClassOf(free))
	{
		p.free = free;
		return;
	}
	if (p.free != 0)
		Unlist(units, page);
	p.free = free;
	if (free != 0)
		List(units, page);
}

/* The first page that was never used, all free but for unit 0. */
uint32_t
FreshPage(Units *units)
{
	uint32_t page = units->high_water++;

	Pages(units)[page].free = page == 0 ? ~UINT64_C(1) : ~UINT64_C(0);
	List(units, page);
	return page;
}

/* The page to take `want` units from: with a run that is long enough, or the next best. */
uint32_t
ChoosePage(Units *units, uint32_t want)
{
	const UnitPage *pages = Pages(units);
	uint32_t below = static_cast<uint32_t>(std::bit_width(want)) - 1;
	uint32_t above = std::has_single_bit(want) ? below : below + 1;

	if (above != below)
	{
		uint32_t page = units->heads[below];

		for (int i = 0; i < kProbes && page != kNoPage; i++, page = pages[page].next)
		{
			if (RunStarts(pages[page].free, want) != 0)
				return page;
		}
	}
	for (uint32_t c = above; c < kUnitClasses; c++)
	{
		if (units->heads[c] != kNoPage)
			return units->heads[c];
	}
	while (units->high_water < units->npages)
	{
		uint32_t page = FreshPage(units);

		/* page 0 has no run of 64 */
		if (RunStarts(pages[page].free, want) != 0)
			return page;
	}
	for (uint32_t c = below + 1; c-- > 0;)
	{
		if (units->heads[c] != kNoPage)
			return units->heads[c];
	}
	return kNoPage;
}

/* Does the run lie inside one page that has been in use? */
bool
Plausible(const Units *units, UnitRun run)
{
	return run.count >= 1 && run.first != kNoUnit &&
		   run.first / kUnitsPerPage < units->high_water &&
		   run.first % kUnitsPerPage + run.count <= kUnitsPerPage;
}

/* Walks the list of one class; adds the pages seen to *listed. */
bool
CheckList(const Units *units, uint32_t c, uint32_t *listed, char *why, size_t why_size)
{
	const UnitPage *pages = Pages(units);
	uint32_t prev = kNoPage;

	for (uint32_t page = units->heads[c]; page != kNoPage; page = pages[page].next)
	{
		if (page >= units->high_water || ++*listed > units->high_water)
		{
			snprintf(why, why_size, "list of class %u runs astray at page %u", c, page);
			return false;
		}
		if (pages[page].free == 0 || ClassOf(pages[page].free) != c || pages[page].prev != prev)
		{
			snprintf(why, why_size, "page %u does not belong where it is in class %u", page, c);
			return false;
		}
		prev = page;
	}
	return true;
}

} // namespace

size_t
UnitsSize(uint32_t npages)
{
	return sizeof(Units) + npages * sizeof(UnitPage);
}

void
UnitsInit(Units *units, uint32_t npages)
{
	units->npages = npages;
	units->high_water = 0;
	units->used = 0;
	units->reserved = 0;
	for (uint32_t &head : units->heads)
		head = kNoPage;
}

uint64_t
UnitsTotal(const Units *units)
{
	return uint64_t{units->npages} * kUnitsPerPage - (units->npages > 0 ? 1 : 0);
}

uint32_t
LongestRun(uint64_t bits)
{
	uint32_t length = 0;

	for (; bits != 0; bits &= bits >> 1)
		length++;
	return length;
}

uint64_t
UnitsFreeIn(const Units *units, uint32_t page)
{
	return page < units->high_water ? Pages(units)[page].free : 0;
}

UnitRun
UnitsTake(Units *units, uint32_t want, uint32_t least)
{
	if (want > kUnitsPerPage)
		want = kUnitsPerPage;

	uint32_t page = want > 0 ? ChoosePage(units, want) : kNoPage;

	if (page == kNoPage)
		return {kNoUnit, 0};

	uint64_t free = Pages(units)[page].free;
	uint32_t count = want;
	uint64_t starts = RunStarts(free, count);

	if (starts == 0)
	{
		count = LongestRun(free);
		if (count < least)
			return {kNoUnit, 0};
		starts = RunStarts(free, count);
	}

	uint32_t start = static_cast<uint32_t>(std::countr_zero(starts));

	SetFree(units, page, free & ~Mask(start, count));
	units->used += count;
	return {page * kUnitsPerPage + start, count};
}

bool
UnitsGive(Units *units, UnitRun run)
{
	if (!UnitsInUse(units, run))
		return false;

	uint32_t page = run.first / kUnitsPerPage;

	SetFree(units, page, Pages(units)[page].free | Mask(run.first % kUnitsPerPage, run.count));
	units->used -= run.count;
	return true;
}

bool
UnitsInUse(const Units *units, UnitRun run)
{
	return Plausible(units, run) && (Pages(units)[run.first / kUnitsPerPage].free &
									 Mask(run.first % kUnitsPerPage, run.count)) == 0;
}

bool
UnitsCheck(const Units *units, char *why, size_t why_size)
{
	const UnitPage *pages = Pages(units);
	uint64_t used = 0;
	uint32_t with_free = 0;
	uint32_t listed = 0;

	for (uint32_t page = 0; page < units->high_water; page++)
	{
		used += kUnitsPerPage - static_cast<uint32_t>(std::popcount(pages[page].free));
		with_free += pages[page].free != 0;
	}
	if (units->high_water > 0)
	{
		used--; /* unit 0 */
		if ((pages[0].free & 1) != 0)
		{
			snprintf(why, why_size, "unit 0 is free");
			return false;
		}
	}
	if (used != units->used)
	{
		snprintf(why, why_size, "%llu units in use, but %llu counted",
				 static_cast<unsigned long long>(used),
				 static_cast<unsigned long long>(units->used));
		return false;
	}
	for (uint32_t c = 0; c < kUnitClasses; c++)
	{
		if (!CheckList(units, c, &listed, why, why_size))
			return false;
	}
	if (listed != with_free)
	{
		snprintf(why, why_size, "%u pages have free units, but %u are listed", with_free, listed);
		return false;
	}
	return true;
}

} // namespace cq
