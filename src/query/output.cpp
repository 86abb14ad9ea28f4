/*
 * output.cpp
 *		What the text and binary form of a result depends on, besides its values.
 *
 * The output functions of most built-in types read nothing, or one of a few settings.  Of the others
 * some read catalogs (enum labels, the names behind regclass and its kin, the columns of a composite
 * type) and some are anybody's: what they write today says nothing about tomorrow, so they have no
 * form that can be kept.
 */
#include "pg.h"
#include "query/output.h"

extern "C" {
#include "catalog/pg_conversion.h"
#include "mb/pg_wchar.h"
#include "utils/bytea.h"
#include "utils/float.h"
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
constexpr Reads kUnknown = 128;

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

/* The same with arrays and domains of such types. */
Reads
ReadBy(Oid type)
{
	Reads reads = ReadByBuiltin(type);

	if (reads != kUnknown)
		return reads;
	type = getBaseType(type);
	reads = ReadByBuiltin(type);
	if (reads == kUnknown && OidIsValid(get_element_type(type)))
		reads = ReadByBuiltin(getBaseType(get_element_type(type)));
	return reads;
}

template <typename T>
void
AppendRaw(StringInfo to, const T &value)
{
	appendBinaryStringInfo(to, reinterpret_cast<const char *>(&value), sizeof(T));
}

void
AppendText(StringInfo to, const char *text)
{
	appendBinaryStringInfo(to, text, static_cast<int>(strlen(text)) + 1);
}

void
AppendWhatIsRead(StringInfo to, Reads reads)
{
	AppendRaw(to, reads);
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

} // namespace

bool
AppendOutputForm(StringInfo to, TupleDesc desc, const int16 *formats)
{
	int client = pg_get_client_encoding();
	Reads reads = kNothing;

	if (!KnownConversion(client))
		return false;
	AppendRaw(to, client);
	for (int i = 0; i < desc->natts; i++)
	{
		Reads column = ReadBy(TupleDescAttr(desc, i)->atttypid);

		/* a type's binary form is made for other machines: it has no style */
		reads |= formats[i] == 0 ? column : column & kUnknown;
		appendStringInfoCharMacro(to, static_cast<char>(formats[i]));
	}
	if (reads & kUnknown)
		return false;
	AppendWhatIsRead(to, reads);
	return true;
}

} // namespace cq
