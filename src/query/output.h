/*
 * output.h
 *		What the text and binary form of a result depends on, besides its values.
 */
#pragma once

#include "pg.h"

namespace cq
{

/*
 * Appends what decides how values of these columns look to this session's client, one format code a
 * column: formats, encoding, and the settings that the types' output functions read.  `shown` are the
 * columns as the client sees them: their types may be others than those of the stored result, `desc`.
 * False when a type's output can depend on more than that (other objects' names, code of the user's).
 */
extern bool AppendOutputForm(StringInfo to, TupleDesc desc, TupleDesc shown, const int16 *formats);

} // namespace cq
