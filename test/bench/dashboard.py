"""A picture of Grafana's panels from a real run: dashboard.py OUT.svg [SECONDS]

Runs a load of several kinds against the server that PGHOST, PGPORT, PGUSER and PGDATABASE name, scrapes it by
prometheus-postgres-exporter with examples/monitoring/queries.yaml each second, asks Prometheus all that
examples/monitoring/dashboard.json asks, and draws the answers.  A query that Prometheus refuses, or whose
metrics it does not have, is an error.

Needs a server of its own with the extension (it creates a table there and clears the cache), for the
panels on Redis with cached_query.redis_url set, and Debian's packages prometheus,
prometheus-postgres-exporter, python3-matplotlib and python3-psycopg2.
"""
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

import matplotlib
import psycopg2

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import free_port, serving  # noqa: E402

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.fonttype": "none", "font.size": 7, "svg.hashsalt": "cached_query"})
import matplotlib.pyplot as plot  # noqa: E402
from matplotlib.ticker import EngFormatter, FuncFormatter  # noqa: E402

MONITORING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "monitoring")
PROMETHEUS = os.environ.get("PROMETHEUS", "prometheus")
RATE = "10s"

# ---- The load ----

CALLS = [
    # some hundred dashboards of the same few reports, now and then one that nobody had
    ("SELECT * FROM cached_query('SELECT id, repeat(region, 20), amount FROM sales WHERE shop = $1', '8s', %s) "
     "AS t(id int, r text, a numeric)", lambda: [min(int(random.expovariate(0.004)), 900)]),
    ("SELECT * FROM cached_query_with('{\"store\": \"tiered\"}', 'SELECT count(*) FROM sales WHERE amount > $1', '4s', %s) AS t(n bigint)",
     lambda: [random.randrange(40)]),
    ("SELECT * FROM cached_query_with('{\"consistency\": \"exact\"}', 'SELECT max(id) FROM sales WHERE shop < $1', '1min', %s) AS t(n int)",
     lambda: [random.randrange(30)]),
    ("SELECT * FROM cached_query_with('{\"stale_for\": 60000}', 'SELECT shop, avg(amount) FROM sales GROUP BY 1', '2s') AS t(s int, a numeric)",
     lambda: []),
    ("SELECT * FROM cached_query('SELECT random(), now()', '1min') AS t(a float8, b timestamptz)", lambda: []),
]


def connect():
    connection = psycopg2.connect("")
    connection.autocommit = True
    return connection


def reader(until):
    with connect().cursor() as cursor:
        cursor.execute("SET client_min_messages = warning")
        while time.monotonic() < until:
            sql, arguments = random.choices(CALLS, (20, 8, 6, 4, 1))[0]
            cursor.execute(sql, arguments())
            cursor.fetchall()
            time.sleep(random.expovariate(40))


def writer(until):
    with connect().cursor() as cursor:
        while time.monotonic() < until:
            cursor.execute("INSERT INTO sales SELECT max(id) + 1, 1, 'north', 1 FROM sales")
            if random.random() < 0.3:
                cursor.execute("SELECT cached_query_invalidate_relation('sales')")
            time.sleep(random.uniform(2, 6))


def load(seconds):
    with connect().cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS sales")
        cursor.execute("""CREATE TABLE sales AS SELECT g AS id, g % 1000 AS shop,
            (ARRAY['north', 'south', 'east', 'west'])[g % 4 + 1] AS region, (g % 997)::numeric AS amount
            FROM generate_series(1, 100000) AS g""")
        cursor.execute("SELECT cached_query_clear(), cached_query_stats_reset()")
    begin = time.monotonic()
    threads = [threading.Thread(target=reader, args=(begin + seconds,)) for _ in range(6)]
    threads.append(threading.Thread(target=writer, args=(begin + seconds,)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# ---- Prometheus ----

CONFIGURATION = """
global: {scrape_interval: 1s, evaluation_interval: 1m}
scrape_configs:
- job_name: postgres
  static_configs: [{targets: ["127.0.0.1:%d"], labels: {instance: db1}}]
"""


class Prometheus:
    def __init__(self, port):
        self.base = "http://127.0.0.1:%d/api/v1/" % port

    def ask(self, path, **arguments):
        url = self.base + path + "?" + urllib.parse.urlencode(arguments)
        with urllib.request.urlopen(url, timeout=60) as answer:
            return json.load(answer)["data"]

    def series(self, expression, begin, end):
        """Label sets and points; an unknown metric or a wrong query ends the program."""
        for metric in re.findall(r"\bcached_query_\w+", expression):
            if not self.ask("series", **{"match[]": metric}):
                sys.exit("no such metric: %s in %s" % (metric, expression))
        data = self.ask("query_range", query=expression, start=begin, end=end, step=2)
        return [(one["metric"], [(float(at) - begin, float(value)) for at, value in one["values"]])
                for one in data["result"]]


# ---- The picture ----

UNITS = {"percentunit": FuncFormatter(lambda value, _: "%.3g %%" % (value * 100)),
         "bytes": EngFormatter("B"), "s": EngFormatter("s")}


def legend(target, labels):
    return re.sub(r"{{(\w+)}}", lambda match: labels.get(match[1], ""), target.get("legendFormat", ""))


def draw(axes, panel, prometheus, begin, end):
    axes.set_title(panel["title"], loc="left", fontweight="bold")
    drawn = 0
    highest = 0
    for target in panel["targets"]:
        expression = target["expr"].replace("$__rate_interval", RATE).replace("$instance", "db1")
        for labels, points in prometheus.series(expression, begin, end):
            axes.plot([at for at, _ in points], [value for _, value in points], linewidth=0.9,
                      label=legend(target, labels))
            drawn += 1
            highest = max([highest] + [value for _, value in points])
    unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit")
    if unit in UNITS:
        axes.yaxis.set_major_formatter(UNITS[unit])
    axes.set_ylim(0, (highest or 1) * (1.4 if drawn > 1 else 1.1))
    axes.grid(linewidth=0.3)
    if drawn > 1:
        axes.legend(fontsize=5.5, frameon=False, loc="upper left", ncol=2)
    return drawn


def picture(name, prometheus, begin, end):
    with open(os.path.join(MONITORING, "dashboard.json"), encoding="utf-8") as file:
        panels = [panel for panel in json.load(file)["panels"] if panel["type"] != "row"]
    rows = (len(panels) + 2) // 3
    figure, grid = plot.subplots(rows, 3, figsize=(12, 1.9 * rows), sharex=True, layout="constrained")
    for axes in grid.flat[len(panels):]:
        axes.axis("off")
    for axes, panel in zip(grid.flat, panels):
        print("%-55s %2d series" % (panel["title"], draw(axes, panel, prometheus, begin, end)))
    figure.supxlabel("seconds")
    figure.savefig(name, metadata={"Date": None})


def main():
    name = sys.argv[1]
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 90
    source = "host=%(PGHOST)s port=%(PGPORT)s user=%(PGUSER)s dbname=%(PGDATABASE)s sslmode=disable" % os.environ
    scraped, asked = free_port(), free_port()
    with tempfile.TemporaryDirectory() as directory:
        with open(directory + "/prometheus.yml", "w", encoding="ascii") as file:
            file.write(CONFIGURATION % scraped)
        exporter = ["prometheus-postgres-exporter", "--web.listen-address=127.0.0.1:%d" % scraped,
                    "--extend.query-path=" + os.path.join(MONITORING, "queries.yaml"),
                    "--disable-default-metrics", "--disable-settings-metrics"]
        server = [PROMETHEUS, "--config.file=" + directory + "/prometheus.yml",
                  "--storage.tsdb.path=" + directory + "/data", "--web.listen-address=127.0.0.1:%d" % asked]
        with serving(exporter, directory + "/exporter.log", scraped, DATA_SOURCE_NAME=source), \
                serving(server, directory + "/prometheus.log", asked):
            begin = time.time()
            load(seconds)
            time.sleep(2)
            picture(name, Prometheus(asked), begin, time.time())


main()
