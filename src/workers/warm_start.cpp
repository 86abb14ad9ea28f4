/*
 * warm_start.cpp
 *		Warm start: the most valuable queries over a clean restart.
 *
 * With cached_query.warm_start each entry also stores what a worker needs to run its query again: the
 * roles, the call's options and the settings of its session.  The key and the text are stored anyway.  At
 * shutdown the postmaster, when all other processes have ended, writes the entries that saved most time
 * into a file, without their rows.  After the start a process reads and removes the file, and requests a
 * refresh for each query, in order of value.  Refresh workers run these requests like any other, so the
 * keys are compared before a query runs.
 *
 * The file has a FileHead and then one record for each query: a Request without the unused part of its
 * `bytes`.  It is in native byte order and has OIDs, so it can be used by this cluster and this build
 * only.  If anything is wrong with the file, that is logged and the server starts with an empty cache.
 */
#include "pg.h"
#include "call/rerun.h"
#include "validity/entry_state.h"
#include "call/session_settings.h"
#include "validity/meta.h"
#include "call/refresh_queue.h"
#include "workers/warm_start.h"
#include "base/process.h"
#include "base/release.h"

extern "C" {
#include "catalog/pg_control.h"
#include "common/controldata_utils.h"
#include "lib/binaryheap.h"
#include "port/pg_crc32c.h"
#include "portability/instr_time.h"
#include "storage/fd.h"
}

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cq
{
namespace
{

constexpr char kFile[] = "pg_stat/cached_query.queries";
constexpr char kNewFile[] = "pg_stat/cached_query.queries.tmp";
constexpr char kMagic[8] = {'C', 'Q', 'W', 'A', 'R', 'M', '0', '6'};
constexpr uint32 kMaxQueries = 1000;
constexpr Size kMaxFileBytes = 64 * 1024 * 1024;
constexpr Size kRecordHead = offsetof(Request, bytes);
constexpr long kFeedMs = 100;
constexpr double kMaxSaveMs = 5000;

struct FileHead
{
	char magic[8];
	uint32 server; /* PG_VERSION_NUM */
	uint32 count;
	uint64 system;
	uint64 length; /* of what follows */
	pg_crc32c crc; /* of what follows */
	uint32 release;
};

struct Candidate
{
	const Entry *entry;
	double value;
};

/* The best entries so far; the heap finds the worst of them, which a better one replaces. */
struct Candidates
{
	Candidate list[kMaxQueries];
	binaryheap *worst_first; /* of pointers into the list */
	uint32 seen;
	instr_time start;
};

/* --- at shutdown ----------------------------------------------------------------------------- */

int
ByValue(const void *a, const void *b)
{
	double left = static_cast<const Candidate *>(a)->value;
	double right = static_cast<const Candidate *>(b)->value;

	return left < right ? 1 : left > right ? -1 : 0;
}

int
CompareInHeap(Datum a, Datum b, void *)
{
	return ByValue(DatumGetPointer(a), DatumGetPointer(b));
}

/* Has the entry what a worker needs, and does it fit into a request? */
bool
Fits(const Entry *entry)
{
	MetaHead head;
	uint64 before; /* the origin */

	ReadMeta(entry, 0, &head, sizeof(head));
	before = uint64{TagOffset(head)} + head.tag_length + head.args_length;
	return head.tag_length <= kRequestTag && MetaLength(entry) >= before + sizeof(RerunHead) &&
		   KeyLength(entry) + (MetaLength(entry) - before - sizeof(RerunHead)) +
				   uint64{head.slots} * sizeof(exact::SlotNo) <=
			   kRequestBytes;
}

/* A shutdown must not wait longer than kMaxSaveMs for us. */
bool
IsLate(Candidates *candidates)
{
	instr_time now;

	if (++candidates->seen % 1024 != 0)
		return false;
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, candidates->start);
	return INSTR_TIME_GET_MILLISEC(now) > kMaxSaveMs;
}

bool
Consider(const Entry *entry, uint64 hits, void *arg)
{
	Candidates *candidates = static_cast<Candidates *>(arg);
	binaryheap *heap = candidates->worst_first;
	const int n = heap->bh_size;
	const double value =
		(1.0 + static_cast<double>(hits)) * static_cast<double>(FactsOf(entry).fill_us);
	Candidate *place = &candidates->list[n];

	if (IsLate(candidates))
		return false;
	if (n == static_cast<int>(kMaxQueries))
	{
		place = reinterpret_cast<Candidate *>(DatumGetPointer(binaryheap_first(heap)));
		if (value <= place->value)
			return true;
	}
	if (!Fits(entry) || EntryInvalid(entry))
		return true;
	*place = {entry, value};
	if (n == static_cast<int>(kMaxQueries))
		binaryheap_replace_first(heap, PointerGetDatum(place));
	else
		binaryheap_add(heap, PointerGetDatum(place));
	return true;
}

/* The entry as a request; false if it lacks what a worker needs, or does not fit. */
bool
RequestOf(const Entry *entry, Request *request)
{
	Meta meta = ReadEntryMeta(entry);
	RerunHead head;
	uint32 settings;

	memset(request, 0, kRecordHead);
	if (meta.rerun_length < sizeof(head) || meta.head.tag_length > kRequestTag)
		return false;
	memcpy(&head, meta.origin, sizeof(head));
	settings = meta.rerun_length - static_cast<uint32>(sizeof(head));
	if (uint64{KeyLength(entry)} + meta.head.query_length + settings +
			uint64{meta.head.slots} * sizeof(exact::SlotNo) >
		kRequestBytes)
		return false;
	request->hash = HashOf(entry);
	request->database = FactsOf(entry).database;
	request->session_user = head.session_user;
	request->role = head.role;
	request->too_late = DT_NOEND;
	request->ttl_us = head.ttl_us;
	request->options = head.options;
	request->key_length = KeyLength(entry);
	request->query_length = meta.head.query_length;
	request->settings_length = settings;
	request->as_of = FactsOf(entry).as_of;
	request->own_clock = (FactsOf(entry).flags & kEntryElsewhere) == 0;
	request->slots = meta.head.slots;
	memcpy(request->tag, meta.tag, meta.head.tag_length);
	ReadKey(entry, 0, request->bytes, request->key_length);
	memcpy(QueryOf(request), meta.query, request->query_length);
	memcpy(SettingsOf(request), meta.origin + sizeof(head), settings);
	memcpy(SlotsOf(request), meta.slots, sizeof(exact::SlotNo) * request->slots);
	return true;
}

/* write() may write less than it was given.  False: errno tells. */
bool
WriteAll(int fd, const char *bytes, Size length)
{
	while (length > 0)
	{
		ssize_t written = write(fd, bytes, length);

		if (written <= 0)
		{
			if (written == 0)
				errno = ENOSPC;
			return false;
		}
		bytes += written;
		length -= static_cast<Size>(written);
	}
	return true;
}

void
WriteFile(const StringInfoData &records, uint32 count)
{
	FileHead head = {};
	int fd;

	memcpy(head.magic, kMagic, sizeof(kMagic));
	head.server = PG_VERSION_NUM;
	head.release = static_cast<uint32>(ReleaseHash());
	head.count = count;
	head.system = GetSystemIdentifier();
	head.length = static_cast<uint64>(records.len);
	INIT_CRC32C(head.crc);
	COMP_CRC32C(head.crc, records.data, static_cast<Size>(records.len));
	FIN_CRC32C(head.crc);

	(void) unlink(kNewFile);
	fd = BasicOpenFilePerm(kNewFile, O_WRONLY | O_CREAT | O_EXCL | PG_BINARY, 0600);
	if (fd < 0 || !WriteAll(fd, reinterpret_cast<char *>(&head), sizeof(head)) ||
		!WriteAll(fd, records.data, static_cast<Size>(records.len)))
	{
		ereport(LOG,
				(errcode_for_file_access(), errmsg("could not write file \"%s\": %m", kNewFile)));
		if (fd >= 0)
			close(fd);
		(void) unlink(kNewFile);
		return;
	}
	close(fd);
	(void) durable_rename(kNewFile, kFile, LOG);
}

/*
 * After an immediate shutdown the postmaster exits with code 0, too, but its backends were killed, perhaps
 * in the middle of a change of shared memory.  Only pg_control tells the difference.
 */
bool
WasShutDown()
{
	bool crc_ok = false;
	ControlFileData *control = get_controlfile(DataDir, &crc_ok);

	return crc_ok &&
		   (control->state == DB_SHUTDOWNED || control->state == DB_SHUTDOWNED_IN_RECOVERY);
}

/* In the postmaster, when all others have ended.  After a crash shared memory may be inconsistent: no file. */
void
SaveAtExit(int code, Datum)
{
	Candidates *candidates;
	Request *request;
	StringInfoData records;
	uint32 count = 0;
	int n;

	if (code != 0 || IsUnderPostmaster || !WasShutDown())
		return;
	candidates = NewZeroed<Candidates>();
	candidates->worst_first = binaryheap_allocate(kMaxQueries, CompareInHeap, nullptr);
	INSTR_TIME_SET_CURRENT(candidates->start);
	VisitEntriesAlone(Consider, candidates);
	n = candidates->worst_first->bh_size;
	qsort(candidates->list, static_cast<size_t>(n), sizeof(Candidate), ByValue);
	request = New<Request>();
	initStringInfo(&records);
	for (int i = 0; i < n; i++)
	{
		if (!RequestOf(candidates->list[i].entry, request))
			continue;
		appendBinaryStringInfo(&records, reinterpret_cast<char *>(request),
							   static_cast<int>(kRecordHead + BytesOf(*request)));
		count++;
	}
	WriteFile(records, count);
}

/* --- after the start -------------------------------------------------------------------------- */

/* Reads and removes the file; nullptr if there is none. */
char *
TakeFile(Size *length)
{
	FILE *file = AllocateFile(kFile, PG_BINARY_R);
	struct stat status;
	char *bytes = nullptr;

	if (file == nullptr)
	{
		if (errno != ENOENT)
			ereport(LOG,
					(errcode_for_file_access(), errmsg("could not open file \"%s\": %m", kFile)));
		return nullptr;
	}
	if (fstat(fileno(file), &status) == 0 && static_cast<Size>(status.st_size) <= kMaxFileBytes)
	{
		bytes = NewArray<char>(static_cast<Size>(status.st_size) + 1);
		*length = fread(bytes, 1, static_cast<Size>(status.st_size), file);
	}
	FreeFile(file);
	(void) unlink(kFile);
	if (bytes == nullptr)
		ereport(LOG, (errmsg("ignoring file \"%s\": it is not readable or too large", kFile)));
	return bytes;
}

const char *
WhatIsWrong(const FileHead &head, const char *records, Size length)
{
	pg_crc32c crc;

	if (memcmp(head.magic, kMagic, sizeof(kMagic)) != 0)
		return "it has another format";
	if (head.server != PG_VERSION_NUM || head.system != GetSystemIdentifier())
		return "it is of another server";
	if (head.release != static_cast<uint32>(ReleaseHash()))
		return "it is of another version of cached_query";
	if (head.length != length)
		return "it has the wrong length";
	INIT_CRC32C(crc);
	COMP_CRC32C(crc, records, length);
	FIN_CRC32C(crc);
	return EQ_CRC32C(crc, head.crc) ? nullptr : "its checksum is wrong";
}

/* The next record; false at the end, or if the rest is no record. */
bool
NextRecord(const char **at, const char *end, Request *request)
{
	Size left = static_cast<Size>(end - *at);
	uint64 bytes;

	if (left < kRecordHead)
		return false;
	memcpy(request, *at, kRecordHead);
	bytes = BytesOf(*request);
	if (bytes > kRequestBytes || bytes > left - kRecordHead)
		return false;
	memcpy(request->bytes, *at + kRecordHead, bytes);
	request->tag[kRequestTag] = '\0';
	*at += kRecordHead + bytes;
	return true;
}

void
WaitForRoom()
{
	workers::Wait(kFeedMs);
	LaunchForOthers();
}

void
FeedAll(const char *at, const char *end, uint32 expected)
{
	Request *request = New<Request>();
	uint32 fed = 0;

	while (NextRecord(&at, end, request))
	{
		Fed outcome;

		while ((outcome = FeedRequest(request)) == Fed::full)
			WaitForRoom();
		fed += outcome == Fed::taken;
		workers::Interrupts();
	}
	ereport(LOG, (errmsg("cached_query asked for %u of %u queries from before the restart", fed,
						 expected)));
}

} // namespace

void
InitWarmStart()
{
	if (settings::warm_start)
		workers::StartWithServer(workers::kWarmStart);
}

void
WarmStartup()
{
	if (settings::warm_start && !IsUnderPostmaster && !workers::ServesNobody())
		on_shmem_exit(SaveAtExit, static_cast<Datum>(0));
}

} // namespace cq

void
cached_query_warm_worker(Datum)
{
	using namespace cq;
	Size length = 0;
	FileHead head = {};
	const char *wrong;
	char *bytes;

	workers::Begin(workers::kWarmStart);
	bytes = TakeFile(&length);
	if (bytes == nullptr)
		return;
	if (length >= sizeof(head))
		memcpy(&head, bytes, sizeof(head));
	wrong = WhatIsWrong(head, bytes + sizeof(head), length - Min(length, sizeof(head)));
	if (wrong != nullptr)
		ereport(LOG, (errmsg("ignoring file \"%s\": %s", kFile, wrong)));
	else
		FeedAll(bytes + sizeof(head), bytes + length, head.count);
}
