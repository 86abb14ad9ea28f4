/*
 * positions.cpp
 *		The text of a query tree without what depends on how the query was written down.
 *
 * A tree's text consists of tokens between white space, parentheses and braces.  Where one of
 * these belongs to a name or a string, a backslash stands before it, and before a backslash, too: so
 * a token's end is found by skipping what is escaped, and no string can look like a field.
 */
#include "query/positions.h"

#include <cstring>

namespace cq
{
namespace
{

/* What ends a token, what takes the next character's meaning away, and all else. */
enum Meaning : unsigned char
{
	kPlain,
	kSeparates,
	kEscapes
};

struct Meanings
{
	Meaning of[256];
};

constexpr Meanings
MakeMeanings()
{
	Meanings meanings = {};

	for (char c : " \n\t(){}") /* its end, too */
		meanings.of[static_cast<unsigned char>(c)] = kSeparates;
	meanings.of[static_cast<unsigned char>('\\')] = kEscapes;
	return meanings;
}

constexpr Meanings meanings = MakeMeanings();

Meaning
MeaningOf(char c)
{
	return meanings.of[static_cast<unsigned char>(c)];
}

const char *
EndOfToken(const char *at)
{
	for (;;)
	{
		while (MeaningOf(*at) == kPlain)
			at++;
		if (MeaningOf(*at) == kSeparates)
			return at;
		at += at[1] == '\0' ? 1 : 2;
	}
}

bool
Is(const char *token, size_t length, const char *what)
{
	return length == strlen(what) && memcmp(token, what, length) == 0;
}

/* The name of a field whose number is left out: location, stmt_location, name_location.. */
bool
NamesPosition(const char *token, size_t length)
{
	static const char location[] = "location";
	const size_t tail = sizeof(location) - 1;

	return Is(token, length, ":stmt_len") || Is(token, length, ":opfuncid") ||
		   (length > tail && memcmp(token + length - tail, location, tail) == 0);
}

bool
IsNumber(const char *token, const char *end)
{
	if (token < end && *token == '-')
		token++;
	if (token == end)
		return false;
	for (; token < end; token++)
	{
		if (*token < '0' || *token > '9')
			return false;
	}
	return true;
}

} // namespace

bool
WithoutPositions(const char *trees, TakePiece take, void *arg)
{
	const char *from = trees; /* what is not handed out yet */
	const char *at = trees;

	while (*at != '\0')
	{
		const char *token = at;
		size_t length;

		if (MeaningOf(*at) == kSeparates)
		{
			at++;
			continue;
		}
		at = EndOfToken(token);
		length = static_cast<size_t>(at - token);
		if (*token == 'E' && token > trees && token[-1] == '{' &&
			Is(token, length, "EXTENSIBLENODE"))
			return false;
		if (*token == ':' && *at == ' ' && NamesPosition(token, length))
		{
			const char *end = EndOfToken(at + 1);

			if (!IsNumber(at + 1, end))
				continue;
			if (!take(from, static_cast<size_t>(at - from), arg))
				return false;
			from = at = end;
		}
	}
	return take(from, static_cast<size_t>(at - from), arg);
}

} // namespace cq
