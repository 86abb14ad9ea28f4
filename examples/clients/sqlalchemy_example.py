"""SQLAlchemy: a cached query as a table of Core, as rows of a mapped class, and a class on a cached view."""

import datetime

from sqlalchemy import (BigInteger, Column, Date, Numeric, Text, column, create_engine,
                        func, select, text)
from sqlalchemy.orm import Session, declarative_base

engine = create_engine("postgresql+psycopg2://", isolation_level="AUTOCOMMIT")
Base = declarative_base()


class Payment(Base):
    __tablename__ = "payments"
    id = Column(BigInteger, primary_key=True)
    region = Column(Text)
    amount = Column(Numeric(12, 2))
    paid = Column(Date)


# The column list comes from the types; what is joined or filtered outside is not cached.
totals = func.cached_query(
    "SELECT region, sum(amount) FROM payments WHERE paid >= $1 GROUP BY region", "60s",
    datetime.date(2026, 2, 1),
).table_valued(column("region", Text), column("total", Numeric)).render_derived("t", with_types=True)

# All columns of a table: cached_query_as takes them from its row type.
latest = select(Payment).from_statement(text("""
    SELECT * FROM cached_query_as(NULL::payments,
        'SELECT * FROM payments WHERE region = $1 ORDER BY id DESC LIMIT 2', '60s', :region)"""))

class RegionTotal(Base):
    """A cached view: filters and order are not part of what is cached."""

    __tablename__ = "region_sums"
    region = Column(Text, primary_key=True)
    total = Column(Numeric)


# In a migration of Alembic: op.execute(VIEW)
VIEW = text("""
    CREATE OR REPLACE VIEW region_sums AS
        SELECT * FROM cached_query('SELECT region, sum(amount) FROM payments GROUP BY region', '60s')
            AS t(region text, total numeric)""")

with Session(engine) as session:
    for _ in range(2):  # the second time from memory
        for row in session.execute(select(totals).order_by(totals.c.total.desc()).limit(2)):
            print(row.region, row.total)
    for payment in session.scalars(latest, {"region": "north"}):
        print(payment.id, payment.amount)

    session.execute(VIEW)
    for _ in range(2):
        for row in session.scalars(select(RegionTotal).where(RegionTotal.total < 312000)):
            print(row.region, row.total)
