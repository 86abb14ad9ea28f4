/*
 * account.h
 *		How much memory the entries of each role in each database take.
 *
 * An account is a role in a database.  It is found by hash, in one of kAccountWays places; one that
 * nothing is charged to is as good as free.  When all these places are taken, what is linked is charged
 * to an account that all others share, which has no quota.
 *
 * The entries of an account that had a quota when they were linked form a ring, so that its own least
 * valuable entry can be found without looking at those of others.  The hand goes around it: who looks
 * for a victim takes the worst of the next few, so all have their turn.
 *
 * Everything here is protected by the directory's lock, exclusive to change it; an entry is charged
 * when it enters the directory and discharged when it leaves it, with its images.
 *
 * Part of store.h.
 */
#pragma once

#include "store/entry.h"

namespace cq
{

constexpr uint32 kAccounts = 1024; // the first one is the shared one
constexpr uint32 kAccountWays = 16;
constexpr uint32 kSharedAccount = 0;

struct Account
{
	Oid database;
	Oid role;
	uint64 units; // of entries and images
	uint64 image_units;
	uint64 quota;   // units, as of the last fill; kNoQuota: none
	uint32 entries; // without images
	UnitRef hand;   // of the ring; kNoUnit: it is empty
};

constexpr uint64 kNoQuota = PG_UINT64_MAX;

/* For a new store. */
extern void AccountsInit(Account *accounts);
/* The owner's account, made if need be. */
extern uint32 AccountOf(Account *accounts, const Owner &owner);
/* Is there room for so many units more? */
extern bool AccountHasRoom(const Account *accounts, uint32 account, const Owner &owner,
						   uint64 units);
extern void AccountCharge(Account *accounts, Entry *entry, uint32 account, bool in_ring);
extern void AccountDischarge(Account *accounts, Entry *entry);

} // namespace cq
