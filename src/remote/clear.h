/*
 * clear.h
 *		Giving back the memory of everything that is in our namespace in Redis.
 */
#pragma once

#include "pg.h"

namespace cq
{

/*
 * Removes all values, step by step, on each master of a cluster.  False: not all, try again.  For the
 * Redis writer: it takes as long as it takes.
 */
extern bool ClearRedis();

} // namespace cq
