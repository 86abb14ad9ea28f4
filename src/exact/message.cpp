/*
 * message.cpp
 *		What a primary tells its standbys of a transaction.
 *
 *	 version | meaning of slots | their count | database | files | tablespace | file | slots | slot | slot | ...
 *
 * Part of exact.h.
 */
#include "exact/message.h"

#include <cstring>

namespace cq::exact
{
namespace
{

/* Another format has another number. */
constexpr uint32_t kVersion = 0xc4ed0001;

enum
{
	kVersionAt,
	kMeaningAt,
	kSlotsAt,
	kDatabaseAt,
	kFilesAt,
	kBegin
};

/* Of each file, before its slots. */
constexpr uint32_t kFileWords = 3;

/* The file that begins at *at, with *at moved behind it; false: it does not end within the message. */
bool
NextFile(const Message &message, uint32_t *at, ToldFile *told)
{
	const uint32_t *words = message.words + *at;
	const uint32_t left = message.nwords - *at;

	if (left < kFileWords || words[2] > left - kFileWords)
		return false;
	*told = {{words[0], words[1]}, words[2], words + kFileWords};
	*at += kFileWords + words[2];
	return true;
}

/* Are all files within the message, and all slots among those that there are? */
bool
IsSound(const Message &message, uint32_t key_slots)
{
	uint32_t at = kBegin;

	for (uint32_t i = 0; i < message.words[kFilesAt]; i++)
	{
		ToldFile told;

		if (!NextFile(message, &at, &told))
			return false;
		for (uint32_t j = 0; j < told.n; j++)
		{
			if (told.slots[j] >= key_slots)
				return false;
		}
	}
	return at == message.nwords;
}

} // namespace

void
BeginMessage(Message *message, const MessageKind &kind, uint32_t database)
{
	message->nwords = kBegin;
	message->words[kVersionAt] = kVersion;
	message->words[kMeaningAt] = kind.meaning;
	message->words[kSlotsAt] = kind.key_slots;
	message->words[kDatabaseAt] = database;
	message->words[kFilesAt] = 0;
}

bool
AddTold(Message *message, const ToldFile &told)
{
	uint32_t *words = message->words + message->nwords;
	const uint32_t left = kMessageWords - message->nwords;

	if (left < kFileWords || told.n > left - kFileWords)
		return false;
	words[0] = told.file.tablespace;
	words[1] = told.file.number;
	words[2] = told.n;
	if (told.n > 0)
		memcpy(words + kFileWords, told.slots, told.n * sizeof(uint32_t));
	message->nwords += kFileWords + told.n;
	message->words[kFilesAt]++;
	return true;
}

bool
TellsAnything(const Message &message)
{
	return message.nwords > kBegin;
}

/* The bytes need not be aligned. */
bool
ReadMessage(Message *message, const void *bytes, size_t size, const MessageKind &kind)
{
	const uint32_t nwords = static_cast<uint32_t>(size / sizeof(uint32_t));

	if (size % sizeof(uint32_t) != 0 || size < kBegin * sizeof(uint32_t) ||
		size > sizeof(message->words))
		return false;
	memcpy(message->words, bytes, size);
	message->nwords = nwords;
	if (message->words[kVersionAt] == kVersion && message->words[kMeaningAt] == kind.meaning &&
		message->words[kSlotsAt] == kind.key_slots && IsSound(*message, kind.key_slots))
		return true;
	message->nwords = 0;
	return false;
}

uint32_t
DatabaseOf(const Message &message)
{
	return message.words[kDatabaseAt];
}

bool
FindTold(const Message &message, const File &file, ToldFile *told)
{
	uint32_t at = kBegin;

	if (message.nwords == 0)
		return false;
	while (at < message.nwords && NextFile(message, &at, told))
	{
		if (told->file == file)
			return true;
	}
	return false;
}

} // namespace cq::exact
