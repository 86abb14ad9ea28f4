/*
 * positions_test.cpp
 *		What is left of a tree's text, and that nothing in a name or string is taken for a field.
 */
#include <cstdio>
#include <string>

#include "query/positions.h"

using namespace cq;

namespace
{

int tests = 0;
int failures = 0;

bool
Append(const char *piece, size_t length, void *arg)
{
	static_cast<std::string *>(arg)->append(piece, length);
	return true;
}

bool
Refuse(const char *, size_t, void *)
{
	return false;
}

std::string
Left(const char *trees)
{
	std::string left;

	return WithoutPositions(trees, Append, &left) ? left : "refused";
}

void
Is(const std::string &got, const std::string &want, const char *name)
{
	printf("%s %d - %s\n", got == want ? "ok" : "not ok", ++tests, name);
	if (got != want)
	{
		printf("#  got: %s\n# want: %s\n", got.c_str(), want.c_str());
		failures++;
	}
}

} // namespace

int
main()
{
	Is(Left("{QUERY :commandType 1 :stmt_location 0 :stmt_len 12}"),
	   "{QUERY :commandType 1 :stmt_location :stmt_len}", "a query's place");
	Is(Left("({CONST :consttype 23 :location 7 :constvalue 4 [ 1 0 0 0 ]} {VAR :location -1})"),
	   "({CONST :consttype 23 :location :constvalue 4 [ 1 0 0 0 ]} {VAR :location})",
	   "nodes' places");
	Is(Left("{A :name_location 77 :x 1}"), "{A :name_location :x 1}", "another place");
	Is(Left("{OPEXPR :opno 96 :opfuncid 65 :opresulttype 16}"),
	   "{OPEXPR :opno 96 :opfuncid :opresulttype 16}", "what follows from opno");
	Is(Left("{A :resno 12 :stmt_len -1 :stmt_length 4}"), "{A :resno 12 :stmt_len :stmt_length 4}",
	   "other numbers stay");
	Is(Left("{A :resname a\\ :location\\ 12 :location 3}"),
	   "{A :resname a\\ :location\\ 12 :location}", "a name that looks like a place");
	Is(Left("{A :resname a\\\\ :location 3}"), "{A :resname a\\\\ :location}",
	   "a name that ends in a backslash");
	Is(Left("{A :resname \\\\\\ :location\\ 5 :x 1}"), "{A :resname \\\\\\ :location\\ 5 :x 1}",
	   "a name of a backslash, a space and the rest");
	Is(Left("(\"a\\ :location\\ 1\" \":location\" \"2\")"),
	   "(\"a\\ :location\\ 1\" \":location\" \"2\")", "strings");
	Is(Left("{A :resname :location :resno 4 :location 4}"),
	   "{A :resname :location :resno 4 :location}", "a name that is the name of a field");
	Is(Left("{A :location <>}"), "{A :location <>}", "no number");
	Is(Left("{A :location 5x}"), "{A :location 5x}", "no number either");
	Is(Left("{A :x {EXTENSIBLENODE :extnodename foreign}}"), "refused", "a node of another module");
	Is(Left("{A :resname EXTENSIBLENODE :y \\{EXTENSIBLENODE}"),
	   "{A :resname EXTENSIBLENODE :y \\{EXTENSIBLENODE}", "... and names like that");
	Is(Left(""), "", "nothing");
	Is(Left("\\"), "\\", "a backslash at the end");
	Is(WithoutPositions("{A :location 1 :x 2}", Refuse, nullptr) ? "done" : "refused", "refused",
	   "no more is wanted");
	printf("1..%d\n", tests);
	return failures > 0;
}
