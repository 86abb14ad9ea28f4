/*
 * nesting.cpp
 *		Is a statement the client's own, or one inside a function?
 */
#include "pg.h"
#include "auto/nesting.h"
#include "auto/settings.h"

namespace cq
{
namespace
{

int level = 0;
int explaining = 0;

} // namespace

Deeper
CurrentDepth()
{
	return {level, explaining};
}

void
BeginDeeper(Deeper *deeper)
{
	*deeper = {level, explaining};
	level++;
	explaining = 0;
}

void
BeginExplaining(Deeper *deeper)
{
	*deeper = {level, explaining};
	explaining++;
}

void
EndDeeper(const Deeper &deeper)
{
	level = deeper.level;
	explaining = deeper.explaining;
}

bool
IsOwnLevel()
{
	return level == 0 || settings::auto_nested;
}

bool
IsExplaining()
{
	return explaining > 0;
}

int64
AutoTtl()
{
	return USECS_PER_DAY;
}

} // namespace cq
