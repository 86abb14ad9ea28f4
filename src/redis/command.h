/*
 * command.h
 *		One command at a time, and what replies to simple ones say.
 */
#pragma once

#include "pg.h"
#include "redis/client.h"

namespace cq::redis
{

/*
 * Runs one command and hands its reply to `take`, if there is one.  True: it was answered, and `take` did
 * not say that it had enough.  What Run() says about errors, repeating and bytes holds here, too.
 */
extern bool RunCommand(Slice route, const Slice *argv, int argc,
					   bool (*take)(void *arg, const Reply &reply) = nullptr, void *arg = nullptr);

/* The number that a string says, not negative; -1: it says none. */
extern int64 NumberIn(const Reply &reply);
/* The answer to TIME, in milliseconds; false: it is none. */
extern bool TimeIn(const Reply &reply, int64 *ms);

} // namespace cq::redis
