"""FastAPI: a document that PostgreSQL made and cached goes to the client unchanged.

    uvicorn fastapi_example:app
"""

import asyncpg
from fastapi import FastAPI, Request, Response

app = FastAPI()

# $1 inside the quotes is a parameter of the cached query, the other one is a parameter of asyncpg.
TOTALS = """
    SELECT cached_query_json(
        'SELECT paid, count(*) AS payments, sum(amount) AS total FROM payments
          WHERE region = $1 GROUP BY paid ORDER BY paid LIMIT 2', '60s', $1)"""


async def json_as_bytes(connection):
    """json as the bytes that PostgreSQL sends, not decoded."""
    await connection.set_type_codec("json", schema="pg_catalog", format="binary",
                                    encoder=bytes, decoder=bytes)


@app.on_event("startup")
async def startup():
    app.state.pool = await asyncpg.create_pool(init=json_as_bytes)


@app.on_event("shutdown")
async def shutdown():
    await app.state.pool.close()


@app.get("/totals/{region}")
async def totals(region: str, request: Request):
    body = await request.app.state.pool.fetchval(TOTALS, region)
    return Response(body, media_type="application/json")
