"""The article's web service, its Redis variant mended, and what cached_query makes of it.

    uvicorn app:app --port N, with DSN, REDIS_PORT and QUERY (and SLOW_QUERY) in the environment

Each endpoint answers with the rows of QUERY as a JSON array of objects.  As in the article, requests for
rows connect to the database each time, while connections to Redis are kept; those for a document of
cached_query_json() take theirs from a pool, too.  A response tells by Server-Timing how long its parts
took, in milliseconds: db (from connect() to the end of execute(): by then libpq has all rows), cache
(Redis), decode (to Python objects), encode (what FastAPI does with the returned objects, to the first
byte of the response).

The article's Redis endpoint has three mistakes, mended here: it returns `rows` on a hit without having
set it, parses the cached text where it has just found that there is none, and returns the number of
rows instead of the rows.
"""
import functools
import gc
import json
import os
import threading
import time

import psycopg2
import psycopg2.extensions
import psycopg2.pool
import redis
from fastapi import FastAPI, Request, Response
from psycopg2.extras import RealDictCursor

DSN = os.environ["DSN"]
QUERY = os.environ["QUERY"]
SLOW_QUERY = os.environ.get("SLOW_QUERY", "SELECT 1 AS a")
TTL = 24 * 3600

app = FastAPI()
redis_client = redis.Redis(host="127.0.0.1", port=int(os.environ["REDIS_PORT"]), db=0)

# The document as it came: without this psycopg2 would parse values of type json.
RAW_JSON = psycopg2.extensions.new_type((114,), "RAW_JSON", psycopg2.extensions.BYTES)


class Clock:
    """Lap times of one request, told by its Server-Timing header."""

    def __init__(self, request):
        self.laps = {}
        self.last = time.perf_counter()
        request.scope["clock"] = self

    def lap(self, name):
        now = time.perf_counter()
        self.laps[name] = self.laps.get(name, 0) + now - self.last
        self.last = now


class ServerTiming:
    """Adds the header when the response starts; what came after the last lap was encoding."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def send_timed(message):
            clock = scope.get("clock")
            if message["type"] == "http.response.start" and clock is not None:
                clock.lap("encode")
                text = ", ".join(f"{name};dur={s * 1000:.3f}" for name, s in clock.laps.items())
                message["headers"].append((b"server-timing", text.encode()))
            await send(message)

        await self.app(scope, receive, send_timed)


app.add_middleware(ServerTiming)


def get_connection(settings=""):
    return psycopg2.connect(DSN, options=settings, cursor_factory=RealDictCursor)


def fetch(clock, query, settings=""):
    conn = get_connection(settings)
    cur = conn.cursor()
    cur.execute(query)
    clock.lap("db")
    rows = cur.fetchall()
    conn.close()
    clock.lap("decode")
    return rows


def as_rows(query):
    return f"SELECT * FROM cached_query_as(NULL::borrower_payments, $q${query}$q$, '{TTL}s')"


POOLS = {}
POOLS_LOCK = threading.Lock()


def pool(settings):
    with POOLS_LOCK:
        if settings not in POOLS:
            # as many as there are threads that FastAPI runs requests in
            POOLS[settings] = psycopg2.pool.ThreadedConnectionPool(1, 40, DSN, options=settings)
        return POOLS[settings]


def send_document(clock, query, settings=""):
    conn = pool(settings).getconn()
    conn.autocommit = True
    with conn.cursor() as cur:
        psycopg2.extensions.register_type(RAW_JSON, cur)
        cur.execute(f"SELECT cached_query_json($q${query}$q$, '{TTL}s')")
        clock.lap("db")
        document = cur.fetchone()[0]
    pool(settings).putconn(conn)
    clock.lap("decode")
    return Response(document, media_type="application/json")


def through_redis(clock, key, query):
    cached_data = redis_client.get(key)
    clock.lap("cache")
    if cached_data:
        rows = json.loads(cached_data)
        clock.lap("decode")
        return rows
    rows = fetch(clock, query)
    redis_client.setex(key, TTL, json.dumps(rows, default=str))
    clock.lap("cache")
    return rows


@app.get("/no_cache")
def no_cache(request: Request):
    return fetch(Clock(request), QUERY)


@functools.lru_cache(maxsize=1)
def rows_in_process():
    conn = get_connection()
    cur = conn.cursor()
    cur.execute(QUERY)
    rows = cur.fetchall()
    conn.close()
    return rows


@app.get("/lru_cache")
def lru_cache(request: Request):
    clock = Clock(request)
    rows = rows_in_process()
    clock.lap("cache")
    return rows


@app.get("/redis_json")
def redis_json(request: Request):
    return through_redis(Clock(request), "article", QUERY)


@app.get("/redis_raw")
def redis_raw(request: Request):
    """What /redis_json has stored, sent on without looking at it."""
    clock = Clock(request)
    document = redis_client.get("article")
    clock.lap("cache")
    return Response(document, media_type="application/json")


@app.get("/cached_rows")
def cached_rows(request: Request):
    return fetch(Clock(request), as_rows(QUERY))


@app.get("/cached_json")
def cached_json(request: Request):
    return send_document(Clock(request), QUERY)


@app.get("/cached_json_redis")
def cached_json_redis(request: Request):
    return send_document(Clock(request), QUERY, "-c cached_query.store=redis")


@functools.lru_cache(maxsize=1)
def document_in_process():
    return redis_client.get("article")


@app.get("/floor")
def floor(request: Request):
    """The same bytes from this process's memory: what uvicorn and the client take."""
    Clock(request)
    return Response(document_in_process(), media_type="application/json")


@app.get("/rest")
def rest():
    """Called before each request that is measured: its time must not have the garbage of another in it."""
    gc.collect()
    return "done"


# ---- A slow query of few rows, for many clients at once ----


@app.get("/slow_redis")
def slow_redis(request: Request):
    return through_redis(Clock(request), "slow", SLOW_QUERY)


@functools.lru_cache(maxsize=1)
def slow_in_process():
    conn = get_connection()
    cur = conn.cursor()
    cur.execute(SLOW_QUERY)
    rows = cur.fetchall()
    conn.close()
    return rows


@app.get("/slow_lru")
def slow_lru():
    return slow_in_process()


@app.get("/slow_cached")
def slow_cached(request: Request):
    return send_document(Clock(request), SLOW_QUERY)


@app.get("/forget")
def forget():
    """Before and after each crowd: caches are cold, and backends report their counts when they end."""
    redis_client.delete("slow")
    slow_in_process.cache_clear()
    with POOLS_LOCK:
        for connections in POOLS.values():
            connections.closeall()
        POOLS.clear()
    return "done"
