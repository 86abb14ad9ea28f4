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
#include "parser/parse_coerce.h"
#include "utils/catcache.h"
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
 * A new object in any schema of the path could capture a name, the temporary schema included.  If the
 * session has none yet, it isn't created for that: PostgreSQL's plan cache notices when the path gets
 * one.
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

/* The last of a qualified name's parts; null: it isn't a name. */
const char *
LastName(List *names)
{
	Node *last = names == NIL ? nullptr : static_cast<Node *>(llast(names));

	return last != nullptr && IsA(last, String) ? strVal(last) : nullptr;
}

void
NoteLateType(Findings *f, const TypeName *type)
{
	const char *name = LastName(type->names);

	if (name == nullptr)
		return;
	if (strncmp(name, "reg", 3) == 0)
		f->late = true; /* the text of a constant may be a name */
	NoteLateName(f, exact::NameKind::type, name);
	for (int i = 0; type->pct_type && i < list_length(type->names) - 1; i++)
		NoteLateName(f, exact::NameKind::relation, strVal(list_nth(type->names, i)));
}

/* If a function has this name, a column reference may be a call of it. */
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

/* Operators and collations are not told apart: see AddLooked() in dependencies.cpp. */
bool
WalkLateNames(Node *node, void *arg)
{
	Findings *f = static_cast<Findings *>(arg);
	const char *name;

	if (node == nullptr)
		return false;
	switch (nodeTag(node))
	{
	case T_RangeVar:
		NoteLateName(f, exact::NameKind::relation, reinterpret_cast<RangeVar *>(node)->relname);
		break;
	case T_TypeName:
		NoteLateType(f, reinterpret_cast<TypeName *>(node));
		break;
	case T_FuncCall:
		name = LastName(reinterpret_cast<FuncCall *>(node)->funcname);
		NoteLateName(f, exact::NameKind::function, name);
		NoteLateName(f, exact::NameKind::type, name);
		break;
	case T_RangeTableSample:
		NoteLateName(f, exact::NameKind::function,
					 LastName(reinterpret_cast<RangeTableSample *>(node)->method));
		break;
	case T_ColumnRef:
		if (list_length(reinterpret_cast<ColumnRef *>(node)->fields) > 1)
			NoteLateColumn(f, LastName(reinterpret_cast<ColumnRef *>(node)->fields));
		break;
	case T_A_Indirection:
		NoteLateColumn(f, LastName(reinterpret_cast<A_Indirection *>(node)->indirection));
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
	constexpr int kMaxLateNames = 200;

	if (f->late || !FirstTime(&f->seen, Thing::name, slot + 1))
		return;
	if (list_length(f->names_late) < kMaxLateNames)
		f->names_late = lappend_int(f->names_late, static_cast<int>(slot));
	else
		f->late = true;
}

void
NoteLateName(Findings *f, exact::NameKind kind, const char *name)
{
	NoteLateSlot(f, exact::NameSlot(kind, MyDatabaseId, name));
}

void
CollectLateNames(Findings *f, Node *raw)
{
	WalkLateNames(raw, f);
}

void
CollectNames(Node *raw, NameHashes *names)
{
	WalkNames(raw, names);
}

} // namespace cq
