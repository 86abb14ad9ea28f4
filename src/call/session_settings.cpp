/*
 * session_settings.cpp
 *		The settings of one session, to be restored in another of the same role and database.
 *
 * Nobody relies on this being complete: a worker builds the key of what it is about to run and
 * stops if it is not the key that was asked for.
 */
#include "pg.h"
#include "call/session_settings.h"

extern "C" {
#include "utils/guc_tables.h"
}

namespace cq
{
namespace
{

/* Of the transaction or of the connection, not of the session; or seen by nobody's query. */
bool
IsLeftOut(const struct config_generic *variable)
{
	static const char *const names[] = {
		"role", "session_authorization",  "transaction_isolation", "transaction_read_only",
		"seed", "transaction_deferrable", "application_name",      "is_superuser"};

	if (variable->source < PGC_S_CLIENT || variable->source == PGC_S_OVERRIDE)
		return true;
	if (variable->context != PGC_USERSET && variable->context != PGC_SUSET)
		return true;
	for (const char *name : names)
	{
		if (strcmp(variable->name, name) == 0)
			return true;
	}
	return false;
}

/*
 * Who set it, before its name: what a plain role set in a superuser's session, by a SECURITY DEFINER function, is a plain
 * role's here, too.  PostgreSQL remembers that for settings of modules that are loaded later.
 */
constexpr char kSuperusers = 'S';
constexpr char kAnybodys = 'U';

void
AppendString(StringInfo to, const char *string)
{
	appendBinaryStringInfo(to, string, static_cast<int>(strlen(string)) + 1);
}

} // namespace

void
AppendSessionSettings(StringInfo to)
{
	int count;
	struct config_generic **variables = compat::GucVariables(&count);

	for (int i = 0; i < count; i++)
	{
		const char *value;

		if (IsLeftOut(variables[i]))
			continue;
		value = GetConfigOption(variables[i]->name, true, false);
		if (value == nullptr)
			continue;
		appendStringInfoChar(to, variables[i]->scontext <= PGC_SUSET ? kSuperusers : kAnybodys);
		AppendString(to, variables[i]->name);
		AppendString(to, value);
	}
}

void
RestoreSessionSettings(const char *bytes, uint32 length)
{
	const char *end = bytes + length;

	ResetAllOptions();
	while (bytes < end)
	{
		const bool of_superuser = *bytes == kSuperusers && superuser();
		const char *name = bytes + 1;
		const char *value = name + strlen(name) + 1;

		bytes = value + strlen(value) + 1;
		(void) set_config_option(name, value, of_superuser ? PGC_SUSET : PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SET, true, ERROR, false);
	}
}

} // namespace cq
