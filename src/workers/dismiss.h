/*
 * dismiss.h
 *		Sends refresh workers away from a database that somebody wants for himself.
 */
#pragma once

#include "pg.h"

namespace cq
{

extern void InitDismissal(); // from _PG_init

} // namespace cq
