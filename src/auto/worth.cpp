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

/* Behind spaces and comments; those that begin inside others end too early, which only costs a match. */
const char *
SkipBefore(const char *at, const char *end)
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
			at += 2;
			while (at + 1 < end && !(at[0] == '*' && at[1] == '/'))
				at++;
			at = Min(at + 2, end);
		}
		else
			return at;
	}
}

/* The end without spaces, semicolons, and comments of the form that tools append. */
const char *
SkipBehind(const char *begin, const char *end)
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
		end = at - 1;
	}
}

} // namespace

uint64
HashStatement(const char *source, int location, int length, int *text_length)
{
	const char *begin = source + Max(location, 0);
	const char *end = begin + (length > 0 ? static_cast<size_t>(length) : strlen(begin));

	*text_length = static_cast<int>(end - begin);
	begin = SkipBefore(begin, end);
	end = SkipBehind(begin, end);
	return hash_bytes_extended(reinterpret_cast<const unsigned char *>(begin),
							   static_cast<int>(end - begin), MyDatabaseId) |
		   1;
}

bool
IsWorth(uint64 hash)
{
	return settings::auto_min_time <= 0 || pg_atomic_read_u64(&places.Of(hash >> 1).hash) == hash;
}

void
MarkWorth(uint64 hash)
{
	pg_atomic_uint64 *place = &places.Of(hash >> 1).hash;

	if (pg_atomic_read_u64(place) != hash)
		pg_atomic_write_u64(place, hash);
}

void
UnmarkWorth(uint64 hash)
{
	pg_atomic_uint64 *place = &places.Of(hash >> 1).hash;

	if (pg_atomic_read_u64(place) == hash)
		pg_atomic_write_u64(place, 0);
}

bool
IsSettled(uint64 hash)
{
	return settled[(hash >> 1) % lengthof(settled)] == hash;
}

void
MarkSettled(uint64 hash)
{
	settled[(hash >> 1) % lengthof(settled)] = hash;
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
