"""A select that is kept is read on PostgreSQL as SQLAlchemy reads it: rows, types and errors."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import (
    DataError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
    StatementError,
)

from core import reads
from core.reads import keep, read
from services import db
from tests.kinds.models import Place, Record
from tests.kinds.storing import app_with_places, clear
from tests.test_inserts import FULL, LEAST

# Unwatched: who listens to statements has SQLAlchemy's own way.
pytestmark = [pytest.mark.repeats_queries, pytest.mark.postgresql]

ALL = sa.select(*sa.inspect(Record).columns.values()).order_by(Record.id)


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """An application with three places, on PostgreSQL."""
    with app_with_places("postgresql", tmp_path_factory.mktemp("reads")) as application:
        yield application


@pytest.fixture(autouse=True)
def context(app):
    """A request, in which nothing of the session is used yet."""
    with app.test_request_context():
        yield
    clear(app)


@pytest.fixture
def shortened(monkeypatch):
    """Collect the rows that came by the short way."""
    rows = []
    whole = reads.Kept.rows

    def note(*args):
        rows.extend(whole(*args))
        return rows

    monkeypatch.setattr(reads.Kept, "rows", note)
    return rows


def test_each_kind_of_column_has_the_same_value(app, shortened):
    with app.app_context():
        db.session.add_all([Record(**FULL), Record(**LEAST)])
        db.session.commit()

    rows, expected = read(Record, keep(ALL), {}, named=True), read(Record, ALL, {})

    assert shortened == rows == expected
    assert [[*map(type, row)] for row in rows] == [[*map(type, row)] for row in expected]
    assert [row._fields for row in rows] == [row._fields for row in expected]
    assert rows[0].moment.tzinfo is UTC


@pytest.mark.parametrize("name", sorted(FULL))
def test_each_kind_of_value_is_sent_the_same(app, shortened, name):
    with app.app_context():
        db.session.add(Record(**FULL))
        db.session.commit()
    column = sa.inspect(Record).columns[name]
    # PostgreSQL compares no JSON, and rounds what it compares with a float of single precision.
    text = sa.cast(column, sa.Text) if isinstance(column.type, sa.JSON) else column
    value = sa.cast(sa.bindparam("value", type_=column.type), text.type)
    statement = sa.select(Record.id).where(text == value)

    found = read(Record, keep(statement), {"value": FULL[name]})

    assert shortened == found == read(Record, statement, {"value": FULL[name]})


@pytest.mark.parametrize("zone", ["UTC", "America/Bogota"])
def test_a_moment_is_in_utc_whatever_the_zone_of_the_connection(app, shortened, zone):
    with app.app_context():
        db.session.add(Record(**FULL))
        db.session.commit()
    # The next connection is this one.
    db.engine.dispose()
    with db.engine.begin() as connection:
        connection.execute(sa.text(f"SET TIME ZONE '{zone}'"))

    (row,) = read(Record, keep(sa.select(Record.id, Record.moment)), {})
    db.engine.dispose()

    assert shortened == [row]
    assert type(row) is (tuple if zone == "UTC" else sa.Row)
    assert row[1] == FULL["moment"]
    assert row[1].tzinfo is UTC


class Shifted(sa.TypeDecorator[int]):
    """Numbers that are stored as the next one."""

    impl = sa.Integer
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return value + 1


def test_a_value_that_stands_twice_is_written_once(shortened):
    same, other = (sa.bindparam("key", type_=Shifted()) for _ in range(2))
    statement = sa.select(Place.id).where(Place.id == same, Place.id <= other)

    found = read(Place, keep(statement), {"key": 2})

    assert shortened == found == [(3,)]


def test_names_of_its_columns_lead_to_the_values(shortened):
    other = sa.orm.aliased(Place)
    statement = sa.select(Place.name, other.name).join(other, Place.region_id == other.id)
    statement = statement.where(Place.id == sa.bindparam("key"))

    (row,) = read(Place, keep(statement), {"key": 3}, named=True)

    assert shortened == [row]
    assert (row.name, row.name_1) == tuple(row) == ("Barranco", "Lima")


def test_what_depends_on_its_values_takes_the_whole_way(shortened):
    statement = keep(sa.select(Place.name).where(Place.id.in_(sa.bindparam("ids", expanding=True))))

    assert len(read(Place, statement, {"ids": [1, 2]})) == 2
    assert len(read(Place, statement, {"ids": [1]})) == 1
    assert not shortened


@pytest.mark.parametrize("name", reads.WATCHED)
def test_who_listens_to_statements_hears_of_each(shortened, name):
    told, statement = [], keep(sa.select(Place.name))

    def note(*args, **options):
        told.append(args)

    event.listen(db.engine, name, note)
    try:
        read(Place, statement, {})
    finally:
        event.remove(db.engine, name, note)
    read(Place, statement, {})

    assert len(told) == 1
    assert len(shortened) == 3


def test_statements_that_are_logged_or_changed_take_the_whole_way(app, shortened, monkeypatch):
    statement = keep(sa.select(Place.name))
    monkeypatch.setattr(db.engine, "echo", True)
    read(Place, statement, {})
    monkeypatch.undo()
    translated = db.engine.execution_options(schema_translate_map={None: "public"})
    monkeypatch.setitem(db._app_engines[app], None, translated)
    assert len(read(Place, statement, {})) == 3
    assert not shortened


ZERO = sa.select(1 / sa.bindparam("number", type_=sa.Integer))
INSERTED = sa.insert(Place).values(id=sa.bindparam("key"), name="Again").returning(Place.id)
AGAIN = sa.select(INSERTED.cte("stored").c.id)
SHOWN = sa.select(sa.bindparam("at", type_=Record.moment.type))
MISSING = sa.select(sa.table("missing", sa.column("one")).c.one)


@pytest.mark.parametrize(
    ("statement", "values", "kind"),
    [
        (ZERO, {"number": 0}, DataError),
        (AGAIN, {"key": 1}, IntegrityError),
        (SHOWN, {"at": datetime(2026, 1, 1)}, StatementError),  # noqa: DTZ001
        (MISSING, {}, ProgrammingError),
    ],
    ids=["data", "rule", "moment", "table"],
)
def test_errors_are_those_of_sqlalchemy(statement, values, kind):
    found = []
    for one in (keep(statement), statement):
        with pytest.raises(kind) as caught:
            read(Place, one, values)
        found.append(caught.value)

    short, whole = found
    assert type(short) is type(whole)
    assert type(short.orig) is type(whole.orig)
    assert str(short.orig) == str(whole.orig)
    assert short.hide_parameters == whole.hide_parameters
    assert read(Place, keep(sa.select(Place.id)), {})


def test_a_database_that_cannot_be_reached_is_an_error_of_sqlalchemy(app, monkeypatch):
    away = sa.create_engine(db.engine.url.set(port=1))
    away.hide_parameters = True
    monkeypatch.setitem(db._app_engines[app], None, away)
    found = []
    for statement in (keep(sa.select(Place.id)), sa.select(Place.id)):
        with pytest.raises(OperationalError) as caught:
            read(Place, statement, {})
        found.append(str(caught.value))
    monkeypatch.undo()

    assert found[0] == found[1]


def test_a_connection_that_was_lost_is_replaced():
    statement = keep(sa.select(sa.func.pg_backend_pid()))
    ((lost,),) = read(Place, statement, {})
    with sa.create_engine(db.engine.url).connect() as other:
        other.execute(sa.select(sa.func.pg_terminate_backend(lost, 5000)))

    with pytest.raises(OperationalError) as caught:
        read(Place, statement, {})

    assert caught.value.connection_invalidated
    assert read(Place, statement, {}) != [(lost,)]
    assert db.engine.pool.checkedout() == 0
