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
#include "pg.h"
#include "exact/position.h"
#include "exact/replayed.h"

namespace cq::exact
{
namespace
{

constexpr uint32 kSets = 512;
constexpr uint32 kWays = 8;

constexpr uint32 kPlaces = kSets * kWays;
constexpr uint32 kNone = kPlaces;

uint64 ids[kPlaces]; // 0: free
Written writers[kPlaces];
uint32 nwriters = 0;

/* The one that was noted last: records of one transaction often follow each other. */
struct
{
	uint64 xid;
	Written *written;
} recent = {};

/* Those that found no place. */
struct
{
	uint64 upto; // the largest id, 0: none
	Oid database;
	bool several;
} lost = {};

uint32
FirstSet(uint64 xid)
{
	return static_cast<uint32>(xid % kSets);
}

uint32
SecondSet(uint64 xid)
{
	return static_cast<uint32>(xid * UINT64CONST(0x9e3779b97f4a7c15) >> 55) % kSets;
}

/* The place with this id, 0 for a free one; kNone: there is none. */
uint32
FindIn(uint32 set, uint64 id)
{
	for (uint32 place = set * kWays; place < (set + 1) * kWays; place++)
	{
		if (ids[place] == id)
			return place;
	}
	return kNone;
}

uint32
FindPlace(uint64 xid, uint64 id)
{
	const uint32 place = FindIn(FirstSet(xid), id);

	return place != kNone ? place : FindIn(SecondSet(xid), id);
}

Written *
Find(uint64 xid)
{
	const uint32 place = nwriters == 0 ? kNone : FindPlace(xid, xid);

	return place == kNone ? nullptr : &writers[place];
}

/* Null: there is no place left. */
Written *
Make(uint64 xid)
{
	const uint32 place = FindPlace(xid, 0);

	if (place == kNone)
		return nullptr;
	ids[place] = xid;
	writers[place] = {};
	nwriters++;
	return &writers[place];
}

void
Free(uint32 place)
{
	ids[place] = 0;
	nwriters--;
	recent.xid = 0;
}

void
AddDatabase(Written *sum, Oid database)
{
	if (!OidIsValid(sum->database))
		sum->database = database;
	else if (sum->database != database)
		sum->everything = sum->several = true;
}

void
AddFile(Written *sum, Oid database, Oid file)
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
Lose(uint64 xid, Oid database)
{
	lost.several = lost.several || (lost.upto != 0 && lost.database != database);
	lost.database = database;
	lost.upto = Max(lost.upto, xid);
}

} // namespace

void
NoteWritten(uint64 xid, Oid database, Oid file)
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
TakeWritten(uint64 xid, Written *sum)
{
	const Written *written = Find(xid);

	/* Also if it is found: what it wrote first may have been lost. */
	if (unlikely(xid <= lost.upto))
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
FoldWritten(uint64 xid, uint64 top)
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
ForgetWritten(uint64 xid)
{
	const uint32 place = nwriters == 0 ? kNone : FindPlace(xid, xid);

	if (place != kNone)
		Free(place);
}

/*
 * The list has every id below its next one that was in progress when it was made, and perhaps some that
 * have ended since: each id that isn't there has ended, by a record before this one or by a crash.  Prepared
 * transactions are in it.  If it overflowed, subtransactions are missing.
 */
void
ForgetEnded(const xl_running_xacts *running, uint64 next)
{
	const uint64 oldest = Widen(running->oldestRunningXid, next);
	const uint64 below = running->subxid_overflow ? oldest : Widen(running->nextXid, next);

	if (lost.upto < oldest)
		lost = {};
	if (nwriters == 0)
		return;
	for (int i = 0; i < running->xcnt + running->subxcnt; i++)
	{
		Written *written = Find(Widen(running->xids[i], next));

		if (written != nullptr)
			written->running = true;
	}
	for (uint32 place = 0; place < kPlaces; place++)
	{
		if (ids[place] != 0 && ids[place] < below && !writers[place].running)
			Free(place);
		writers[place].running = false;
	}
}

} // namespace cq::exact
