/*
 * positions_test.cpp
 *		What is left of a tree's text, and that nothing in a name or string is taken for a field.
 */
#include <cstdio>
#include <string>

#include "query/positions.h"
#include "tap.h"

using namespace cq;
using tap::Done;
using tap::Ok;

namespace
{

std::string
Left(const char *trees)
{
	std::string text = trees;
	size_t length;

	if (!WithoutPositions(text.data(), &length))
		return "refused";
	return text[length] == '\0' ? text.substr(0, length) : "not terminated";
}

void
Is(const std::string &got, const std::string &want, const char *name)
{
	if (!Ok(got == want, name))
		printf("#  got: %s\n# want: %s\n", got.c_str(), want.c_str());
}

} // namespace

int
main()
{
	Is(Left("{QUERY :commandType 1 :stmt_location 0 :stmt_len 12}"), "{QUERY :1 : :}",
	   "a query's place");
	Is(Left("({CONST :consttype 23 :location 7 :constvalue 4 [ 1 0 0 0 ]} {VAR :location -1})"),
	   "({CONST :23 : :4 [ 1 0 0 0 ]} {VAR :})", "nodes' places");
	Is(Left("{A :name_location 77 :x 1}"), "{A : :1}", "another place");
	Is(Left("{OPEXPR :opno 96 :opfuncid 65 :opresulttype 16}"), "{OPEXPR :96 : :16}",
	   "what follows from opno");
	Is(Left("{A :resno 12 :stmt_len -1 :stmt_length 4}"), "{A :12 : :4}", "other numbers stay");
	Is(Left("{A :resname a\\ :location\\ 12 :location 3}"), "{A :a\\ :location\\ 12 :}",
	   "a name that looks like a place");
	Is(Left("{A :resname a\\\\ :location 3}"), "{A :a\\\\ :}", "a name that ends in a backslash");
	Is(Left("{A :resname \\\\\\ :location\\ 5 :x 1}"), "{A :\\\\\\ :location\\ 5 :1}",
	   "a name of a backslash, a space and the rest");
	Is(Left("(\"a\\ :location\\ 1\" \":location\" \"2\")"),
	   "(\"a\\ :location\\ 1\" \":location\" \"2\")", "strings");
	Is(Left("{A :resname :location :resno 4 :location 4}"), "{A ::location :4 :}",
	   "a name that is the name of a field");
	Is(Left("{A :resname :a :resno :b :location 4}"), "{A ::a ::b :}", "names that look like one");
	Is(Left("{A :a {B :b (\":c\") :d <>} :e ({F :f :g})}"), "{A :{B :(\":c\") :<>} :({F ::g})}",
	   "nodes in nodes");
	Is(Left("{A :location <>}"), "{A :<>}", "no number");
	Is(Left("{A :location 5x}"), "{A :5x}", "no number either");
	Is(Left("{A :x {EXTENSIBLENODE :extnodename foreign}}"), "refused", "a node of another module");
	Is(Left("{A :resname EXTENSIBLENODE :y \\{EXTENSIBLENODE}"),
	   "{A :EXTENSIBLENODE :\\{EXTENSIBLENODE}", "... and names like that");
	Is(Left("{A :x 1 :y}"), "{A :1 :y}", "a name at the end, which there is none");
	Is(Left(""), "", "nothing");
	Is(Left("\\"), "\\", "a backslash at the end");
	return Done();
}
