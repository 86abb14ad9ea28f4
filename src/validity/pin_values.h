/*
 * pin_values.h
 *		The value that a qual compares a key with, if it is the same all over the run.
 *
 * Part of watch.h.
 */
#pragma once

#include "pg.h"

namespace cq
{

struct Watch;

struct PinValue
{
	Datum datum;
	bool null;
};

/*
 * In a plan that has run, and is not yet shut down.  `constants`: numbers of the parameters that its init plans have
 * set once.  False: it is none, or not known to be.  The value lies in the plan, or in the current context.
 */
extern bool ConstantValue(Watch *watch, EState *estate, const Bitmapset *constants, Node *node,
						  PinValue *value);
/* Would it be, if it could be computed?  Nothing is. */
extern bool IsConstantInRun(const Bitmapset *constants, Node *node);

} // namespace cq
