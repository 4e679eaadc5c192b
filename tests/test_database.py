"""The engines as the web needs them: who waits for whom, and what comes back as it went in."""

import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from uuid import UUID

import pytest
from sqlalchemy import (
    JSON,
    Column,
    Integer,
    MetaData,
    Table,
    bindparam,
    create_engine,
    delete,
    select,
    text,
)
from sqlalchemy.exc import DataError, SQLAlchemyError, StatementError
from sqlalchemy.orm.exc import StaleDataError

from config import parse_url
from core.database import cut_waiting
from core.listing import Query, listing_of
from core.models import Base
from core.paging import ListPage
from core.rows import rows_of
from services import db
from tests.project import ENGINES, empty_database
from tests.sample.models import Box, Crate, Specimen, Tag

MOMENT = datetime(2026, 3, 29, 1, 30, 59, 123456, tzinfo=timezone(timedelta(hours=2)))


class Elsewhere(Base):
    """What a product keeps in a second database; no other test gets to know of it."""

    __table__ = Table(
        "elsewhere", MetaData(info={"bind_key": "second"}), Column("id", Integer, primary_key=True)
    )


@pytest.fixture
def sqlite(make_app):
    """An application on an SQLite file with one table."""
    application = make_app()
    with application.app_context(), db.engine.begin() as connection:
        connection.execute(text("CREATE TABLE note (id INTEGER PRIMARY KEY)"))
    return application


@pytest.fixture
def stranger(tmp_path, sqlite):
    """Another process on the same file, which waits for nobody."""
    connection = sqlite3.connect(tmp_path / "own.db", timeout=0, isolation_level=None)
    yield connection
    connection.close()


def test_sqlite_is_prepared_for_the_web(sqlite):
    names = ("foreign_keys", "journal_mode", "busy_timeout", "synchronous")

    with sqlite.app_context(), db.engine.connect() as connection:
        values = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    assert values == [1, "wal", 5000, 1]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_request_that_may_write_takes_the_lock_first(sqlite, stranger, method):
    with sqlite.test_request_context(method=method):
        db.session.execute(text("SELECT 1"))

        with pytest.raises(sqlite3.OperationalError, match="database is locked"):
            stranger.execute("BEGIN IMMEDIATE")


def test_a_number_past_64_bits_is_what_it_is_on_other_engines(sqlite):
    with sqlite.app_context(), pytest.raises(DataError):
        db.session.execute(text("SELECT :number"), {"number": 2**63})


def test_a_command_takes_the_lock_first(sqlite, stranger):
    with sqlite.app_context():
        db.session.execute(text("SELECT 1"))

        with pytest.raises(sqlite3.OperationalError, match="database is locked"):
            stranger.execute("BEGIN IMMEDIATE")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_request_that_reads_does_not_stop_writers(sqlite, stranger, method):
    with sqlite.test_request_context(method=method):
        before = db.session.scalar(text("SELECT count(*) FROM note"))
        stranger.execute("INSERT INTO note DEFAULT VALUES")

        after = db.session.scalar(text("SELECT count(*) FROM note"))

    assert (before, after) == (0, 0)


def test_a_writer_does_not_stop_requests_that_read(sqlite, stranger):
    stranger.execute("BEGIN IMMEDIATE")
    stranger.execute("INSERT INTO note DEFAULT VALUES")

    with sqlite.test_request_context(method="GET"):
        count = db.session.scalar(text("SELECT count(*) FROM note"))

    assert count == 0


def test_a_rollback_takes_back_changes_of_tables_too(sqlite):
    with sqlite.app_context():
        db.session.execute(text("CREATE TABLE later (id INTEGER)"))
        db.session.rollback()

        tables = db.session.scalars(text("SELECT name FROM sqlite_master")).all()

    assert tables == ["note"]


def test_what_a_test_commits_stays_inside_the_test(app, save):
    save(Box(name="Here"))
    engine = create_engine(app.config["SQLALCHEMY_DATABASE_URI"])

    with engine.connect() as connection:
        rows = connection.execute(select(Box.__table__)).all()

    engine.dispose()
    assert rows == []


def test_the_key_of_a_deleted_record_is_not_given_again(app, save):
    last = save(Crate(row=1, place=1)).id

    with app.app_context():
        db.session.execute(delete(Crate))
        db.session.commit()

    assert save(Crate(row=1, place=1)).id > last


def test_a_time_comes_back_in_utc(app, save):
    id = save(Specimen(line="x", moment=MOMENT)).id

    with app.app_context():
        moment = db.session.get(Specimen, id).moment

    assert moment == MOMENT
    assert moment.tzinfo is UTC or moment.utcoffset() == timedelta(0)


def test_a_time_without_a_zone_is_refused(save):
    with pytest.raises(StatementError, match="has no time zone: use datetime"):
        save(Specimen(line="x", moment=MOMENT.replace(tzinfo=None)))


def test_no_time_comes_back_as_none(app, save):
    assert save(Specimen(line="x", moment=None)).moment is None


def test_times_and_versions_are_kept_by_the_mixins(app, save):
    box = save(Box(name="First"))
    with app.app_context():
        stored = db.session.get(Box, box.id)
        stored.name = "Second"
        db.session.commit()

        changed = (stored.version, stored.created_at, stored.updated_at)

    assert box.version == 1
    assert changed[0] == 2
    assert changed[1] == box.created_at
    assert changed[2] > box.updated_at


def _append(crate, tag):
    crate.tags.append(tag)


def _replace(crate, tag):
    crate.tags, crate.place = [tag, Tag(name="Other")], 2


def _remove(crate, tag):
    crate.tags.append(tag)
    crate.tags.remove(tag)


def _append_to_the_other(crate, tag):
    tag.crates.append(crate)


@pytest.mark.parametrize(
    ("change", "version"), [(_append, 2), (_replace, 2), (_remove, 2), (_append_to_the_other, 1)]
)
def test_a_change_of_many_to_many_raises_the_version_once(app, save, change, version):
    crate, tag = save(Crate(row=1, place=1)), save(Tag(name="Wet"))

    with app.app_context():
        record = db.session.get(Crate, crate.id)
        change(record, db.session.get(Tag, tag.id))
        db.session.commit()

        assert record.version == version


def test_of_two_changes_of_many_to_many_the_second_is_refused(app, save):
    crate, tag = save(Crate(row=1, place=1)), save(Tag(name="Wet"))

    with app.app_context():
        record = db.session.get(Crate, crate.id)
        # What another transaction did in the meantime.
        db.session.execute(text("UPDATE sample_crate SET version = 7"))
        record.tags = [db.session.get_one(Tag, tag.id)]

        with pytest.raises(StaleDataError):
            db.session.commit()


def test_a_record_shows_its_class_and_id():
    assert repr(Box(id=7, name="x")) == "<Box 7>"


@pytest.mark.parametrize("id", [2**31, 2**63 - 1, 2**63, 10**100])
def test_an_id_that_no_database_takes_is_not_found(client, id):
    answers = [client.get(f"/sample/things/{id}/edit"), client.get(f"/outside/things/{id}")]

    assert [answer.status_code for answer in answers] == [404, 404]


@pytest.fixture(params=ENGINES)
def two_databases(request, tmp_path):
    with (
        empty_database(request.param, tmp_path) as first,
        empty_database(request.param, tmp_path, "second") as second,
    ):
        yield first, parse_url("DATABASE_URL", second)


def test_a_list_is_read_and_counted_in_the_database_of_its_model(
    two_databases, make_app, monkeypatch
):
    first, second = two_databases
    # Else db.create_all() of later tests would want that database, too.
    monkeypatch.setattr(db, "metadatas", dict(db.metadatas))
    application = make_app(DATABASE_URL=first, SQLALCHEMY_BINDS={"second": second})
    listing, way = listing_of(Elsewhere), rows_of(Elsewhere, ("id",))
    with application.test_request_context():
        Elsewhere.__table__.create(db.engines["second"])
        db.session.add_all([Elsewhere(id=7), Elsewhere(id=8), Elsewhere(id=9)])
        db.session.commit()

        exact, estimate = (
            ListPage(None, listing, Query(order=(("id", True),), per_page=1, count=count), way)
            for count in ("exact", "estimate")
        )

        assert [exact.items, estimate.items] == [[(9,)], [(9,)]]
        assert exact.total == 3
        assert estimate.total >= 2
        db.session.remove()
        db.engines["second"].dispose()
        db.engine.dispose()


def shown(application, *names):
    with application.app_context():
        return [db.session.scalar(text(f"SHOW {name}")) for name in names]


@pytest.fixture
def often_switching():
    """Threads take turns so often that what can happen between two of their steps does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.postgresql
def test_postgresql_gets_its_timeouts_and_zone(make_app, postgresql_url):
    application = make_app(DATABASE_URL=postgresql_url, DB_STATEMENT_TIMEOUT_MS="3000")

    values = shown(application, "statement_timeout", "lock_timeout", "timezone")

    assert values == ["3s", "3s", "UTC"]


@pytest.mark.postgresql
def test_waiting_connections_are_cut_while_others_are_opened(
    make_app, postgresql_url, often_switching
):
    application = make_app(DATABASE_URL=postgresql_url)

    def open_anew(_):
        # It may be cut itself, while it waits for an answer.
        with (
            application.app_context(),
            suppress(SQLAlchemyError),
            db.engine.connect() as connection,
        ):
            connection.invalidate()

    with ThreadPoolExecutor(4) as threads, application.app_context():
        opened = [threads.submit(open_anew, number) for number in range(100)]
        while not all(one.done() for one in opened):
            cut_waiting()

    assert [one.exception() for one in opened] == [None] * 100


def test_a_file_that_may_be_written_again_needs_no_restart(sqlite):
    @sqlite.post("/note")
    def write():
        db.session.execute(text("INSERT INTO note DEFAULT VALUES"))
        db.session.commit()
        return ""

    sqlite.config["WTF_CSRF_ENABLED"] = False
    with sqlite.app_context(), db.engine.connect() as connection:
        # What a connection is like that was opened while the file could not be written.
        connection.exec_driver_sql("PRAGMA query_only = ON")

    refused, written = (sqlite.test_client().post("/note") for _ in range(2))

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert written.status_code == 200


@pytest.mark.postgresql
def test_behind_pgbouncer_each_transaction_sets_the_timeouts(make_app, postgresql_url):
    application = make_app(
        DATABASE_URL=postgresql_url, DB_PGBOUNCER="true", DB_STATEMENT_TIMEOUT_MS="3000"
    )

    values = shown(application, "statement_timeout", "lock_timeout")

    assert values == ["3s", "5s"]


@pytest.mark.postgresql
def test_a_statement_that_runs_too_long_is_answered_503(make_app, postgresql_url):
    application = make_app(DATABASE_URL=postgresql_url, DB_STATEMENT_TIMEOUT_MS="100")
    application.add_url_rule(
        "/slow", "slow", lambda: db.session.execute(text("SELECT pg_sleep(5)")) and ""
    )

    answer = application.test_client().get("/slow")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_a_connection_that_is_lost_behind_the_answer_fails_nobody(database_url, make_app):
    application = make_app(DATABASE_URL=database_url)

    @application.get("/lost")
    def lose():
        db.session.execute(text("SELECT 1"))
        db.session.connection().connection.driver_connection.close()
        return "read"

    kept = len(db.session.registry.registry)
    answers = [application.test_client().get("/lost") for _ in range(2)]

    assert [answer.text for answer in answers] == ["read", "read"]
    assert len(db.session.registry.registry) == kept


def test_a_column_of_json_takes_what_an_answer_does(make_app):
    number, day = UUID(int=7), date(2026, 1, 31)
    with make_app(DATABASE_URL="sqlite://").app_context(), db.engine.connect() as connection:
        value = bindparam("value", {"id": number, "on": day}, JSON())
        stored = connection.scalar(select(value))

    assert stored == {"id": str(number), "on": "2026-01-31"}
