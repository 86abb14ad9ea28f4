/*
 * nesting.cpp
 *		Is a statement the client's own, or one inside a function?
 */
#include "pg.h"
#include "auto/nesting.h"
#include "auto/settings.h"

namespace cq
{

Deeper depth = {0, 0};

bool
IsTopLevel()
{
	return depth.level == 0;
}

bool
IsOwnLevel()
{
	return IsTopLevel() || settings::auto_nested;
}

bool
IsExplaining()
{
	return depth.explaining > 0;
}

int64
AutoTtl()
{
	return USECS_PER_DAY;
}

} // namespace cq
