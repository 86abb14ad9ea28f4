#!/usr/bin/env python3
"""queries - benchmark queries with cached_query.auto, compared with themselves without.

    queries.py [--timeout S] [--nested] CONNINFO FILE...

Each file holds one SELECT or several.  Each is run directly (cached_query.auto = off), then three times with
auto = exact and auto_min_time = 0 in another session, and directly again: all must give the same rows; in the same
order if the statement sorts them.  Queries that take longer than the limit are left out and named.
The server is any with cached_query loaded; nothing but these settings of the session is changed.

What is printed per statement: the times in ms, what cached_query_reasons counted of the three runs, and
DIFFERENT if rows differ.  The last line is "N passed, N failed"; statements that are left out are neither.
Texts and data come from whoever runs it: those of TPC-H, TPC-DS and the Join Order Benchmark have been tried.
"""
import collections
import sys
import time

import psycopg2

EXACT = "-c cached_query.auto=exact -c cached_query.auto_min_time=0 -c jit=off"
OFF = "-c cached_query.auto=off -c jit=off"
COUNTS = "SELECT reason, statements FROM cached_query_reasons WHERE statements > 0"


def connect(conninfo, options):
    connection = psycopg2.connect(conninfo, options=options)
    connection.autocommit = True
    return connection


def run(connection, text):
    """Rows and milliseconds; an error is an answer, too."""
    cursor = connection.cursor()
    start = time.monotonic()
    try:
        cursor.execute(text)
        rows = cursor.fetchall()
    except psycopg2.errors.QueryCanceled:
        rows = None
    except psycopg2.Error as error:
        rows = [(str(error).splitlines()[0],)]
    return rows, (time.monotonic() - start) * 1000


def statements(file):
    """Of the form that the benchmarks' files have: a semicolon ends a line."""
    with open(file, encoding="utf-8") as lines:
        text = lines.read()
    return [part for part in (s.strip() for s in text.split(";\n")) if part.strip(" ;\n")]


def same(text, one, other):
    if one == other:
        return True
    # ties may come in any order
    return collections.Counter(map(repr, one)) == collections.Counter(map(repr, other))


def main():
    arguments = sys.argv[1:]
    timeout, exact = 20, EXACT
    if arguments[0] == "--timeout":
        timeout, arguments = int(arguments[1]), arguments[2:]
    if arguments[0] == "--nested":
        exact, arguments = exact + " -c cached_query.auto_nested=on", arguments[1:]
    conninfo, files = arguments[0], arguments[1:]
    limit = f" -c statement_timeout={timeout}s"
    direct, cached = connect(conninfo, OFF + limit), connect(conninfo, exact + limit)
    counter = connect(conninfo, OFF)
    passed = failed = left_out = hits = 0
    sums = [0.0] * 5
    for file in files:
        for number, text in enumerate(statements(file)):
            name = file.rsplit("/", 1)[-1] + (f":{number + 1}" if number else "")
            first, took = run(direct, text)
            if first is None:
                left_out += 1
                print(f"{name}: left out, over {timeout} s", flush=True)
                continue
            before = dict(run(counter, COUNTS)[0])
            answers = [run(cached, text) for _ in range(3)]
            after = dict(run(counter, COUNTS)[0])
            again, again_took = run(direct, text)
            counted = {r: n - before.get(r, 0) for r, n in after.items() if n != before.get(r, 0)}
            hits += counted.get("hit", 0)
            bad = [n for n, (rows, _) in enumerate(answers, 1) if rows is None or not same(text, first, rows)]
            if again is None or not same(text, first, again):
                bad = ["direct"]
            passed, failed = (passed, failed + 1) if bad else (passed + 1, failed)
            times = [took, *(t for _, t in answers), again_took]
            sums = [a + b for a, b in zip(sums, times)]
            print(f"{name}: {len(first)} rows,", " ".join(f"{t:.1f}" for t in times), counted,
                  f"DIFFERENT {bad}" if bad else "", flush=True)
    print(f"direct, first, second, third, direct, ms: {' '.join(f'{s:.0f}' for s in sums)}; {hits} hits; {left_out} left out")
    print(f"{passed} passed, {failed} failed")
    return failed != 0 or passed == 0


sys.exit(main())
