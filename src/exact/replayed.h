/*
 * replayed.h
 *		Which files the transactions have written whose records are being replayed.
 *
 * For the startup process alone: fixed memory, no lock, no catalog, nothing that may raise.  No backend header here:
 * the unit test links this without a server.
 *
 * Part of exact.h.
 */
#pragma once

#include <cstdint>

namespace cq::exact
{

constexpr int kMaxFiles =
	14; // of one transaction, with those of TOAST; more are all rows of the database

struct Written
{
	uint32_t database;
	uint8_t nfiles;
	bool everything; // in this database
	bool several;    // databases; can't be
	bool running;    // for ForgetEnded()
	uint32_t files[kMaxFiles];
};
static_assert(sizeof(Written) == 64, "a cache line");

/* The transaction or subtransaction has changed rows in this file. */
extern void NoteWritten(uint64_t xid, uint32_t database, uint32_t file);
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
