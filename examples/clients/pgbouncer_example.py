"""Through PgBouncer in transaction mode, with psycopg 3: options by call, or for one transaction.

PGHOST and PGPORT are PgBouncer's.
"""

import psycopg

COUNT = "'SELECT count(*) FROM payments', '60s') AS t(n bigint)"

# prepare_threshold: a statement prepared on one server connection is unknown to the next.
with psycopg.connect(autocommit=True, prepare_threshold=None) as connection:
    # Options of one call need no session.
    print(connection.execute(
        """SELECT * FROM cached_query_with('{"consistency": "exact", "tag": "report"}', """ + COUNT
    ).fetchone()[0])

    # Settings of several calls: SET LOCAL, which ends with the transaction.
    with connection.transaction():
        connection.execute("SET LOCAL cached_query.consistency = exact")
        connection.execute("SET LOCAL cached_query.tag = 'report'")
        print(connection.execute("SELECT * FROM cached_query(" + COUNT).fetchone()[0])

    print(connection.execute("SHOW cached_query.consistency").fetchone()[0])
