/*
 * cluster.h
 *		The map of a Redis Cluster: which node has which hash slot.
 *
 * The map belongs to the process.  It is read by CLUSTER SLOTS when it is needed first, when a node
 * failed and, from time to time, after a redirection; MOVED corrects one slot at once.
 *
 * Part of route.h.
 */
#pragma once

#include "pg.h"
#include "redis/connection.h"

namespace cq::redis
{

/* Has a redirection or the URL told that this is a cluster? */
extern bool ClusterIsKnown();
/* The node that has a slot. */
extern ExchangeResult ClusterNode(int slot, Host *node, Timeout *timeout);
/* Did a node that was asked for its map name this one? */
extern bool ClusterHas(const Host &node);
/*
 * A redirection names the owner of a slot.  One that isn't in the map is looked for there again, where
 * servers ask for a password.  false: there is no memory, or there are too many nodes.
 */
extern bool ClusterMoved(int slot, const Host &node);
/* That node failed: read the map anew, from another one if there is one. */
extern void ClusterDoubt(const Host &node);
extern void ClusterForget();

} // namespace cq::redis
