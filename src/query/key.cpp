/*
 * key.cpp
 *		The key of an entry: building it, and reading it back for the views.
 */
#include "pg.h"
#include "query/append.h"
#include "query/fingerprint.h"
#include "query/key.h"

extern "C" {
#include "access/detoast.h"
#include "common/hashfn.h"
}

namespace cq
{
namespace
{

constexpr uint16 kKeyVersion = 2;

/* Variable parts that a key has. */
constexpr uint32 kPartRole = 1;
constexpr uint32 kPartSessionRole = 2;
constexpr uint32 kPartSearchPath = 4;
constexpr uint32 kPartRegional = 8;
constexpr uint32 kPartCustomized = 16;
constexpr uint32 kPartEverything = 32;
constexpr uint32 kPartNames = 64; /* the search path, in documents */
constexpr uint32 kPartTempSchema = 256;
constexpr uint32 kPartMoment =
	128; /* some literals depend on the time: the digest has their text */

struct Head
{
	uint16 version;
	uint8 shape;
	uint8 automatic;
	Oid database;
	uint32 server;
	uint32 parse_flags;
	uint32 parts;
	uint32 settings; /* how many named ones */
	int32 param_count;
	uint32 values_offset; /* where parameter values begin; the settings are between */
	Digest digest;
};

/* How many bytes AppendValue() would append, without reading what is stored elsewhere. */
Size
ValueBytes(const ParamForm &form, const ParamExternData &param)
{
	if (param.isnull)
		return sizeof(int32);
	if (form.by_value)
		return sizeof(int32) + sizeof(Datum);
	return sizeof(int32) + (form.length == -1 ? toast_raw_datum_size(param.value) - VARHDRSZ
											  : static_cast<Size>(form.length));
}

/*
 * The bytes of a value, with their length.  Equal values may have unequal bytes (1.0 and 1.00):
 * that costs a miss, and keeps apart what the query can tell apart.  There are no C strings: their
 * types are pseudo-types.
 */
void
AppendValue(StringInfo to, const ParamForm &form, const ParamExternData &param)
{
	CqAssert(form.length != -2);
	if (param.isnull)
		AppendRaw(to, static_cast<int32>(-1));
	else if (form.by_value)
	{
		AppendRaw(to, static_cast<int32>(sizeof(Datum)));
		AppendRaw(to, param.value);
	}
	else if (form.length == -1)
	{
		varlena *value = PG_DETOAST_DATUM_PACKED(param.value);

		AppendRaw(to, static_cast<int32>(VARSIZE_ANY_EXHDR(value)));
		appendBinaryStringInfo(to, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
	}
	else
	{
		AppendRaw(to, static_cast<int32>(form.length));
		appendBinaryStringInfo(to, DatumGetPointer(param.value), form.length);
	}
}

void
AppendSettings(StringInfo to, const Findings &findings, Shape shape)
{
	ListCell *cell;

	if (findings.role)
		AppendRaw(to, GetUserId());
	if (findings.session_role)
		AppendRaw(to, GetSessionUserId());
	if (findings.search_path || (shape == Shape::json && findings.name_values))
		AppendSearchPath(to);
	if (findings.temp_schema || findings.everything)
		AppendRaw(to, TempSchema());
	if (findings.regional || shape == Shape::json)
		AppendRegional(to);
	foreach (cell, findings.settings)
	{
		const char *name = static_cast<char *>(lfirst(cell));

		appendBinaryStringInfo(to, name, static_cast<int>(strlen(name)) + 1);
		AppendSetting(to, name);
	}
	if (findings.everything)
		AppendAllSettings(to);
	else if (findings.customized)
		AppendCustomized(to);
}

uint64
HashBytes(const char *bytes, int length, uint64 seed)
{
	return hash_bytes_extended(reinterpret_cast<const unsigned char *>(bytes), length, seed);
}

} // namespace

void
BuildKeyPrefix(Examined *query, uint32 parse_flags)
{
	const Findings &f = query->findings;
	StringInfo key = &query->key_prefix;
	Head head = {};

	static_assert(sizeof(Head) == 32 + kDigestBytes); /* no padding: it is compared as bytes */
	head.version = kKeyVersion;
	head.shape = static_cast<uint8>(Shape::rows);
	head.automatic = query->automatic;
	head.database = MyDatabaseId;
	head.server = PG_VERSION_NUM;
	head.parse_flags = parse_flags;
	head.parts = (f.role ? kPartRole : 0) | (f.session_role ? kPartSessionRole : 0) |
				 (f.search_path ? kPartSearchPath : 0) | (f.regional ? kPartRegional : 0) |
				 (f.customized ? kPartCustomized : 0) | (f.everything ? kPartEverything : 0) |
				 (f.name_values ? kPartNames : 0) | (f.time_literal ? kPartMoment : 0) |
				 (f.temp_schema ? kPartTempSchema : 0);
	head.settings = static_cast<uint32>(list_length(f.settings));
	head.param_count = query->param_count;
	head.digest = query->digest;

	initStringInfo(key);
	AppendRaw(key, head);
	appendBinaryStringInfo(key, reinterpret_cast<char *>(query->params),
						   static_cast<int>(sizeof(Oid)) * query->param_count);
	reinterpret_cast<Head *>(key->data)->values_offset = key->len;

	query->prefix_hash = HashBytes(key->data, key->len, 0);
	query->key_is_of_query = f.settings == NIL && (head.parts & ~(kPartNames | kPartMoment)) == 0;
	query->key_is_constant = query->key_is_of_query && query->param_count == 0;
}

namespace
{

/* The buffer that keys are made in.  What one long key took is given back with the next. */
StringInfo
EmptyBuffer()
{
	constexpr int kUsual = 8192;
	static StringInfoData buffer = {};

	if (buffer.maxlen > kUsual)
	{
		pfree(buffer.data);
		buffer = {};
	}
	if (buffer.data == nullptr)
	{
		MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);

		initStringInfo(&buffer);
		MemoryContextSwitchTo(caller);
	}
	resetStringInfo(&buffer);
	return &buffer;
}

/* False: longer than a key may be. */
bool
AppendValues(StringInfo to, const Examined &query, ParamListInfo params)
{
	if (to->len > static_cast<int>(kMaxKeyBytes))
		return false;
	for (int i = 0; params && i < params->numParams; i++)
	{
		const ParamForm &form = query.forms[i];

		if (static_cast<Size>(to->len) + ValueBytes(form, params->params[i]) > kMaxKeyBytes)
			return false;
		AppendValue(to, form, params->params[i]);
	}
	return true;
}

} // namespace

Reason
BuildKey(const Examined &query, Shape shape, ParamListInfo params, Key *key)
{
	const StringInfoData &prefix = query.key_prefix;
	StringInfo buffer;
	int values_offset;

	*key = {};
	if (!query.identified)
		return Reason::no_identity;
	if (query.params_refused > 0)
		return Reason::record_parameter;
	if (prefix.len > static_cast<int>(kMaxKeyBytes))
		return Reason::key_too_large;
	if (shape == Shape::rows && query.key_is_constant)
	{
		*key = {prefix.data, static_cast<uint32>(prefix.len), query.prefix_hash};
		return Reason::none;
	}

	buffer = EmptyBuffer();
	appendBinaryStringInfo(buffer, prefix.data, prefix.len);
	AppendSettings(buffer, query.findings, shape);
	values_offset = buffer->len;
	if (!AppendValues(buffer, query, params))
		return Reason::key_too_large;

	Head *head = reinterpret_cast<Head *>(buffer->data);

	head->shape = static_cast<uint8>(shape);
	head->values_offset = static_cast<uint32>(values_offset);
	*key = {buffer->data, static_cast<uint32>(buffer->len),
			HashBytes(buffer->data + prefix.len, buffer->len - prefix.len,
					  query.prefix_hash + static_cast<uint64>(shape))};
	return Reason::none;
}

KeyView
ReadKeyBytes(const char *bytes, uint32 length)
{
	const Head *head = reinterpret_cast<const Head *>(bytes);
	KeyView view = {};

	view.shape = static_cast<Shape>(head->shape);
	view.automatic = head->automatic != 0;
	view.param_count = head->param_count;
	view.params = NewArray<Oid>(view.param_count);
	memcpy(view.params, bytes + sizeof(Head), sizeof(Oid) * view.param_count);
	view.values = bytes + head->values_offset;
	view.end = bytes + length;
	return view;
}

namespace
{

/* The next parameter's value; false for NULL. */
bool
ReadValue(KeyView *view, Oid type, Datum *result)
{
	int32 length;
	int16 typlen;
	bool byval;
	Datum value;

	memcpy(&length, view->values, sizeof(length));
	view->values += sizeof(length);
	if (length < 0)
		return false;
	get_typlenbyval(type, &typlen, &byval);
	if (byval)
		memcpy(&value, view->values, sizeof(Datum));
	else
	{
		char *copy = NewArray<char>(length + VARHDRSZ + 1);
		int header = typlen == -1 ? VARHDRSZ : 0;

		memcpy(copy + header, view->values, length);
		copy[header + length] = '\0';
		if (typlen == -1)
			SET_VARSIZE(copy, length + VARHDRSZ);
		value = PointerGetDatum(copy);
	}
	view->values += length;
	*result = value;
	return true;
}

} // namespace

Args
ReadKeyArgs(KeyView *view)
{
	Args args;

	args.count = view->param_count;
	args.types = view->params;
	args.values = NewZeroedArray<Datum>(args.count);
	args.nulls = NewZeroedArray<bool>(args.count);
	for (int i = 0; i < args.count; i++)
		args.nulls[i] = !ReadValue(view, view->params[i], &args.values[i]);
	return args;
}

} // namespace cq
