/*
 * executor.h
 *		The executor's hooks: where statements begin and end.
 */
#pragma once

#include "pg.h"

namespace cq
{

extern void HookExecutor();

} // namespace cq
