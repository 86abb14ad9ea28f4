/*
 * range_pins.h
 *		Which interval of a column the quals of a scan let through, in buckets.
 *
 * Part of watch.h.
 */
#pragma once

#include "pg.h"
#include "exact/tracking.h"
#include "validity/pin_values.h"
#include "validity/scan_quals.h"

extern "C" {
#include "nodes/execnodes.h"
}

namespace cq
{

struct Watch;

/* One scan that has run. */
struct Scan
{
	Watch *watch;
	PlanState *node;
	exact::Tracking tracking; /* a copy: what is computed below may read it anew */
	ScanQuals quals;
	const Bitmapset *constants; /* numbers of parameters */
};

inline bool
ValueOf(const Scan &scan, Node *node, PinValue *value)
{
	return ConstantValue(scan.watch, scan.node->state, scan.constants, node, value);
}

struct Interval
{
	AttrNumber column; /* 0: no qual bounds any */
	bool past;         /* it ends before now, so new rows are outside of it */
	uint32 low;        /* above `high`: no row at all is read */
	uint32 high;
};

/* The one that new rows are outside of, else that of the column that is named first. */
extern Interval BestInterval(const Scan &scan);

} // namespace cq
