/*
 * replayed.cpp
 *		The files that transactions write, from their first record to their end, and what the primary tells of them.
 *
 * A table of fixed size: an id has its place in one of two sets of eight.  If both are full, it is only known up to which
 * id some were lost.  These and all before count as having written everything, until none of them can be in progress.
 * Sets are rarely full: a transaction with many subtransactions gives them up 64 at a time (FoldWritten).
 *
 * A message is kept beside its transaction, in one of a fixed number of places.  What finds none is forgotten, which
 * is always right: the transaction is then announced by its files.
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

/* What was noted last: records of one transaction often follow each other, and most of them are for the same file. */
struct
{
	uint64_t xid; // 0: nothing is known
	Written *written;
	File file;
} recent = {};

/* Those that found no place. */
struct
{
	uint64_t upto; // the largest id, 0: none
	uint32_t database;
	bool several;
} lost = {};

/* Ids that follow each other use the same places, if one has ended before the next begins. */
uint32_t
FirstSet(uint64_t xid)
{
	return static_cast<uint32_t>(xid / kWays % kSets);
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

/* The same, quick for the one that was noted last. */
Written *
FindSoon(uint64_t xid)
{
	return xid == recent.xid ? recent.written : Find(xid);
}

/* Null: there is no place left. */
Written *
Make(uint64_t xid)
{
	const uint32_t place = FindPlace(xid, 0);

	if (place == kNone)
		return nullptr;
	ids[place] = xid;
	Clear(&writers[place]);
	nwriters++;
	return &writers[place];
}

/* --- messages */

constexpr uint32_t kMessages = 256;

struct Heard
{
	Message message;
	uint64_t moment; // how many messages had come, this one included
	uint32_t next;   // if it is free
};
Heard heard[kMessages];
uint32_t first_free = kMessages; // of those that were used before; kMessages: none
uint32_t nused = 0;
uint64_t moment = 0; // messages so far

/* Not taken yet.  kMessages: there is none. */
uint32_t
FreePlace()
{
	return first_free != kMessages ? first_free : nused;
}

void
TakePlace(Written *written, uint32_t place)
{
	if (place == first_free)
		first_free = heard[place].next;
	else
		nused++;
	written->heard = static_cast<uint16_t>(place + 1);
}

/* Its contents stay until the place is taken again.  0: there is none. */
void
FreeHeard(uint16_t number)
{
	if (number == 0)
		return;
	heard[number - 1].next = first_free;
	first_free = number - 1;
}

void
Free(uint32_t place)
{
	FreeHeard(writers[place].heard);
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
AddFile(Written *sum, uint32_t database, const File &file)
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
	/* one that has only a message has none */
	if (written.database != 0)
		AddDatabase(sum, written.database);
	for (int i = 0; i < written.nfiles; i++)
		AddFile(sum, written.database, written.files[i]);
	sum->everything = sum->everything || written.everything;
	sum->several = sum->several || written.several;
	sum->moment = sum->moment > written.moment ? sum->moment : written.moment;
	sum->heard = written.heard != 0 ? written.heard : sum->heard;
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
NoteWritten(uint64_t xid, uint32_t database, const File &file)
{
	Written *written = FindSoon(xid);

	if (xid == recent.xid && file == recent.file && database == written->database)
		return;
	if (written == nullptr)
		written = Make(xid);
	if (written == nullptr)
	{
		Lose(xid, database);
		return;
	}
	recent = {xid, written, file};
	written->moment = moment;
	AddFile(written, database, file);
}

void
HearMessage(uint64_t xid, const void *message, size_t bytes, const MessageKind &kind)
{
	const uint32_t place = FreePlace();
	Written *written;
	uint16_t before;

	if (place == kMessages || !ReadMessage(&heard[place].message, message, bytes, kind))
		return;
	written = FindSoon(xid);
	if (written == nullptr)
		written = Make(xid);
	if (written == nullptr)
		return;
	recent.xid = 0; /* its moment is another one from now on */
	before = written->heard;
	heard[place].moment = ++moment;
	TakePlace(written, place);
	FreeHeard(before);
}

/* What was written after the message is not told, in whatever file. */
const Message *
HeardOf(const Written &written)
{
	const Heard *told = written.heard == 0 ? nullptr : &heard[written.heard - 1];

	if (told == nullptr || written.moment >= told->moment ||
		DatabaseOf(told->message) != written.database)
		return nullptr;
	return &told->message;
}

void
TakeWritten(uint64_t xid, Written *sum)
{
	const uint32_t place = nwriters == 0 ? kNone : FindPlace(xid, xid);

	/* Also if it is found: what it wrote first may have been lost. */
	if (xid <= lost.upto)
	{
		AddDatabase(sum, lost.database);
		sum->everything = true;
		sum->several = sum->several || lost.several;
	}
	if (place == kNone)
		return;
	AddAll(sum, writers[place]);
	Free(place);
}

void
FoldWritten(uint64_t xid, uint64_t top)
{
	Written moved;
	Written *written;

	Clear(&moved);
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
