/*
 * wire_send.cpp
 *		Sending bytes from the store straight to the client.
 *
 * Part of wire.h.
 */
#include "pg.h"
#include "scan/wire_parts.h"
#include "scan/wire.h"

extern "C" {
#include "mb/pg_wchar.h"
#include "tcop/pquery.h"
}

namespace cq
{

namespace
{

/* --- sending -------------------------------------------------------------------------------- */

/*
 * PostgreSQL's output buffer holds 8 kB, and each time it is full that much is written to the socket.
 * To write more at once takes less than half of the time.  So what is to be sent is put together
 * here, and if it is much, it is written as pqcomm.c would write it: after what is in its buffer,
 * blocking, by secure_write(), which knows of TLS and GSS and of being told to quit while it waits.
 *
 * Nothing else may go out in the midst of a message, whatever a signal handler has to say.  For its
 * own messages pqcomm.c sees to that; here `quiet` is in the place of its methods from the first
 * byte of a message to the last.
 */
constexpr Size kOutSize = 65536;

/* Less than this goes into the output buffer, and out with what follows it. */
constexpr Size kLeastWrite = 16384;

char out[kOutSize];
Size out_len = 0;       /* not yet written */
bool out_begun = false; /* some was */

} // namespace

int
QuietMessage(char, const char *, size_t)
{
	return 0;
}

int
QuietFlush()
{
	return 0;
}

void
BeginOut()
{
	out_len = 0;
	out_begun = false;
	PqCommMethods = &quiet;
}

namespace
{

/* As in pqcomm.c, a client that is gone ends the session at the next CHECK_FOR_INTERRUPTS(). */
void
LoseClient()
{
	ereport(COMMERROR, (errcode_for_socket_access(), errmsg("could not send data to client: %m")));
	ClientConnectionLost = 1;
	InterruptPending = 1;
}

void
WriteOut()
{
	Size done = 0;

	if (!ClientConnectionLost && own_methods->flush() == 0)
	{
		while (done < out_len)
		{
			ssize_t written = secure_write(MyProcPort, out + done, out_len - done);

			if (written > 0)
				done += static_cast<Size>(written);
			else if (errno != EINTR)
			{
				LoseClient();
				break;
			}
		}
	}
	out_len = 0;
	out_begun = true;
}

} // namespace

void
PutOut(const void *bytes, Size length)
{
	const char *from = static_cast<const char *>(bytes);

	while (length > 0)
	{
		Size part = Min(length, kOutSize - out_len);

		memcpy(out + out_len, from, part);
		out_len += part;
		from += part;
		length -= part;
		if (out_len == kOutSize)
			WriteOut();
	}
}

void
EndOut()
{
	if (out_begun || out_len >= kLeastWrite)
		WriteOut();
	else if (out_len > 0)
		pq_putmessage_v2(out[0], out + 1, out_len - 1);
	PqCommMethods = own_methods;
}

void
PutFromStore(StreamReader *reader, Size length)
{
	Size got;

	for (; length > 0; length -= got)
	{
		const char *piece = StreamNext(reader, length, &got);

		PutOut(piece, got);
	}
}

namespace
{

/* As many blocks as are written at once, but one at least. */
void
SendBlocks(WireRun *run)
{
	BlockHead head;
	char padding[MAXIMUM_ALIGNOF];

	BeginOut();
	do
	{
		StreamCopy(&run->reader, &head, sizeof(head));
		PutFromStore(&run->reader, head.length);
		StreamCopy(&run->reader, padding, MAXALIGN(head.length) - head.length);
		CqAssert(head.rows <= run->rows_left);
		run->sent_rows += head.rows;
		run->rows_left -= head.rows;
	}
	while (run->rows_left > 0 && !out_begun && kOutSize - out_len > kBlockSize);
	EndOut();
}

} // namespace

bool
ReceiveForImage(TupleTableSlot *, DestReceiver *)
{
	WireRun *run = innermost;

	if (run->sent_rows == 0)
		SendBlocks(run);
	run->sent_rows--;
	return true;
}

} // namespace cq
