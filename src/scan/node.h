/*
 * node.h
 *		The Custom Scan node's methods, for planning and registration.
 */
#pragma once

#include "pg.h"

extern "C" {
#include "nodes/extensible.h"
}

namespace cq
{

extern const CustomScanMethods scan_methods;

struct WireRun;
/* Where a scan of ours at the top of a plan finds its WireRun, if it hands out stored rows as they
 * are and has not begun; else nullptr. */
extern WireRun **WirePlace(PlanState *top);

} // namespace cq
