/*
 * hooks.h
 *		PostgreSQL's hooks around statements.
 */
#pragma once

namespace cq
{

/* When all libraries have been loaded: then ours are the outermost. */
extern void HookStatements();

} // namespace cq
