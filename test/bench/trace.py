"""A trace of queries of mixed cost and size, popular by Zipf's law: trace.py CALLS direct|cached

600 queries of four kinds, whose ranks are shuffled: cheap and small, costly and small, cheap and
large, costly and large.  The same trace each time.
"""
import bisect
import itertools
import random
import sys

COLUMNS = {
    "row": "id int, part int, amount numeric, note text",
    "sums": "p int, n bigint, s numeric",
    "range": "id int, part int, amount numeric, note text",
    "sorted": "id int, amount numeric, digest text",
}


def query(kind, i):
    if kind == "row":
        return f"SELECT * FROM events WHERE id = {i * 31}"
    if kind == "sums":
        return f"SELECT part % 10, count(*), sum(amount) FROM events WHERE part <> {i} GROUP BY 1 ORDER BY 1"
    if kind == "range":
        return f"SELECT * FROM events WHERE id BETWEEN {i * 150} AND {i * 150 + 1999}"
    return f"SELECT id, amount, md5(note) FROM events WHERE part % 64 = {i % 64} ORDER BY md5(note), id"


def main():
    calls, way = int(sys.argv[1]), sys.argv[2]
    dice = random.Random(1)
    kinds = ["row"] * 240 + ["sums"] * 150 + ["range"] * 150 + ["sorted"] * 60
    queries = [(kind, query(kind, i)) for i, kind in enumerate(kinds)]
    dice.shuffle(queries)
    weights = list(itertools.accumulate(1 / (rank + 1) ** 0.9 for rank in range(len(queries))))
    for _ in range(calls):
        kind, text = queries[bisect.bisect(weights, dice.random() * weights[-1])]
        if way == "cached":
            text = f"SELECT * FROM cached_query($q${text}$q$, '1d') AS t({COLUMNS[kind]})"
        print(text)


if __name__ == "__main__":
    main()
