/*
 * handle.h
 *		What this session knows of a query text: its plan, verdict, dependencies and key prefix.
 *
 * A handle is found by the query's text, the declared types of its arguments and what parse
 * analysis depends on (role, row_security, search_path, parse settings).  It keeps a plan source, so
 * that a repeated call pays no parse analysis, while PostgreSQL's plan cache revalidates it: locks,
 * dropped and altered objects, policies.  What the plan cache does not see, a new object that
 * captures an unqualified name, is watched by syscache callbacks.
 *
 * Backend-local.  A list of least recent use bounds the memory (cached_query.handle_memory).
 *
 * Code of the user's may run at nearly any moment while a call is answered: when the query is
 * planned, when an argument is read from text, when the query runs.  It may call us again, DISCARD
 * PLANS, or change a definition.  So whoever works with a handle holds it: the functions here give out
 * nothing but a HeldHandle, and what is held is neither freed nor examined again.
 */
#pragma once

#include "pg.h"
#include "exact/exact.h"
#include "query/args.h"
#include "query/examined.h"

extern "C" {
#include "lib/ilist.h"
}

namespace cq
{

/*
 * For a cursor, a bit beside PostgreSQL's own: this plan is made for us, so it gets no node of auto/. 
 * It is the query of a call, or the plan below such a node.
 */
constexpr int kPlainPlan = 1 << 30;

/* Where the list of least recent use holds it. */
struct HandleLink
{
	dlist_node lru;
};

struct Handle : HandleLink, Examined
{
	Handle *next; /* in its hash chain */
	uint64 hash;
	MemoryContext context;          /* this struct and all that lives as long */
	MemoryContext findings_context; /* reset by each examination */
	Size memory;
	int holds;
	bool forgotten; /* unlinked while held: the last release frees it */

	/* identity */
	const char *query;
	int query_length;
	int declared_count;
	Oid *declared; /* UNKNOWNOID: to be inferred */
	Oid role;
	bool row_security;
	char *path;
	uint32 parse_flags;
	uint32 trusted_version; /* the examination asked cached_query.trusted_functions */

	/* the plan */
	CachedPlanSource *source;
	int generation;       /* of the generic plan that was examined; -1: none */
	uint64 plan_position; /* of the snapshot it was made under; 0: unknown */
	double plan_cost;     /* the planner's estimate */
	bool seen_whole;      /* a snapshot saw all relations that it reads, as they are */

	/* the examination */
	Findings learned; /* what runs showed and the examination didn't find; as long as the handle */
	bool news;        /* it was learned after the examination */
	bool time_words;
	NameHashes names;
	bool names_changed;      /* found out, or its revalidation failed: analyse again */
	uint64 heard;            /* news of before are in it */
	StringInfoData regional; /* settings at analysis, if what it folded depends on them */
};

/* One use of a handle.  It belongs to the resource owner that was current, which ends it at an error. */
struct Hold
{
	Hold *next;
	ResourceOwner owner;
	Handle *handle;
};

/*
 * A handle in use, the only way to one.  It has no destructor, since an error jumps over that: it
 * ends with Release() or with its resource owner.
 */
class HeldHandle
{
  public:
	HeldHandle() = default;
	explicit HeldHandle(Hold *hold) : hold_(hold)
	{
	}
	HeldHandle(const HeldHandle &) = delete;
	HeldHandle &operator=(const HeldHandle &) = delete;
	HeldHandle(HeldHandle &&from) : hold_(from.Take())
	{
	}
	HeldHandle &
	operator=(HeldHandle &&from)
	{
		hold_ = from.Take();
		return *this;
	}

	Handle *
	operator->() const
	{
		return hold_->handle;
	}
	Handle &
	operator*() const
	{
		return *hold_->handle;
	}
	explicit operator bool() const
	{
		return hold_ != nullptr;
	}
	Hold *
	Take()
	{
		Hold *hold = hold_;

		hold_ = nullptr;
		return hold;
	}

  private:
	Hold *hold_ = nullptr;
};

/*
 * The handle for this query, revalidated: relations locked, rights on relations checked, findings
 * up to date.  Raises whatever the query itself would raise until it is executed.
 */
extern HeldHandle GetHandle(const char *query, int length, const Args &args);
/* The handle if this session has one that was examined, as it is: for estimates. */
extern HeldHandle PeekHandle(const char *query, int length, const Args &args);
extern void Release(HeldHandle *held);
/*
 * Was a relation's definition changed since the snapshot under which the plan was made?  Then it
 * is to be made again.
 */
extern bool PlanOutdated(const HeldHandle &handle, const exact::View &view);
/* Is the plan still the one that was examined?  Asked after a run, which may have seen news. */
/*
 * Its plan failed, the error is being handled: if that may be because something is not there any more, the
 * next call begins from the text.
 */
extern void Distrust(const HeldHandle &handle);
extern bool ExaminationHolds(const HeldHandle &handle);
/*
 * The query isn't run although its rows are handed out.  Other modules audit or restrict what is
 * read in ExecutorCheckPerms_hook, which expects a statement that the executor has begun: so
 * begin one with the rights that the query needs, and nothing to run.
 */
extern void ShowToPermissionHooks(const HeldHandle &handle);
/*
 * A run showed what the key lacks: the key is made with it from the next call on.  The result that
 * was run for must not be published.
 */
extern void Learn(const HeldHandle &handle, const Findings &seen);

/* DISCARD ALL and DISCARD PLANS. */
extern void ForgetHandles();
/* DISCARD ALL and DISCARD PLANS. */
extern bool DiscardsPlans(const Node *statement);
extern void InitHandles();

} // namespace cq
