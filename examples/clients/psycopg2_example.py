"""psycopg2: parameters are put into the text by the client, so they arrive as literals.

$1, $2 belong to the cached query, %s to the driver.  A literal takes the type that the query wants.
"""

import psycopg2
from psycopg2.extras import NamedTupleCursor

TOTALS = """
    SELECT * FROM cached_query(
        'SELECT region, count(*), sum(amount) FROM payments
          WHERE region = ANY ($1) AND paid >= $2 GROUP BY region ORDER BY region',
        '60s', %s, %s) AS t(region text, payments bigint, total numeric)"""

with psycopg2.connect("", cursor_factory=NamedTupleCursor) as connection:
    connection.autocommit = True
    with connection.cursor() as cursor:
        for _ in range(2):  # the second time from memory
            cursor.execute(TOTALS, (["north", "south"], "2026-02-01"))
            for row in cursor:
                print(row.region, row.payments, row.total)
