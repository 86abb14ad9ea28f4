/*
 * tap.h
 *		What a unit test prints: a line for each check, and their number at its end.
 */
#pragma once

#include <cstdio>
#include <string>

namespace tap
{

inline int tests = 0;
inline int failures = 0;

inline bool
Ok(bool good, const std::string &name)
{
	printf("%s %d - %s\n", good ? "ok" : "not ok", ++tests, name.c_str());
	failures += !good;
	return good;
}

/* For main() to return. */
inline int
Done()
{
	printf("1..%d\n", tests);
	return failures > 0;
}

} // namespace tap
