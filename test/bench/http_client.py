"""HTTP requests to app.py, timed.

    http_client.py time PORT CSV ROUNDS ENDPOINT...    each in turn; test,label,round,metric,value
    http_client.py check PORT ENDPOINT...              are all rows right?  DSN and REFERENCE_QUERY in the environment
    http_client.py crowd PORT CSV ROUND CLIENTS ENDPOINT    all at once
    http_client.py get PORT ENDPOINT...                once each

A request has a connection of its own, and has ended when the whole body has been read.
"""
import decimal
import http.client
import json
import os
import re
import statistics
import sys
import threading
import time

BLOCK = 1 << 20


def get(port, endpoint, keep=False):
    """Milliseconds, Server-Timing as a dictionary, the body or its size."""
    start = time.perf_counter()
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    conn.request("GET", "/" + endpoint)
    response = conn.getresponse()
    blocks, size = [], 0
    while block := response.read(BLOCK):
        size += len(block)
        if keep:
            blocks.append(block)
    elapsed = (time.perf_counter() - start) * 1000
    conn.close()
    if response.status != 200:
        raise SystemExit(f"/{endpoint}: status {response.status}")
    parts = re.findall(r"(\w+);dur=([0-9.]+)", response.getheader("server-timing") or "")
    return elapsed, {name: float(ms) for name, ms in parts}, b"".join(blocks) if keep else size


def write(csv, *lines):
    with open(csv, "a", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in lines)


def measure(port, csv, rounds, endpoints):
    for i in range(int(rounds)):
        # another one comes first each time
        for endpoint in endpoints[i % len(endpoints) :] + endpoints[: i % len(endpoints)]:
            get(port, "rest")
            time.sleep(0.1)
            ms, parts, size = get(port, endpoint)
            where = f"article,{endpoint},{i + 1}"
            write(csv, f"{where},total,{ms:.3f}", f"{where},bytes,{size}")
            write(csv, *(f"{where},{name},{value:.3f}" for name, value in parts.items()))


def plain(value):
    """A value as all encoders mean it: numbers by value, timestamps in one spelling."""
    if value is None or isinstance(value, bool):
        return value
    text = str(value)
    if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text):
        return decimal.Decimal(text).normalize()
    if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:", text):
        return text.replace(" ", "T", 1)
    return text


def check(port, endpoints):
    """Each row must be one that the query may return, none twice, as many as it returns: the LIMIT has
    no ORDER BY, so which ones is the server's choice."""
    import psycopg2
    import psycopg2.extras

    conn = psycopg2.connect(os.environ["DSN"], cursor_factory=psycopg2.extras.RealDictCursor)
    cur = conn.cursor()
    cur.execute(os.environ["REFERENCE_QUERY"])
    allowed = {r["payment_id"]: {k: plain(v) for k, v in r.items()} for r in cur.fetchall()}
    cur.execute(f"SELECT count(*) AS n FROM ({os.environ['QUERY']}) AS q")
    expected = cur.fetchone()["n"]
    conn.close()
    for endpoint in endpoints:
        rows = json.loads(get(port, endpoint, keep=True)[2], parse_float=decimal.Decimal)
        seen = set()
        for row in rows:
            key = int(row["payment_id"])
            if key in seen or allowed.get(key) != {k: plain(v) for k, v in row.items()}:
                raise SystemExit(f"/{endpoint} has a wrong row: {row}\n{allowed.get(key)}")
            seen.add(key)
        if len(seen) != expected or expected == 0:
            raise SystemExit(f"/{endpoint} has {len(seen)} rows, not {expected}")


def crowd(port, csv, number, clients, endpoint):
    times, errors = [], []
    barrier = threading.Barrier(int(clients) + 1)

    def client():
        barrier.wait()
        try:
            get(port, endpoint)
        except (SystemExit, OSError, http.client.HTTPException) as error:
            errors.append(error)
        times.append(time.perf_counter())

    threads = [threading.Thread(target=client) for _ in range(int(clients))]
    for thread in threads:
        thread.start()
    barrier.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    if errors:
        raise SystemExit(f"{len(errors)} of {clients} requests failed: {errors[0]}")
    ms = [(t - start) * 1000 for t in times]
    where = f"stampede,{endpoint},{number}"
    write(csv, f"{where},last,{max(ms):.3f}", f"{where},p50,{statistics.median(ms):.3f}")


def main():
    command, port, *rest = sys.argv[1:]
    port = int(port)
    if command == "time":
        measure(port, rest[0], rest[1], rest[2:])
    elif command == "check":
        check(port, rest)
    elif command == "crowd":
        crowd(port, *rest)
    else:
        for endpoint in rest:
            get(port, endpoint)


if __name__ == "__main__":
    main()
