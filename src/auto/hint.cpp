/*
 * hint.cpp
 *		Hints in a comment before or behind a statement.
 */
#include "pg.h"
#include "auto/hint.h"

namespace cq
{
namespace
{

const char *const kName = "cached_query:";

bool
IsBlank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

HintText
Trimmed(HintText text)
{
	while (text.length > 0 && IsBlank(text.text[0]))
	{
		text.text++;
		text.length--;
	}
	while (text.length > 0 && IsBlank(text.text[text.length - 1]))
		text.length--;
	return text;
}

bool
Is(const HintText &text, const char *word)
{
	return text.length == static_cast<int>(strlen(word)) &&
		   pg_strncasecmp(text.text, word, static_cast<size_t>(text.length)) == 0;
}

/* A number of seconds, or one with a unit as settings have them: 500ms, 5min. */
bool
ReadTtl(Hint *hint, const HintText &value)
{
	constexpr double kLongest = 10.0 * 365 * 86400;
	char text[32];
	double seconds;

	if (value.length >= static_cast<int>(sizeof(text)))
		return false;
	memcpy(text, value.text, static_cast<size_t>(value.length));
	text[value.length] = '\0';
	if (!parse_real(text, &seconds, GUC_UNIT_S, nullptr) || !(seconds <= kLongest))
		return false;
	hint->ttl_us = static_cast<int64>(seconds * USECS_PER_SEC);
	return hint->ttl_us > 0;
}

/* One of the parts between commas. */
bool
ReadPart(Hint *hint, HintText part)
{
	const char *equals =
		static_cast<const char *>(memchr(part.text, '=', static_cast<size_t>(part.length)));
	HintText key;
	HintText value;

	if (equals == nullptr)
	{
		hint->off = hint->off || Is(part, "off");
		hint->exact = hint->exact || Is(part, "exact");
		return Is(part, "off") || Is(part, "exact");
	}
	key = Trimmed({part.text, static_cast<int>(equals - part.text)});
	value = Trimmed({equals + 1, static_cast<int>(part.text + part.length - equals - 1)});
	if (Is(key, "ttl"))
		return ReadTtl(hint, value);
	if (!Is(key, "tag") || value.length == 0 || value.length > kMaxHintTag)
		return false;
	memcpy(hint->tag, value.text, static_cast<size_t>(value.length));
	hint->tag[value.length] = '\0';
	return true;
}

} // namespace

bool
IsHint(const char *comment, int length, HintText *hint)
{
	const int name = static_cast<int>(strlen(kName));
	const HintText inner = Trimmed({comment + 2, length - 4});

	if (length < 4 || inner.length < name ||
		pg_strncasecmp(inner.text, kName, static_cast<size_t>(name)) != 0)
		return false;
	*hint = Trimmed({inner.text + name, inner.length - name});
	return true;
}

Hint
ReadHint(const HintText &text)
{
	Hint hint = {};
	int begin = 0;

	hint.given = text.text != nullptr;
	hint.valid = true;
	for (int at = 0; hint.given && at <= text.length; at++)
	{
		if (at < text.length && text.text[at] != ',')
			continue;
		hint.valid = ReadPart(&hint, Trimmed({text.text + begin, at - begin})) && hint.valid;
		begin = at + 1;
	}
	return hint;
}

void
WarnOfHint(const HintText &text)
{
	static bool warned = false;

	if (!warned)
		ereport(
			WARNING,
			(errmsg("hint for cached_query was not understood: \"%.*s\"", text.length, text.text),
			 errdetail("The statement is run without the cache."),
			 errhint(
				 "A hint is off, exact, ttl=time or tag=name, separated by commas. This is said "
				 "once a session; cached_query_reasons counts it.")));
	warned = true;
}

} // namespace cq
