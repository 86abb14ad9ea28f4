/*
 * compiled.cpp
 *		Functions of PL/pgSQL as this session has compiled them, with the types that their declarations mean now.
 */
#include "pg.h"
#include "query/walk.h"
#include "query/catalog.h"
#include "query/compiled.h"
#include "query/fingerprint.h"

extern "C" {
#include "parser/scanner.h"
#include "utils/hsearch.h"
}

namespace cq
{
namespace
{

/*
 * A compiled function that was met.  PL/pgSQL never frees this struct, since calls may still point to
 * it.  It uses it for another function only after the old one was freed.
 */
struct Met
{
	PLpgSQL_function *function; /* the key */
	uint64 path;                /* what names were looked up with, as a hash; 0: unknown */
	bool stuck;                 /* it was to be forgotten while it ran */
};

HTAB *met = nullptr;
uint64 compiled_count = 0;

uint64
PathNow()
{
	StringInfoData bytes;
	uint64 hash;

	initStringInfo(&bytes);
	AppendSearchPath(&bytes);
	AppendSetting(&bytes, "plpgsql.variable_conflict");
	hash = hash_bytes_extended(reinterpret_cast<const unsigned char *>(bytes.data), bytes.len, 0);
	pfree(bytes.data);
	return hash == 0 ? 1 : hash;
}

Met *
FindMet(PLpgSQL_function *function, HASHACTION action)
{
	HASHCTL control = {};

	if (met == nullptr)
	{
		control.keysize = sizeof(PLpgSQL_function *);
		control.entrysize = sizeof(Met);
		met = hash_create("cached_query compiled functions", 64, &control, HASH_ELEM | HASH_BLOBS);
	}
	return static_cast<Met *>(hash_search(met, &function, action, nullptr));
}

PLpgSQL_function *
CompileAsIs(Oid function, FuncExpr *call)
{
	LOCAL_FCINFO(fcinfo, 0);
	FmgrInfo info = {};

	info.fn_oid = function;
	info.fn_mcxt = CurrentMemoryContext;
	info.fn_expr = reinterpret_cast<decltype(info.fn_expr)>(call);
	InitFunctionCallInfoData(*fcinfo, &info, 0, call ? call->inputcollid : InvalidOid, nullptr,
							 nullptr);
	return LoadPlpgsql().compile(fcinfo, false);
}

/*
 * The next call compiles it again.  Not while it runs: PL/pgSQL would then keep the old one beside the
 * new one for ever.
 */
bool
Forget(PLpgSQL_function *function)
{
	if (compat::IsRunning(function))
		return false;
	*compat::CompiledBy(function) = InvalidTransactionId;
	return true;
}

/* --- declarations --------------------------------------------------------------------------- */

/* The first token of PostgreSQL's scanner; PL/pgSQL relies on it, too. */
constexpr int kIdent = 258;

/* Names with dots between them, the last ones. */
struct Dotted
{
	const char *names[3];
	int count;
	bool open; /* a name may follow */
};

void
AddPart(Dotted *dotted, const char *name)
{
	if (!dotted->open || dotted->count == 3)
		dotted->count = 0;
	dotted->names[dotted->count++] = name;
	dotted->open = false;
}

/* schema.relation%ROWTYPE, relation%ROWTYPE, schema.relation.column%TYPE, relation.column%TYPE. */
void
NoteReference(Findings *f, const Dotted &dotted, bool of_row)
{
	const int at = dotted.count - (of_row ? 1 : 2);
	Oid relation;
	RangeVar *name;

	if (at < 0)
		return; /* the type of another variable */

	MemoryContext caller = MemoryContextSwitchTo(f->context);

	NoteLateName(f, exact::NameKind::relation, dotted.names[at]);
	MemoryContextSwitchTo(caller);
	if (at == 0)
		NoteNameInside(f, RELNAMENSP, dotted.names[at]);
	name = makeRangeVar(at > 0 ? pstrdup(dotted.names[at - 1]) : nullptr, pstrdup(dotted.names[at]),
						-1);
	relation = RangeVarGetRelid(name, NoLock, true);
	if (OidIsValid(relation))
		NoteDescribed(f, relation);
}

/*
 * Found by PostgreSQL's scanner, as PL/pgSQL reads the body: a word in a string or comment does not
 * count.
 */
void
NoteReferences(Findings *f, const char *source)
{
	const int keywords = ScanKeywords.num_keywords;
	uint16 *codes = NewZeroedArray<uint16>(keywords);
	core_yy_extra_type extra;
	core_YYSTYPE value = {};
	YYLTYPE location;
	core_yyscan_t scanner;
	Dotted dotted = {};
	bool percent = false;

	/* a keyword may be a name */
	for (int i = 0; i < keywords; i++)
		codes[i] = PG_UINT16_MAX;
	scanner = scanner_init(source, &extra, &ScanKeywords, codes);
	for (int token; (token = core_yylex(&value, &location, scanner)) != 0;)
	{
		const char *name = token == kIdent          ? value.str
						   : token == PG_UINT16_MAX ? value.keyword
													: nullptr;

		CHECK_FOR_INTERRUPTS();
		if (name != nullptr && percent)
		{
			if (strcmp(name, "type") == 0 || strcmp(name, "rowtype") == 0)
				NoteReference(f, dotted, name[0] == 'r');
			dotted = {};
		}
		else if (name != nullptr)
			AddPart(&dotted, name);
		else
			dotted.open = token == '.' && dotted.count > 0;
		percent = token == '%' && dotted.count > 0;
		if (name == nullptr && token != '.' && token != '%')
			dotted = {};
	}
	scanner_finish(scanner);
}

/* A new type may take its name. */
void
NoteTypeName(Findings *f, Oid type)
{
	const Oid element = get_element_type(type);

	NoteNameInside(f, TYPENAMENSP, NameOfType(OidIsValid(element) ? element : type));
}

} // namespace

const Plpgsql &
LoadPlpgsql()
{
	static Plpgsql library = {};
	static const char *const file = "$libdir/plpgsql";

	if (library.parser_setup == nullptr)
	{
		library.compile = reinterpret_cast<decltype(library.compile)>(
			load_external_function(file, "plpgsql_compile", true, nullptr));
		library.parser_setup = reinterpret_cast<decltype(library.parser_setup)>(
			load_external_function(file, "plpgsql_parser_setup", true, nullptr));
	}
	return library;
}

PLpgSQL_function *
Compile(Findings *f, Oid function, FuncExpr *call)
{
	const uint64 path = PathNow();
	PLpgSQL_function *compiled = CompileAsIs(function, call);
	Met *known = FindMet(compiled, HASH_FIND);

	if (known != nullptr && !known->stuck && (known->path == path || f->at_run))
		return compiled;
	compiled_count++;
	if (f->at_run || !Forget(compiled))
		f->kept_old = true;
	if (Forget(compiled))
		compiled = CompileAsIs(function, call);
	known = FindMet(compiled, HASH_ENTER);
	known->path = path;
	known->stuck = compat::IsRunning(compiled);
	return compiled;
}

uint64
CompiledCount()
{
	return compiled_count;
}

void
ForgetCompiled()
{
	HASH_SEQ_STATUS scan;

	compiled_count++;
	if (met == nullptr)
		return;
	hash_seq_init(&scan, met);
	while (Met *one = static_cast<Met *>(hash_seq_search(&scan)))
	{
		one->stuck = !Forget(one->function);
		one->path = 0;
	}
}

void
NoteDeclarations(Findings *f, const PLpgSQL_function *compiled, const char *source)
{
	for (int i = 0; i < compiled->ndatums; i++)
	{
		const PLpgSQL_datum *datum = compiled->datums[i];

		if (datum->dtype == PLPGSQL_DTYPE_VAR)
			NoteTypeName(f, reinterpret_cast<const PLpgSQL_var *>(datum)->datatype->typoid);
		else if (datum->dtype == PLPGSQL_DTYPE_REC &&
				 reinterpret_cast<const PLpgSQL_rec *>(datum)->rectypeid != RECORDOID)
			NoteTypeName(f, reinterpret_cast<const PLpgSQL_rec *>(datum)->rectypeid);
	}
	NoteReferences(f, source);
}

} // namespace cq
