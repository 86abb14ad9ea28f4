/*
 * connect.h
 *		Opening a connection: addresses, TLS, password and what the server must say.
 *
 * Part of route.h.
 */
#pragma once

#include "pg.h"
#include "redis/connection.h"

namespace cq::redis
{

extern ExchangeResult RunSetup(Connection *connection, Timeout *timeout);
extern ExchangeResult FromWait(Connection *connection, Waited waited, const char *doing);
/* Up to the point where commands can be sent.  *reached: a server listens at this address. */
extern ExchangeResult Connect(Connection *connection, const Address &address,
							  const Timeout &timeout, bool *reached);
extern ExchangeResult FindAddresses(const Endpoint &endpoint, Address *addresses, int *count);

} // namespace cq::redis
