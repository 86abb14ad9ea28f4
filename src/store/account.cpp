/*
 * account.cpp
 *		How much memory the entries of each role in each database take: see account.h.
 */
#include "pg.h"

#include "store/account.h"
#include "store/internal.h"

extern "C" {
#include "common/hashfn.h"
}

namespace cq
{

namespace
{

bool
Unused(const Account &account)
{
	return account.entries == 0 && account.units == 0;
}

void
EnterRing(Account *account, Entry *entry)
{
	UnitRef unit = UnitOf(entry);

	if (account->hand == kNoUnit)
	{
		entry->ring_prev = entry->ring_next = unit;
		account->hand = unit;
		return;
	}

	/* right behind the hand: it is the last one to be looked at */
	Entry *next = EntryAt(account->hand);
	Entry *prev = EntryAt(next->ring_prev);

	entry->ring_prev = UnitOf(prev);
	entry->ring_next = UnitOf(next);
	prev->ring_next = next->ring_prev = unit;
}

void
LeaveRing(Account *account, Entry *entry)
{
	UnitRef unit = UnitOf(entry);

	if (entry->ring_next == unit)
		account->hand = kNoUnit;
	else
	{
		EntryAt(entry->ring_prev)->ring_next = entry->ring_next;
		EntryAt(entry->ring_next)->ring_prev = entry->ring_prev;
		if (account->hand == unit)
			account->hand = entry->ring_next;
	}
	entry->ring_prev = entry->ring_next = kNoUnit;
}

} // namespace

void
AccountsInit(Account *accounts)
{
	memset(accounts, 0, sizeof(Account) * kAccounts);
	for (uint32 i = 0; i < kAccounts; i++)
		accounts[i].quota = kNoQuota;
}

uint32
AccountOf(Account *accounts, const Owner &owner)
{
	uint32 hash = hash_combine(murmurhash32(owner.database), murmurhash32(owner.role));
	uint32 unused = kSharedAccount;

	for (uint32 i = 0; i < kAccountWays; i++)
	{
		uint32 at = 1 + (hash + i) % (kAccounts - 1);
		const Account &account = accounts[at];

		if (account.database == owner.database && account.role == owner.role)
			return at;
		if (unused == kSharedAccount && Unused(account))
			unused = at;
	}
	if (unused != kSharedAccount)
		accounts[unused] = {owner.database, owner.role, 0, 0, kNoQuota, 0, kNoUnit};
	return unused;
}

bool
AccountHasRoom(const Account *accounts, uint32 account, const Owner &owner, uint64 units)
{
	if (owner.quota == kNoQuota)
		return true;
	/* what others have in it can't be told apart */
	if (account == kSharedAccount)
		return false;
	return accounts[account].units + units <= owner.quota;
}

void
AccountCharge(Account *accounts, Entry *entry, uint32 account, bool in_ring)
{
	Account *to = &accounts[account];

	entry->account = account;
	entry->ring_prev = entry->ring_next = kNoUnit;
	to->units += entry->units;
	if (IsImage(entry))
		to->image_units += entry->units;
	else
		to->entries++;
	if (in_ring && account != kSharedAccount)
		EnterRing(to, entry);
}

void
AccountDischarge(Account *accounts, Entry *entry)
{
	Account *from = &accounts[entry->account];

	if (entry->ring_next != kNoUnit)
		LeaveRing(from, entry);
	from->units -= entry->units;
	if (IsImage(entry))
		from->image_units -= entry->units;
	else
		from->entries--;
}

} // namespace cq
