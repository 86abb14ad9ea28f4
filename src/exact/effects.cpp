/*
 * effects.cpp
 *		What a message for a system cache means: one line for each cache.
 *
 * Part of exact.h.
 */
#include "pg.h"
#include "exact/changed.h"
#include "exact/definitions.h"

extern "C" {
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_auth_members.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_conversion.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_transform.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_ts_config_map.h"
#include "catalog/pg_ts_dict.h"
#include "catalog/pg_ts_parser.h"
#include "catalog/pg_ts_template.h"
#include "catalog/pg_user_mapping.h"
}

namespace cq::exact
{

Effect
EffectOf(int cacheid)
{
	switch (cacheid)
	{
	case PROCOID:
		return Effect::function;
	case TYPEOID:
		return Effect::type;
	case OPEROID:
		return Effect::op;
	case COLLOID:
		return Effect::collation;
	case NAMESPACEOID:
		return Effect::schema;
	case ENUMOID: /* ALTER TYPE .. ADD VALUE and RENAME VALUE send no TYPEOID message */
		return Effect::label;
	case AMOPOPID:
	case AMPROCNUM:
	case CASTSOURCETARGET:
	case CLAOID:
	case LANGOID:
	case TRFOID:
		return Effect::machinery;
	case TSCONFIGMAP: /* ALTER TEXT SEARCH CONFIGURATION .. ALTER MAPPING sends no TSCONFIGOID message */
	case TSCONFIGOID:
	case TSDICTOID:
	case TSPARSEROID:
	case TSTEMPLATEOID:
		return Effect::text_search;
	case FOREIGNDATAWRAPPEROID:
	case FOREIGNSERVEROID:
	case USERMAPPINGOID:
		return Effect::foreign;
	case AUTHOID:
		return Effect::role;
	case AUTHMEMROLEMEM:
		return Effect::membership;
	case DATABASEOID:
		return Effect::database;

	/* other caches of these catalogs */
	case AMOPSTRATEGY:
	case AUTHMEMMEMROLE:
	case AUTHNAME:
	case CLAAMNAMENSP:
	case COLLNAMEENCNSP:
	case CONDEFAULT:
	case CONNAMENSP:
	case ENUMTYPOIDNAME:
	case FOREIGNDATAWRAPPERNAME:
	case FOREIGNSERVERNAME:
	case LANGNAME:
	case NAMESPACENAME:
	case OPERNAMENSP:
	case OPFAMILYAMNAMENSP:
	case PROCNAMEARGSNSP:
	case TRFTYPELANG:
	case TSCONFIGNAMENSP:
	case TSDICTNAMENSP:
	case TSPARSERNAMENSP:
	case TSTEMPLATENAMENSP:
	case TYPENAMENSP:
	case USERMAPPINGUSERSERVER:
	/* a relation's definition: its relcache message comes along */
	case ATTNAME:
	case ATTNUM:
	case CONSTROID:
	case FOREIGNTABLEREL:
	case INDEXRELID:
	case PARTRELID:
	case RELNAMENSP:
	case RELOID:
	case RULERELNAME:
	case SEQRELID:
	/* a function's or type's message comes along */
	case AGGFNOID:
	case RANGEMULTIRANGE:
	case RANGETYPE:
	/* no result depends on them; of an operator family results depend on the members only */
	case OPFAMILYOID:
	case AMNAME:
	case AMOID:
	case DEFACLROLENSPOBJ:
	case EVENTTRIGGERNAME:
	case EVENTTRIGGEROID:
	case PARAMETERACLNAME:
	case PARAMETERACLOID:
	case PUBLICATIONNAME:
	case PUBLICATIONNAMESPACE:
	case PUBLICATIONNAMESPACEMAP:
	case PUBLICATIONOID:
	case PUBLICATIONREL:
	case PUBLICATIONRELMAP:
	case REPLORIGIDENT:
	case REPLORIGNAME:
	case STATEXTDATASTXOID:
	case STATEXTNAMENSP:
	case STATEXTOID:
	case STATRELATTINH:
	case SUBSCRIPTIONNAME:
	case SUBSCRIPTIONOID:
	case SUBSCRIPTIONRELMAP:
	case TABLESPACEOID:
		return Effect::none;
	case CONVOID:
	default:
		return compat::IsExtensionCache(cacheid) ? Effect::none : Effect::everything;
	}
}

Oid
OidOfHash(uint32 h)
{
	h ^= h >> 16;
	h *= 0x7ed1b41dU;
	h ^= h >> 13 ^ h >> 26;
	h *= 0xa5cb9243U;
	h ^= h >> 16;
	return h;
}

bool
IsDefinitionCatalog(Oid catalog)
{
	switch (catalog)
	{
	case AccessMethodOperatorRelationId:
	case AccessMethodProcedureRelationId:
	case AuthIdRelationId:
	case AuthMemRelationId:
	case CastRelationId:
	case CollationRelationId:
	case ConversionRelationId:
	case EnumRelationId:
	case ForeignDataWrapperRelationId:
	case ForeignServerRelationId:
	case LanguageRelationId:
	case NamespaceRelationId:
	case OperatorClassRelationId:
	case OperatorFamilyRelationId:
	case OperatorRelationId:
	case ProcedureRelationId:
	case TransformRelationId:
	case TSConfigMapRelationId:
	case TSConfigRelationId:
	case TSDictionaryRelationId:
	case TSParserRelationId:
	case TSTemplateRelationId:
	case UserMappingRelationId:
		return true;
	default:
		return false;
	}
}

} // namespace cq::exact
