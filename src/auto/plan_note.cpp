/*
 * plan_note.cpp
 *		The note that a plan of ours carries.
 *
 * Part of known.h.
 */
#include "pg.h"
#include "auto/plan_note.h"
#include "validity/meta.h"
#include "auto/plan.h"
#include "auto/worth.h"
#include "query/fingerprint.h"
#include "query/handle.h"

namespace cq
{
namespace
{

const char *const kNoteName = "cached_query_plan";

void
CopyNote(ExtensibleNode *to, const ExtensibleNode *from)
{
	PlanNote *copy = reinterpret_cast<PlanNote *>(to);
	const ExtensibleNode node = *to;

	*copy = *reinterpret_cast<const PlanNote *>(from);
	copy->node = node;
	HoldKnown(copy->known, CurrentMemoryContext);
}

bool
SameNote(const ExtensibleNode *a, const ExtensibleNode *b)
{
	return reinterpret_cast<const PlanNote *>(a)->known ==
		   reinterpret_cast<const PlanNote *>(b)->known;
}

void
WriteNote(StringInfo, const ExtensibleNode *)
{
}

void
ReadNote(ExtensibleNode *)
{
	elog(ERROR, "plan nodes of cached_query can't be read");
}

} // namespace

const ExtensibleNodeMethods note_methods = {kNoteName, sizeof(PlanNote), CopyNote,
											SameNote,  WriteNote,        ReadNote};

PlanNote *
MakeNote(Known *known, int options)
{
	PlanNote *note = reinterpret_cast<PlanNote *>(newNode(sizeof(PlanNote), T_ExtensibleNode));

	note->node.extnodename = kNoteName;
	note->known = known;
	note->options = options;
	HoldKnown(known, CurrentMemoryContext);
	return note;
}

uint64
RegionalHash()
{
	StringInfoData now;
	uint64 hash;

	initStringInfo(&now);
	AppendRegional(&now);
	hash = hash_bytes_extended(reinterpret_cast<unsigned char *>(now.data), now.len, 0);
	pfree(now.data);
	return hash;
}

const PlanNote *
NoteOf(const CustomScan *scan)
{
	return static_cast<const PlanNote *>(linitial(scan->custom_private));
}

} // namespace cq
