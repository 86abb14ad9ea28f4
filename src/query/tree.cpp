/*
 * tree.cpp
 *		What tells one query from another: its analysed and rewritten trees, as a digest.
 *
 * nodeToString() writes all that stored rules need, so all that a query means, and the server's
 * version is in the key: so the same bytes mean the same.
 */
#include "pg.h"
#include "query/positions.h"
#include "query/tree.h"

extern "C" {
#include "common/cryptohash.h"
}

namespace cq
{
namespace
{

/* Types whose input functions know words such as 'today', and what is made of them. */
bool
ShowsMoment(Oid type)
{
	type = getBaseType(type);
	if (OidIsValid(get_element_type(type)))
		return ShowsMoment(get_element_type(type));
	if (type_is_range(type))
		return ShowsMoment(get_range_subtype(type));
	if (type_is_multirange(type))
		return ShowsMoment(get_multirange_range(type));
	switch (type)
	{
	case DATEOID:
	case TIMEOID:
	case TIMETZOID:
	case TIMESTAMPOID:
	case TIMESTAMPTZOID:
		return true;
	default:
		return false;
	}
}

/* Of a copy. */
bool
HideMoments(Node *node, void *arg)
{
	if (node == nullptr)
		return false;
	if (IsA(node, Query))
		return compat::WalkQuery(reinterpret_cast<Query *>(node), HideMoments, arg, 0);
	if (IsA(node, Const))
	{
		Const *constant = reinterpret_cast<Const *>(node);

		if (!constant->constisnull && ShowsMoment(constant->consttype))
		{
			constant->constisnull = true;
			constant->constvalue = 0;
		}
		return false;
	}
	return compat::WalkExpression(node, HideMoments, arg);
}

bool
Update(pg_cryptohash_ctx *hash, const char *bytes, Size length)
{
	return pg_cryptohash_update(hash, reinterpret_cast<const uint8 *>(bytes), length) >= 0;
}

/* In one piece: a call for each would take longer than the rest. */
bool
Append(const char *piece, size_t length, void *arg)
{
	appendBinaryStringInfo(static_cast<StringInfo>(arg), piece, static_cast<int>(length));
	return true;
}

bool
FeedTrees(pg_cryptohash_ctx *hash, List *queries, const Moment &moment)
{
	StringInfoData text;
	ListCell *cell;

	initStringInfo(&text);
	foreach (cell, queries)
	{
		Node *query = static_cast<Node *>(lfirst(cell));

		if (moment.shown)
		{
			query = static_cast<Node *>(copyObjectImpl(query));
			HideMoments(query, nullptr);
		}
		if (!WithoutPositions(nodeToString(query), Append, &text))
			return false;
	}
	/* behind the last tree's end nothing else can stand */
	if (moment.text != nullptr)
		appendStringInfoString(&text, moment.text);
	return Update(hash, text.data, static_cast<Size>(text.len));
}

/* The digest of what it was of and of what `feed` adds. */
template <typename Feed>
bool
Chain(Digest *digest, Feed feed)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "CachedQueryTree", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	bool done;

	if (hash == nullptr)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	done = pg_cryptohash_init(hash) >= 0 &&
		   Update(hash, reinterpret_cast<char *>(digest->bytes), kDigestBytes) && feed(hash) &&
		   pg_cryptohash_final(hash, digest->bytes, kDigestBytes) >= 0;
	pg_cryptohash_free(hash);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return done;
}

} // namespace

bool
DigestTrees(List *queries, const Moment &moment, Digest *digest)
{
	return Chain(digest, [&](pg_cryptohash_ctx *hash) { return FeedTrees(hash, queries, moment); });
}

bool
DigestOids(List *oids, Digest *digest)
{
	return Chain(digest, [&](pg_cryptohash_ctx *hash) {
		ListCell *cell;

		foreach (cell, oids)
		{
			Oid oid = lfirst_oid(cell);

			if (!Update(hash, reinterpret_cast<char *>(&oid), sizeof(oid)))
				return false;
		}
		return true;
	});
}

} // namespace cq
