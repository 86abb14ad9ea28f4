/*
 * late_writer.c
 *		A module that writes to tables while a transaction commits, after all other modules that look at what was written.
 *
 * late_writer.sql is what it executes then; callbacks run last registered first, so it has to be the first of
 * shared_preload_libraries.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

PG_MODULE_MAGIC;

void _PG_init(void);

static char *sql = NULL;

static void
write_late(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_PRE_COMMIT || sql == NULL || sql[0] == '\0')
		return;
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT || SPI_execute(sql, false, 0) < 0)
		elog(ERROR, "late_writer: cannot execute");
	SPI_finish();
	PopActiveSnapshot();
}

void
_PG_init(void)
{
	DefineCustomStringVariable("late_writer.sql", "What is executed before a commit.", NULL, &sql, "", PGC_USERSET, 0, NULL, NULL,
							   NULL);
	RegisterXactCallback(write_late, NULL);
}
