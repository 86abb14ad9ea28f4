"""psycopg 3: parameters go to the server, with types; cached_query_json as bytes; async.

Cast the parameters.  A str goes without a type, which beside a typed value is an error ("could not
determine data type"; nothing but str is fine, and takes the types that the query wants).  An int goes
as smallint, integer or bigint, whichever it fits, and each would have a plan of its own.
"""

import asyncio

import psycopg
from psycopg.rows import namedtuple_row

LATEST = """
    SELECT * FROM cached_query(
        'SELECT id, amount, paid FROM payments WHERE region = $1 ORDER BY id DESC LIMIT $2',
        '60s', %s::text, %s::bigint) AS t(id bigint, amount numeric, paid date)"""

# As text: psycopg would parse a json column, only for it to be made JSON again.
DOCUMENT = """
    SELECT cached_query_json(
        'SELECT region, sum(amount) AS total FROM payments GROUP BY region ORDER BY region', '60s')::text"""


def latest(region, count):
    with psycopg.connect(autocommit=True, row_factory=namedtuple_row) as connection:
        return connection.execute(LATEST, (region, count)).fetchall()


async def document():
    async with await psycopg.AsyncConnection.connect(autocommit=True) as connection:
        cursor = await connection.execute(DOCUMENT)
        return (await cursor.fetchone())[0]


for _ in range(2):  # the second time from memory
    for row in latest("north", 2):
        print(row.id, row.amount, row.paid)
print(asyncio.run(document()))
