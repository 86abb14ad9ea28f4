/*
 * age.h
 *		How old is what a snapshot shows?
 */
#pragma once

#include "pg.h"
#include "exact/exact.h"

namespace cq
{

/* A moment not later than the one the view shows, as late as can be told. */
extern TimestampTz TimeOf(const exact::View &view, int32 *lag_ms);

} // namespace cq
