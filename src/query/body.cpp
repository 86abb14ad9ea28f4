/*
 * body.cpp
 *		What the body of a SQL or PL/pgSQL function tells about the answers it takes part in.
 *
 * While a fill runs, hooks see which relations a function reads; which other functions it calls
 * they don't: PL/pgSQL evaluates simple expressions without the executor.  So the text is
 * searched for names followed by a parenthesis, and for the SQL words that are functions without
 * one.  A name counts as every function that has it, in whatever schema: too many rather than too
 * few.  What is put together at run time (EXECUTE) can't be known.  A body in SQL-standard form
 * is kept parsed and is walked like a query.
 */
#include "pg.h"
#include "query/body.h"
#include "query/catalog.h"

extern "C" {
#include "nodes/pg_list.h"
#include "utils/catcache.h"
#include "utils/formatting.h"
}

namespace cq
{
namespace
{

/* A place in a body's text. */
struct Scanner
{
	const char *at;
	Findings *findings;
};

bool
StartsName(char c)
{
	return isalpha(static_cast<unsigned char>(c)) || c == '_' || IS_HIGHBIT_SET(c);
}

bool
ContinuesName(char c)
{
	return StartsName(c) || isdigit(static_cast<unsigned char>(c)) || c == '$';
}

/* Behind white space and comments. */
const char *
SkipSpace(const char *at)
{
	for (;;)
	{
		while (isspace(static_cast<unsigned char>(*at)))
			at++;
		if (at[0] == '-' && at[1] == '-')
			at += strcspn(at, "\n");
		else if (at[0] == '/' && at[1] == '*')
		{
			const char *end = strstr(at + 2, "*/");

			at = end ? end + 2 : at + strlen(at);
		}
		else
			return at;
	}
}

/* A string constant: its content, palloc'd; `at` is the opening quote. */
char *
ReadString(const char **at)
{
	const char *end = *at + 1;
	char *content;

	while (*end != '\0' && *end != '\'')
		end++;
	content = pnstrdup(*at + 1, end - *at - 1);
	*at = *end == '\'' ? end + 1 : end;
	return content;
}

/* Every function with this name. */
void
JudgeNamed(Findings *findings, const char *name)
{
	CatCList *list = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
	List *functions = NIL;
	ListCell *cell;

	for (int i = 0; i < list->n_members; i++)
		functions = lappend_oid(
			functions, reinterpret_cast<Form_pg_proc>(GETSTRUCT(&list->members[i]->tuple))->oid);
	ReleaseSysCacheList(list);
	foreach (cell, functions)
		JudgeCalledInside(findings, lfirst_oid(cell));
}

/* current_setting('x') inside a body: x goes into the key, as it does outside. */
void
JudgeSettingCall(Scanner *scanner)
{
	const char *at = SkipSpace(scanner->at + 1);

	if (*at == '\'')
		scanner->findings->settings = lappend(scanner->findings->settings, ReadString(&at));
	else
		RefuseBoth(scanner->findings, Reason::session_function,
				   pstrdup("current_setting() of a name that is not constant"));
}

/* A name: `at` is behind it. */
void
JudgeName(Scanner *scanner, const char *name)
{
	static const char *const clock_words[] = {"current_date", "current_time", "current_timestamp",
											  "localtime", "localtimestamp"};
	Findings *findings = scanner->findings;

	scanner->at = SkipSpace(scanner->at);
	for (const char *word : clock_words)
	{
		if (strcmp(name, word) == 0)
			NoteClock(findings, pstrdup(name));
	}
	if (strcmp(name, "execute") == 0)
		RefuseExact(findings, Reason::untrusted_function,
					pstrdup("a function inside runs dynamic SQL"));
	if (*scanner->at != '(')
		return;
	if (strcmp(name, "current_setting") == 0)
		JudgeSettingCall(scanner);
	else if (strlen(name) < NAMEDATALEN)
		JudgeNamed(findings, name);
}

void
ScanText(Findings *findings, const char *text)
{
	Scanner scanner = {text, findings};

	for (;;)
	{
		const char *start = scanner.at = SkipSpace(scanner.at);

		if (*start == '\0')
			return;
		if (*start == '\'')
		{
			if (IsTimeWord(ReadString(&scanner.at)))
				NoteClock(findings, pstrdup("a literal such as 'today' or 'now' in a function"));
		}
		else if (*start == '"')
		{
			const char *end = strchr(start + 1, '"');

			scanner.at = end ? end + 1 : start + strlen(start);
			JudgeName(&scanner, pnstrdup(start + 1, (end ? end : scanner.at) - start - 1));
		}
		else if (StartsName(*start))
		{
			while (ContinuesName(*scanner.at))
				scanner.at++;
			JudgeName(&scanner, asc_tolower(start, scanner.at - start));
		}
		else
			scanner.at++;
	}
}

} // namespace

void
JudgeBody(Findings *findings, Oid function)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Datum body;
	bool null;
	char *source;

	if (!HeapTupleIsValid(tuple))
		return;
	body = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosqlbody, &null);
	if (!null)
	{
		source = TextDatumGetCString(body);
		ReleaseSysCache(tuple);
		WalkBody(findings, static_cast<Node *>(stringToNode(source)));
		return;
	}
	body = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &null);
	source = null ? nullptr : TextDatumGetCString(body);
	ReleaseSysCache(tuple);
	if (source != nullptr)
		ScanText(findings, source);
}

} // namespace cq
