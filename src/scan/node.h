/*
 * node.h
 *		The Custom Scan node's methods, for planning and registration.
 *
 * Part of scan.h.
 */
#pragma once

#include "pg.h"

extern "C" {
#include "nodes/extensible.h"
}

namespace cq
{

extern const CustomScanMethods scan_methods;

extern void InitScanNode(); // from InitScan()

} // namespace cq
