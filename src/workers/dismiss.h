/*
 * dismiss.h
 *		Ends refresh workers in a database that a command needs for itself.
 */
#pragma once

#include "pg.h"

namespace cq
{

/* Before any utility command runs; it does nothing for other commands. */
extern void DismissWorkersFor(Node *command);

} // namespace cq
