/*
 * trusted.h
 *		What cached_query.trusted_functions and cached_query.trusted_scans name.
 */
#pragma once

#include "pg.h"

namespace cq
{

/* Is this CustomScan of another module named in cached_query.trusted_scans? */
extern bool TrustedScan(const char *name);
/* Is this STABLE function named in cached_query.trusted_functions? */
extern bool TrustedFunction(Oid function);
} // namespace cq
