/*
 * tree.h
 *		What tells one query from another: its analysed and rewritten trees, as a digest.
 *
 * In the trees everything is resolved that a text leaves open: which relations, functions, operators,
 * types and collations its names mean, what views and policies add, what literals are.  What can't
 * be seen in a tree, but when it is run, is in the findings.
 */
#pragma once

#include "pg.h"

extern "C" {
#include "common/sha2.h"
}

namespace cq
{

constexpr int kDigestBytes = PG_SHA256_DIGEST_LENGTH;

/*
 * SHA-256, since anybody who could make two queries with one digest could give other users his result.
 */
struct Digest
{
	uint8 bytes[kDigestBytes];
};

/* How trees show the moment of their analysis, by literals such as 'today', which were converted then. */
struct Moment
{
	bool shown = false;
	const char *text = nullptr; /* what the literals said, where only that tells */
};

/* Has it many elements, all of them constants?  It is digested in another way then. */
extern bool IsLongList(const ArrayExpr *array);
/*
 * The new digest is that of the old one and the trees.  Literals that show the moment are left out.  A
 * caller that says there is no long list gets another digest for trees that have one.  False: these
 * trees can't have a digest.
 */
extern bool DigestTrees(List *queries, const Moment &moment, bool long_lists, Digest *digest);
/* The same with another digest. */
extern bool DigestDigest(const Digest &other, Digest *digest);
/* The same with OIDs. */
extern bool DigestOids(List *oids, Digest *digest);

} // namespace cq
