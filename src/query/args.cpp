/*
 * args.cpp
 *		The arguments $1..$n given with a call, however the client sent them.
 */
#include "pg.h"
#include "query/args.h"

extern "C" {
#include "nodes/params.h"
#include "utils/array.h"
}

namespace cq
{

Args
ArgsFromArray(Datum datum, bool untyped)
{
	ArrayType *array = DatumGetArrayTypeP(datum);
	Oid element = ARR_ELEMTYPE(array);
	int16 length;
	bool by_value;
	char align;
	Args args;

	get_typlenbyvalalign(element, &length, &by_value, &align);
	deconstruct_array(array, element, length, by_value, align, &args.values, &args.nulls,
					  &args.count);
	args.types = static_cast<Oid *>(palloc(sizeof(Oid) * Max(args.count, 1)));
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
		{
			Oid input;
			Oid io_param;

			/* called for NULL, too: a domain may forbid it */
			getTypeInputInfo(types[i], &input, &io_param);
			param->value = OidInputFunctionCall(
				input, param->isnull ? nullptr : DatumGetCString(param->value), io_param, -1);
		}
	}
	return params;
}

} // namespace cq
