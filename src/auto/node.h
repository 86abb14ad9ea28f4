/*
 * node.h
 *		The Custom Scan on top of a statement's plan.
 */
#pragma once

#include "pg.h"

namespace cq
{

extern void InitNode();

} // namespace cq
