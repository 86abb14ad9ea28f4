#!/usr/bin/env python3
"""extensions - clients of well-known extensions as they are, by a role with cached_query.auto and by one without.

    extensions.py SOCKET-DIRECTORY [PORT] [ROUNDS]

The argument is the directory of the server's socket, where user postgres is a superuser.  Makes a database
cq_extensions, and the roles cq_extensions_off and cq_extensions_auto: the latter has cached_query.auto = exact and
the names in cached_query.trusted_functions that docs/clients.md lists.  Then, in ROUNDS (20) rounds with a write of either
role between them, both ask the same, and the answers must be equal:

    GeoDjango            Collect, MakeLine, Union, Extent, distances: PostGIS
    django.contrib.postgres   trigram_similar, TrigramSimilarity, unaccent, SearchVector: pg_trgm, unaccent
    GeoAlchemy           ST_Collect, ST_MakeLine, ST_ClusterKMeans: PostGIS
    psycopg2             hll_add_agg, crosstab, a function in PL/Python
    pandas               read_sql with parameters, in chunks, from a query and from a table; to_sql between them

Needs Debian's python3-django, python3-psycopg2, python3-geoalchemy2, python3-pandas, and the server's extensions.
What is not there is left out and named.  The last line is "N passed, N failed".
"""
import random
import re
import sys

import psycopg2

HOST = sys.argv[1]
PORT = sys.argv[2] if len(sys.argv) > 2 else "5432"
ROUNDS = int(sys.argv[3]) if len(sys.argv) > 3 else 20
OFF, AUTO, DATABASE = "cq_extensions_off", "cq_extensions_auto", "cq_extensions"
passed = failed = 0
random.seed(5)


def connect(user, database=DATABASE):
    connection = psycopg2.connect(host=HOST, port=PORT, user=user, dbname=database)
    connection.autocommit = True
    return connection


def trusted_functions():
    """The names in docs/clients.md, all of them."""
    text = open(re.sub(r"test/applications/[^/]*$", "docs/clients.md", __import__("os").path.abspath(__file__))).read()
    table = text.split("| extension | value of", 1)[1].split("\n\n", 1)[0]
    return ", ".join(re.findall(r"^\| \w+ \| `([^`]+)` \|", table, re.M))


def prepare():
    connection = connect("postgres", "postgres")
    cursor = connection.cursor()
    cursor.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
    for role in OFF, AUTO:
        cursor.execute(f"DROP ROLE IF EXISTS {role}")
        cursor.execute(f"CREATE ROLE {role} LOGIN SUPERUSER")
    cursor.execute(f"ALTER ROLE {AUTO} SET cached_query.auto = exact")
    cursor.execute(f"ALTER ROLE {AUTO} SET cached_query.auto_min_time = 0")
    cursor.execute(f"ALTER ROLE {AUTO} SET cached_query.trusted_functions = '{trusted_functions()}'")
    cursor.execute(f"CREATE DATABASE {DATABASE}")
    connection.close()
    cursor = connect("postgres").cursor()
    cursor.execute("CREATE EXTENSION cached_query")
    there = set()
    for extension in "postgis", "pg_trgm", "unaccent", "tablefunc", "hll", "plpython3u":
        try:
            cursor.execute(f"CREATE EXTENSION {extension}")
            there.add(extension)
        except psycopg2.Error as error:
            print(f"{extension} is left out: {str(error).splitlines()[0]}")
    cursor.execute("""
        CREATE TABLE place (id serial PRIMARY KEY, name text, kind text, number int, cost numeric(10,2));
        INSERT INTO place (name, kind, number, cost)
        SELECT (ARRAY['Hôtel','Straße','word','wordy','Café'])[1 + g % 5] || ' ' || g, 'kind ' || g % 4, g % 9, g / 7.0
        FROM generate_series(1, 300) AS g""")
    if "postgis" in there:
        cursor.execute("""ALTER TABLE place ADD point geometry(Point, 4326);
            UPDATE place SET point = ST_SetSRID(ST_MakePoint(id % 20, id % 31), 4326)""")
    if "plpython3u" in there:
        cursor.execute("""CREATE FUNCTION shout(t text) RETURNS text LANGUAGE plpython3u IMMUTABLE
            AS 'return t.upper() + "!"'""")
    cursor.execute("ANALYZE place")
    return there


EXTENSIONS = prepare()


# ---- What is asked: each returns something that can be compared, for a role ----

def django_asks():
    import django
    from django.conf import settings

    gis = "postgis" in EXTENSIONS
    engine = "django.contrib.gis.db.backends.postgis" if gis else "django.db.backends.postgresql"
    settings.configure(
        INSTALLED_APPS=["django.contrib.postgres"] + (["django.contrib.gis"] if gis else []),
        DEFAULT_AUTO_FIELD="django.db.models.AutoField", USE_TZ=True,
        DATABASES={name: {"ENGINE": engine, "HOST": HOST, "PORT": PORT, "USER": user, "NAME": DATABASE}
                   for name, user in (("default", OFF), (OFF, OFF), (AUTO, AUTO))})
    django.setup()
    if gis:
        from django.contrib.gis.db import models
    else:
        from django.db import models

    columns = {"name": models.TextField(), "kind": models.TextField(), "number": models.IntegerField(),
               "cost": models.DecimalField(max_digits=10, decimal_places=2), "__module__": __name__,
               "Meta": type("Meta", (), {"app_label": "asks", "db_table": "place", "managed": False})}
    if gis:
        columns["point"] = models.PointField()
    place = type("Place", (models.Model,), columns)
    asks = []
    if gis:
        from django.contrib.gis.db.models import Collect, Extent, MakeLine, Union
        from django.contrib.gis.db.models.functions import AsGeoJSON, Distance
        from django.contrib.gis.geos import Point

        asks += [
            lambda role: [(r["kind"], r["g"].wkt) for r in place.objects.using(role).order_by("kind").values("kind").annotate(g=Collect("point"))],
            lambda role: [(r["kind"], r["g"].wkt) for r in place.objects.using(role).order_by("kind").values("kind").annotate(g=MakeLine("point"))],
            lambda role: place.objects.using(role).filter(number__lt=5).aggregate(g=Union("point"))["g"].wkt,
            lambda role: place.objects.using(role).aggregate(Extent("point")),
            lambda role: [(p.name, p.d.m) for p in place.objects.using(role).annotate(d=Distance("point", Point(3, 4, srid=4326))).order_by("d", "id")[:7]],
            lambda role: list(place.objects.using(role).filter(point__dwithin=(Point(3, 4, srid=4326), 2.5)).order_by("id").values_list("id", AsGeoJSON("point"))),
        ]
    if "pg_trgm" in EXTENSIONS:
        from django.contrib.postgres.search import TrigramSimilarity

        asks += [
            lambda role: list(place.objects.using(role).filter(name__trigram_similar="wordy 12").order_by("id").values_list("name")),
            lambda role: list(place.objects.using(role).annotate(s=TrigramSimilarity("name", "Hotel 7")).filter(s__gt=0.2).order_by("-s", "id").values_list("name", "s")),
        ]
    if "unaccent" in EXTENSIONS:
        asks += [
            lambda role: list(place.objects.using(role).filter(name__unaccent__icontains="hotel 1").order_by("id").values_list("name")),
            lambda role: list(place.objects.using(role).filter(name__unaccent__startswith="Cafe").order_by("id").values_list("id")),
        ]
    from django.contrib.postgres.aggregates import ArrayAgg, StringAgg
    from django.contrib.postgres.search import SearchQuery, SearchRank, SearchVector

    asks += [
        lambda role: list(place.objects.using(role).annotate(v=SearchVector("name", config="simple")).filter(v=SearchQuery("word", config="simple")).order_by("id").values_list("name")),
        lambda role: list(place.objects.using(role).annotate(r=SearchRank(SearchVector("name"), SearchQuery("wordy"))).order_by("-r", "id").values_list("id", "r")[:9]),
        lambda role: list(place.objects.using(role).order_by("kind").values("kind").annotate(n=ArrayAgg("number", ordering="id"), s=StringAgg("name", ",", ordering="id", output_field=models.TextField()))),
    ]
    return asks


def geoalchemy_asks():
    import sqlalchemy as sa
    from geoalchemy2 import Geometry, functions as f
    from geoalchemy2.shape import to_shape  # noqa: F401

    if "postgis" not in EXTENSIONS:
        return []
    place = sa.Table("place", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("kind", sa.String),
                     sa.Column("point", Geometry("POINT", srid=4326)))
    engines = {role: sa.create_engine(f"postgresql+psycopg2://{role}@/{DATABASE}?host={HOST}&port={PORT}") for role in (OFF, AUTO)}

    def ask(statement):
        def of(role):
            with engines[role].connect() as connection:
                return [tuple(str(v) for v in row) for row in connection.execute(statement)]
        return of

    return [
        ask(sa.select(place.c.kind, f.ST_AsText(f.ST_Collect(place.c.point))).group_by(place.c.kind).order_by(place.c.kind)),
        ask(sa.select(f.ST_AsText(f.ST_MakeLine(sa.dialects.postgresql.aggregate_order_by(place.c.point, place.c.id))))),
        ask(sa.select(place.c.id, f.ST_ClusterKMeans(place.c.point, 3).over()).order_by(place.c.id)),
        ask(sa.select(sa.func.cardinality(f.ST_ClusterWithin(place.c.point, 1.5)))),
    ]


def psycopg_asks():
    connections = {role: connect(role) for role in (OFF, AUTO)}

    def ask(text, *args):
        def of(role):
            cursor = connections[role].cursor()
            cursor.execute(text, args or None)
            return cursor.fetchall()
        return of

    asks = [ask("SELECT kind, count(*), sum(cost) FROM place WHERE number = ANY(%s) GROUP BY kind ORDER BY kind", [1, 2, 3])]
    if "hll" in EXTENSIONS:
        asks += [ask("SELECT hll_cardinality(hll_add_agg(hll_hash_integer(number))) FROM place"),
                 ask("SELECT kind, hll_cardinality(hll_add_agg(hll_hash_text(name))) FROM place GROUP BY kind ORDER BY kind")]
    if "tablefunc" in EXTENSIONS:
        asks += [ask("SELECT * FROM crosstab('SELECT kind, number, sum(cost) FROM place GROUP BY 1, 2 ORDER BY 1, 2') AS t(kind text, a numeric, b numeric, c numeric)"),
                 ask("SELECT * FROM crosstab('SELECT kind, number, count(*) FROM place GROUP BY 1, 2 ORDER BY 1, 2', 'SELECT generate_series(0, 4)') "
                     "AS t(kind text, a int, b int, c int, d int, e int)")]
    if "plpython3u" in EXTENSIONS:
        asks += [ask("SELECT shout(name) FROM place ORDER BY id DESC LIMIT 5")]
    if "pg_trgm" in EXTENSIONS:
        asks += [ask("SELECT name FROM place WHERE %s <%% name ORDER BY id", "wordy"),
                 ask("SELECT name, name <-> %s FROM place ORDER BY 2, id LIMIT 5", "Hotel 3")]
    return asks


def pandas_asks():
    import pandas
    import sqlalchemy as sa

    engines = {role: sa.create_engine(f"postgresql+psycopg2://{role}@/{DATABASE}?host={HOST}&port={PORT}") for role in (OFF, AUTO)}

    def same(frame):
        return frame.to_csv(), tuple(str(t) for t in frame.dtypes)

    return [
        lambda role: same(pandas.read_sql("SELECT kind, sum(cost) AS cost, avg(number) AS mean FROM place GROUP BY kind ORDER BY kind", engines[role])),
        lambda role: same(pandas.read_sql(sa.text("SELECT id, name, cost FROM place WHERE number = :n ORDER BY id"), engines[role], params={"n": 4}, index_col="id")),
        lambda role: same(pandas.concat(pandas.read_sql_query("SELECT id, number FROM place ORDER BY id", engines[role], chunksize=70))),
        lambda role: same(pandas.read_sql_table("place", engines[role], columns=["id", "name", "number", "cost"]).sort_values("id", ignore_index=True)),
        lambda role: same(pandas.read_sql("SELECT number, name FROM place", engines[role]).pivot_table(index="number", values="name", aggfunc="count")),
    ]


ASKS = {}
for client, asks_of in ("Django", django_asks), ("GeoAlchemy", geoalchemy_asks), ("psycopg2", psycopg_asks), ("pandas", pandas_asks):
    try:
        ASKS[client] = asks_of()
    except ImportError as missing:
        print(f"{client} is left out: {missing}")


# ---- What is written in between ----

def pandas_writes(role):
    import pandas
    import sqlalchemy as sa

    frame = pandas.DataFrame({"name": [f"frame {random.randrange(99)}"], "kind": ["kind 1"], "number": [random.randrange(9)], "cost": [1.25]})
    frame.to_sql("place", sa.create_engine(f"postgresql+psycopg2://{role}@/{DATABASE}?host={HOST}&port={PORT}"), if_exists="append", index=False)
    if "postgis" in EXTENSIONS:
        connect(role).cursor().execute("UPDATE place SET point = ST_SetSRID(ST_MakePoint(id % 20, 3), 4326) WHERE point IS NULL")


def sql_writes(role):
    connect(role).cursor().execute(random.choice([
        "UPDATE place SET name = 'wordy ' || id, number = (number + 1) % 9 WHERE id % 50 = 7",
        "UPDATE place SET cost = cost + 1 WHERE kind = 'kind 2'",
        "DELETE FROM place WHERE id = (SELECT max(id) FROM place)",
        "INSERT INTO place (name, kind, number, cost" + (", point" if "postgis" in EXTENSIONS else "") + ") SELECT 'Hôtel', 'kind 3', 3, 4.5"
        + (", ST_SetSRID(ST_MakePoint(5, 6), 4326)" if "postgis" in EXTENSIONS else "")]))


watch = connect(OFF).cursor()


def hits():
    watch.execute("SELECT statements FROM cached_query_reasons WHERE reason = 'hit'")
    return watch.fetchone()[0]


HITS = {client: [0] * len(asks) for client, asks in ASKS.items()}
for number in range(ROUNDS):
    for client, asks in ASKS.items():
        for at, ask in enumerate(asks):
            want = ask(OFF)
            before = hits()
            for _ in range(3):
                if ask(AUTO) == want:
                    passed += 1
                else:
                    failed += 1
                    print(f"DIFFERENT: {client}, statement {at}, round {number}")
            HITS[client][at] += hits() - before
    writers = [sql_writes] + ([pandas_writes] if "pandas" in ASKS else [])
    random.choice(writers)(random.choice([OFF, AUTO]))

for client, counts in HITS.items():
    print(f"{client}: hits of its statements {' '.join(map(str, counts))}")
watch.execute("SELECT reason, statements FROM cached_query_reasons WHERE statements > 0 ORDER BY 2 DESC")
print(", ".join(f"{reason} {n}" for reason, n in watch.fetchall()))
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed or not passed else 0)
