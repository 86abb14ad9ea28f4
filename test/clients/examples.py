# The files of examples/clients, run as they are: what they print, and how many of their calls hit.
# An example whose driver or program is missing is skipped, and says so.

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

import psycopg2

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from tap import TIMEOUT, done, equal, free_port, ok, serving, skip  # noqa: E402

EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(HERE)), "examples", "clients")
JDBC_JAR = "/usr/share/java/postgresql.jar"

with open(os.path.join(EXAMPLES, "schema.sql")) as file:
    subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1"], stdin=file, check=True,
                   env=dict(os.environ, PGOPTIONS="-c client_min_messages=warning"))
db = psycopg2.connect("")
db.autocommit = True


def value(sql):
    with db.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def row(sql):
    with db.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()


def counted(action):
    """What an action returns, and the hits, misses and bypasses that it made."""
    query = "SELECT hits, misses, bypasses FROM cached_query_stats"
    row("SELECT cached_query_clear()")
    before = row(query)
    result = action()
    return result, tuple(now - then for now, then in zip(row(query), before))


def run(command, **environment):
    end = subprocess.run(command, env=dict(os.environ, **environment), cwd=EXAMPLES, text=True,
                         timeout=TIMEOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return end.stdout if end.returncode == 0 else end.stdout + end.stderr


def python_missing(*modules):
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return "%s: no module %s" % (sys.executable, ", ".join(missing)) if missing else None


def example(name, missing, command, counts, output, **environment):
    """An example that runs to its end: its whole output, and hits, misses and bypasses."""
    if missing:
        skip(name, missing)
        return
    printed, seen = counted(lambda: run(command + [name], **environment))
    equal(printed, output, name + ": output")
    equal(seen, counts, name + ": hits, misses and bypasses")


PYTHON = [sys.executable, "-B"]

LATEST = "1000 2500.00 2026-01-11\n996 2490.00 2026-01-07\n"
REGIONS = ('[{"region":"east","total":311875.00},\n {"region":"north","total":313750.00},\n'
           ' {"region":"south","total":312500.00},\n {"region":"west","total":313125.00}]\n')


def psycopg2_example():
    example("psycopg2_example.py", None, PYTHON, (1, 1, 0),
            "north 160 204000.00\nsouth 159 202725.00\n" * 2)


def psycopg3_example():
    example("psycopg3_example.py", python_missing("psycopg"), PYTHON, (1, 2, 0),
            LATEST * 2 + REGIONS)


def asyncpg_example():
    example("asyncpg_example.py", python_missing("asyncpg"), PYTHON, (1, 1, 0),
            "4 10.00\n8 20.00\n92 230.00\n" * 2)


def sqlalchemy_example():
    example("sqlalchemy_example.py", python_missing("sqlalchemy"), PYTHON, (2, 3, 0),
            "east 210412.50\nwest 210337.50\n" * 2 + "1000 2500.00\n996 2490.00\n" + "east 311875.00\n" * 2)


def django_example():
    example("django_example.py", python_missing("django"), PYTHON, (3, 4, 0),
            LATEST * 2 + "3 7.50 2026-01-04\n" * 2 + "1000\n313750.00\n['north', 'west', 'south']\n")


def node_postgres_example():
    missing = "there is no node" if shutil.which("node") is None else run(
        ["node", "-e", "try { require('pg'); } catch { console.log('node has no module pg'); }"]).strip()
    example("node_postgres_example.js", missing, ["node"], (1, 2, 0), LATEST * 2 + REGIONS)


def program_missing(program, *check):
    """Why an example in another language can't run: no program, or it fails at this check."""
    if shutil.which(program) is None:
        return "there is no " + program
    end = subprocess.run([program, *check], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return None if end.returncode == 0 else "%s fails at %s" % (program, " ".join(check))


def postgres_js_example():
    example("postgres_js_example.js", program_missing("node", "-e", "require('postgres')"), ["node"],
            (1, 2, 0), LATEST * 2 + "3\n")


def pdo_example():
    example("pdo_example.php", program_missing("php", "-r", "exit(extension_loaded('pdo_pgsql') ? 0 : 1);"),
            ["php"], (1, 2, 0), LATEST * 2 + REGIONS)


def activerecord_example():
    example("activerecord_example.rb", program_missing("ruby", "-e", "require 'active_record'; require 'pg'"),
            ["ruby"], (2, 2, 0), "1000 2500.0 2026-01-11\n996 2490.0 2026-01-07\n" * 2 + "north south west\n" * 2)


def pgx_example(work):
    """Debian has the sources of pgx where GOPATH is to be: those of v5, or only those of v4."""
    path = "/usr/share/gocode"
    program = "pgx_example.go"
    missing = program_missing("go", "version")
    if missing is None and not os.path.isdir(path + "/src/github.com/jackc/pgx/v5"):
        if os.path.isdir(path + "/src/github.com/jackc/pgx/v4"):
            program = work + "/pgx_example.go"
            with open(EXAMPLES + "/pgx_example.go") as source, open(program, "w") as target:
                target.write(source.read().replace("/pgx/v5", "/pgx/v4"))
        else:
            missing = "there is no pgx in " + path
    example(program, missing, ["go", "run"], (1, 2, 0),
            "1000 2500.00\n996 2490.00\n" * 2 + REGIONS,
            GO111MODULE="off", GOPATH=path, GOCACHE=work + "/gocache", GOFLAGS="-p=1")


def jdbc_example():
    missing = None
    if shutil.which("javac") is None:
        missing = "there is no JDK"
    elif not os.path.exists(JDBC_JAR):
        missing = "there is no " + JDBC_JAR
    else:
        # The driver knows TCP only, and the server lets nobody in there without a password.
        row("SET password_encryption = 'scram-sha-256'; CREATE ROLE jdbc LOGIN PASSWORD 'jdbc';"
            "GRANT SELECT ON payments TO jdbc; SELECT 1")
    url = "jdbc:postgresql://127.0.0.1:%s/%s?user=jdbc&password=jdbc" % (
        os.environ["PGPORT"], os.environ["PGDATABASE"])
    if missing:
        skip("JdbcExample.java", missing)
        return
    printed, seen = counted(lambda: run(["java", "-cp", JDBC_JAR, "JdbcExample.java", url]))
    equal(printed, "896 2240.00\n892 2230.00\n" * 7, "JdbcExample.java: output")
    equal(seen, (6, 1, 0), "JdbcExample.java: hits, misses and bypasses")


def fetch(url):
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
        return answer.headers["content-type"], answer.read()


def fastapi_example(work):
    name = "fastapi_example.py"
    missing = python_missing("fastapi", "uvicorn", "asyncpg")
    if missing:
        skip(name, missing)
        return
    port = free_port()
    log = os.path.join(work, "uvicorn.log")
    command = PYTHON + ["-m", "uvicorn", "fastapi_example:app", "--port", str(port)]
    with serving(command, log, port, cwd=EXAMPLES):
        url = "http://127.0.0.1:%d/totals/" % port
        try:
            (first, second), seen = counted(lambda: (fetch(url + "north"), fetch(url + "north")))
            unknown = fetch(url + "it%27s")
        except OSError as error:
            ok(False, name + ": answers", "%s\n%s" % (error, open(log).read()))
            return
    direct = value("SELECT cached_query_json($$SELECT paid, count(*) AS payments, sum(amount) AS total"
                   " FROM payments WHERE region = 'north' GROUP BY paid ORDER BY paid LIMIT 2$$, '0')::text")
    equal(first, ("application/json", direct.encode()), name + ": the document as PostgreSQL made it")
    equal(second, first, name + ": the same from memory")
    equal(seen, (1, 1, 0), name + ": hits, misses and bypasses")
    equal(unknown, ("application/json", b"[]"), name + ": a parameter is a parameter")


def pgbouncer_example(work):
    name = "pgbouncer_example.py"
    program = shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin")
    missing = python_missing("psycopg") or (None if program else "there is no pgbouncer")
    if missing:
        skip(name, missing)
        return
    # The example's file with this machine's places, and one server connection for all.
    port = free_port()
    with open(os.path.join(EXAMPLES, "pgbouncer.ini")) as file:
        text = file.read()
    for old, new in (("host=/run/postgresql", "host=%(PGHOST)s port=%(PGPORT)s" % os.environ),
                     ("listen_port = 6432", "listen_port = %d\nunix_socket_dir =" % port),
                     ("default_pool_size = 20", "default_pool_size = 1"),
                     ("/etc/pgbouncer/userlist.txt", work + "/userlist.txt")):
        ok(text.count(old) == 1, "pgbouncer.ini has " + old)
        text = text.replace(old, new)
    with open(work + "/pgbouncer.ini", "w") as file:
        file.write(text)
    row("SET password_encryption = 'scram-sha-256'; CREATE ROLE pooled LOGIN PASSWORD 'pooled';"
        "GRANT SELECT ON payments TO pooled; SELECT 1")
    with open(work + "/userlist.txt", "w") as file:
        file.write('"pooled" "pooled"\n')
    pooled = dict(PGHOST="127.0.0.1", PGPORT=str(port), PGUSER="pooled", PGPASSWORD="pooled")
    log = os.path.join(work, "pgbouncer.log")
    with serving([program, work + "/pgbouncer.ini"], log, port):
        printed, seen = counted(lambda: run(PYTHON + [name], **pooled))
        equal(printed, "1000\n1000\nttl\n", name + ": output")
        equal(seen, (1, 1, 0), name + ": the setting and the option mean the same entry")
        equal(row("SELECT DISTINCT tag, consistency FROM cached_query_entries"), ("report", "exact"),
              name + ": with tag and consistency")

        # Why not a plain SET: it is the server connection's.
        psql = ["psql", "-qXAt", "-c"]
        show = psql + ["SHOW cached_query.consistency"]
        run(psql + ["SET cached_query.consistency = exact"], **pooled)
        equal(run(show, **pooled), "exact\n", "pgbouncer: SET reaches another client")
        run(psql + ["RESET cached_query.consistency"], **pooled)
        run(psql + ["BEGIN; SET LOCAL cached_query.consistency = exact; COMMIT"], **pooled)
        equal(run(show, **pooled), "ttl\n", "pgbouncer: SET LOCAL does not")


def pg_cron_example():
    """pg_cron runs jobs at full minutes: this comes last, since what others do may void answers."""
    name = "warm_with_pg_cron.sql"
    with psycopg2.connect("dbname=postgres") as cron:
        cron.autocommit = True
        with cron.cursor() as cursor:
            cursor.execute("SELECT current_setting('shared_preload_libraries') LIKE '%pg_cron%'")
            if not cursor.fetchone()[0]:
                skip(name, "the server has no pg_cron")
                return
            for file, output in ("schema.sql", ""), (name, "1\n2\n"):
                printed = run(["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-f", file],
                              PGDATABASE="postgres", PGOPTIONS="-c client_min_messages=warning")
                equal(printed, output, file + ": runs")
            details = []
            end = time.monotonic() + 90
            while len(details) < 2 and time.monotonic() < end:
                time.sleep(0.2)
                # A job has succeeded, for the time being, after each of its commands: not after SET.  One row
                # for each job: if a minute ended between the two, one has run twice before the other.
                cursor.execute("SELECT min(status) FROM cron.job_run_details WHERE return_message NOT LIKE 'SET%'"
                               " AND status NOT IN ('starting', 'running') GROUP BY jobid")
                details = cursor.fetchall()
            cursor.execute("SELECT cron.unschedule(jobname) FROM cron.job")
            equal(details, [("succeeded",)] * 2, name + ": the jobs succeed")
            cursor.execute("SET cached_query.mode = only_cached")
            try:
                cursor.execute("SELECT count(*) FROM cached_query('SELECT region, sum(amount) FROM payments"
                               " GROUP BY region', '2min') AS t(region text, total numeric)")
                equal(cursor.fetchone(), (4,), name + ": the answer is there")
                cursor.execute("SELECT json_array_length(cached_query_json("
                               "'SELECT region, sum(amount) AS total FROM payments GROUP BY region', '2min'))")
                equal(cursor.fetchone(), (4,), name + ": and the document")
            except psycopg2.DatabaseError as error:
                ok(False, name + ": is warm", error)


with tempfile.TemporaryDirectory() as directory:
    psycopg2_example()
    psycopg3_example()
    asyncpg_example()
    sqlalchemy_example()
    django_example()
    node_postgres_example()
    postgres_js_example()
    pdo_example()
    activerecord_example()
    pgx_example(directory)
    jdbc_example()
    fastapi_example(directory)
    pgbouncer_example(directory)
    pg_cron_example()
done()
