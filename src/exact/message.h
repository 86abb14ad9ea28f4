/*
 * message.h
 *		What a primary tells its standbys of a transaction: in which slots of keys it is listed, by the files of the
 *		tables.
 *
 * A message is a sequence of 32-bit numbers: five at its beginning, and for each file three and its slots.  The WAL is
 * read by servers of the same architecture only.  Readers trust nothing in it: a message that is not exactly as it
 * should be counts as none.
 *
 * No backend header here: the unit test links this without a server.
 *
 * Part of exact.h.
 */
#pragma once

#include <cstddef>
#include <cstdint>

namespace cq::exact
{

/* Of a relation. */
struct File
{
	uint32_t tablespace;
	uint32_t number;
};

inline bool
operator==(const File &a, const File &b)
{
	return a.number == b.number && a.tablespace == b.tablespace;
}

/* Who tells and who hears must mean the same by the number of a slot, and by being listed there. */
struct MessageKind
{
	uint32_t meaning;
	uint32_t key_slots;
};

constexpr uint32_t kMessageWords = 512;

struct Message
{
	uint32_t nwords; // 0: nothing is told
	uint32_t words[kMessageWords];
};

/* What is told of a file: the slots in which the transaction is listed, numbered from 0. */
struct ToldFile
{
	File file;
	uint32_t n;
	const uint32_t *slots;
};

extern void BeginMessage(Message *message, const MessageKind &kind, uint32_t database);
/* False: there is no room, and nothing is added. */
extern bool AddTold(Message *message, const ToldFile &told);
extern bool TellsAnything(const Message &message);
/* False: it is no message of this kind, and nothing was set. */
extern bool ReadMessage(Message *message, const void *bytes, size_t size, const MessageKind &kind);
extern uint32_t DatabaseOf(const Message &message);
/* False: it tells nothing of this file. */
extern bool FindTold(const Message &message, const File &file, ToldFile *told);

} // namespace cq::exact
