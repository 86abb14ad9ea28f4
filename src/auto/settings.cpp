/*
 * settings.cpp
 *		The settings cached_query.auto*: docs/transparent.md has them as a table.
 */
#include "pg.h"
#include "auto/settings.h"

namespace cq
{
namespace settings
{
int automatic = static_cast<int>(Auto::off);
double auto_min_time = 1;
bool auto_nested = false;
bool debug_auto_fill_first = false;
bool debug_auto_hide = false;
bool debug_auto_no_locks = false;
bool debug_auto_no_role = false;
} // namespace settings

namespace
{

const config_enum_entry auto_options[] = {{"off", static_cast<int>(Auto::off), false},
										  {"observe", static_cast<int>(Auto::observe), false},
										  {"hinted", static_cast<int>(Auto::hinted), false},
										  {"exact", static_cast<int>(Auto::exact), false},
										  {"ttl", static_cast<int>(Auto::ttl), false},
										  {nullptr, 0, false}};

void
DefineForTests(const char *name, const char *description, bool *variable)
{
	DefineCustomBoolVariable(name, description, nullptr, variable, false, PGC_SUSET, 0, nullptr,
							 nullptr, nullptr);
}

} // namespace

void
DefineAutoSettings()
{
	constexpr double kDay = 86400e3;

	DefineCustomEnumVariable(
		"cached_query.auto",
		"Which SELECTs are answered from the cache although they don't ask for it.",
		"off: none; observe: none, but cached_query_candidates shows what would be; hinted: those "
		"with a hint in a comment; exact: those "
		"that took cached_query.auto_min_time and whose results can be "
		"exact; ttl: those that took it, with results not older than cached_query.default_ttl.",
		&settings::automatic, static_cast<int>(Auto::off), auto_options, PGC_USERSET, 0, nullptr,
		nullptr, nullptr);
	DefineCustomRealVariable(
		"cached_query.auto_min_time",
		"How long a statement must take before cached_query.auto has to do with it.",
		"0: all do, from their first run on.", &settings::auto_min_time, 1, 0, kDay, PGC_USERSET,
		GUC_UNIT_MS, nullptr, nullptr, nullptr);
	DefineCustomBoolVariable("cached_query.auto_nested",
							 "cached_query.auto applies to statements inside functions, too.",
							 nullptr, &settings::auto_nested, false, PGC_USERSET, 0, nullptr,
							 nullptr, nullptr);
#ifdef CQ_DEBUG
	DefineForTests("cached_query.debug_auto_fill_first",
				   "Tests: what is not in the cache is filled first, and then taken from there.",
				   &settings::debug_auto_fill_first);
	DefineForTests("cached_query.debug_auto_hide",
				   "Tests: statements that are explained are planned without our node.",
				   &settings::debug_auto_hide);
	DefineForTests("cached_query.debug_auto_no_locks",
				   "Tests: hits in REPEATABLE READ don't lock what the query read.",
				   &settings::debug_auto_no_locks);
	DefineForTests("cached_query.debug_auto_no_role", "Tests: leave the role out of keys.",
				   &settings::debug_auto_no_role);
#else
	(void) DefineForTests;
#endif
}

} // namespace cq
