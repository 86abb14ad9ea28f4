/*
 * writer.cpp
 *		Starting the process that writes to Redis (workers/redis_writer.cpp).
 */
#include "pg.h"
#include "remote/writer.h"
#include "remote/queue.h"
#include "redis/client.h"
#include "redis/identity.h"
#include "base/process.h"

namespace cq
{
namespace
{

/* One that was terminated comes again: what is in the queue stays there. */
const workers::Process writer = {"cached_query redis writer", "cached_query_redis_writer_main", 1};

} // namespace

void
InitRedisWriter()
{
	if (redis::Configured() && redis::NamespaceIsGiven())
		workers::StartWithServer(writer);
}

void
EnsureRedisWriter()
{
	if (!RedisWriterMissing())
		return;
	if (!workers::StartNow(writer, static_cast<Datum>(0), nullptr, 0) && NoteNoRedisWriter())
		ereport(LOG, (errmsg("could not start the worker that writes to Redis"),
					  errhint("You might need to increase max_worker_processes.")));
}

} // namespace cq
