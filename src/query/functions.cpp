/*
 * functions.cpp
 *		What is known of built-in functions beyond their declared volatility.
 *
 * PostgreSQL declares a function STABLE if its result doesn't change within one statement, and
 * some are IMMUTABLE although they read a setting.  For a cache that is not enough: now(),
 * pg_backend_pid(), to_char() and float8out() differ in what their results depend on.  So all of
 * them stand on lists, and what is on no list may depend on anything.
 */
#include "pg.h"
#include "query/catalog.h"
#include "query/functions.h"
#include "query/news.h"

extern "C" {
#include "catalog/pg_aggregate.h"
#include "catalog/pg_language.h"
#include "parser/parse_agg.h"
#include "utils/builtins.h"
}

#include <algorithm>
#include <array>

namespace cq
{
namespace
{

/* A function's overloads on one list. */
struct Group
{
	BuiltinList list;
	const char *name;
	std::initializer_list<Oid> oids;
};

constexpr Group groups[] = {
#define CQ_BUILTIN(list, name, ...) {BuiltinList::list, name, {__VA_ARGS__}},
#include "query/builtins.def"
#undef CQ_BUILTIN
};

/* Sorted by OID.  If an OID is another function in a later version, it is listed twice. */
struct Place
{
	uint16 oid;
	uint16 group;
};

constexpr bool
operator<(const Place &a, const Place &b)
{
	return a.oid < b.oid;
}

bool
IsTextSearchType(Oid type)
{
	return type == REGCONFIGOID || type == REGDICTIONARYOID || type == TSVECTOROID ||
		   type == TSQUERYOID;
}

constexpr size_t
CountPlaces()
{
	size_t count = 0;

	for (const Group &group : groups)
		count += group.oids.size();
	return count;
}

constexpr std::array<Place, CountPlaces()>
MakePlaces()
{
	std::array<Place, CountPlaces()> places = {};
	size_t at = 0;

	for (size_t i = 0; i < lengthof(groups); i++)
	{
		for (Oid oid : groups[i].oids)
			places[at++] = {static_cast<uint16>(oid), static_cast<uint16>(i)};
	}
	std::sort(places.begin(), places.end());
	return places;
}

constexpr std::array<Place, CountPlaces()> places = MakePlaces();

/* A superuser may replace a built-in function: then it is in another language, most likely. */
BuiltinList
FindList(Oid function)
{
	const Place wanted = {static_cast<uint16>(function), 0};
	const Oid language = FunctionLanguage(function);
	const char *name = nullptr;

	if (function > PG_UINT16_MAX || (language != INTERNALlanguageId && language != SQLlanguageId))
		return BuiltinList::none;
	for (const Place *place = std::lower_bound(places.begin(), places.end(), wanted);
		 place != places.end() && place->oid == function; place++)
	{
		name = name ? name : get_func_name(function);
		if (name != nullptr && strcmp(name, groups[place->group].name) == 0)
			return groups[place->group].list;
	}
	return BuiltinList::none;
}

/* Those that were asked about, as long as no definition changes. */
struct Asked
{
	Oid function;
	BuiltinList list;
};
constexpr uint32 kAsked = 256;
Asked asked[kAsked];
uint64 asked_at = 0;

} // namespace

BuiltinList
ListOf(Oid function)
{
	Asked &place = asked[function % kAsked];
	const uint64 now = news_count;
	BuiltinList list;

	if (asked_at == now && place.function == function)
		return place.list;
	list = FindList(function);
	if (asked_at != news_count)
	{
		memset(asked, 0, sizeof(asked));
		asked_at = news_count;
	}
	if (now == news_count)
		place = {function, list};
	return list;
}

bool
UsesTextSearch(Oid function)
{
	HeapTuple tuple;
	bool found;

	if (function >= FirstUnpinnedObjectId)
		return false;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	if (!HeapTupleIsValid(tuple))
		return false;

	const Form_pg_proc form = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));

	found = strncmp(NameStr(form->proname), "ts_", 3) == 0 || IsTextSearchType(form->prorettype);
	for (int i = 0; i < form->pronargs; i++)
		found = found || IsTextSearchType(form->proargtypes.values[i]);
	ReleaseSysCache(tuple);
	return found;
}

void
VisitAggregateParts(Oid aggregate, Aggref *call, void (*visit)(Oid function, Node *call, void *arg),
					void *arg)
{
	HeapTuple tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(aggregate));

	if (!HeapTupleIsValid(tuple))
		return;

	Form_pg_aggregate form = reinterpret_cast<Form_pg_aggregate>(GETSTRUCT(tuple));
	const Oid steps[] = {form->aggtransfn, form->aggmtransfn};
	const Oid ends[] = {form->aggfinalfn, form->aggmfinalfn};
	const Oid others[] = {form->aggcombinefn, form->aggserialfn, form->aggdeserialfn,
						  form->aggminvtransfn};
	const int extra_args = form->aggfinalextra ? 1 : 0;
	Oid state = form->aggtranstype;
	Oid inputs[FUNC_MAX_ARGS];
	int count = 0;
	Expr *expr = nullptr;

	ReleaseSysCache(tuple);
	if (call != nullptr)
	{
		count = get_aggregate_argtypes(call, inputs);
		state = resolve_aggregate_transtype(aggregate, state, inputs, count);
	}
	for (Oid function : steps)
	{
		if (!OidIsValid(function))
			continue;
		if (call != nullptr)
			build_aggregate_transfn_expr(inputs, count, list_length(call->aggdirectargs),
										 call->aggvariadic, state, call->inputcollid, function,
										 InvalidOid, &expr, nullptr);
		visit(function, reinterpret_cast<Node *>(expr), arg);
	}
	for (Oid function : ends)
	{
		if (!OidIsValid(function))
			continue;
		if (call != nullptr)
			build_aggregate_finalfn_expr(
				inputs, (extra_args ? count : list_length(call->aggdirectargs)) + 1, state,
				call->aggtype, call->inputcollid, function, &expr);
		visit(function, reinterpret_cast<Node *>(expr), arg);
	}
	for (Oid function : others)
	{
		if (OidIsValid(function))
			visit(function, nullptr, arg);
	}
}

namespace
{

/* The types that an aggregate is called with. */
int
ArgumentTypes(Node *call, Oid *types)
{
	ListCell *cell;
	int count = 0;

	if (call != nullptr && IsA(call, Aggref))
		return get_aggregate_argtypes(reinterpret_cast<Aggref *>(call), types);
	if (call == nullptr || !IsA(call, WindowFunc))
		return 0;
	foreach (cell, reinterpret_cast<WindowFunc *>(call)->args)
	{
		if (count < FUNC_MAX_ARGS)
			types[count++] = exprType(static_cast<Node *>(lfirst(cell)));
	}
	return count;
}

} // namespace

void
VisitInitialValues(Oid aggregate, Node *call, void (*visit)(Oid type, const char *text, void *arg),
				   void *arg)
{
	HeapTuple tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(aggregate));
	Oid inputs[FUNC_MAX_ARGS];
	const int count = ArgumentTypes(call, inputs);

	if (!HeapTupleIsValid(tuple))
		return;

	Form_pg_aggregate form = reinterpret_cast<Form_pg_aggregate>(GETSTRUCT(tuple));
	Oid types[] = {form->aggtranstype, form->aggmtranstype};
	const int columns[] = {Anum_pg_aggregate_agginitval, Anum_pg_aggregate_aggminitval};
	char *texts[lengthof(columns)];

	for (size_t i = 0; i < lengthof(columns); i++)
	{
		bool null;
		Datum value = SysCacheGetAttr(AGGFNOID, tuple, columns[i], &null);

		texts[i] = null ? nullptr : TextDatumGetCString(value);
	}
	ReleaseSysCache(tuple);
	for (size_t i = 0; i < lengthof(columns); i++)
	{
		if (texts[i] == nullptr)
			continue;
		if (count > 0)
			types[i] = resolve_aggregate_transtype(aggregate, types[i], inputs, count);
		visit(types[i], texts[i], arg);
	}
}

} // namespace cq
