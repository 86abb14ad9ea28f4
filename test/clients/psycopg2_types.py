# psycopg2: the simple protocol with parameters put in by the client, cursors of all kinds, and
# values of many types.  Each answer is compared with that of the query itself, and the counters
# say whether it came from the cache.

import datetime
import decimal
import io
import sys
import uuid

import psycopg2
import psycopg2.extras

count = 0
failed = 0


def ok(good, name, detail=None):
    global count, failed
    count += 1
    print("%sok %d - %s" % ("" if good else "not ", count, name))
    if not good:
        failed += 1
        if detail is not None:
            print("#   " + str(detail).replace("\n", "\n#   "))


def equal(got, want, name):
    ok(got == want, name, "got  %r\nwant %r" % (got, want))


psycopg2.extras.register_uuid()
db = psycopg2.connect("")
db.autocommit = True
monitor = psycopg2.connect("")
monitor.autocommit = True


def stats():
    with monitor.cursor() as cursor:
        cursor.execute("SELECT hits, misses, bypasses FROM cached_query_stats")
        return cursor.fetchone()


def answer(sql, args=None, connection=db, **how):
    with connection.cursor(**how) as cursor:
        cursor.execute(sql, args)
        return cursor.fetchall()


def since(before):
    return tuple(now - then for now, then in zip(stats(), before))


def comparable(rows):
    """bytea comes as memoryview, which says nothing when a comparison fails."""
    return [[bytes(v) if isinstance(v, memoryview) else v for v in row] for row in rows]


def same_as_direct(name, query, columns, args=(), ttl="1h"):
    """The query by itself, then through the cache as a miss and as a hit.  `query` has $1..$n."""
    literals = query
    for number in range(len(args), 0, -1):
        literals = literals.replace("$%d" % number, "%%(a%d)s" % number)
    direct = answer(literals, {"a%d" % (i + 1): arg for i, arg in enumerate(args)})

    call = "SELECT * FROM cached_query(%s, %s" + ", %s" * len(args) + ") AS t(" + columns + ")"
    before = stats()
    miss = answer(call, (query, ttl) + tuple(args))
    counts = since(before)
    equal(miss, direct, name + ": a miss has the query's rows")
    equal(counts, (0, 1, 0), name + ": and is one")
    before = stats()
    hit = answer(call, (query, ttl) + tuple(args))
    counts = since(before)
    equal(hit, direct, name + ": a hit has the query's rows")
    equal([tuple(map(type, row)) for row in hit], [tuple(map(type, row)) for row in direct],
          name + ": and types")
    equal(counts, (1, 0, 0), name + ": and is one")


answer("""CREATE TABLE item (id int PRIMARY KEY, name text, price numeric(10,2), made date,
            at timestamptz, ts timestamp, tags text[], sizes int[], raw bytea, doc jsonb, code uuid,
            took interval, ok bool, ratio float8, big bigint, span int4range, clock time);
          INSERT INTO item
          SELECT g, CASE WHEN g %% 5 <> 0 THEN 'näme ' || g END, g * 1.25, date '2024-02-29' + g,
            timestamptz '2024-03-31 01:00:00+01' + g * interval '1 hour', timestamp '2024-01-01' + g * interval '1 min',
            ARRAY['a', NULL, 'c "d" ' || g], ARRAY[g, NULL, -g], decode(md5(g::text), 'hex'),
            jsonb_build_object('id', g, 'n', NULL, 'list', ARRAY[1, 2]), md5(g::text)::uuid,
            g * interval '1 day 2 hours', g %% 2 = 0, g / 3.0, g * 10000000000, int4range(g, g + 5), time '00:00' + g * interval '1 min'
            FROM generate_series(1, 50) AS g
          RETURNING 1""", ())

ALL = """id int, name text, price numeric(10,2), made date, at timestamptz, ts timestamp, tags text[],
         sizes int[], raw bytea, doc jsonb, code uuid, took interval, ok bool, ratio float8, big bigint,
         span int4range, clock time"""

# ---- Types in the answer ----
with db.cursor() as cursor:
    cursor.execute("SELECT * FROM item ORDER BY id")
    direct = cursor.fetchall()
    plain = [column[:2] for column in cursor.description]
    for outcome in "miss", "hit":
        before = stats()
        cursor.execute("SELECT * FROM cached_query('SELECT * FROM item ORDER BY id', '1h') AS t(" + ALL + ")")
        rows = cursor.fetchall()
        equal(comparable(rows), comparable(direct), outcome + ": all types")
        equal([column[:2] for column in cursor.description], plain, outcome + ": the same description")
        equal(since(before), (1, 0, 0) if outcome == "hit" else (0, 1, 0), "counted as " + outcome)

before = stats()
rows = answer("SELECT * FROM cached_query_as(NULL::item, 'SELECT * FROM item ORDER BY id', '1h')")
equal(comparable(rows), comparable(direct), "cached_query_as: all types")
equal(since(before), (1, 0, 0), "cached_query_as: from the same entry")

# ---- Types of parameters, put in by the client ----
same_as_direct("int", "SELECT id, name FROM item WHERE id < $1 ORDER BY id", "id int, name text", (7,))
same_as_direct("text", "SELECT id FROM item WHERE name = $1", "id int", ("näme 4",))
same_as_direct("text with quotes", "SELECT $1::text", "x text", ("it's \"so\" \\ %s $1 €",))
same_as_direct("NULL", "SELECT id FROM item WHERE name IS NOT DISTINCT FROM $1 ORDER BY 1", "id int", (None,))
same_as_direct("Decimal", "SELECT id, price FROM item WHERE price > $1 ORDER BY 1", "id int, price numeric(10,2)",
               (decimal.Decimal("60.00"),))
same_as_direct("float", "SELECT id FROM item WHERE ratio < $1::float8 ORDER BY 1", "id int", (2.5,))
same_as_direct("bool", "SELECT id FROM item WHERE ok = $1 ORDER BY 1", "id int", (True,))
same_as_direct("date", "SELECT id, made FROM item WHERE made <= $1 ORDER BY 1", "id int, made date",
               (datetime.date(2024, 3, 10),))
same_as_direct("datetime", "SELECT id, at FROM item WHERE at < $1 ORDER BY 1", "id int, at timestamptz",
               (datetime.datetime(2024, 3, 31, 12, 30, tzinfo=datetime.timezone.utc),))
same_as_direct("timedelta", "SELECT id FROM item WHERE took < $1 ORDER BY 1", "id int", (datetime.timedelta(days=5),))
same_as_direct("list", "SELECT id FROM item WHERE id = ANY ($1) ORDER BY 1", "id int", ([3, 5, 99],))
same_as_direct("list of text", "SELECT id FROM item WHERE name = ANY ($1) ORDER BY 1", "id int", (["näme 1", "x"],))
same_as_direct("uuid", "SELECT id FROM item WHERE code = $1", "id int", (uuid.UUID("c4ca4238a0b923820dcc509a6f75849b"),))
same_as_direct("json", "SELECT id FROM item WHERE doc @> $1::jsonb ORDER BY 1", "id int",
               (psycopg2.extras.Json({"id": 8}),))
same_as_direct("bytes", "SELECT id FROM item WHERE raw = $1", "id int",
               (psycopg2.Binary(bytes.fromhex("c4ca4238a0b923820dcc509a6f75849b")),))
same_as_direct("many", "SELECT id, $2 FROM item WHERE id BETWEEN $1 AND $3 AND ok = $4 ORDER BY id", "id int, x text",
               (2, "y", 9, False))
same_as_direct("no rows", "SELECT id FROM item WHERE id = $1", "id int", (-1,))

# Other arguments are other answers.
for wanted in 1, 2, 1, 2:
    equal(answer("SELECT * FROM cached_query('SELECT id FROM item WHERE id = $1', '1h', %s) AS t(id int)", (wanted,)),
          [(wanted,)], "argument %d has its own answer" % wanted)

# ---- Cursors ----
CALL = "SELECT * FROM cached_query('SELECT id, name FROM item ORDER BY id', '1h') AS t(id int, name text)"
direct = answer("SELECT id, name FROM item ORDER BY id")
before = stats()
equal(answer(CALL), direct, "client-side cursor")
equal([dict(row) for row in answer(CALL, cursor_factory=psycopg2.extras.RealDictCursor)],
      [{"id": i, "name": n} for i, n in direct], "RealDictCursor")
equal([tuple(row) for row in answer(CALL, cursor_factory=psycopg2.extras.DictCursor)], direct, "DictCursor")
equal([(row.id, row.name) for row in answer(CALL, cursor_factory=psycopg2.extras.NamedTupleCursor)], direct,
      "NamedTupleCursor")
equal(since(before), (3, 1, 0), "hits")

session = psycopg2.connect("")
for what, options in (("named cursor", {}), ("scrollable cursor", {"scrollable": True}), ("cursor with hold", {"withhold": True})):
    before = stats()
    cursor = session.cursor("c", **options)
    cursor.itersize = 7
    cursor.execute(CALL)
    rows = cursor.fetchmany(3)
    if "withhold" in options:
        session.commit()
    rows += [row for row in cursor]
    equal(rows, direct, what)
    if "scrollable" in options:
        cursor.scroll(0, mode="absolute")
        equal(cursor.fetchall(), direct, what + ", read again")
    equal(since(before), (1, 0, 0), what + ": a hit")
    cursor.close()
    session.commit()

# A cursor of an answer that is invalidated meanwhile keeps its rows.
cursor = session.cursor("c")
cursor.execute(CALL)
rows = cursor.fetchmany(5)
answer("SELECT cached_query_clear()")
rows += cursor.fetchall()
equal(rows, direct, "a cursor outlives its entry")
session.rollback()

# ---- Transactions and errors ----
with session.cursor() as cursor:
    cursor.execute("UPDATE item SET name = 'changed' WHERE id = 1")
    cursor.execute(CALL)
    equal(cursor.fetchone(), (1, "changed"), "own changes are seen")
    equal(answer(CALL)[0], direct[0], "not by others")
    session.rollback()
    cursor.execute(CALL)
    equal(cursor.fetchall(), direct, "nor after the rollback")
session.commit()

for sql, code, name in (
        ("SELECT * FROM cached_query('SELECT 1 / (id - 5) FROM item', '1h') AS t(a int)", "22012", "division by zero"),
        ("SELECT * FROM cached_query('SELECT nothing', '1h') AS t(a int)", "42703", "undefined column"),
        ("SELECT * FROM cached_query('SELEC 1', '1h') AS t(a int)", "42601", "syntax error"),
        ("SELECT * FROM cached_query('SELECT id FROM item', '1h') AS t(a text)", None, "wrong column list")):
    try:
        answer(sql, connection=session)
        ok(False, name + ": an error")
    except psycopg2.Error as error:
        ok(code is None or error.pgcode == code, name + ": an error", error.pgcode)
    session.rollback()
    equal(answer(CALL, connection=session), direct, name + ": the session goes on")
session.commit()

# ---- PREPARE and EXECUTE, COPY, JSON ----
answer("PREPARE p(int) AS SELECT * FROM cached_query('SELECT id, name FROM item WHERE id <= $1 ORDER BY id', '1h', $1)"
       " AS t(id int, name text); SELECT 1")
before = stats()
for _ in range(8):
    equal(answer("EXECUTE p(4)"), direct[:4], "EXECUTE")
equal(since(before), (7, 1, 0), "EXECUTE: hits, in custom and generic plans")
equal(answer("EXECUTE p(6)"), direct[:6], "EXECUTE with another argument")

first, second = io.StringIO(), io.StringIO()
with db.cursor() as cursor:
    cursor.copy_expert("COPY (" + CALL + ") TO STDOUT", first)
    cursor.copy_expert("COPY (SELECT id, name FROM item ORDER BY id) TO STDOUT", second)
equal(first.getvalue(), second.getvalue(), "COPY")
for _ in "miss", "hit":
    equal(answer("SELECT cached_query_json('SELECT id, name FROM item ORDER BY id', '1h')")[0][0],
          [{"id": i, "name": n} for i, n in direct], "json")

# Output settings belong to the reader, not to the entry.
when = "SELECT * FROM cached_query('SELECT at, made, raw FROM item ORDER BY id', '1h') AS t(at timestamptz, made date, raw bytea)"
for setting in "TimeZone = 'Asia/Tokyo'", "DateStyle = 'SQL, DMY'", "bytea_output = 'escape'":
    with db.cursor() as cursor:
        cursor.execute("SET " + setting)
        cursor.execute("SELECT at::text, made::text, raw::text FROM (SELECT * FROM item ORDER BY id) AS t")
        want = cursor.fetchall()
        cursor.execute("SELECT at::text, made::text, raw::text FROM (" + when + ") AS t")
        equal(cursor.fetchall(), want, "reader's " + setting)
        cursor.execute("RESET " + setting.split()[0])

print("1..%d" % count)
sys.exit(1 if failed else 0)
