"""asyncpg: asks the server for the types of parameters, so cast them all.

Without any cast all of them are text, and str is what must be given for them; some with and some
without is an error ("could not determine data type").  With a pooler in transaction mode connect
with statement_cache_size=0.
"""

import asyncio
import datetime

import asyncpg

PAID = """
    SELECT * FROM cached_query(
        'SELECT id, amount FROM payments WHERE region = $1 AND paid <= $2 ORDER BY id LIMIT 3',
        '60s', $1::text, $2::date) AS t(id bigint, amount numeric)"""


async def main():
    pool = await asyncpg.create_pool(min_size=1, max_size=4)
    async with pool:
        for _ in range(2):  # the second time from memory
            for row in await pool.fetch(PAID, "north", datetime.date(2026, 1, 9)):
                print(row["id"], row["amount"])


asyncio.run(main())
