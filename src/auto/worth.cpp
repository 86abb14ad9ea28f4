/*
 * worth.cpp
 *		Which statements took so long that answering them from the cache is worth it.
 */
#include "pg.h"
#include "auto/settings.h"
#include "auto/worth.h"
#include "base/hint_table.h"

namespace cq
{
namespace
{

struct Place
{
	pg_atomic_uint64 hash; /* atomic; 0: none */
};

Places<Place, 65536> places;

uint64 settled[1024];

bool
IsSpace(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f';
}

/* What spaces, comments and semicolons begin or end with; most statements have none. */
bool
MayBeSkipped(char c)
{
	return static_cast<unsigned char>(c) <= ' ' || c == ';' || c == '/' || c == '-';
}

/* Skips spaces and comments.  With nested comments it stops too early, which only costs a match. */
const char *
SkipBefore(const char *at, const char *end, HintText *hint)
{
	for (;;)
	{
		while (at < end && IsSpace(*at))
			at++;
		if (end - at >= 2 && at[0] == '-' && at[1] == '-')
		{
			while (at < end && *at != '\n')
				at++;
		}
		else if (end - at >= 4 && at[0] == '/' && at[1] == '*')
		{
			const char *comment = at;

			at += 2;
			while (at + 1 < end && !(at[0] == '*' && at[1] == '/'))
				at++;
			at = Min(at + 2, end);
			if (hint->text == nullptr)
				IsHint(comment, static_cast<int>(at - comment), hint);
		}
		else
			return at;
	}
}

/* Behind the list of options that begins here; the end: it isn't closed. */
const char *
SkipOptions(const char *at, const char *end)
{
	int depth = 0;

	for (; at < end; at++)
	{
		depth += *at == '(' ? 1 : *at == ')' ? -1 : 0;
		if (depth == 0)
			return at + 1;
	}
	return end;
}

/* Does a word of seven letters stand here, which is not the beginning of another? */
bool
IsWord(const char *at, const char *end, const char *word)
{
	return end - at > 7 && pg_strncasecmp(at, word, 7) == 0 &&
		   (IsSpace(at[7]) || at[7] == '(' || at[7] == '/' || at[7] == '-');
}

/*
 * Behind EXPLAIN and its options, so that what is known of a statement is known when it is explained.  From 18 on
 * PostgreSQL tells where it begins.
 */
const char *
SkipExplain(const char *begin, const char *end, HintText *hint)
{
	const char *at = begin;

	if (!IsWord(at, end, "explain"))
		return begin;
	at = SkipBefore(at + 7, end, hint);
	while (IsWord(at, end, "analyze") || IsWord(at, end, "analyse") || IsWord(at, end, "verbose"))
		at = SkipBefore(at + 7, end, hint);
	if (at < end && *at == '(')
	{
		const char *behind = SkipBefore(SkipOptions(at, end), end, hint);

		/* else it is the statement that stands in parentheses */
		at = behind < end ? behind : at;
	}
	return at < end ? at : begin;
}

/* The end without spaces, semicolons, and comments of the form that tools append. */
const char *
SkipBehind(const char *begin, const char *end, HintText *hint)
{
	for (;;)
	{
		const char *at;

		while (end > begin && (IsSpace(end[-1]) || end[-1] == ';'))
			end--;
		if (end - begin < 4 || end[-1] != '/' || end[-2] != '*')
			return end;
		for (at = end - 3; at > begin && !(at[0] == '*' && at[-1] == '/'); at--)
			;
		if (at == begin)
			return end;
		if (hint->text == nullptr)
			IsHint(at - 1, static_cast<int>(end - at + 1), hint);
		end = at - 1;
	}
}

} // namespace

StatementText
ReadStatement(const char *source, int location, int length)
{
	const char *begin = source + Max(location, 0);
	const char *end = begin + (length > 0 ? static_cast<size_t>(length) : strlen(begin));
	StatementText text = {begin, static_cast<int>(end - begin), 0, {}};

	/* from 18 on the statement begins behind the comment */
	if (location > 0)
		SkipBehind(source, begin, &text.hint);
	if (MayBeSkipped(*begin))
		begin = SkipBefore(begin, end, &text.hint);
	if (unlikely((*begin | 0x20) == 'e'))
	{
		const char *inner = SkipExplain(begin, end, &text.hint);

		if (inner != begin)
			text = {inner, static_cast<int>(end - inner), 0, text.hint};
		begin = inner;
	}
	if (end > begin && MayBeSkipped(end[-1]))
		end = SkipBehind(begin, end, &text.hint);
	text.hash = hash_bytes_extended(reinterpret_cast<const unsigned char *>(begin),
									static_cast<int>(end - begin), MyDatabaseId);
	if (unlikely(text.hint.text != nullptr))
		text.hash = hash_bytes_extended(reinterpret_cast<const unsigned char *>(text.hint.text),
										text.hint.length, text.hash);
	text.hash = (text.hash | 1) & ~kHinted;
	if (unlikely(text.hint.text != nullptr))
	{
		const Hint hint = ReadHint(text.hint);

		if (hint.exact || hint.ttl_us > 0)
			text.hash |= kHinted;
	}
	return text;
}

bool
IsWorth(uint64 hash)
{
	if (hash & kHinted)
		return true;
	return settings::auto_min_time <= 0 || pg_atomic_read_u64(&places.Of(hash >> 2).hash) == hash;
}

void
MarkWorth(uint64 hash)
{
	pg_atomic_uint64 *place = &places.Of(hash >> 2).hash;

	if (pg_atomic_read_u64(place) != hash)
		pg_atomic_write_u64(place, hash);
}

void
UnmarkWorth(uint64 hash)
{
	pg_atomic_uint64 *place = &places.Of(hash >> 2).hash;

	if (pg_atomic_read_u64(place) == hash)
		pg_atomic_write_u64(place, 0);
}

namespace
{

/* What can't be exact may do within a ttl, and a rule may be for one role. */
uint64
ForNow(uint64 hash)
{
	const uint64 of_role = hash ^ (static_cast<uint64>(GetUserId()) << 32);

	return settings::automatic == static_cast<int>(Auto::ttl) ? ~of_role : of_role;
}

} // namespace

bool
IsSettled(uint64 hash)
{
	return settled[(hash >> 2) % lengthof(settled)] == ForNow(hash);
}

void
MarkSettled(uint64 hash)
{
	settled[(hash >> 2) % lengthof(settled)] = ForNow(hash);
}

void
ForgetSettled()
{
	memset(settled, 0, sizeof(settled));
}

void
WorthRequestShmem()
{
	places.RequestShmem();
}

void
WorthInitShmem()
{
	places.InitShmem("cached_query slow statements");
}

} // namespace cq
