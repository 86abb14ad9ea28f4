/*
 * append.h
 *		Values as bytes, for keys and digests: the same value always gives the same bytes.
 */
#pragma once

#include "pg.h"

#include <type_traits>

namespace cq
{

/* A value without padding, whose bytes would be anything. */
template <typename T>
void
AppendRaw(StringInfo to, const T &value)
{
	static_assert(std::has_unique_object_representations_v<T>);
	appendBinaryStringInfo(to, reinterpret_cast<const char *>(&value), sizeof(T));
}

/* A string with its length, so that no two sequences of strings have the same bytes; NULL has one, too. */
inline void
AppendText(StringInfo to, const char *text)
{
	const int32 length = text != nullptr ? static_cast<int32>(strlen(text)) : -1;

	AppendRaw(to, length);
	if (length > 0)
		appendBinaryStringInfo(to, text, length);
}

} // namespace cq
