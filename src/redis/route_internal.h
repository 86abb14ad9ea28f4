/*
 * route_internal.h
 *		What the finders of servers, cluster and sentinel, need of the router.
 *
 * Part of route.h.
 */
#pragma once

#include "pg.h"
#include "redis/connection.h"

namespace cq::redis
{

/*
 * An exchange over this process's connection to an endpoint, which is opened if there is none and
 * closed if it is not in step afterwards.  *reused: it was an old one.
 */
extern ExchangeResult ExchangeWith(const Endpoint &endpoint, const Pipeline &pipeline, int *next,
								   bool asking, Errors errors, Timeout *timeout, bool *reused);

} // namespace cq::redis
