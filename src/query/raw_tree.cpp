/*
 * raw_tree.cpp
 *		What the raw parse tree of a text tells: words like 'today', and names.
 *
 * Part of walk.h.
 */
#include "pg.h"
#include "query/walk.h"
#include "query/fingerprint.h"
#include "query/functions.h"
#include "settings.h"

extern "C" {
#include "access/nbtree.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "parser/parse_coerce.h"
#include "utils/catcache.h"
#include "utils/varlena.h"
#include "utils/formatting.h"
#include "utils/rel.h"
}

#include <initializer_list>

namespace cq
{

/* --- the raw parse tree --------------------------------------------------------------------- */

bool
IsTimeWord(const char *text)
{
	static const char *const words[] = {"now", "today", "tomorrow", "yesterday"};
	char *lower = asc_tolower(text, strlen(text));
	bool found = false;

	for (const char *word : words)
		found = found || strstr(lower, word) != nullptr;
	pfree(lower);
	return found;
}

namespace
{

bool
WalkTimeWords(Node *node, void *arg)
{
	if (node == nullptr)
		return false;
	if (IsA(node, A_Const))
	{
		A_Const *constant = reinterpret_cast<A_Const *>(node);

		return !constant->isnull && IsA(&constant->val, String) &&
			   IsTimeWord(strVal(&constant->val));
	}
	return compat::WalkRaw(node, WalkTimeWords, arg);
}

} // namespace

void
AddHash(NameHashes *names, int cache, uint32 hash)
{
	if (names->count == names->allocated)
	{
		names->allocated = names->allocated ? names->allocated * 2 : 16;
		names->hashes = static_cast<uint32 *>(
			names->hashes ? repalloc(names->hashes, sizeof(uint32) * names->allocated)
						  : palloc(sizeof(uint32) * names->allocated));
		names->caches = static_cast<int *>(
			names->caches ? repalloc(names->caches, sizeof(int) * names->allocated)
						  : palloc(sizeof(int) * names->allocated));
	}
	names->caches[names->count] = cache;
	names->hashes[names->count++] = hash;
}

namespace
{

void
AddNameIn(NameHashes *names, compat::CacheId cache, const char *name, Oid schema)
{
	AddHash(names, cache,
			GetSysCacheHashValue2(cache, CStringGetDatum(name), ObjectIdGetDatum(schema)));
}

/*
 * A name could come to mean something in each schema of the path, the temporary one included.  If there is
 * none of these yet, it isn't made for that: PostgreSQL's plan cache notices when the path gets one.
 */
void
AddName(NameHashes *names, compat::CacheId cache, const char *name)
{
	Oid some[64];
	Oid *path = some;
	const Oid temporary = TempSchema();
	const int count = fetch_search_path_array(path, lengthof(some));

	if (count > static_cast<int>(lengthof(some)))
	{
		path = NewArray<Oid>(count);
		fetch_search_path_array(path, count);
	}
	for (int i = 0; i < count; i++)
		AddNameIn(names, cache, name, path[i]);
	if (OidIsValid(temporary))
		AddNameIn(names, cache, name, temporary);
	if (path != some)
		pfree(path);
}

bool
WalkNames(Node *node, void *arg)
{
	NameHashes *names = static_cast<NameHashes *>(arg);

	if (node == nullptr)
		return false;
	if (IsA(node, RangeVar) && reinterpret_cast<RangeVar *>(node)->schemaname == nullptr)
		AddName(names, RELNAMENSP, reinterpret_cast<RangeVar *>(node)->relname);
	else if (IsA(node, TypeName) && list_length(reinterpret_cast<TypeName *>(node)->names) == 1)
		AddName(names, TYPENAMENSP, strVal(linitial(reinterpret_cast<TypeName *>(node)->names)));
	else if (IsA(node, FuncCall) && list_length(reinterpret_cast<FuncCall *>(node)->funcname) == 1)
		AddName(names, TYPENAMENSP, strVal(linitial(reinterpret_cast<FuncCall *>(node)->funcname)));
	return compat::WalkRaw(node, WalkNames, arg);
}

/* The text of a part of a qualified name; null: it isn't a name. */
const char *
NamePart(List *names, int part)
{
	Node *node = part < 0 || part >= list_length(names)
					 ? nullptr
					 : static_cast<Node *>(list_nth(names, part));

	return node != nullptr && IsA(node, String) ? strVal(node) : nullptr;
}

/* The last of its parts, in the schema that is the one before, or in the search_path. */
void
NoteLateNames(Findings *f, exact::NameKind kind, List *names)
{
	const char *name = NamePart(names, list_length(names) - 1);
	const char *schema = NamePart(names, list_length(names) - 2);

	if (name != nullptr && kind == exact::NameKind::op)
		name = exact::OperatorName(name);
	if (name != nullptr && schema != nullptr)
		NoteLateNameIn(f, kind, schema, name);
	else if (name != nullptr)
		NoteLateName(f, kind, name);
}

void
NoteLateType(Findings *f, const TypeName *type)
{
	const char *name = NamePart(type->names, list_length(type->names) - 1);

	if (name == nullptr)
		return;
	f->late |= KindsOfNamesIn(name); /* the text of a constant may be a name */
	if (!type->pct_type)
		NoteLateNames(f, exact::NameKind::type, type->names);
	for (int i = 0; type->pct_type && i < list_length(type->names) - 1; i++)
		NoteLateNameIn(f, exact::NameKind::relation, nullptr, strVal(list_nth(type->names, i)));
}

const char *
LastOf(List *names)
{
	return NamePart(names, list_length(names) - 1);
}

/* A column may be a function in disguise, if there is one of this name. */
void
NoteLateColumn(Findings *f, const char *name)
{
	CatCList *list;

	if (name == nullptr)
		return;
	list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
	if (list->n_members > 0)
		NoteLateName(f, exact::NameKind::function, name);
	ReleaseSysCacheList(list);
}

bool
WalkLateNames(Node *node, void *arg)
{
	Findings *f = static_cast<Findings *>(arg);
	const RangeVar *relation;
	List *names;

	if (node == nullptr)
		return false;
	switch (nodeTag(node))
	{
	case T_RangeVar:
		relation = reinterpret_cast<RangeVar *>(node);
		if (relation->schemaname != nullptr)
			NoteLateNameIn(f, exact::NameKind::relation, relation->schemaname, relation->relname);
		else
			NoteLateName(f, exact::NameKind::relation, relation->relname);
		break;
	case T_TypeName:
		NoteLateType(f, reinterpret_cast<TypeName *>(node));
		break;
	case T_FuncCall:
		names = reinterpret_cast<FuncCall *>(node)->funcname;
		NoteLateNames(f, exact::NameKind::function, names);
		NoteLateNames(f, exact::NameKind::type, names);
		break;
	case T_RangeTableSample:
		NoteLateNames(f, exact::NameKind::function,
					  reinterpret_cast<RangeTableSample *>(node)->method);
		break;
	case T_A_Expr:
		NoteLateNames(f, exact::NameKind::op, reinterpret_cast<A_Expr *>(node)->name);
		break;
	case T_SubLink:
		NoteLateNames(f, exact::NameKind::op, reinterpret_cast<SubLink *>(node)->operName);
		break;
	case T_SortBy:
		NoteLateNames(f, exact::NameKind::op, reinterpret_cast<SortBy *>(node)->useOp);
		break;
	case T_CollateClause:
		NoteLateNames(f, exact::NameKind::collation,
					  reinterpret_cast<CollateClause *>(node)->collname);
		break;
	case T_ColumnRef:
		if (list_length(reinterpret_cast<ColumnRef *>(node)->fields) > 1)
			NoteLateColumn(f, LastOf(reinterpret_cast<ColumnRef *>(node)->fields));
		break;
	case T_A_Indirection:
		NoteLateColumn(f, LastOf(reinterpret_cast<A_Indirection *>(node)->indirection));
		break;
	default:
		break;
	}
	return compat::WalkRaw(node, WalkLateNames, arg);
}

} // namespace

bool
HasTimeWord(Node *raw)
{
	return WalkTimeWords(raw, nullptr);
}

void
NoteNameInside(Findings *f, compat::CacheId cache, const char *name)
{
	MemoryContext caller = MemoryContextSwitchTo(f->context);

	if (f->names_inside != nullptr)
		AddName(f->names_inside, cache, name);
	MemoryContextSwitchTo(caller);
}

void
NoteLateSlot(Findings *f, exact::SlotNo slot)
{
	constexpr int kMaxLateNames = 400;

	if ((f->late & exact::kAnyNameKind) == exact::kAnyNameKind ||
		!FirstTime(&f->seen, Thing::name, slot + 1))
		return;
	if (list_length(f->names_late) < kMaxLateNames)
		f->names_late = lappend_int(f->names_late, static_cast<int>(slot));
	else
		f->late |= exact::kAnyNameKind;
}

namespace
{

/* Where a name is looked up as long as it has no schema; not where nobody but its session makes objects, or none. */
bool
IsLookedAt(Oid schema)
{
	return schema != PG_CATALOG_NAMESPACE && !isAnyTempNamespace(schema);
}

/* The schemas of the path by their names: those that there are not, or that are not to be used, may come. */
void
NoteLatePath(Findings *f)
{
	char *path = pstrdup(namespace_search_path);
	List *names;
	ListCell *cell;

	if (!SplitIdentifierString(path, ',', &names))
		f->late |= exact::kAnyNameKind;
	foreach (cell, names)
	{
		const char *name = static_cast<char *>(lfirst(cell));

		if (strcmp(name, "$user") == 0)
			name = GetUserNameFromId(GetUserId(), true);
		if (name != nullptr)
			NoteLateSlot(f,
						 exact::NameSlot(exact::NameKind::schema, MyDatabaseId, InvalidOid, name));
	}
	list_free(names);
	pfree(path);
}

} // namespace

void
NoteLateName(Findings *f, exact::NameKind kind, const char *name)
{
	Oid path[64];
	const int count = fetch_search_path_array(path, lengthof(path));

	if (count > static_cast<int>(lengthof(path)))
		NoteLateSlot(f, exact::NameSlot(kind, MyDatabaseId, InvalidOid, name));
	for (int i = 0; i < Min(count, static_cast<int>(lengthof(path))); i++)
	{
		if (IsLookedAt(path[i]))
			NoteLateSlot(f, exact::NameSlot(kind, MyDatabaseId, path[i], name));
	}
}

void
NoteLateNameIn(Findings *f, exact::NameKind kind, const char *schema, const char *name)
{
	const Oid oid = schema == nullptr ? InvalidOid : get_namespace_oid(schema, true);

	if (schema != nullptr)
		NoteLateSlot(f, exact::NameSlot(exact::NameKind::schema, MyDatabaseId, InvalidOid, schema));
	if (schema == nullptr || (OidIsValid(oid) && IsLookedAt(oid)))
		NoteLateSlot(f, exact::NameSlot(kind, MyDatabaseId, oid, name));
}

void
CollectLateNames(Findings *f, Node *raw)
{
	NoteLatePath(f);
	NoteLateName(f, exact::NameKind::op, "");
	WalkLateNames(raw, f);
}

void
CollectNames(Node *raw, NameHashes *names)
{
	WalkNames(raw, names);
}

} // namespace cq
