/*
 * release.cpp
 *		Which release of the library this is.
 */
#include "pg.h"
#include "base/release.h"

extern "C" {
#include "common/hashfn.h"
}

#include <climits>

namespace cq
{
namespace
{

int debug_release = 0;

} // namespace

uint64
ReleaseHash()
{
	constexpr char version[] = CACHED_QUERY_VERSION;

	return hash_bytes_extended(reinterpret_cast<const unsigned char *>(version), sizeof(version),
							   static_cast<uint64>(debug_release));
}

#ifdef CQ_DEBUG
void
DefineReleaseDebug()
{
	DefineCustomIntVariable("cached_query.debug_release", "Tests: be another release.", nullptr,
							&debug_release, 0, 0, INT_MAX, PGC_POSTMASTER, 0, nullptr, nullptr,
							nullptr);
}
#endif

} // namespace cq
