"""Hits of 100,000 rows until they are Python objects: decode.py DSN REDIS_PORT QUERY CSV ROUNDS

No web server: what RealDictCursor, plain cursors and json.loads() take is most of it.
"""
import json
import sys
import time

import psycopg2
import psycopg2.extensions
import psycopg2.extras
import redis

TTL = 24 * 3600


def main():
    dsn, port, query, csv, rounds = sys.argv[1:]
    conn = psycopg2.connect(dsn)
    conn.autocommit = True
    client = redis.Redis(host="127.0.0.1", port=int(port))
    rows_call = f"SELECT * FROM cached_query_as(NULL::payments, $q${query}$q$, '{TTL}s')"
    document_call = f"SELECT cached_query_json($q${query}$q$, '{TTL}s')"

    def fetch(statement, factory=None):
        with conn.cursor(cursor_factory=factory) as cur:
            cur.execute(statement)
            return cur.fetchall()

    client.set("rows", json.dumps(fetch(query, psycopg2.extras.RealDictCursor), default=str))
    ways = {
        "redis_json": lambda: json.loads(client.get("rows")),
        "realdict": lambda: fetch(rows_call, psycopg2.extras.RealDictCursor),
        "tuples": lambda: fetch(rows_call),
        "document": lambda: fetch(document_call)[0][0],
        "direct": lambda: fetch(query, psycopg2.extras.RealDictCursor),
    }
    expected = len(fetch(query))
    for way in ways.values():
        if len(way()) != expected:
            raise SystemExit("rows are missing")
    for i in range(int(rounds)):
        for name, way in ways.items():
            start = time.perf_counter()
            rows = way()
            ms = (time.perf_counter() - start) * 1000
            del rows
            with open(csv, "a", encoding="ascii") as file:
                file.write(f"loses_decode,{name},{i + 1},p50,{ms:.3f}\n")


if __name__ == "__main__":
    main()
