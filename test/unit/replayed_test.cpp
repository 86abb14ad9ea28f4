/*
 * replayed_test.cpp
 *		What transactions of a standby have written and what is told of them, on random histories.
 *
 * sources: src/exact/replayed.cpp src/exact/message.cpp
 *
 * A model of a primary begins transactions and subtransactions, lets them write, assigns subtransactions to their
 * top-level ones, ends them or forgets their ends (a crash), and writes lists of what runs.  The truth about each
 * commit is the plain set of the files that its surviving parts wrote.  What is reported may be more, never less.
 *
 * Before it ends a transaction may send a message about some of its files, and it may write after that.  A file may be
 * reported by the slots of that message if nothing was written to it afterwards.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
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
	std::set<uint32_t> late; // those written after the message
};
struct Transaction
{
	uint32_t database;
	Part top;
	std::vector<Part> parts;          // subtransactions that may still commit
	std::vector<uint64_t> unassigned; // of all, also of those that aborted
	std::map<uint32_t, std::vector<uint32_t>> told;
	bool sent;
};

uint64_t next_xid = (UINT64_C(5) << 32) - 3000; // over the wrap of 32-bit ids
std::vector<Transaction> open;
long commits, exact_ones, less, by_key;

constexpr MessageKind kKind = {77, 4096};

/* The number of a file says its tablespace; two in different ones may have the same number. */
File
FileOf(uint32_t file)
{
	return {file % 2, file / 2};
}

bool
Reported(const Written &written, const Transaction &t, const std::set<uint32_t> &files)
{
	if (written.several || (written.everything && written.database == t.database))
		return true;
	for (uint32_t file : files)
	{
		bool found = false;

		for (int i = 0; i < written.nfiles; i++)
			found = found || (written.files[i] == FileOf(file) && written.database == t.database);
		if (!found)
			return false;
	}
	return true;
}

/* Does the message that counts say what was sent, of files that were not written after it? */
bool
ToldRightly(const Written &written, const Transaction &t, const std::set<uint32_t> &files,
			const std::set<uint32_t> &late)
{
	const Message *message = HeardOf(written);
	bool right = true;

	for (uint32_t file : files)
	{
		ToldFile told;

		if (message == nullptr || !FindTold(*message, FileOf(file), &told))
			continue;
		right = right && t.told.count(file) == 1 && late.count(file) == 0 &&
				t.told.at(file) == std::vector<uint32_t>(told.slots, told.slots + told.n);
		by_key++;
	}
	return right;
}

void
Commit(const Transaction &t)
{
	Written written = {};
	std::set<uint32_t> files = t.top.files;
	std::set<uint32_t> late = t.top.late;

	TakeWritten(t.top.xid, &written);
	for (const Part &part : t.parts)
	{
		TakeWritten(part.xid, &written);
		files.insert(part.files.begin(), part.files.end());
		late.insert(part.late.begin(), part.late.end());
	}
	commits++;
	if (!Reported(written, t, files) ||
		(!written.everything && !ToldRightly(written, t, files, late)))
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
	if (t.sent)
		part->late.insert(file);
	NoteWritten(part->xid, t.database, FileOf(file));
}

/* Of all files or of some; sometimes there is nothing to list for one. */
void
Send(Transaction *t)
{
	std::set<uint32_t> files = t->top.files;
	Message message;

	for (const Part &part : t->parts)
		files.insert(part.files.begin(), part.files.end());
	BeginMessage(&message, kKind, t->database);
	t->told.clear();
	for (uint32_t file : files)
	{
		std::vector<uint32_t> slots;

		for (uint32_t i = Random(5); i > 0; i--)
			slots.push_back(Random(kKind.key_slots));
		if (Random(4) != 0 &&
			AddTold(&message, {FileOf(file), static_cast<uint32_t>(slots.size()), slots.data()}))
			t->told[file] = slots;
	}
	t->sent = true;
	HearMessage(t->top.xid, message.words, message.nwords * sizeof(uint32_t), kKind);
}

void
Step(uint32_t most_open, uint32_t files, uint32_t databases)
{
	if (open.empty() || (open.size() < most_open && Random(4) == 0))
		open.push_back({5 + Random(databases), {next_xid++, {}, {}}, {}, {}, {}, false});

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
		t.parts.push_back({next_xid++, {}, {}});
		Write(t, &t.parts.back(), files);
		if (t.unassigned.size() == 64)
			Assign(&t);
	}
	else if (what < 83 && !t.parts.empty())
	{
		ForgetWritten(t.parts.back().xid);
		t.parts.pop_back();
	}
	else if (what < 84)
	{
		if (!t.sent)
			Send(&t);
	}
	else if (what < 92)
	{
		if (!t.sent && Random(2) == 0)
			Send(&t);
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

	commits = exact_ones = less = by_key = 0;
	for (long i = 0; i < 60000; i++)
	{
		Step(most_open, files, databases);
		if (Random(2000) == 0)
			ListRunning(Random(3) == 0);
	}
	snprintf(line, sizeof(line),
			 "%s: %ld commits, %ld told by file, %ld files told by key, %ld told too little", name,
			 commits, exact_ones, by_key, less);
	Ok(commits > 1000 && less == 0 && by_key > 500 &&
		   (precise ? exact_ones == commits : exact_ones < commits),
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
		NoteWritten(next_xid + static_cast<uint64_t>(i), 5, {1, 20000});
	for (int i = 0; i < places; i++)
	{
		Written written = {};

		TakeWritten(next_xid + static_cast<uint64_t>(i), &written);
		told += written.nfiles == 1 && !written.everything ? 1 : 0;
	}
	next_xid += places;
	Ok(told == places, "places are free again when nothing runs");
}

/* Places of messages come back, too, however their transactions end. */
void
RunMessages()
{
	const uint32_t slot = 7;
	Message message;
	int heard = 0;

	BeginMessage(&message, kKind, 5);
	AddTold(&message, {{1, 20000}, 1, &slot});
	for (int i = 0; i < 3000; i++)
	{
		const uint64_t xid = next_xid++;
		Written written = {};

		NoteWritten(xid, 5, {1, 20000});
		HearMessage(xid, message.words, message.nwords * sizeof(uint32_t), kKind);
		if (i % 3 == 0)
			HearMessage(xid, message.words, message.nwords * sizeof(uint32_t), kKind);
		if (i % 3 == 1)
			ForgetWritten(xid);
		if (i % 3 == 2)
			ListRunning(false);
		TakeWritten(xid, &written);
		heard += HeardOf(written) != nullptr ? 1 : 0;
	}
	Ok(heard == 1000, "places of messages are free again");
}

/* What is not a message as it should be is none; what is taken for one stays within its bounds. */
void
RunDamage()
{
	long taken = 0;
	bool sound = true;

	for (int i = 0; i < 200000; i++)
	{
		Message message;
		Message read = {};
		uint32_t slots[kMessageWords];
		uint32_t size;

		BeginMessage(&message, kKind, 5);
		for (uint32_t &slot : slots)
			slot = Random(kKind.key_slots);
		for (uint32_t n = Random(6); n > 0; n--)
			AddTold(&message, {{1, 20000 + n}, Random(Random(4) == 0 ? kMessageWords : 8), slots});
		size = message.nwords * static_cast<uint32_t>(sizeof(uint32_t));
		for (uint32_t n = Random(3); n > 0; n--)
			message.words[Random(message.nwords)] =
				Random(2) == 0 ? Random(16) : Random(UINT32_MAX);
		if (Random(4) == 0)
			size = Random(2) == 0 ? Random(size + 8) : size + Random(9) - 4;
		std::vector<char> bytes(size + 1);
		memcpy(bytes.data() + 1, message.words,
			   size < sizeof(message.words) ? size : sizeof(message.words));
		if (!ReadMessage(&read, bytes.data() + 1, size, kKind))
			continue;
		taken++;
		for (uint32_t file = 20000; file < 20010; file++)
		{
			ToldFile told;

			if (!FindTold(read, {1, file}, &told))
				continue;
			sound = sound && told.slots + told.n <= read.words + read.nwords;
			for (uint32_t n = 0; n < told.n; n++)
				sound = sound && told.slots[n] < kKind.key_slots;
		}
	}
	Ok(sound && taken > 10000 && taken < 200000, "damaged messages");
}

/* Of other versions and other numbers of slots nothing is believed. */
void
RunKinds()
{
	const uint32_t slot = 7;
	Message message;
	Message read = {};
	size_t size;

	BeginMessage(&message, kKind, 5);
	AddTold(&message, {{1, 20000}, 1, &slot});
	size = message.nwords * sizeof(uint32_t);
	Ok(ReadMessage(&read, message.words, size, kKind), "a message of this kind");
	Ok(!ReadMessage(&read, message.words, size, {kKind.meaning + 1, kKind.key_slots}),
	   "another meaning");
	Ok(!ReadMessage(&read, message.words, size, {kKind.meaning, kKind.key_slots + 1}),
	   "more slots");
	message.words[0]++;
	Ok(!ReadMessage(&read, message.words, size, kKind), "another version");
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
	RunMessages();
	RunDamage();
	RunKinds();
	return Done();
}
