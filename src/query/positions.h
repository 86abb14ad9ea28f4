/*
 * positions.h
 *		The text of a query tree without what depends on how the query was written down.
 *
 * Leaf code: no backend header, so test/unit/ links it without a server.
 */
#pragma once

#include <cstddef>

namespace cq
{

/*
 * Takes out of what nodeToString() made of trees the numbers that tell where in its text a node
 * stood, those that are there or not as somebody has walked the tree before (opfuncid, which
 * follows from opno), and the names of fields.  False if the trees hold nodes of another module,
 * whose text may leave out anything.
 */
extern bool WithoutPositions(char *trees, size_t *length);

} // namespace cq
