/*
 * kept.cpp
 *		Is what this session keeps of analysis and planning of now?
 */
#include "pg.h"
#include "query/compiled.h"
#include "query/kept.h"
#include "query/news.h"

#include <utility>

namespace cq
{
namespace
{

uint64 settings_count = 0; /* changes of settings that analysis reads */
uint64 roles_count = 0;    /* changes of the role */

/* When all was forgotten. */
struct
{
	uint64 news;
	uint64 settings;
	uint64 roles;
} forgotten = {};

/* --- settings ------------------------------------------------------------------------------- */

constexpr int kMaxWatched = 96;

struct Watched
{
	struct config_generic *setting;
	void (*next)(); /* the hook that was there, or NULL; of the setting's type */
	uint64 *count;
};

Watched watched[kMaxWatched];
int watched_count = 0;
bool unwatched = false; /* there are more */

inline void
CountIf(const Watched &setting, bool changed)
{
	if (changed)
		(*setting.count)++;
}

bool
SameText(const char *a, const char *b)
{
	return a == b || (a != nullptr && b != nullptr && strcmp(a, b) == 0);
}

/* One hook for each setting and type: an assign hook isn't told of which setting it is. */
template <int N>
void
OnBool(bool value, void *extra)
{
	const Watched &w = watched[N];

	CountIf(w, *CQ_SETTING(bool, w.setting).variable != value);
	if (w.next != nullptr)
		reinterpret_cast<GucBoolAssignHook>(w.next)(value, extra);
}

template <int N>
void
OnInt(int value, void *extra)
{
	const Watched &w = watched[N];

	CountIf(w, *CQ_SETTING(int, w.setting).variable != value);
	if (w.next != nullptr)
		reinterpret_cast<GucIntAssignHook>(w.next)(value, extra);
}

template <int N>
void
OnEnum(int value, void *extra)
{
	const Watched &w = watched[N];

	CountIf(w, *CQ_SETTING(enum, w.setting).variable != value);
	if (w.next != nullptr)
		reinterpret_cast<GucEnumAssignHook>(w.next)(value, extra);
}

template <int N>
void
OnString(const char *value, void *extra)
{
	const Watched &w = watched[N];

	CountIf(w, !SameText(*CQ_SETTING(string, w.setting).variable, value));
	if (w.next != nullptr)
		reinterpret_cast<GucStringAssignHook>(w.next)(value, extra);
}

struct Hooks
{
	GucBoolAssignHook of_bool;
	GucIntAssignHook of_int;
	GucEnumAssignHook of_enum;
	GucStringAssignHook of_string;
};

template <int... N>
const Hooks *
MakeHooks(std::integer_sequence<int, N...>)
{
	static const Hooks hooks[] = {{OnBool<N>, OnInt<N>, OnEnum<N>, OnString<N>}...};

	return hooks;
}

template <typename Hook>
void
Chain(Hook *hook, Hook ours)
{
	watched[watched_count].next = reinterpret_cast<void (*)()>(*hook);
	*hook = ours;
}

/* The server has no assign hook for others, and gives us its record of the setting. */
void
Watch(struct config_generic *setting, uint64 *count)
{
	const Hooks &hooks = MakeHooks(std::make_integer_sequence<int, kMaxWatched>())[watched_count];

	watched[watched_count] = {setting, nullptr, count};
	switch (setting->vartype)
	{
	case PGC_BOOL:
		Chain(&CQ_SETTING(bool, setting).assign_hook, hooks.of_bool);
		break;
	case PGC_INT:
		Chain(&CQ_SETTING(int, setting).assign_hook, hooks.of_int);
		break;
	case PGC_ENUM:
		Chain(&CQ_SETTING(enum, setting).assign_hook, hooks.of_enum);
		break;
	case PGC_STRING:
		Chain(&CQ_SETTING(string, setting).assign_hook, hooks.of_string);
		break;
	case PGC_REAL: /* no value is converted by one */
		return;
	}
	watched_count++;
}

/*
 * Settings of these groups that change no value and no meaning, or whose changes plans notice by
 * themselves.
 */
bool
IsHarmless(const char *name)
{
	static const char *const names[] = {"search_path",
										"row_security",
										"client_min_messages",
										"check_function_bodies",
										"synchronize_seqscans",
										"escape_string_warning",
										"lo_compat_privileges",
										"default_table_access_method",
										"default_tablespace",
										"default_toast_compression",
										"default_with_oids",
										"temp_tablespaces",
										"dynamic_library_path",
										"session_replication_role",
										"transaction_isolation",
										"transaction_read_only",
										"transaction_deferrable",
										"createrole_self_grant",
										"event_triggers"};
	static const char *const prefixes[] = {"default_transaction_", "vacuum_", "gin_", "idle_"};
	static const char *const timeout = "_timeout";
	const Size length = strlen(name);

	for (const char *known : names)
	{
		if (strcmp(name, known) == 0)
			return true;
	}
	for (const char *prefix : prefixes)
	{
		if (strncmp(name, prefix, strlen(prefix)) == 0)
			return true;
	}
	return length > strlen(timeout) && strcmp(name + length - strlen(timeout), timeout) == 0;
}

/* The settings with which values and texts are read and written; a setting that isn't known counts. */
bool
AnalysisReads(const struct config_generic *setting)
{
	switch (setting->group)
	{
	case CLIENT_CONN_STATEMENT:
	case CLIENT_CONN_LOCALE:
	case CLIENT_CONN_OTHER:
	case COMPAT_OPTIONS_PREVIOUS:
		break;
	default:
		if (setting->group != COMPAT_OPTIONS_PREVIOUS + 1) /* of another name in 15 */
			return false;
	}
	return setting->context >= PGC_SIGHUP && !IsHarmless(setting->name);
}

bool
IsRole(const struct config_generic *setting)
{
	return strcmp(setting->name, "role") == 0 ||
		   strcmp(setting->name, "session_authorization") == 0;
}

/* Does it run code of users, or make values that such code checks? */
bool
RunsKept(const Findings &findings)
{
	return findings.functions != NIL || findings.types != NIL || findings.user_function ||
		   findings.everything || findings.unread;
}

} // namespace

bool
KeptOutdated(const Findings &findings, const NameHashes &names)
{
	return RunsKept(findings) && NewsConcern(forgotten.news, names, findings);
}

bool
KeptUnlikeNow(const Findings &findings)
{
	if (findings.fleeting || findings.kept_old)
		return true;
	return RunsKept(findings) && (unwatched || forgotten.settings != settings_count ||
								  (findings.restricted && forgotten.roles != roles_count));
}

uint64
SettingsCount()
{
	return settings_count;
}

bool
AllSettingsWatched()
{
	return !unwatched;
}

void
ForgetKept()
{
	ResetPlanCache();
	ForgetConstraints();
	ForgetCompiled();
	forgotten = {news_count, settings_count, roles_count};
}

void
HookSettings()
{
	int count;
	struct config_generic **variables = compat::GucVariables(&count);

	for (int i = 0; i < count; i++)
	{
		if (watched_count == kMaxWatched)
			unwatched = true;
		else if (IsRole(variables[i]))
			Watch(variables[i], &roles_count);
		else if (AnalysisReads(variables[i]))
			Watch(variables[i], &settings_count);
	}
}

} // namespace cq
