/*
 * hint.h
 *		Hints in a comment before or behind a statement: cached_query: ttl=60s, tag=report
 *
 * The comment is one of the form that ORMs write, with the name of the extension at its beginning. The text
 * is looked at only if it begins or ends with such a comment.
 */
#pragma once

#include "pg.h"

namespace cq
{

/* Where the hint stands, without the name; no text: there is none. */
struct HintText
{
	const char *text;
	int length;
};

constexpr int kMaxHintTag = 256; /* as cached_query.tag */

struct Hint
{
	bool given;
	bool valid;   /* all of it was understood */
	bool off;     /* leave the statement alone */
	bool exact;   /* it is a candidate, even if it is fast */
	int64 ttl_us; /* the same, and its results may be so old; 0: not said */
	char tag[kMaxHintTag + 1];
};

/* Does a comment begin with a hint?  The comment is given with its marks. */
extern bool IsHint(const char *comment, int length, HintText *hint);
extern Hint ReadHint(const HintText &text);
/* Logged once in a session. */
extern void WarnOfHint(const HintText &text);

} // namespace cq
