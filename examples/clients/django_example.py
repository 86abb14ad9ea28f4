"""Django: Model.objects.raw() with cached_query_as, and a cursor for rows that are no model.

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


for _ in range(2):  # the second time from memory
    for payment in latest("north"):
        print(payment.id, payment.amount, payment.paid)

with connection.cursor() as cursor:
    cursor.execute("SELECT * FROM cached_query('SELECT count(*) FROM payments', '60s') AS t(n bigint)")
    print(cursor.fetchone()[0])
