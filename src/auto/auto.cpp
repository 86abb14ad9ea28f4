/*
 * auto.cpp
 *		The start of this room: its hooks, its shared memory.
 */
#include "pg.h"
#include "auto/auto.h"
#include "auto/candidates.h"
#include "auto/ghost.h"
#include "auto/known.h"
#include "auto/nesting.h"
#include "auto/node.h"
#include "auto/plan.h"
#include "auto/statement.h"
#include "auto/worth.h"

namespace cq
{

void
InitAuto()
{
	InitStatementEnd();
	InitPlans();
	InitNode();
}

void
AutoRequestShmem()
{
	WorthRequestShmem();
	GhostRequestShmem();
	CandidatesRequestShmem();
}

void
AutoInitShmem()
{
	WorthInitShmem();
	GhostInitShmem();
	CandidatesInitShmem();
}

} // namespace cq
