/*
 * positions.cpp
 *		The text of a query tree without what depends on how the query was written down.
 *
 * PostgreSQL itself reads such a text by position: it skips the names of fields (readfuncs.c).  So without
 * the names two trees still have the same text only if they are the same, and there is a third of it
 * to hash.  A name is followed by its value, which may look like a name.
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

/* The end of the token that begins at `at`. */
char *
EndOfToken(char *at)
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

/* Its space follows. */
bool
NamesField(const char *token, const char *end)
{
	if (*token != ':' || *end != ' ')
		return false;
	while (++token < end)
	{
		if (*token != '_' && (*token < 'a' || *token > 'z') && (*token < 'A' || *token > 'Z') &&
			(*token < '0' || *token > '9'))
			return false;
	}
	return true;
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
WithoutPositions(char *trees, size_t *length)
{
	char *at = trees;
	char *to = trees; /* not beyond `at` */
	bool named = false;

	while (*at != '\0')
	{
		char *token = at;
		char *end;

		if (MeaningOf(*at) == kSeparates)
		{
			named = named && *at == ' ';
			*to++ = *at++;
			continue;
		}
		end = EndOfToken(token);
		if (*token == 'E' && token > trees && token[-1] == '{' &&
			Is(token, static_cast<size_t>(end - token), "EXTENSIBLENODE"))
			return false;
		if (named || !NamesField(token, end))
		{
			while (at < end)
				*to++ = *at++;
			named = false;
			continue;
		}
		*to++ = ':';
		named = true;
		at = end;
		if (!NamesPosition(token, static_cast<size_t>(end - token)))
			continue;
		end = EndOfToken(at + 1);
		if (IsNumber(at + 1, end))
		{
			at = end;
			named = false;
		}
	}
	*to = '\0';
	*length = static_cast<size_t>(to - trees);
	return true;
}

} // namespace cq
