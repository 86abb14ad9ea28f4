/*
 * sentinel.h
 *		The master that Redis Sentinel names.
 *
 * Its address is kept by the process until something is wrong with it: a lost connection, a server
 * that is no master (ROLE, asked with each new connection), a READONLY reply.
 *
 * Part of route.h.
 */
#pragma once

#include "pg.h"
#include "redis/connection.h"

namespace cq::redis
{

extern ExchangeResult SentinelMaster(Host *master, Timeout *timeout);
/* Did a sentinel name it? */
extern bool SentinelNamed(const Host &host);
extern void SentinelForget();

} // namespace cq::redis
