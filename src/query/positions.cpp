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
 * a token's end is found by skipping what is escaped, and no string can look like a field.  Strings in
 * lists have quotes around them, so that a token that begins with a colon is the name of a field, or
 * the value that follows one.
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

bool
Is(const char *token, const char *end, const char *what)
{
	const size_t length = static_cast<size_t>(end - token);

	return length == strlen(what) && memcmp(token, what, length) == 0;
}

/* The name of a field whose number is left out: location, stmt_location, name_location.. */
bool
NamesPosition(const char *token, const char *end)
{
	static const char location[] = "location";
	const ptrdiff_t tail = sizeof(location) - 1;

	if (end[-1] != 'n')
		return end[-1] == 'd' && Is(token, end, ":opfuncid");
	return Is(token, end, ":stmt_len") ||
		   (end - token > tail && memcmp(end - tail, location, tail) == 0);
}

/* Moves a token; what is behind it, and in *to behind what was written. */
char *
MoveToken(char *at, char **to)
{
	char *out = *to;

	for (;;)
	{
		while (MeaningOf(*at) == kPlain)
			*out++ = *at++;
		if (MeaningOf(*at) == kSeparates)
			break;
		*out++ = *at++;
		if (*at != '\0')
			*out++ = *at++;
	}
	*to = out;
	return at;
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

/* Behind the number, if there is one and nothing else. */
char *
SkipNumber(char *at)
{
	char *end = at;

	while (MeaningOf(*end) == kPlain)
		end++;
	return MeaningOf(*end) == kSeparates && IsNumber(at, end) ? end : nullptr;
}

} // namespace

bool
WithoutPositions(char *trees, size_t *length)
{
	char *at = trees;
	char *to = trees; /* not beyond `at` */

	while (*at != '\0')
	{
		const char *token = to;
		char *end;
		char *number;

		if (MeaningOf(*at) == kSeparates)
		{
			*to++ = *at++;
			continue;
		}
		if (*at != ':' || (end = strchr(at, ' ')) == nullptr)
		{
			at = MoveToken(at, &to);
			if (*token == 'E' && token > trees && token[-1] == '{' &&
				Is(token, to, "EXTENSIBLENODE"))
				return false;
			continue;
		}
		number = NamesPosition(at, end) ? SkipNumber(end + 1) : nullptr;
		*to++ = ':';
		at = number ? number : end + 1;
		if (number == nullptr && *at == ':')
			at = MoveToken(at, &to); /* its value */
	}
	*to = '\0';
	*length = static_cast<size_t>(to - trees);
	return true;
}

} // namespace cq
