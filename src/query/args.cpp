/*
 * args.cpp
 *		The arguments $1..$n given with a call, however the client sent them.
 */
#include "pg.h"
#include "query/args.h"
#include "query/catalog.h"

extern "C" {
#include "catalog/pg_language.h"
#include "mb/pg_wchar.h"
#include "nodes/params.h"
#include "utils/array.h"
#include "utils/hsearch.h"
}

namespace cq
{
namespace
{

constexpr int kMaxParamsText = 1024;

/* The parts of a type: each is met once, however often it occurs. */
struct Parts
{
	HTAB *seen;
	bool refused;
	bool lasting;
	bool printable; /* no output function is code of a user's */
};

HTAB *
NewSet()
{
	HASHCTL info = {};

	info.keysize = sizeof(Oid);
	info.entrysize = sizeof(Oid);
	info.hcxt = CurrentMemoryContext;
	return hash_create("cached_query types", 16, &info, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

void JudgePart(Parts *parts, Oid type);

void
JudgeColumns(Parts *parts, Oid type)
{
	TupleDesc desc = lookup_rowtype_tupdesc_copy(type, -1);

	for (int i = 0; i < desc->natts; i++)
	{
		if (!TupleDescAttr(desc, i)->attisdropped)
			JudgePart(parts, TupleDescAttr(desc, i)->atttypid);
	}
	FreeTupleDesc(desc);
}

void
JudgePart(Parts *parts, Oid type)
{
	bool met;
	Oid language;

	CHECK_FOR_INTERRUPTS();
	check_stack_depth();
	hash_search(parts->seen, &type, HASH_ENTER, &met);
	if (met)
		return;
	language = FunctionLanguage(OutputFunction(type, false));
	if (language != INTERNALlanguageId && language != ClanguageId)
		parts->printable = false;
	switch (get_typtype(type))
	{
	case TYPTYPE_BASE:
		if (OidIsValid(get_element_type(type)))
			JudgePart(parts, get_element_type(type));
		break;
	case TYPTYPE_DOMAIN:
		JudgePart(parts, getBaseType(type));
		break;
	case TYPTYPE_RANGE:
		JudgePart(parts, get_range_subtype(type));
		break;
	case TYPTYPE_MULTIRANGE:
		JudgePart(parts, get_multirange_range(type));
		break;
	case TYPTYPE_ENUM:
		break;
	case TYPTYPE_COMPOSITE:
		parts->lasting = false;
		JudgeColumns(parts, type);
		break;
	default: /* a pseudo-type, dropped, or unknown to us */
		parts->refused = true;
	}
}

Parts
PartsOf(Oid type)
{
	Parts parts = {NewSet(), false, true, true};

	JudgePart(&parts, type);
	hash_destroy(parts.seen);
	return parts;
}

/* Nearly always it is one of these. */
bool
IsPlain(Oid type)
{
	switch (type)
	{
	case BOOLOID:
	case INT2OID:
	case INT4OID:
	case INT8OID:
	case FLOAT8OID:
	case NUMERICOID:
	case TEXTOID:
	case VARCHAROID:
	case DATEOID:
	case TIMESTAMPOID:
	case TIMESTAMPTZOID:
	case UUIDOID:
	case JSONBOID:
		return true;
	default:
		return false;
	}
}

void
AppendParam(StringInfo to, const ParamExternData &param)
{
	Oid output;
	bool is_varlena;

	if (param.isnull)
		appendStringInfoString(to, "NULL");
	else if (!IsPlain(param.ptype) && !PartsOf(param.ptype).printable)
		appendStringInfo(to, "<%s>", format_type_be(param.ptype));
	else
	{
		getTypeOutputInfo(param.ptype, &output, &is_varlena);
		appendStringInfoString(to, OidOutputFunctionCall(output, param.value));
	}
}

/* An argument without a type, which is read as the query expects it. */
struct Reading
{
	int number;
	Oid type;
};

/* Such a value was often written by a driver that believes the type to be text. */
void
TellArgument(void *arg)
{
	const Reading *reading = static_cast<Reading *>(arg);
	const char *type = format_type_be(reading->type);

	if (ERRCODE_TO_CATEGORY(geterrcode()) == ERRCODE_DATA_EXCEPTION)
		errhint("Argument $%d was given without a type. If a client sends its value in another "
				"form, cast "
				"the placeholder to %s in the statement, outside of the query text.",
				reading->number, type);
	errcontext("argument $%d of the cached query, read as type %s", reading->number, type);
}

/* The input function is called for NULL, too: a domain may forbid it. */
Datum
ReadArgument(char *text, int number, Oid type)
{
	Reading reading = {number, type};
	ErrorContextCallback context = {error_context_stack, TellArgument, &reading};
	Oid input;
	Oid io_param;
	Datum value;

	getTypeInputInfo(type, &input, &io_param);
	error_context_stack = &context;
	value = OidInputFunctionCall(input, text, io_param, -1);
	error_context_stack = context.previous;
	return value;
}

} // namespace

ParamTraits
TraitsOf(const Oid *types, int count)
{
	ParamTraits traits = {0, true};

	for (int i = 0; i < count; i++)
	{
		Parts parts;

		if (IsPlain(types[i]))
			continue;
		parts = PartsOf(types[i]);
		if (parts.refused && traits.refused == 0)
			traits.refused = i + 1;
		traits.lasting = traits.lasting && parts.lasting;
	}
	return traits;
}

char *
TextOfParams(ParamListInfo params)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < params->numParams && text.len <= kMaxParamsText; i++)
	{
		appendStringInfo(&text, "%s$%d = ", i > 0 ? ", " : "", i + 1);
		AppendParam(&text, params->params[i]);
	}
	if (text.len > kMaxParamsText)
	{
		text.len = pg_mbcliplen(text.data, text.len, kMaxParamsText);
		text.data[text.len] = '\0';
		appendStringInfoString(&text, "..");
	}
	return text.data;
}

Args
ArgsFromArray(Datum datum, bool untyped)
{
	ArrayType *array = DatumGetArrayTypeP(datum);
	Oid element = ARR_ELEMTYPE(array);
	int16 length;
	bool by_value;
	char align;
	Args args;

	if (ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) > kMaxParameters)
		ereport(ERROR, (errcode(ERRCODE_TOO_MANY_ARGUMENTS),
						errmsg("cannot pass more than %d arguments to a query", kMaxParameters),
						errhint("Pass many values as one array: = ANY($1).")));
	get_typlenbyvalalign(element, &length, &by_value, &align);
	deconstruct_array(array, element, length, by_value, align, &args.values, &args.nulls,
					  &args.count);
	args.types = NewArray<Oid>(args.count);
	for (int i = 0; i < args.count; i++)
	{
		args.types[i] = untyped ? UNKNOWNOID : element;
		if (untyped && !args.nulls[i])
			args.values[i] = CStringGetDatum(TextDatumGetCString(args.values[i]));
	}
	return args;
}

ParamListInfo
ParamsFromArgs(const Args &args, const Oid *types)
{
	if (args.count == 0)
		return nullptr;

	ParamListInfo params = makeParamList(args.count);

	for (int i = 0; i < args.count; i++)
	{
		ParamExternData *param = &params->params[i];

		param->ptype = types[i];
		param->pflags = PARAM_FLAG_CONST;
		param->isnull = args.nulls[i];
		param->value = args.values[i];
		if (args.types[i] == UNKNOWNOID)
			param->value = ReadArgument(param->isnull ? nullptr : DatumGetCString(param->value),
										i + 1, types[i]);
	}
	return params;
}

} // namespace cq
