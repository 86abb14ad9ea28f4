# examples/monitoring: prometheus-postgres-exporter with queries.yaml as a role that has pg_monitor
# and nothing else, and what dashboard.json asks for.

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

import psycopg2

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from tap import done, equal, free_port, ok, serving, skip  # noqa: E402

MONITORING = os.path.join(os.path.dirname(os.path.dirname(HERE)), "examples", "monitoring")
QUERIES = os.path.join(MONITORING, "queries.yaml")
EXPORTER = shutil.which("prometheus-postgres-exporter")
LINE = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

db = psycopg2.connect("")
db.autocommit = True


def rows(sql):
    with db.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else None


def declared():
    """Metrics that queries.yaml declares: name -> usage, without labels."""
    found = {}
    namespace = name = None
    with open(QUERIES) as file:
        for line in file:
            if match := re.match(r"(\w+):$", line):
                namespace = match[1]
            elif match := re.match(r"    - (\w+):$", line):
                name = match[1]
            elif (match := re.match(r'        usage: "(\w+)"$', line)) and match[1] != "LABEL":
                found[namespace + "_" + name] = match[1].lower()
    return found


class Scrape:
    """What the exporter shows now: samples[name] = {labels: value} and types[name]."""

    def __init__(self, port):
        self.samples = {}
        self.types = {}
        with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % port, timeout=60) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith("# TYPE "):
                    _, _, name, kind = line.split()
                    self.types[name] = kind
                elif match := LINE.match(line):
                    # The server's name depends on the place where the test runs.
                    labels = {k: v for k, v in LABEL.findall(match[2] or "") if k != "server"}
                    self.samples.setdefault(match[1], {})[tuple(sorted(labels.items()))] = float(match[3])

    def value(self, name, **labels):
        return self.samples.get(name, {}).get(tuple(sorted(labels.items())))


# ---- Something to see ----
rows("""CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor;
        CREATE TABLE t (v int); INSERT INTO t VALUES (1), (2); SELECT 1""")
rows("SELECT cached_query_clear()")
rows("SELECT cached_query_stats_reset()")
for _ in range(3):
    rows("SELECT * FROM cached_query('SELECT v FROM t', '1h') AS t(v int)")
rows("SELECT * FROM cached_query('SELECT random() > 2', '1h') AS t(v bool)")
rows("SET cached_query.auto = exact")
rows("SELECT v FROM t /* cached_query: exact */")
rows("SET cached_query.auto = off")
# Nobody answers at this port; that must not keep the rest from being seen.
rows("ALTER SYSTEM SET cached_query.redis_url = 'redis://127.0.0.1:%d'" % free_port())
rows("SELECT pg_reload_conf()")


def check_dashboard(scrape):
    """Grafana's file is complete, and asks for nothing that the exporter doesn't have."""
    with open(os.path.join(MONITORING, "dashboard.json")) as file:
        dashboard = json.load(file)
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    ids = [panel["id"] for panel in dashboard["panels"]]
    ok(len(panels) > 5 and dashboard["title"] and dashboard["uid"] and dashboard["id"] is None
       and dashboard["schemaVersion"] >= 36, "dashboard: title, uid, version and panels; no id of one server's")
    ok(len(ids) == len(set(ids)), "dashboard: panels have ids of their own")
    sources = {variable["name"] for variable in dashboard["templating"]["list"] if variable["type"] == "datasource"}
    texts = []
    taken = set()
    for panel in panels:
        name = "dashboard, %s: " % panel["title"]
        ok(panel["datasource"]["uid"][2:-1] in sources, name + "reads the chosen data source")
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        ok(not cells & taken and place["x"] + place["w"] <= 24, name + "has a place of its own")
        taken |= cells
        ok(panel["targets"] and len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]),
           name + "has queries")
        texts += [(name, target["expr"]) for target in panel["targets"]]
    texts += [("dashboard, variable %s: " % variable["name"], variable["query"]["query"])
              for variable in dashboard["templating"]["list"] if variable["type"] == "query"]
    for name, text in texts:
        metrics = re.findall(r"\b(?:cached_query|pg)_\w+", text)
        unknown = [metric for metric in metrics if metric not in scrape.samples]
        ok(metrics and not unknown, name + "known metrics", "%s in %s" % (unknown, text))
        # rate() is for counters, and counters are for nothing else.
        for metric in metrics:
            rated = re.search(r"(?:rate|increase)\(" + metric + r"\b", text) is not None
            ok("label_values" in text or rated == (scrape.types[metric] == "counter"),
               name + metric + " is used as what it is", text)
        ok(text.count("(") == text.count(")") and text.count("{") == text.count("}"), name + "brackets")


def check_scrape(scrape, usages):
    equal(scrape.value("pg_exporter_last_scrape_error"), 0, "no error while scraping")
    equal([value for labels, value in scrape.samples.get("pg_exporter_user_queries_load_error", {}).items()],
          [0], "queries.yaml was read")
    for name, usage in usages.items():
        ok(name in scrape.samples, name + " is there")
        equal(scrape.types.get(name), usage, name + " is a " + usage)
        ok(usage != "counter" or name.endswith("_total"), name + ": counters end in _total")

    equal(scrape.value("cached_query_hits_total"), 2, "hits")
    equal(scrape.value("cached_query_misses_total"), 2, "misses, of a call and a statement")
    equal(scrape.value("cached_query_bypasses_total"), 1, "bypasses")
    equal(scrape.value("cached_query_reason_calls_total", reason="volatile_function"), 1, "calls by reason")
    equal(scrape.value("cached_query_reason_statements_total", reason="ghost"), 1, "statements without a call by reason")
    equal(scrape.value("cached_query_redis_up"), 1, "the breaker of a Redis that was not asked yet")
    entries = rows("SELECT database, state, count(*), sum(bytes) FROM cached_query_entries GROUP BY 1, 2")
    for database, state, count, size in entries:
        equal((scrape.value("cached_query_database_entries", datname=database, state=state),
               scrape.value("cached_query_database_bytes", datname=database, state=state)),
              (count, float(size)), "entries and bytes of a database")
    equal(scrape.value("cached_query_memory_total_bytes"),
          rows("SELECT memory_total FROM cached_query_stats")[0][0], "memory")
    ok(scrape.value("cached_query_stats_reset_timestamp_seconds") > time.time() - 3600, "time of the reset")
    # what the views have and queries.yaml has not
    columns = rows("""SELECT attname FROM pg_attribute WHERE attnum > 0
                        AND attrelid IN ('cached_query_stats'::regclass, 'cached_query_redis'::regclass, 'cached_query_reasons'::regclass)
                        AND attname NOT IN ('since', 'last_error', 'last_error_time', 'description')""")
    with open(QUERIES) as file:
        text = file.read()
    equal([name for name, in columns if not re.search(r"\b%s\b" % name, text)], [],
          "each column of cached_query_stats, cached_query_redis and cached_query_reasons is used")


def check_waits(port):
    """Sessions that wait for another's fill are seen by a role that may not see what they run."""
    call = "SELECT * FROM cached_query('SELECT count(*) FROM t, pg_sleep(20)', '1h') AS t(n bigint)"
    sessions = [subprocess.Popen(["psql", "-qXAt", "-c", "SET cached_query.nondeterministic = cache",
                                  "-c", call], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                for _ in range(3)]
    name = "CachedQuerySingleflight" if db.server_version >= 170000 else "Extension"
    waiting = None
    end = time.monotonic() + 15
    while waiting != 2 and time.monotonic() < end:
        waiting = Scrape(port).value("cached_query_waits_sessions", wait_event=name)
    equal(waiting, 2, "two sessions wait for the fill of a third")
    rows("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(20)%' AND pid <> pg_backend_pid()")
    for session in sessions:
        session.wait(60)


def check_redis(port):
    """The breaker opens when nobody answers, and the exporter says so."""
    rows("SET cached_query.store = tiered")
    for i in range(4):
        rows("SELECT * FROM cached_query('SELECT v + $1 FROM t', '1h', %d) AS t(v int)" % i)
    scrape = Scrape(port)
    equal(scrape.value("cached_query_redis_up"), 0, "Redis is down")
    ok(scrape.value("cached_query_redis_errors_total") >= 3, "errors of Redis")
    ok(scrape.value("cached_query_redis_skipped_total") >= 1, "calls that did without Redis")


class Declared:
    """What the exporter would show, as queries.yaml says."""

    def __init__(self):
        self.types = declared()
        self.samples = dict.fromkeys(self.types)


if EXPORTER is None:
    skip("queries.yaml", "there is no prometheus-postgres-exporter")
    check_dashboard(Declared())
    done()
with tempfile.TemporaryDirectory() as directory:
    port = free_port()
    log = os.path.join(directory, "log")
    source = "host=%(PGHOST)s port=%(PGPORT)s dbname=%(PGDATABASE)s user=monitor sslmode=disable" % os.environ
    with serving([EXPORTER, "--extend.query-path=" + QUERIES, "--web.listen-address=127.0.0.1:%d" % port,
                  "--disable-default-metrics", "--disable-settings-metrics"],
                 log, port, DATA_SOURCE_NAME=source):
        scrape = Scrape(port)
        usages = declared()
        ok(len(usages) > 40, "queries.yaml declares metrics")
        check_scrape(scrape, usages)
        check_dashboard(scrape)
        check_waits(port)
        check_redis(port)
    with open(log) as file:
        complaints = [line for line in file if "level=error" in line and "cached_query" in line]
    equal(complaints, [], "the exporter complains of none of our queries")
rows("ALTER SYSTEM RESET cached_query.redis_url")
rows("SELECT pg_reload_conf()")
equal(rows("""SELECT count(*) FROM pg_auth_members AS m JOIN pg_roles AS r ON r.oid = m.member
              WHERE r.rolname = 'monitor'"""), [(1,)], "monitor is a member of pg_monitor only")
done()
