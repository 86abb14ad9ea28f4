/*
 * units_test.cpp
 *		The unit allocator: against a simple model, and that no free unit is ever stranded.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "store/units.h"
#include "tap.h"

using namespace cq;
using tap::Done;
using tap::Ok;

namespace
{

/* An allocator over memory that is not zero, beside a model: one flag for each unit. */
struct Fixture
{
	Units *units;
	std::vector<bool> used;
	std::vector<UnitRun> runs;
	bool sound = true;

	explicit Fixture(uint32_t npages) : used(npages * kUnitsPerPage)
	{
		units = static_cast<Units *>(malloc(UnitsSize(npages)));
		memset(static_cast<void *>(units), 0x5a, UnitsSize(npages));
		UnitsInit(units, npages);
		used[0] = true;
	}

	~Fixture()
	{
		free(units);
	}

	/* Longest run of free units in the model's pages. */
	uint32_t
	Longest() const
	{
		uint32_t longest = 0;
		uint32_t run = 0;

		for (size_t i = 0; i < used.size(); i++)
		{
			if (i % kUnitsPerPage == 0)
				run = 0;
			run = used[i] ? 0 : run + 1;
			longest = run > longest ? run : longest;
		}
		return longest;
	}

	uint64_t
	Used() const
	{
		uint64_t n = 0;

		for (size_t i = 1; i < used.size(); i++)
			n += used[i];
		return n;
	}

	uint32_t
	Take(uint32_t want)
	{
		UnitRun run = UnitsTake(units, want);

		if (run.count == 0)
		{
			sound = sound && Used() == UnitsTotal(units);
			return 0;
		}
		sound =
			sound && run.count <= want && run.first % kUnitsPerPage + run.count <= kUnitsPerPage;
		for (uint32_t i = run.first; i < run.first + run.count; i++)
		{
			sound = sound && i < used.size() && !used[i];
			used[i] = true;
		}
		runs.push_back(run);
		return run.count;
	}

	void
	GivePart(size_t at, uint32_t from, uint32_t count)
	{
		UnitRun run = {runs[at].first + from, count};

		sound = sound && UnitsGive(units, run);
		for (uint32_t i = run.first; i < run.first + run.count; i++)
			used[i] = false;
	}

	void
	Give(size_t at)
	{
		GivePart(at, 0, runs[at].count);
		runs[at] = runs.back();
		runs.pop_back();
	}

	bool
	Check()
	{
		char why[160];

		if (!UnitsCheck(units, why, sizeof(why)))
		{
			printf("# %s\n", why);
			sound = false;
		}
		for (size_t i = 1; i < used.size(); i++)
			sound = sound && UnitsInUse(units, {static_cast<UnitRef>(i), 1}) == used[i];
		return sound && units->used == Used();
	}
};

void
TestBounds()
{
	Fixture f(3);

	Ok(UnitsTotal(f.units) == 3 * 64 - 1, "unit 0 is not for use");
	Ok(f.Take(64) == 64 && f.runs[0].first == 64, "a whole page is page 1");
	Ok(f.Take(64) == 64 && f.Take(64) == 63, "a page short of unit 0 gives 63");
	Ok(f.Take(1) == 0, "nothing is left");
	Ok(f.Check(), "full and sound");
	Ok(UnitsTake(f.units, 0).count == 0, "nothing wanted, nothing given");
	Ok(!UnitsGive(f.units, {0, 1}), "unit 0 can't be given back");
	Ok(!UnitsGive(f.units, {64 * 3, 1}), "nor one beyond the end");
	Ok(!UnitsGive(f.units, {100, 40}), "nor a run over a page's end");
	f.Give(0);
	Ok(!UnitsGive(f.units, {64, 1}), "nor one that is free");
	f.Give(0);
	f.Give(0);
	Ok(f.Check() && f.units->used == 0, "all came back");
	Ok(f.Take(1000) == 64, "a page at most");
}

/* Every second unit taken: a request for 64 gets single units, all of them. */
void
TestNothingStranded()
{
	Fixture f(16);
	uint32_t got = 0;
	size_t singles = 0;

	while (f.Take(1) > 0)
		singles++;
	for (size_t i = 0; i < f.runs.size(); i++)
	{
		if (f.runs[i].first % 2 == 0)
			f.Give(i--);
	}
	Ok(singles == UnitsTotal(f.units) && f.Check(), "all units can be taken one by one");
	while (uint32_t n = f.Take(64))
		got += n;
	Ok(got == singles / 2 && f.Check(), "a large request is served by single units");
}

/* Small requests leave long runs alone. */
void
TestLongRunsKept()
{
	Fixture f(8);

	for (int i = 0; i < 8 * 64 - 1; i += 64)
		f.Take(64);
	f.Give(0);
	f.GivePart(1, 10, 3);
	f.Take(2);
	Ok(f.runs.back().first % 64 == 10, "two units come from the run of three");
	Ok(f.Take(64) == 64, "the free page is still whole");
}

void
TestRandom(unsigned seed, uint32_t npages, uint32_t largest)
{
	Fixture f(npages);
	std::mt19937 random(seed);
	bool fair = true;
	char name[100];

	for (int step = 0; step < 30000; step++)
	{
		/* phases of growing and shrinking */
		bool grow = random() % 100 < ((step / 1000) % 2 == 0 ? 60u : 40u);

		if (grow || f.runs.empty())
		{
			uint32_t want = random() % largest + 1;
			uint32_t longest = step % 50 == 0 ? f.Longest() : 0;
			uint32_t got = f.Take(want);

			/* of the class below a few pages only are looked at, hence the half */
			if (longest > 0)
				fair = fair && (got >= want || got > longest / 2);
		}
		else if (random() % 4 == 0)
		{
			/* shorten one, as a fill's end does */
			size_t at = random() % f.runs.size();
			uint32_t keep = random() % f.runs[at].count + 1;

			if (keep < f.runs[at].count)
				f.GivePart(at, keep, f.runs[at].count - keep);
			f.runs[at].count = keep;
		}
		else
			f.Give(random() % f.runs.size());
		if (step % 500 == 0)
			f.Check();
	}
	snprintf(name, sizeof(name), "random %u: sound with runs up to %u in %u pages", seed, largest,
			 npages);
	Ok(f.Check() && fair, name);

	while (f.Take(random() % largest + 1) > 0)
		;
	snprintf(name, sizeof(name), "random %u: every free unit can be taken", seed);
	Ok(f.Check() && f.units->used == UnitsTotal(f.units), name);

	while (!f.runs.empty())
		f.Give(random() % f.runs.size());
	snprintf(name, sizeof(name), "random %u: and all is whole again", seed);
	for (uint32_t i = 1; i < npages; i++)
		fair = fair && f.Take(64) == 64;
	Ok(f.Check() && fair && f.Take(64) == 63, name);
}

/* Only the header and pages in use are written to. */
void
TestLazyStart()
{
	Fixture f(1000);
	const unsigned char *bytes = reinterpret_cast<const unsigned char *>(f.units);
	bool untouched = true;

	f.Take(64);
	f.Take(10);
	for (size_t i = UnitsSize(2); i < UnitsSize(1000); i++)
		untouched = untouched && bytes[i] == 0x5a;
	Ok(untouched && f.units->high_water == 2, "pages never used are never touched");
}

/* The check finds what it should. */
void
TestCheckFinds()
{
	Fixture f(4);
	char why[160];

	f.Take(10);
	f.units->used++;
	Ok(!UnitsCheck(f.units, why, sizeof(why)), "check: wrong count");
	f.units->used--;
	UnitPage *page = reinterpret_cast<UnitPage *>(f.units + 1);
	page->free ^= UINT64_C(1) << 40;
	f.units->used++;
	Ok(!UnitsCheck(f.units, why, sizeof(why)), "check: page in the wrong list");
	page->free ^= UINT64_C(1) << 40;
	f.units->used--;
	Ok(UnitsCheck(f.units, why, sizeof(why)), "check: sound again");
}

} // namespace

int
main()
{
	TestBounds();
	TestNothingStranded();
	TestLongRunsKept();
	TestLazyStart();
	TestCheckFinds();
	TestRandom(1, 4, 64);
	TestRandom(2, 60, 64);
	TestRandom(3, 60, 5);
	TestRandom(4, 1, 8);
	TestRandom(5, 300, 33);
	return Done();
}
