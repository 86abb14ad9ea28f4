/*
 * functions.cpp
 *		What is known of built-in functions beyond their declared volatility.
 *
 * PostgreSQL declares a function STABLE if its result doesn't change within one statement.  For a
 * cache that is not enough: now(), pg_backend_pid() and to_char() are all STABLE.  The lists are by
 * name, all overloads alike, and were made by reading every STABLE function of versions 15 to 18.
 * A STABLE built-in that is in no list counts as `catalog`: fine within a ttl, never exact.
 */
#include "pg.h"
#include "query/functions.h"

extern "C" {
#include "catalog/pg_aggregate.h"
}

namespace cq
{
namespace
{

/* Each list is sorted by strcmp: asked by binary search. */
const char *const time_functions[] = {
	"age",          "date_in",        "now",       "statement_timestamp",  "time_in",
	"timestamp_in", "timestamptz_in", "timetz_in", "transaction_timestamp"};

const char *const session_functions[] = {"current_schemas",
										 "currval",
										 "inet_client_addr",
										 "inet_client_port",
										 "inet_server_addr",
										 "inet_server_port",
										 "lastval",
										 "mxid_age",
										 "pg_backend_pid",
										 "pg_client_encoding",
										 "pg_current_snapshot",
										 "pg_current_xact_id",
										 "pg_current_xact_id_if_assigned",
										 "pg_cursor",
										 "pg_event_trigger_ddl_commands",
										 "pg_event_trigger_dropped_objects",
										 "pg_event_trigger_table_rewrite_oid",
										 "pg_event_trigger_table_rewrite_reason",
										 "pg_is_in_recovery",
										 "pg_is_other_temp_schema",
										 "pg_listening_channels",
										 "pg_my_temp_schema",
										 "pg_prepared_statement",
										 "pg_settings_get_flags",
										 "pg_show_all_settings",
										 "pg_trigger_depth",
										 "system_user",
										 "txid_current",
										 "txid_current_if_assigned",
										 "txid_current_snapshot"};

const char *const role_functions[] = {"current_user",
									  "getpgusername",
									  "has_any_column_privilege",
									  "has_column_privilege",
									  "has_database_privilege",
									  "has_foreign_data_wrapper_privilege",
									  "has_function_privilege",
									  "has_language_privilege",
									  "has_largeobject_privilege",
									  "has_parameter_privilege",
									  "has_schema_privilege",
									  "has_sequence_privilege",
									  "has_server_privilege",
									  "has_table_privilege",
									  "has_tablespace_privilege",
									  "has_type_privilege",
									  "pg_has_role",
									  "row_security_active",
									  "session_user"};

const char *const name_functions[] = {"current_schema",
									  "format_type",
									  "pg_collation_is_visible",
									  "pg_conversion_is_visible",
									  "pg_function_is_visible",
									  "pg_get_constraintdef",
									  "pg_get_expr",
									  "pg_get_functiondef",
									  "pg_get_indexdef",
									  "pg_get_ruledef",
									  "pg_get_viewdef",
									  "pg_input_error_info",
									  "pg_input_is_valid",
									  "pg_opclass_is_visible",
									  "pg_operator_is_visible",
									  "pg_opfamily_is_visible",
									  "pg_statistics_obj_is_visible",
									  "pg_table_is_visible",
									  "pg_ts_config_is_visible",
									  "pg_ts_dict_is_visible",
									  "pg_ts_parser_is_visible",
									  "pg_ts_template_is_visible",
									  "pg_type_is_visible",
									  "pg_typeof",
									  "regclass",
									  "regclassin",
									  "regclassout",
									  "regcollationin",
									  "regcollationout",
									  "regconfigin",
									  "regconfigout",
									  "regdictionaryin",
									  "regdictionaryout",
									  "regnamespacein",
									  "regnamespaceout",
									  "regoperatorin",
									  "regoperatorout",
									  "regoperin",
									  "regoperout",
									  "regprocedurein",
									  "regprocedureout",
									  "regprocin",
									  "regprocout",
									  "regrolein",
									  "regroleout",
									  "regtypein",
									  "regtypeout",
									  "to_regclass",
									  "to_regcollation",
									  "to_regnamespace",
									  "to_regoper",
									  "to_regoperator",
									  "to_regproc",
									  "to_regprocedure",
									  "to_regrole",
									  "to_regtype",
									  "to_regtypemod"};

/*
 * STABLE only because of conversion or of settings in the regional group.  The input functions of
 * date and time types are not here: their argument may be 'today'.
 */
const char *const plain_functions[] = {"anytextcat",
									   "array_in",
									   "array_out",
									   "array_to_json",
									   "array_to_string",
									   "bpcharrecv",
									   "bpcharsend",
									   "cash_in",
									   "cash_out",
									   "concat",
									   "concat_ws",
									   "convert",
									   "convert_from",
									   "convert_to",
									   "current_database",
									   "current_setting",
									   "date",
									   "date_add",
									   "date_cmp_timestamptz",
									   "date_eq_timestamptz",
									   "date_ge_timestamptz",
									   "date_gt_timestamptz",
									   "date_le_timestamptz",
									   "date_lt_timestamptz",
									   "date_ne_timestamptz",
									   "date_out",
									   "date_part",
									   "date_subtract",
									   "date_trunc",
									   "enum_first",
									   "enum_in",
									   "enum_last",
									   "enum_out",
									   "enum_range",
									   "extract",
									   "format",
									   "generate_series",
									   "getdatabaseencoding",
									   "in_range",
									   "interval_in",
									   "interval_out",
									   "interval_pl_timestamptz",
									   "json_agg",
									   "json_agg_strict",
									   "json_agg_strict_transfn",
									   "json_agg_transfn",
									   "json_build_array",
									   "json_build_object",
									   "json_object_agg",
									   "json_object_agg_strict",
									   "json_object_agg_strict_transfn",
									   "json_object_agg_transfn",
									   "json_object_agg_unique",
									   "json_object_agg_unique_strict",
									   "json_object_agg_unique_strict_transfn",
									   "json_object_agg_unique_transfn",
									   "json_populate_record",
									   "json_populate_recordset",
									   "json_to_record",
									   "json_to_recordset",
									   "json_to_tsvector",
									   "jsonb_agg",
									   "jsonb_agg_finalfn",
									   "jsonb_agg_strict",
									   "jsonb_agg_strict_transfn",
									   "jsonb_agg_transfn",
									   "jsonb_build_array",
									   "jsonb_build_object",
									   "jsonb_object_agg",
									   "jsonb_object_agg_finalfn",
									   "jsonb_object_agg_strict",
									   "jsonb_object_agg_strict_transfn",
									   "jsonb_object_agg_transfn",
									   "jsonb_object_agg_unique",
									   "jsonb_object_agg_unique_strict",
									   "jsonb_object_agg_unique_strict_transfn",
									   "jsonb_object_agg_unique_transfn",
									   "jsonb_path_exists_tz",
									   "jsonb_path_match_tz",
									   "jsonb_path_query_array_tz",
									   "jsonb_path_query_first_tz",
									   "jsonb_path_query_tz",
									   "jsonb_populate_record",
									   "jsonb_populate_recordset",
									   "jsonb_to_record",
									   "jsonb_to_recordset",
									   "jsonb_to_tsvector",
									   "length",
									   "make_timestamptz",
									   "money",
									   "multirange_out",
									   "numeric",
									   "overlaps",
									   "phraseto_tsquery",
									   "plainto_tsquery",
									   "quote_literal",
									   "quote_nullable",
									   "range_out",
									   "record_out",
									   "row_to_json",
									   "textanycat",
									   "textrecv",
									   "textsend",
									   "time",
									   "time_out",
									   "timestamp",
									   "timestamp_cmp_timestamptz",
									   "timestamp_eq_timestamptz",
									   "timestamp_ge_timestamptz",
									   "timestamp_gt_timestamptz",
									   "timestamp_le_timestamptz",
									   "timestamp_lt_timestamptz",
									   "timestamp_ne_timestamptz",
									   "timestamp_out",
									   "timestamptz",
									   "timestamptz_cmp_date",
									   "timestamptz_cmp_timestamp",
									   "timestamptz_eq_date",
									   "timestamptz_eq_timestamp",
									   "timestamptz_ge_date",
									   "timestamptz_ge_timestamp",
									   "timestamptz_gt_date",
									   "timestamptz_gt_timestamp",
									   "timestamptz_le_date",
									   "timestamptz_le_timestamp",
									   "timestamptz_lt_date",
									   "timestamptz_lt_timestamp",
									   "timestamptz_mi_interval",
									   "timestamptz_ne_date",
									   "timestamptz_ne_timestamp",
									   "timestamptz_out",
									   "timestamptz_pl_interval",
									   "timetz_out",
									   "timezone",
									   "to_char",
									   "to_date",
									   "to_json",
									   "to_jsonb",
									   "to_number",
									   "to_timestamp",
									   "to_tsquery",
									   "to_tsvector",
									   "ts_headline",
									   "ts_match_tq",
									   "ts_match_tt",
									   "varcharrecv",
									   "varcharsend",
									   "version",
									   "websearch_to_tsquery",
									   "xml",
									   "xml_in",
									   "xml_is_well_formed"};

template <size_t N>
bool
Lists(const char *const (&names)[N], const char *name)
{
	size_t low = 0;
	size_t high = N;

	while (low < high)
	{
		size_t middle = (low + high) / 2;
		int order = strcmp(name, names[middle]);

		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

} // namespace

BuiltinKind
KindOfBuiltin(Oid function, char volatility)
{
	const char *name = get_func_name(function);

	if (name == nullptr || Lists(session_functions, name) ||
		strncmp(name, "pg_stat_get_xact_", 17) == 0)
		return BuiltinKind::session;
	if (volatility == PROVOLATILE_IMMUTABLE)
		return BuiltinKind::plain;
	if (Lists(time_functions, name))
		return BuiltinKind::time;
	if (Lists(role_functions, name))
		return BuiltinKind::role;
	if (Lists(name_functions, name))
		return BuiltinKind::names;
	if (Lists(plain_functions, name))
		return BuiltinKind::plain;
	return BuiltinKind::catalog;
}

void
VisitAggregateParts(Oid aggregate, bool (*visit)(Oid function, void *arg), void *arg)
{
	HeapTuple tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(aggregate));

	if (!HeapTupleIsValid(tuple))
		return;

	Form_pg_aggregate form = reinterpret_cast<Form_pg_aggregate>(GETSTRUCT(tuple));
	const Oid parts[] = {form->aggtransfn,     form->aggfinalfn,    form->aggcombinefn,
						 form->aggserialfn,    form->aggdeserialfn, form->aggmtransfn,
						 form->aggminvtransfn, form->aggmfinalfn};

	ReleaseSysCache(tuple);
	for (Oid part : parts)
	{
		if (OidIsValid(part) && visit(part, arg))
			return;
	}
}

} // namespace cq
