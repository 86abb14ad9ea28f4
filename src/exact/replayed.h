/*
 * replayed.h
 *		Which files the transactions have written whose records are being replayed.
 *
 * For the startup process alone: fixed memory, no lock, no catalog, nothing that may raise.
 *
 * Part of exact.h.
 */
#pragma once

#include "pg.h"

extern "C" {
#include "storage/standbydefs.h"
}

namespace cq::exact
{

constexpr int kMaxFiles = 14; // of one transaction, with those of TOAST; more are all rows of the database

struct Written
{
	Oid database;
	uint8 nfiles;
	bool everything; // in this database
	bool several;    // databases; can't be
	bool running;    // for ForgetEnded()
	Oid files[kMaxFiles];
};
static_assert(sizeof(Written) == 64, "a cache line");

/* The transaction or subtransaction has changed rows in this file. */
extern void NoteWritten(uint64 xid, Oid database, Oid file);
/* Its end: adds what it wrote to `sum`, and forgets it. */
extern void TakeWritten(uint64 xid, Written *sum);
/* What a subtransaction wrote is its top-level transaction's from now on. */
extern void FoldWritten(uint64 xid, uint64 top);
extern void ForgetWritten(uint64 xid);
/* A primary that crashed wrote no ends.  `next` is the next id, to tell the full ones. */
extern void ForgetEnded(const xl_running_xacts *running, uint64 next);

} // namespace cq::exact
