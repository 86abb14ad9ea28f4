/*
 * scan.h
 *		SELECT .. FROM cached_query(..) as a Custom Scan over the stored rows.
 */
#pragma once

#include "pg.h"
#include "call/signature.h"

namespace cq
{

/* Hook and node registration, from _PG_init. */
extern void InitScan();

/*
 * Is this one of our functions that return rows?  nullptr if not, or if the function has SET clauses or
 * SECURITY DEFINER, which only a real call obeys.
 */
extern const Signature *StreamingSignature(Oid function);

/* typed.cpp: arguments keep their types, before the statement is planned; pg_proc changed. */
extern void KeepArgumentTypes(Query *query);
extern void ForgetTypedForms();

} // namespace cq
