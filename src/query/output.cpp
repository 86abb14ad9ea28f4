/*
 * output.cpp
 *		What the text and binary form of a result depends on, besides its values.
 *
 * The output functions of most built-in types read nothing, or one of a few settings.
 *
 * Those of enums, composite types and ranges read catalogs: labels, columns, the subtype.  A result
 * depends on the definition of each type in it, and on all of pg_enum (exact/effects.cpp): a change
 * voids the result, and what was made of it goes with it.  So while the result is good they read what
 * they read at its position, in a session that has taken in the messages sent until then.
 *
 * The output function of an extension's type is believed if it is declared IMMUTABLE, as float8out()
 * is: it may read the settings that PostgreSQL's own read, and its extension's, but nothing else.
 *
 * What remains has no form that can be kept.  regclass and its kin write names as they are found
 * along the search path, where any new object can hide another one; a STABLE function says itself
 * that it reads more than its argument.
 */
#include "pg.h"
#include "query/append.h"
#include "query/catalog.h"
#include "query/fingerprint.h"
#include "query/output.h"

extern "C" {
#include "catalog/pg_conversion.h"
#include "mb/pg_wchar.h"
#include "utils/bytea.h"
#include "utils/float.h"
#include "utils/typcache.h"
#include "utils/xml.h"
}

namespace cq
{
namespace
{

using Reads = uint32;

constexpr Reads kNothing = 0;
constexpr Reads kDateStyle = 1;
constexpr Reads kTimeZone = 2;
constexpr Reads kIntervalStyle = 4;
constexpr Reads kFloatDigits = 8;
constexpr Reads kByteaOutput = 16;
constexpr Reads kMonetary = 32;
constexpr Reads kXml = 64;
constexpr Reads kSettings = 128; /* all of these, and customized ones */
constexpr Reads kUnknown = 256;

/* What a built-in base or range type's output function reads. */
Reads
ReadByBuiltin(Oid type)
{
	switch (type)
	{
	case BOOLOID:
	case CHAROID:
	case NAMEOID:
	case INT2OID:
	case INT4OID:
	case INT8OID:
	case OIDOID:
	case TIDOID:
	case XIDOID:
	case XID8OID:
	case CIDOID:
	case INT2VECTOROID:
	case OIDVECTOROID:
	case TEXTOID:
	case VARCHAROID:
	case BPCHAROID:
	case NUMERICOID:
	case UUIDOID:
	case JSONOID:
	case JSONBOID:
	case JSONPATHOID:
	case INETOID:
	case CIDROID:
	case MACADDROID:
	case MACADDR8OID:
	case BITOID:
	case VARBITOID:
	case TSVECTOROID:
	case TSQUERYOID:
	case PG_LSNOID:
	case PG_SNAPSHOTOID:
	case REFCURSOROID:
	case INT4RANGEOID:
	case INT8RANGEOID:
	case NUMRANGEOID:
	case INT4MULTIRANGEOID:
	case INT8MULTIRANGEOID:
	case NUMMULTIRANGEOID:
		return kNothing;
	case DATEOID:
	case TIMEOID:
	case TIMETZOID:
	case TIMESTAMPOID:
	case DATERANGEOID:
	case TSRANGEOID:
	case DATEMULTIRANGEOID:
	case TSMULTIRANGEOID:
		return kDateStyle;
	case TIMESTAMPTZOID:
	case TSTZRANGEOID:
	case TSTZMULTIRANGEOID:
		return kDateStyle | kTimeZone;
	case INTERVALOID:
		return kIntervalStyle;
	case FLOAT4OID:
	case FLOAT8OID:
	case POINTOID:
	case LSEGOID:
	case PATHOID:
	case BOXOID:
	case POLYGONOID:
	case LINEOID:
	case CIRCLEOID:
		return kFloatDigits;
	case BYTEAOID:
		return kByteaOutput;
	case MONEYOID:
		return kMonetary;
	case XMLOID:
		return kXml;
	default:
		return kUnknown;
	}
}

/* So many types are looked into; whoever nests more has no form. */
constexpr int kMaxTypes = 1000;

Reads ReadBy(Oid type, bool binary, int *left);

/* What record_out() reads by way of the columns. */
Reads
ReadByColumns(Oid type, bool binary, int *left)
{
	TupleDesc desc = lookup_rowtype_tupdesc(type, -1);
	Reads reads = kNothing;

	for (int i = 0; i < desc->natts && !(reads & kUnknown); i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (!column->attisdropped)
			reads |= ReadBy(column->atttypid, binary, left);
	}
	ReleaseTupleDesc(desc);
	return reads;
}

/* A base type may be anybody's. */
Reads
ReadByOthers(Oid type, bool binary)
{
	char volatility = PROVOLATILE_VOLATILE;
	char kind;
	bool has_acl;

	if (type < FirstUnpinnedObjectId)
		return kUnknown;
	FunctionFacts(OutputFunction(type, binary), &volatility, &kind, &has_acl);
	return volatility == PROVOLATILE_IMMUTABLE ? kSettings : kUnknown;
}

/* What any type's does, in text form or binary. */
Reads
ReadBy(Oid type, bool binary, int *left)
{
	Reads reads = ReadByBuiltin(type);

	/* a type's binary form is made for other machines: it has no style */
	if (reads != kUnknown)
		return binary ? kNothing : reads;
	if (--*left < 0)
		return kUnknown;
	check_stack_depth();
	if (getBaseType(type) != type)
		return ReadBy(getBaseType(type), binary, left);
	if (OidIsValid(get_element_type(type)))
		return ReadBy(get_element_type(type), binary, left);
	switch (get_typtype(type))
	{
	case TYPTYPE_ENUM:
		return kNothing;
	case TYPTYPE_COMPOSITE:
		return ReadByColumns(type, binary, left);
	case TYPTYPE_RANGE:
		return ReadBy(get_range_subtype(type), binary, left);
	case TYPTYPE_MULTIRANGE:
		return ReadBy(get_multirange_range(type), binary, left);
	case TYPTYPE_BASE:
		return ReadByOthers(type, binary);
	default:
		return kUnknown;
	}
}

void
AppendWhatIsRead(StringInfo to, Reads reads)
{
	AppendRaw(to, reads);
	if (reads & kSettings)
	{
		AppendRegional(to);
		AppendCustomized(to);
		return;
	}
	if (reads & kDateStyle)
	{
		AppendRaw(to, DateStyle);
		AppendRaw(to, DateOrder);
	}
	if (reads & kTimeZone)
		AppendText(to, pg_get_timezone_name(session_timezone));
	if (reads & kIntervalStyle)
		AppendRaw(to, IntervalStyle);
	if (reads & kFloatDigits)
		AppendRaw(to, extra_float_digits);
	if (reads & kByteaOutput)
		AppendRaw(to, bytea_output);
	if (reads & kMonetary)
		AppendText(to, locale_monetary);
	if (reads & kXml)
	{
		AppendRaw(to, xmlbinary);
		AppendRaw(to, xmloption);
	}
}

/* Is the client's encoding ours, or one that PostgreSQL itself converts to? */
bool
KnownConversion(int client)
{
	int server = GetDatabaseEncoding();
	Oid conversion;

	if (client == server || client == PG_SQL_ASCII || server == PG_SQL_ASCII)
		return true;
	conversion = FindDefaultConversionProc(server, client);
	return OidIsValid(conversion) && conversion < FirstGenbkiObjectId;
}

/* Do both look the same, whatever their values? */
bool
LookAlike(Oid one, Oid other)
{
	const auto is_text = [](Oid type) {
		return type == TEXTOID || type == VARCHAROID || type == BPCHAROID;
	};

	one = getBaseType(one);
	other = getBaseType(other);
	return one == other || (is_text(one) && is_text(other));
}

/*
 * A caller's list may call the values by another type.  What an extension's type reads, the result
 * doesn't depend on then.
 */
Reads
ReadAs(StringInfo to, Oid type, Oid shown, bool binary, int *left)
{
	if (LookAlike(type, shown))
		return ReadBy(type, binary, left);
	if (getBaseType(shown) >= FirstUnpinnedObjectId)
		return kUnknown;
	AppendRaw(to, shown);
	return ReadBy(shown, binary, left);
}

} // namespace

bool
AppendOutputForm(StringInfo to, TupleDesc desc, TupleDesc shown, const int16 *formats)
{
	int client = pg_get_client_encoding();
	Reads reads = kNothing;
	int left = kMaxTypes;

	if (!KnownConversion(client) || desc->natts != shown->natts)
		return false;
	AppendRaw(to, client);
	for (int i = 0; i < desc->natts; i++)
	{
		appendStringInfoCharMacro(to, static_cast<char>(formats[i]));
		reads |= ReadAs(to, TupleDescAttr(desc, i)->atttypid, TupleDescAttr(shown, i)->atttypid,
						formats[i] != 0, &left);
	}
	if (reads & kUnknown)
		return false;
	AppendWhatIsRead(to, reads);
	return true;
}

} // namespace cq
