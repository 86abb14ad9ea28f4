/*
 * dismiss.h
 *		Sends refresh workers away from a database that somebody wants for himself.
 */
#pragma once

#include "pg.h"

namespace cq
{

/* Before a utility command runs: is it one of those? */
extern void DismissWorkersFor(Node *command);

} // namespace cq
