"""The number of rows that a list tells: counted to the end, up to a limit, guessed, or not."""

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import with_loader_criteria

from core import paging
from services import db
from tests.kinds.models import Record
from tests.kinds.storing import app_with_a_place, clear, store
from tests.project import ENGINES

LIST = "/kinds/records"
MANY = 12


@pytest.fixture(scope="module", params=ENGINES)
def app(request, tmp_path_factory):
    """An application with a list of records, on each engine with a server."""
    with app_with_a_place(request.param, tmp_path_factory.mktemp("kinds")) as application:
        store(application, [{"name": f"R{n:02}", "flag": n % 3 == 0} for n in range(MANY)])
        with application.app_context():
            if db.engine.dialect.name == "postgresql":
                db.session.execute(text("ANALYZE kinds_record"))
                db.session.commit()
        yield application
        clear(application)


@pytest.fixture
def isolated():
    """These tests write nothing."""


@pytest.fixture(autouse=True)
def low_limit(monkeypatch):
    monkeypatch.setattr(paging, "MAX_COUNT", 5)


def link(query):
    return f"{LIST}?{query}"


def told(answer):
    """Return the total, whether it is a guess, and the links prev, next and last."""
    assert answer.status_code == 200, answer.json
    meta, links = answer.json["meta"], answer.json["links"]
    around = [links[name] for name in ("prev", "next", "last")]
    return meta["total"], meta["total_is_estimate"], around


def test_rows_are_counted_up_to_a_limit_and_the_last_page_is_then_unknown(client):
    total, is_estimate, (_, following, last) = told(client.get(link("per_page=2&page=1")))

    assert (total, is_estimate) == (6, True)
    assert (following, last) == (link("per_page=2&page=2"), None)


@pytest.mark.parametrize("count", ["", "&count=none"])
def test_the_page_before_is_one_less_also_where_the_total_is_unknown(client, count):
    answer = client.get(link(f"per_page=2&page=5{count}"))

    _, _, (before, following, last) = told(answer)
    assert before == link(f"per_page=2&page=4{count}")
    assert following == link(f"per_page=2&page=6{count}")
    assert last is None


@pytest.mark.parametrize("app", ENGINES[1:2], indirect=True)
@pytest.mark.parametrize(("known", "is_read"), [(MANY, False), (-1, True)])
def test_postgresql_reads_no_rows_of_a_table_that_it_knows_to_be_large(app, known, is_read):
    with app.app_context():
        forge = "UPDATE pg_class SET reltuples = :known WHERE oid = to_regclass('kinds_record')"
        db.session.execute(text(forge), {"known": known})
        statement = paging._count_all(Record.listing, paging.MAX_COUNT, db.engine.dialect)
        explained = statement.compile(db.engine)
        ask = db.session.connection().exec_driver_sql
        lines = ask(f"EXPLAIN ANALYZE {explained}", explained.params).scalars().all()
        assert db.session.scalar(statement) == 6
        db.session.rollback()

    assert ("never executed" in "".join(lines)) is not is_read


@pytest.fixture
def tenant():
    """Four of the rows are left by a listener."""

    def hide(state):
        own = with_loader_criteria(Record, Record.name < "R04", include_aliases=True)
        state.statement = state.statement.options(own)

    event.listen(db.session, "do_orm_execute", hide)
    yield
    event.remove(db.session, "do_orm_execute", hide)


@pytest.mark.parametrize("count", ["", "&count=estimate", "&count=exact"])
def test_the_total_is_that_of_what_a_listener_leaves(client, tenant, count):
    total, is_estimate, _ = told(client.get(link(f"per_page=2{count}")))

    assert (total, is_estimate) == (4, False)


@pytest.mark.parametrize("app", ENGINES[1:2], indirect=True)
def test_whose_rows_they_are_is_not_guessed(app, client):
    def choose(session, transaction, connection):
        connection.exec_driver_sql("SET LOCAL search_path TO pg_temp, public")

    event.listen(db.session, "after_begin", choose)
    total, is_estimate, _ = told(client.get(link("per_page=2&count=estimate")))
    event.remove(db.session, "after_begin", choose)

    assert (total, is_estimate) == (6, True)


@pytest.mark.parametrize("app", ENGINES[1:2], indirect=True)
def test_postgresqls_number_of_a_table_with_row_level_security_is_not_told(app):
    with app.app_context():
        statement = paging._count_all(Record.listing, 5, db.engine.dialect)
        db.session.execute(text("ALTER TABLE kinds_record ENABLE ROW LEVEL SECURITY"))
        forge = "UPDATE pg_class SET reltuples = 100 WHERE oid = to_regclass('kinds_record')"
        db.session.execute(text(forge))
        db.session.execute(text("DELETE FROM kinds_record WHERE name > 'R03'"))
        total = db.session.scalar(statement)
        db.session.rollback()

    assert total == 4


def test_an_exact_count_goes_to_the_end(client):
    total, is_estimate, (before, _, last) = told(client.get(link("per_page=2&count=exact&page=5")))

    assert (total, is_estimate) == (MANY, False)
    assert before == link("per_page=2&count=exact&page=4")
    assert last == link("per_page=2&count=exact&page=6")


def test_without_a_count_there_is_no_total_and_still_a_next_page(client):
    first = told(client.get(link("per_page=10&count=none&page=1")))
    second = told(client.get(link("per_page=10&count=none&page=2")))

    assert first == (None, False, [None, link("per_page=10&count=none&page=2"), None])
    assert second == (None, False, [link("per_page=10&count=none&page=1"), None, None])


def test_an_estimate_is_the_databases_own_or_counted_up_to_the_limit(app, client):
    total, is_estimate, (_, _, last) = told(client.get(link("per_page=2&count=estimate")))

    with app.app_context():
        own = db.engine.dialect.name == "postgresql"
    assert total == (MANY if own else 6)
    assert (is_estimate, last) == (True, None)


def test_rows_that_a_page_past_the_end_skips_are_not_counted(client):
    total, _, _ = told(client.get(link("per_page=2&count=estimate&page=900")))

    assert total <= MANY


def test_an_estimate_is_never_less_than_what_was_seen(app, client):
    """No statistics know that these two conditions always hold together."""
    query = "filter[flag]=true&filter[flag][in]=true&q=R&per_page=3"

    total, _, _ = told(client.get(link(f"{query}&count=estimate")))

    assert total >= 4


@pytest.mark.parametrize("count", ["", "&count=exact", "&count=estimate"])
def test_the_last_page_needs_no_guess(client, count):
    total, is_estimate, _ = told(client.get(link(f"per_page=5&page=3{count}")))

    assert (total, is_estimate) == (MANY, False)


@pytest.mark.parametrize("page", [1, 2])
def test_the_total_is_that_of_what_was_searched_and_filtered(client, page):
    query = f"filter[flag]=true&per_page=3&count=exact&page={page}"

    total, _, _ = told(client.get(link(query)))

    assert total == MANY / 3


def test_past_the_end_the_way_back_is_the_last_page(client):
    total, _, (before, following, _) = told(client.get(link("per_page=10&count=exact&page=9")))

    assert (total, following) == (MANY, None)
    assert before == link("per_page=10&count=exact&page=2")


def test_a_reader_by_cursor_gets_the_total_of_the_whole_list(client):
    first = client.get(link("per_page=5&count=exact")).json

    second = told(client.get(link(f"count=exact&cursor={first['meta']['next_cursor']}")))

    assert second[:2] == (MANY, False)


@pytest.mark.parametrize("count", ["all", "", "EXACT", "1"])
def test_another_count_is_refused(client, count):
    answer = client.get(link(f"count={count}"))

    assert answer.status_code == 400
    assert answer.json["detail"] == "'count': it must be one of exact, estimate, none."
