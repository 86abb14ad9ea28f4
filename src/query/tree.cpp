/*
 * tree.cpp
 *		What tells one query from another: its analysed and rewritten trees, as a digest.
 *
 * nodeToString() writes everything that stored rules need, and so everything that a query means.  The
 * server's version is in the key.  So two trees with the same bytes mean the same.
 */
#include "pg.h"
#include "query/append.h"
#include "query/positions.h"
#include "query/tree.h"

extern "C" {
#include "common/cryptohash.h"
#include "utils/datum.h"
}

namespace cq
{
namespace
{

/* Types whose input functions know words such as 'today', and types that contain them. */
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

/* All fields but its place. */
void
AppendConst(StringInfo to, const Const *constant)
{
	AppendRaw(to, constant->consttype);
	AppendRaw(to, constant->consttypmod);
	AppendRaw(to, constant->constcollid);
	AppendRaw(to, constant->constlen);
	AppendRaw(to, constant->constbyval);
	AppendRaw(to, constant->constisnull);
	if (constant->constisnull)
		return;
	if (constant->constbyval)
	{
		AppendRaw(to, constant->constvalue);
		return;
	}

	const uint32 size =
		static_cast<uint32>(datumGetSize(constant->constvalue, false, constant->constlen));

	AppendRaw(to, size);
	appendBinaryStringInfo(to, DatumGetPointer(constant->constvalue), static_cast<int>(size));
}

/*
 * Of a copy: takes the constants out of long arrays, since PostgreSQL's text of one is 200 bytes long.
 * Each array that is empty then, or was, is told apart by the number of its elements.
 */
bool
TakeLongLists(Node *node, void *arg)
{
	StringInfo to = static_cast<StringInfo>(arg);
	ListCell *cell;

	if (node == nullptr)
		return false;
	if (IsA(node, Query))
		return compat::WalkQuery(reinterpret_cast<Query *>(node), TakeLongLists, arg, 0);
	if (!IsA(node, ArrayExpr))
		return compat::WalkExpression(node, TakeLongLists, arg);

	ArrayExpr *array = reinterpret_cast<ArrayExpr *>(node);

	if (array->elements != NIL && !IsLongList(array))
		return compat::WalkExpression(node, TakeLongLists, arg);
	/* no text has this byte in it */
	appendStringInfoChar(to, '\0');
	AppendRaw(to, list_length(array->elements));
	foreach (cell, array->elements)
		AppendConst(to, lfirst_node(Const, cell));
	array->elements = NIL;
	return false;
}

/* All in one piece: a call for each would take longer than the rest. */
bool
FeedTrees(pg_cryptohash_ctx *hash, List *queries, const Moment &moment, bool long_lists)
{
	StringInfoData text;
	StringInfoData lists;
	ListCell *cell;

	initStringInfo(&text);
	initStringInfo(&lists);
	foreach (cell, queries)
	{
		Node *query = static_cast<Node *>(lfirst(cell));
		char *piece;
		size_t length;

		if (moment.shown || long_lists)
			query = static_cast<Node *>(copyObjectImpl(query));
		if (moment.shown)
			HideMoments(query, nullptr);
		if (long_lists)
			TakeLongLists(query, &lists);
		piece = nodeToString(query);
		if (!WithoutPositions(piece, &length))
			return false;
		appendBinaryStringInfo(&text, piece, static_cast<int>(length));
	}
	/* behind the last tree's end nothing else can stand */
	appendBinaryStringInfo(&text, lists.data, lists.len);
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
IsLongList(const ArrayExpr *array)
{
	constexpr int kLong = 16;
	ListCell *cell;

	if (list_length(array->elements) < kLong)
		return false;
	foreach (cell, array->elements)
	{
		if (!IsA(lfirst(cell), Const))
			return false;
	}
	return true;
}

bool
DigestTrees(List *queries, const Moment &moment, bool long_lists, Digest *digest)
{
	return Chain(digest, [&](pg_cryptohash_ctx *hash) {
		return FeedTrees(hash, queries, moment, long_lists);
	});
}

bool
DigestDigest(const Digest &other, Digest *digest)
{
	return Chain(digest, [&](pg_cryptohash_ctx *hash) {
		return Update(hash, reinterpret_cast<const char *>(other.bytes), kDigestBytes);
	});
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
