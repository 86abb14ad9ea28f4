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

/* Takes a piece of the text; false: no more, please. */
using TakePiece = bool (*)(const char *piece, size_t length, void *arg);

/*
 * Hands out what nodeToString() made of trees, but for the numbers that tell where in its text a
 * node stood, and those that are there or not as somebody has walked the tree before (opfuncid, which
 * follows from opno).  False if the trees hold nodes of another module, whose text may leave out
 * anything, or if `take` wants no more.
 */
extern bool WithoutPositions(const char *trees, TakePiece take, void *arg);

} // namespace cq
