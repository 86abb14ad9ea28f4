/*
 * replayed_test.cpp
 *		What transactions of a standby have written, on random histories.
 *
 * A model of a primary begins transactions and subtransactions, lets them write, assigns subtransactions to their
 * top-level ones, ends them or forgets their ends (a crash), and writes lists of what runs.  The truth about each
 * commit is the plain set of the files that its surviving parts wrote.  What is reported may be more, never less.
 */
#include <cstdio>
#include <cstdlib>
#include <set>
#include <vector>

#include "exact/replayed.h"
#include "tap.h"

using namespace cq::exact;
using tap::Done;
using tap::Ok;

namespace
{

uint64_t seed = 1;

uint32_t
Random(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return static_cast<uint32_t>(seed >> 33) % below;
}

struct Part
{
	uint64_t xid;
	std::set<uint32_t> files;
};
struct Transaction
{
	uint32_t database;
	Part top;
	std::vector<Part> parts;          // subtransactions that may still commit
	std::vector<uint64_t> unassigned; // of all, also of those that aborted
};

uint64_t next_xid = (UINT64_C(5) << 32) - 3000; // over the wrap of 32-bit ids
std::vector<Transaction> open;
long commits, exact_ones, less;

bool
Reported(const Written &written, const Transaction &t, const std::set<uint32_t> &files)
{
	if (written.several || (written.everything && written.database == t.database))
		return true;
	for (uint32_t file : files)
	{
		bool found = false;

		for (int i = 0; i < written.nfiles; i++)
			found = found || (written.files[i] == file && written.database == t.database);
		if (!found)
			return false;
	}
	return true;
}

void
Commit(const Transaction &t)
{
	Written written = {};
	std::set<uint32_t> files = t.top.files;

	TakeWritten(t.top.xid, &written);
	for (const Part &part : t.parts)
	{
		TakeWritten(part.xid, &written);
		files.insert(part.files.begin(), part.files.end());
	}
	commits++;
	if (!Reported(written, t, files))
		less++;
	else if (!written.everything)
		exact_ones++;
}

void
Abort(const Transaction &t)
{
	ForgetWritten(t.top.xid);
	for (const Part &part : t.parts)
		ForgetWritten(part.xid);
}

/* The server reports each 64, with their top-level transaction. */
void
Assign(Transaction *t)
{
	for (uint64_t xid : t->unassigned)
		FoldWritten(xid, t->top.xid);
	t->unassigned.clear();
}

void
Write(const Transaction &t, Part *part, uint32_t files)
{
	const uint32_t file = 20000 + Random(files);

	part->files.insert(file);
	NoteWritten(part->xid, t.database, file);
}

void
Step(uint32_t most_open, uint32_t files, uint32_t databases)
{
	if (open.empty() || (open.size() < most_open && Random(4) == 0))
		open.push_back({5 + Random(databases), {next_xid++, {}}, {}, {}});

	const size_t i = Random(static_cast<uint32_t>(open.size()));
	Transaction &t = open[i];
	const uint32_t what = Random(100);

	if (what < 50)
		Write(t, &t.top, files);
	else if (what < 70 && !t.parts.empty())
		Write(t, &t.parts[Random(static_cast<uint32_t>(t.parts.size()))], files);
	else if (what < 80)
	{
		t.unassigned.push_back(next_xid);
		t.parts.push_back({next_xid++, {}});
		Write(t, &t.parts.back(), files);
		if (t.unassigned.size() == 64)
			Assign(&t);
	}
	else if (what < 83 && !t.parts.empty())
	{
		ForgetWritten(t.parts.back().xid);
		t.parts.pop_back();
	}
	else if (what < 90)
	{
		if (Random(5) == 0)
			Abort(t);
		else
			Commit(t);
		open.erase(open.begin() + static_cast<long>(i));
	}
	else if (what == 99 && Random(50) == 0)
		open.erase(open.begin() + static_cast<long>(i)); /* a crash: no end is written */
}

void
ListRunning(bool overflow)
{
	std::vector<uint32_t> ids;
	uint64_t oldest = next_xid;

	for (const Transaction &t : open)
	{
		ids.push_back(static_cast<uint32_t>(t.top.xid));
		oldest = t.top.xid < oldest ? t.top.xid : oldest;
		for (const Part &part : t.parts)
		{
			if (!overflow)
				ids.push_back(static_cast<uint32_t>(part.xid));
		}
	}
	ForgetEnded({ids.data(), static_cast<int>(ids.size()), overflow, oldest, next_xid});
}

void
Run(const char *name, uint32_t most_open, uint32_t files, uint32_t databases, bool precise)
{
	char line[200];

	commits = exact_ones = less = 0;
	for (long i = 0; i < 60000; i++)
	{
		Step(most_open, files, databases);
		if (Random(2000) == 0)
			ListRunning(Random(3) == 0);
	}
	snprintf(line, sizeof(line), "%s: %ld commits, %ld told by file, %ld told too little", name,
			 commits, exact_ones, less);
	Ok(commits > 1000 && less == 0 && (precise ? exact_ones == commits : exact_ones < commits),
	   line);
}

/* All that never ended has left its place: as many new ones as there are places are told by file. */
void
RunEmpty()
{
	int told = 0;
	const int places = 512 * 8;

	open.clear();
	ListRunning(false);
	for (int i = 0; i < places; i++)
		NoteWritten(next_xid + static_cast<uint64_t>(i), 5, 20000);
	for (int i = 0; i < places; i++)
	{
		Written written = {};

		TakeWritten(next_xid + static_cast<uint64_t>(i), &written);
		told += written.nfiles == 1 && !written.everything ? 1 : 0;
	}
	next_xid += places;
	Ok(told == places, "places are free again when nothing runs");
}

} // namespace

int
main()
{
	Run("some", 40, kMaxFiles, 3, true);
	RunEmpty();
	Run("many files", 40, 4 * kMaxFiles, 1, false);
	RunEmpty();
	Run("more than there are places", 3000, 10, 1, false);
	open.clear();
	ListRunning(true);
	Run("more, in several databases", 3000, 10, 3, false);
	RunEmpty();
	return Done();
}
