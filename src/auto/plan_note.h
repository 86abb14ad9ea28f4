/*
 * plan_note.h
 *		The note that a plan of ours carries.
 *
 * Part of known.h.
 */
#pragma once

#include "pg.h"
#include "auto/plan.h"

namespace cq
{

extern const ExtensibleNodeMethods note_methods;

extern PlanNote *MakeNote(Known *known, int options);
extern uint64 RegionalHash();

} // namespace cq
