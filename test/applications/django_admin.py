#!/usr/bin/env python3
"""django_admin - Django's admin as it is, by a role with cached_query.auto and by one without.

    django_admin.py CONNINFO-DIRECTORY [ROUNDS] [atomic]

The argument is the directory of the server's socket, where user postgres is a superuser.  Makes a database
cq_django, the roles cq_django_off and cq_django_auto, whose only difference is ALTER ROLE cq_django_auto SET
cached_query.auto = exact (and auto_min_time = 0, so that small tables count), and a shop of two models.  Each
page is asked for by the first and by the second role, several times, and must be the same but for tokens; between
them the second or the first writes through the admin's forms.  "atomic": a transaction for each request.

Needs Debian's python3-django and python3-psycopg2.  The last line is "N passed, N failed".
"""
import random
import re
import sys
import time

import django
from django.apps import AppConfig
from django.conf import settings

HOST, ROUNDS = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 60
OFF, AUTO = "cq_django_off", "cq_django_auto"
random.seed(4)


def database(user, name="cq_django"):
    return {"ENGINE": "django.db.backends.postgresql", "HOST": HOST, "USER": user, "NAME": name,
            "ATOMIC_REQUESTS": "atomic" in sys.argv, "CONN_MAX_AGE": None}


settings.configure(
    DEBUG=False, SECRET_KEY="of a test", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, USE_TZ=True,
    INSTALLED_APPS=["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
                    "django.contrib.sessions", "django.contrib.messages"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware",
                "django.contrib.messages.middleware.MessageMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
                "OPTIONS": {"context_processors": [
                    "django.template.context_processors.request", "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages"]}}],
    MESSAGE_STORAGE="django.contrib.messages.storage.cookie.CookieStorage",
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    DATABASES={"default": database("postgres")}, STATIC_URL="/static/", DEFAULT_AUTO_FIELD="django.db.models.AutoField")


def prepare():
    import psycopg2

    connection = psycopg2.connect(host=HOST, user="postgres", dbname="postgres")
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("DROP DATABASE IF EXISTS cq_django")
    for role in OFF, AUTO:
        cursor.execute(f"DROP ROLE IF EXISTS {role}")
        cursor.execute(f"CREATE ROLE {role} LOGIN SUPERUSER")
    cursor.execute(f"ALTER ROLE {AUTO} SET cached_query.auto = exact")
    cursor.execute(f"ALTER ROLE {AUTO} SET cached_query.auto_min_time = 0")
    cursor.execute("CREATE DATABASE cq_django")
    connection.close()


prepare()
django.setup()

from django.contrib import admin  # noqa: E402
from django.contrib.auth.models import Group, User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import path  # noqa: E402


class Product(models.Model):
    name = models.CharField(max_length=50)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    group = models.ForeignKey(Group, models.CASCADE)
    added = models.DateTimeField()

    class Meta:
        app_label = "auth"

    def __str__(self):
        return self.name


class Sale(models.Model):
    product = models.ForeignKey(Product, models.CASCADE)
    buyer = models.ForeignKey(User, models.CASCADE)
    day = models.DateField()
    amount = models.IntegerField()

    class Meta:
        app_label = "auth"


class ProductAdmin(admin.ModelAdmin):
    list_display = ("name", "price", "group", "added")
    list_filter = ("group",)
    search_fields = ("name", "group__name")
    date_hierarchy = "added"


class SaleAdmin(admin.ModelAdmin):
    list_display = ("product", "buyer", "day", "amount")
    list_filter = ("product__group", "day")
    list_select_related = True
    ordering = ("-day", "id")
    raw_id_fields = ("buyer",)


admin.site.register(Product, ProductAdmin)
admin.site.register(Sale, SaleAdmin)
urlpatterns = [path("admin/", admin.site.urls)]


def fill():
    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Product)
        editor.create_model(Sale)
    User.objects.create_superuser("root", "root@example.com", "secret")
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION cached_query")
        cursor.execute("INSERT INTO auth_group (name) SELECT 'group ' || g FROM generate_series(1, 20) g")
        cursor.execute(
            "INSERT INTO auth_user (username, password, is_superuser, first_name, last_name, email, is_staff, is_active, date_joined)"
            " SELECT 'user ' || g, 'x', false, 'f' || g % 7, 'l' || g, '', false, g % 3 > 0, '2020-01-01'::timestamptz + g * '1 h'::interval"
            " FROM generate_series(1, 3000) g")
        cursor.execute("INSERT INTO auth_product (name, price, group_id, added) SELECT 'product ' || g, g % 100, 1 + g % 20,"
                       " '2021-01-01'::timestamptz + g * '3 h'::interval FROM generate_series(1, 5000) g")
        cursor.execute("INSERT INTO auth_sale (product_id, buyer_id, day, amount) SELECT 1 + g % 5000, 2 + g % 3000,"
                       " '2022-01-01'::date + g % 600, g % 9 FROM generate_series(1, 30000) g")
        cursor.execute("ANALYZE")


def become(role):
    connection.close()
    connection.settings_dict["USER"] = role


PAGES = ["auth/product/", "auth/product/?q=product+12", "auth/product/?group__id__exact=3", "auth/product/?o=-2.1",
         "auth/product/?added__year=2021&added__month=3", "auth/product/?p=7", "auth/sale/", "auth/sale/?product__group__id__exact=5",
         "auth/sale/?o=4.-3", "auth/sale/?p=20", "auth/user/", "auth/user/?is_active__exact=1&q=f3", "auth/group/", "",
         "auth/product/17/change/", "auth/sale/44/change/", "auth/user/9/change/", "auth/product/17/history/", "auth/group/3/change/"]


def page(clients, role, address):
    become(role)
    start = time.monotonic()
    answer = clients[role].get("/admin/" + address)
    took = time.monotonic() - start
    text = answer.content.decode()
    return answer.status_code, re.sub(r'(name="csrfmiddlewaretoken" value=)"[^"]*"', r"\1", text), took


def write(clients, role):
    """Through the admin's forms."""
    become(role)
    client = clients[role]
    number = random.randint(1, 20)
    kind = random.choice(["change", "add", "delete", "sale", "action", "group"])
    if kind == "change":
        answer = client.post("/admin/auth/product/17/change/", {"name": f"new {random.random()}", "price": "3.50", "group": number,
                                                                  "added_0": "2021-03-04", "added_1": "10:00:00"})
    elif kind == "add":
        answer = client.post("/admin/auth/product/add/", {"name": f"product 12 {random.random()}", "price": "1", "group": number,
                                                            "added_0": "2021-03-05", "added_1": "10:00:00"})
    elif kind == "delete":
        answer = client.post(f"/admin/auth/product/{random.randint(100, 4000)}/delete/", {"post": "yes"})
    elif kind == "sale":
        answer = client.post("/admin/auth/sale/44/change/", {"product": 17, "buyer": 9, "day": "2023-09-01", "amount": number})
    elif kind == "action":
        answer = client.post("/admin/auth/sale/", {"action": "delete_selected", "post": "yes",
                                                    "_selected_action": [random.randint(100, 20000) for _ in range(5)]})
    else:
        answer = client.post("/admin/auth/group/3/change/", {"name": f"group {random.random()}"})
    client.get("/admin/")  # shows the message of success, once
    return kind, answer.status_code in (302, 404)


def main():
    fill()
    clients = {OFF: Client(), AUTO: Client()}
    for role, client in clients.items():
        become(role)
        assert client.login(username="root", password="secret")
    passed = failed = 0
    took = {OFF: 0.0, AUTO: 0.0}
    for turn in range(ROUNDS):
        for address in random.sample(PAGES, 6):
            for _ in range(3):
                direct, cached = page(clients, OFF, address), page(clients, AUTO, address)
                took[OFF] += direct[2]
                took[AUTO] += cached[2]
                good = direct[:2] == cached[:2] and direct[0] in (200, 302)
                passed, failed = passed + good, failed + (not good)
                if not good:
                    print(f"turn {turn}: /admin/{address} differs: {direct[0]}, {cached[0]}")
        kind, good = write(clients, random.choice([OFF, AUTO]))
        passed, failed = passed + good, failed + (not good)
        if not good:
            print(f"turn {turn}: {kind} failed")
    become("postgres")
    with connection.cursor() as cursor:
        cursor.execute("SELECT reason, statements FROM cached_query_reasons WHERE statements > 0")
        print(dict(cursor.fetchall()))
    print(f"seconds: off {took[OFF]:.1f}, exact {took[AUTO]:.1f}")
    print(f"{passed} passed, {failed} failed")
    return failed != 0


sys.exit(main())
