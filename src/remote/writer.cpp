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
void
InitRedisWriter()
{
	if (redis::Configured() && redis::NamespaceIsGiven())
		workers::StartWithServer(workers::kRedisWriter);
}

void
EnsureRedisWriter()
{
	if (!RedisWriterMissing())
		return;
	if (!workers::StartNow(workers::kRedisWriter, static_cast<Datum>(0), nullptr, 0) &&
		NoteNoRedisWriter())
		ereport(LOG, (errmsg("could not start the worker that writes to Redis"),
					  errhint("You might need to increase max_worker_processes.")));
}

} // namespace cq
