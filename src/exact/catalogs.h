/*
 * catalogs.h
 *		System catalogs on which any answer may depend, without its plan telling so.
 *
 * A change in one of these goes to kSlotAllDdl.  They change rarely, so being exact is cheaper than
 * being precise.  Not here, and why:
 *	 - RELOID, ATTNUM, INDEXRELID, RULERELNAME, PARTRELID, FOREIGNTABLEREL, pg_policy, pg_trigger,
 *	   pg_inherits: a relation's definition; its relcache message comes along.
 *	 - CONSTROID: a table's constraint comes with its relcache message, a domain's with a TYPEOID
 *	   message (AlterDomainAddConstraint).  CREATE TEMP TABLE with a primary key writes one.
 *	 - TYPEOID, DATABASEOID: have slots of their own (CatalogSlot).  CREATE TEMP TABLE writes two.
 *	 - STATRELATTINH, STATEXT*: change plans, not answers; ANALYZE writes them.
 *	 - AGGFNOID, RANGETYPE: never without PROCOID or TYPEOID.
 */
#pragma once

#include "pg.h"

extern "C" {
#include "catalog/pg_amop_d.h"
#include "catalog/pg_amproc_d.h"
#include "catalog/pg_auth_members_d.h"
#include "catalog/pg_authid_d.h"
#include "catalog/pg_cast_d.h"
#include "catalog/pg_collation_d.h"
#include "catalog/pg_conversion_d.h"
#include "catalog/pg_enum_d.h"
#include "catalog/pg_foreign_data_wrapper_d.h"
#include "catalog/pg_foreign_server_d.h"
#include "catalog/pg_language_d.h"
#include "catalog/pg_namespace_d.h"
#include "catalog/pg_opclass_d.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_opfamily_d.h"
#include "catalog/pg_transform_d.h"
#include "catalog/pg_ts_config_d.h"
#include "catalog/pg_ts_config_map_d.h"
#include "catalog/pg_ts_dict_d.h"
#include "catalog/pg_ts_parser_d.h"
#include "catalog/pg_ts_template_d.h"
#include "catalog/pg_user_mapping_d.h"
}

namespace cq::exact
{

struct SharedDefinition
{
	int cacheid; // its invalidation messages
	Oid catalog;
};

constexpr SharedDefinition kSharedDefinitions[] = {
	{PROCOID, ProcedureRelationId},
	{OPEROID, OperatorRelationId},
	{AMOPOPID, AccessMethodOperatorRelationId},
	{AMPROCNUM, AccessMethodProcedureRelationId},
	{CLAOID, OperatorClassRelationId},
	{OPFAMILYOID, OperatorFamilyRelationId},
	{CASTSOURCETARGET, CastRelationId},
	{COLLOID, CollationRelationId},
	{CONVOID, ConversionRelationId},
	{ENUMOID, EnumRelationId}, /* RENAME VALUE: no other message */
	{LANGOID, LanguageRelationId},
	{TRFOID, TransformRelationId},
	{NAMESPACEOID, NamespaceRelationId},
	{TSCONFIGOID, TSConfigRelationId},
	{TSCONFIGMAP, TSConfigMapRelationId}, /* ALTER MAPPING: no TSCONFIGOID message */
	{TSDICTOID, TSDictionaryRelationId},
	{TSPARSEROID, TSParserRelationId},
	{TSTEMPLATEOID, TSTemplateRelationId},
	{AUTHOID, AuthIdRelationId},
	{AUTHMEMROLEMEM, AuthMemRelationId},
	{FOREIGNDATAWRAPPEROID, ForeignDataWrapperRelationId},
	{FOREIGNSERVEROID, ForeignServerRelationId},
	{USERMAPPINGOID, UserMappingRelationId},
};

inline bool
IsSharedDefinitionCache(int cacheid)
{
	for (const SharedDefinition &definition : kSharedDefinitions)
	{
		if (definition.cacheid == cacheid)
			return true;
	}
	return false;
}

inline bool
IsSharedDefinitionCatalog(Oid catalog)
{
	for (const SharedDefinition &definition : kSharedDefinitions)
	{
		if (definition.catalog == catalog)
			return true;
	}
	return false;
}

} // namespace cq::exact
