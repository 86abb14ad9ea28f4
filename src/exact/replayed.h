/*
 * replayed.h
 *		Which files the transactions have written whose records are being replayed, and what the primary tells of
 *		them beside that.
 *
 * For the startup process alone: fixed memory, no lock, no catalog, nothing that may raise.  No backend header here:
 * the unit test links this without a server.
 *
 * Part of exact.h.
 */
#pragma once

#include <cstdint>

#include "exact/message.h"

namespace cq::exact
{

constexpr int kMaxFiles =
	14; // of one transaction, with those of TOAST; more are all rows of the database

struct Written
{
	uint32_t database;
	uint8_t nfiles;
	bool everything : 1;   // in this database
	bool several : 1;      // databases; can't be
	bool running : 1;      // for ForgetEnded()
	uint16_t heard;        // the place of its message + 1; 0: it has none
	uint64_t moment;       // how many messages had come when it wrote last
	File files[kMaxFiles]; // nfiles of them
};

/* Not the files: it is done for each transaction. */
inline void
Clear(Written *written)
{
	written->database = 0;
	written->nfiles = 0;
	written->everything = written->several = written->running = false;
	written->heard = 0;
	written->moment = 0;
}
static_assert(sizeof(Written) == 128, "two cache lines");

/* The transaction or subtransaction has changed rows in this file. */
extern void NoteWritten(uint64_t xid, uint32_t database, const File &file);
/* A message of this top-level transaction, kept until its end if there is room for it. */
extern void HearMessage(uint64_t xid, const void *message, size_t bytes, const MessageKind &kind);
/*
 * What the message tells of all that the transaction has written; null: nothing that counts.  After the transaction was taken, and
 * valid until the next message.
 */
extern const Message *HeardOf(const Written &written);
/* Its end: adds what it wrote to `sum`, and forgets it. */
extern void TakeWritten(uint64_t xid, Written *sum);
/* What a subtransaction wrote is its top-level transaction's from now on. */
extern void FoldWritten(uint64_t xid, uint64_t top);
extern void ForgetWritten(uint64_t xid);
/* A list of all ids that were in progress at a moment, and perhaps of some that had ended.  Full ids. */
struct Running
{
	const uint32_t *ids; // 32 bits of them
	int count;
	bool overflow; // subtransactions may be missing
	uint64_t oldest;
	uint64_t next;
};
/* All others have ended: a primary that crashed wrote no ends. */
extern void ForgetEnded(const Running &running);

} // namespace cq::exact
