"""Django: raw() with cached_query_as, any queryset, a model on a cached view, and a cursor for other rows.

Settings and model stand here so that the file runs by itself.
"""

import os

import django
from django.conf import settings
from django.db import connection, models

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql",
                           "NAME": os.environ["PGDATABASE"]}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()


class Payment(models.Model):
    region = models.TextField()
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    paid = models.DateField()

    class Meta:
        app_label = "shop"
        db_table = "payments"
        managed = False


def latest(region):
    return Payment.objects.raw("""
        SELECT * FROM cached_query_as(NULL::payments,
            'SELECT * FROM payments WHERE region = $1 ORDER BY id DESC LIMIT 2', '60s', %s)""", [region])


def cached(queryset, ttl="60s"):
    """The objects of a queryset, which is what is cached: filters and order are part of it."""
    sql, params = queryset.query.sql_with_params()
    name = connection.ops.quote_name
    columns = ", ".join(name(field.column) + " " + field.rel_db_type(connection)
                        for field in queryset.model._meta.concrete_fields)
    return queryset.model.objects.raw(
        "SELECT * FROM cached_query(%s, %s" + ", %s" * len(params) + ") AS t(" + columns + ")",
        [sql % tuple("$%d" % n for n in range(1, len(params) + 1)), ttl, *params])


class RegionTotal(models.Model):
    """A cached view: filters and order are not part of what is cached."""

    region = models.TextField(primary_key=True)
    total = models.DecimalField(max_digits=14, decimal_places=2)

    class Meta:
        app_label = "shop"
        db_table = "region_totals"
        managed = False


# In a migration: migrations.RunSQL(VIEW, "DROP VIEW region_totals")
VIEW = """
    CREATE OR REPLACE VIEW region_totals AS
        SELECT * FROM cached_query('SELECT region, sum(amount) FROM payments GROUP BY region', '60s')
            AS t(region text, total numeric)"""

for _ in range(2):  # the second time from memory
    for payment in latest("north"):
        print(payment.id, payment.amount, payment.paid)

for _ in range(2):
    for payment in cached(Payment.objects.filter(region="west", amount__lt=10).order_by("-id")):
        print(payment.id, payment.amount, payment.paid)

with connection.cursor() as cursor:
    cursor.execute("SELECT * FROM cached_query('SELECT count(*) FROM payments', '60s') AS t(n bigint)")
    print(cursor.fetchone()[0])
    cursor.execute(VIEW)

print(RegionTotal.objects.get(region="north").total)
print([row.region for row in RegionTotal.objects.filter(total__gt=312000).order_by("-total")])
