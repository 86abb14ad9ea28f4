/*
 * replayed.cpp
 *		The files that transactions write, from their first record to their end.
 *
 * A table of fixed size: an id has its place in one of two sets of eight.  If both are full, it is only known up to which
 * id some were lost.  These and all before count as having written everything, until none of them can be in progress.
 * Sets are rarely full: a transaction with many subtransactions gives them up 64 at a time (FoldWritten).
 *
 * Part of exact.h.
 */
#include "exact/replayed.h"

#include "exact/position.h"

namespace cq::exact
{
namespace
{

constexpr uint32_t kSets = 512;
constexpr uint32_t kWays = 8;

constexpr uint32_t kPlaces = kSets * kWays;
constexpr uint32_t kNone = kPlaces;

uint64_t ids[kPlaces]; // 0: free
Written writers[kPlaces];
uint32_t nwriters = 0;

/* The one that was noted last: records of one transaction often follow each other. */
struct
{
	uint64_t xid;
	Written *written;
} recent = {};

/* Those that found no place. */
struct
{
	uint64_t upto; // the largest id, 0: none
	uint32_t database;
	bool several;
} lost = {};

uint32_t
FirstSet(uint64_t xid)
{
	return static_cast<uint32_t>(xid % kSets);
}

uint32_t
SecondSet(uint64_t xid)
{
	return static_cast<uint32_t>(xid * UINT64_C(0x9e3779b97f4a7c15) >> 55) % kSets;
}

/* The place with this id, 0 for a free one; kNone: there is none. */
uint32_t
FindIn(uint32_t set, uint64_t id)
{
	for (uint32_t place = set * kWays; place < (set + 1) * kWays; place++)
	{
		if (ids[place] == id)
			return place;
	}
	return kNone;
}

uint32_t
FindPlace(uint64_t xid, uint64_t id)
{
	const uint32_t place = FindIn(FirstSet(xid), id);

	return place != kNone ? place : FindIn(SecondSet(xid), id);
}

Written *
Find(uint64_t xid)
{
	const uint32_t place = nwriters == 0 ? kNone : FindPlace(xid, xid);

	return place == kNone ? nullptr : &writers[place];
}

/* Null: there is no place left. */
Written *
Make(uint64_t xid)
{
	const uint32_t place = FindPlace(xid, 0);

	if (place == kNone)
		return nullptr;
	ids[place] = xid;
	writers[place] = {};
	nwriters++;
	return &writers[place];
}

void
Free(uint32_t place)
{
	ids[place] = 0;
	nwriters--;
	recent.xid = 0;
}

void
AddDatabase(Written *sum, uint32_t database)
{
	if (sum->database == 0)
		sum->database = database;
	else if (sum->database != database)
		sum->everything = sum->several = true;
}

void
AddFile(Written *sum, uint32_t database, uint32_t file)
{
	AddDatabase(sum, database);
	for (int i = 0; i < sum->nfiles; i++)
	{
		if (sum->files[i] == file)
			return;
	}
	if (sum->nfiles == kMaxFiles)
		sum->everything = true;
	else
		sum->files[sum->nfiles++] = file;
}

void
AddAll(Written *sum, const Written &written)
{
	AddDatabase(sum, written.database);
	for (int i = 0; i < written.nfiles; i++)
		AddFile(sum, written.database, written.files[i]);
	sum->everything = sum->everything || written.everything;
	sum->several = sum->several || written.several;
}

void
Lose(uint64_t xid, uint32_t database)
{
	lost.several = lost.several || (lost.upto != 0 && lost.database != database);
	lost.database = database;
	lost.upto = lost.upto > xid ? lost.upto : xid;
}

} // namespace

void
NoteWritten(uint64_t xid, uint32_t database, uint32_t file)
{
	Written *written = xid == recent.xid ? recent.written : Find(xid);

	if (written == nullptr)
		written = Make(xid);
	if (written == nullptr)
	{
		Lose(xid, database);
		return;
	}
	recent.xid = xid;
	recent.written = written;
	AddFile(written, database, file);
}

void
TakeWritten(uint64_t xid, Written *sum)
{
	const Written *written = Find(xid);

	/* Also if it is found: what it wrote first may have been lost. */
	if (xid <= lost.upto)
	{
		AddDatabase(sum, lost.database);
		sum->everything = true;
		sum->several = sum->several || lost.several;
	}
	if (written == nullptr)
		return;
	AddAll(sum, *written);
	ForgetWritten(xid);
}

void
FoldWritten(uint64_t xid, uint64_t top)
{
	Written moved = {};
	Written *written;

	TakeWritten(xid, &moved);
	if (moved.nfiles == 0 && !moved.everything)
		return;
	written = Find(top);
	if (written == nullptr)
		written = Make(top);
	if (written == nullptr)
		Lose(top, moved.database);
	else
		AddAll(written, moved);
}

void
ForgetWritten(uint64_t xid)
{
	const uint32_t place = nwriters == 0 ? kNone : FindPlace(xid, xid);

	if (place != kNone)
		Free(place);
}

/*
 * Each id below the list's next one that isn't in it has ended, by a record before this one or by a crash.  Prepared
 * transactions are in it.
 */
void
ForgetEnded(const Running &running)
{
	const uint64_t below = running.overflow ? running.oldest : running.next;

	if (lost.upto < running.oldest)
		lost = {};
	if (nwriters == 0)
		return;
	for (int i = 0; i < running.count; i++)
	{
		Written *written = Find(Widen(running.ids[i], running.next));

		if (written != nullptr)
			written->running = true;
	}
	for (uint32_t place = 0; place < kPlaces; place++)
	{
		if (ids[place] != 0 && ids[place] < below && !writers[place].running)
			Free(place);
		writers[place].running = false;
	}
}

} // namespace cq::exact
