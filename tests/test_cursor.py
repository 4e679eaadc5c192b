"""Walking by cursor gives the sorted list once, on each engine; other cursors are not found."""

from urllib.parse import parse_qs, quote, urlsplit

import pytest
from sqlalchemy import delete, event

from core import cursor
from core.filters import controls
from core.listing import NO_CURSOR
from core.pages import page_of
from services import db
from tests.kinds.models import COLUMNS, EXPRESSIONS, Plain, Record
from tests.kinds.storing import app_with_a_place, clear, store
from tests.kinds.walking import LIST, POOLS, walk, whole
from tests.project import ENGINES

ROWS = [
    {name: pool[number * step % len(pool)] for step, (name, pool) in enumerate(POOLS.items(), 1)}
    for number in range(23)
]


@pytest.fixture(scope="module", params=ENGINES)
def app(request, tmp_path_factory):
    """An application whose list is empty, on each engine with a server."""
    with app_with_a_place(request.param, tmp_path_factory.mktemp("kinds")) as application:
        yield application


@pytest.fixture
def isolated(app):
    """Requests of their own connections see what is committed: afterwards it is deleted."""
    yield
    clear(app)


@pytest.fixture
def records(app, client):
    return store(app, ROWS)


@pytest.mark.parametrize("sign", ["", "-"], ids=["up", "down"])
@pytest.mark.parametrize("name", COLUMNS + EXPRESSIONS)
def test_a_walk_by_each_kind_of_column_gives_the_sorted_list_once(client, records, name, sign):
    seen = walk(client, f"sort={sign}{name}")

    assert seen == whole(client, f"sort={sign}{name}")
    assert sorted(seen) == sorted(records)


@pytest.mark.parametrize(
    "sort",
    [
        "flag,-whole,name",
        "-flag,whole,-name,-id",
        "-note,exact,-moment",
        "word,phase,-day",
        "-ratio,token",
        "name,-big,clock",
    ],
)
@pytest.mark.parametrize("per_page", [1, 4])
def test_a_walk_in_mixed_directions_gives_the_sorted_list_once(client, records, sort, per_page):
    seen = walk(client, f"sort={sort}", per_page)

    assert seen == whole(client, f"sort={sort}")
    assert sorted(seen) == sorted(records)


@pytest.mark.parametrize("name", [name for name in COLUMNS if name not in ("name", "note")])
def test_a_filter_by_what_an_answer_shows_finds_its_rows(client, records, name):
    shown = {one["id"]: one[name] for one in client.get(f"{LIST}?per_page=100").json["data"]}

    for value in {value for value in shown.values() if value is not None}:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        for parameter in (f"filter[{name}]", f"filter[{name}][in]"):
            answer = client.get(LIST, query_string={parameter: text, "per_page": 100})
            found = {one["id"] for one in answer.json["data"]}
            assert found == {id for id, one in shown.items() if one == value}


def test_an_expression_is_filtered_by_as_a_column(app, client):
    ids = store(app, [{"name": "x", "whole": n} for n in (2, 7, None, 3)])

    def found(query):
        return [one["id"] for one in client.get(f"{LIST}?sort=id&{query}").json["data"]]

    assert found("filter[rest][gte]=1") == ids[:2]
    assert found("filter[rest][in]=0,2") == [ids[0], ids[3]]
    assert found("filter[rest][null]=true") == [ids[2]]
    assert found("filter[shout]=X&filter[rest]=1") == [ids[1]]
    assert client.get(f"{LIST}?filter[rest]=many").status_code == 400
    with app.test_request_context("/?filter[rest][gte]=1&sort=-rest,id"):
        page = page_of(Record)
        shown = {one.name: one.value for one in controls(page, ())}
    assert [record.id for record in page.items] == [ids[0], ids[1]]
    assert (shown["filter[rest][gte]"], shown["filter[double][lte]"]) == ("1", "")


def test_a_walk_is_in_the_order_that_was_asked_for(app, client):
    ids = store(app, [{"name": "x", "whole": n} for n in (2, None, 1, 2, None, 0)])

    assert walk(client, "sort=-whole,-id", 2) == [ids[n] for n in (3, 0, 2, 5, 4, 1)]


def test_a_walk_keeps_to_search_and_filters(client, records):
    query = "q=an&filter[flag]=true&sort=name"

    seen = walk(client, query, 1)

    assert seen == whole(client, query)
    assert 1 < len(seen) < len(records)


@pytest.mark.parametrize("sort", ["name,whole", "-exact", "-moment,id", "flag,-id"])
def test_rows_that_come_and_go_meanwhile_repeat_and_hide_no_other(app, client, records, sort):
    gone, come = set(), []

    def change(seen):
        # The row that the cursor stands at is deleted too, and others before and behind it.
        gone.update({seen[-1], seen[0], next(iter(set(records) - set(seen) - gone), seen[0])})
        with app.app_context():
            db.session.execute(delete(Record).where(Record.id.in_(gone)))
            db.session.commit()
        come.extend(store(app, [ROWS[len(come) % len(ROWS)], {"name": "Middle", "flag": False}]))

    expected = whole(client, f"sort={sort}")
    # New rows may always be behind: for the end of the walk there are a few changes only.
    seen = walk(client, f"sort={sort}", between=lambda seen: len(come) < 10 and change(seen))

    kept = [id for id in expected if id not in gone]
    assert len(seen) == len(set(seen))
    assert [id for id in seen if id in kept] == kept
    assert 3 <= len(kept) < len(expected)


def test_links_lead_a_reader_by_cursor_on(client, records):
    first = client.get(f"{LIST}?sort=-day&per_page=10").json
    url = f"{LIST}?sort=-day&per_page=10&cursor={first['meta']['next_cursor']}"
    second = client.get(url).json
    third = client.get(second["links"]["next"]).json

    pages = [first, second, third]
    assert [len(page["data"]) for page in pages] == [10, 10, 3]
    assert [one["id"] for page in pages for one in page["data"]] == whole(client, "sort=-day")
    assert second["links"]["self"] == url
    assert second["links"]["first"] == f"{LIST}?sort=-day&per_page=10&page=1"
    assert second["links"]["prev"] is None
    assert (third["links"]["next"], third["meta"]["next_cursor"]) == (None, None)
    assert (second["meta"]["page"], second["meta"]["total"]) == (None, 23)


@pytest.mark.parametrize("sort", ["-day", "-flag,name", "id", ""])
def test_a_page_by_cursor_alone_leads_to_the_first_of_the_same_list(client, records, sort):
    first = client.get(f"{LIST}?sort={sort}&per_page=10" if sort else f"{LIST}?per_page=10").json

    second = client.get(f"{LIST}?per_page=10&cursor={first['meta']['next_cursor']}").json

    assert client.get(second["links"]["first"]).json["data"] == first["data"]


def test_numbered_pages_have_a_cursor_too(client, records):
    numbered = client.get(f"{LIST}?sort=name&page=2&per_page=5").json

    cursor = numbered["meta"]["next_cursor"]
    followed = client.get(f"{LIST}?per_page=5&cursor={cursor}").json
    assert followed["data"] == client.get(f"{LIST}?sort=name&page=3&per_page=5").json["data"]


def test_a_walk_goes_on_where_numbered_pages_end(client, records, monkeypatch):
    monkeypatch.setattr("core.paging.MAX_OFFSET", 10)

    url, seen = f"{LIST}?sort=-name&per_page=5", []
    while url:
        answer = client.get(url).json
        seen += [one["id"] for one in answer["data"]]
        url = answer["links"]["next"]

    assert seen == whole(client, "sort=-name")
    assert parse_qs(urlsplit(answer["links"]["self"]).query).keys() >= {"cursor"}


def test_a_list_without_a_declaration_is_walked_by_its_key(app, client):
    with app.app_context():
        db.session.add_all(Plain(code=code) for code in ("b", "ñ", "a", "c"))
        db.session.commit()

    first = client.get("/kinds/plain?per_page=2").json
    second = client.get(f"/kinds/plain?cursor={first['meta']['next_cursor']}").json

    with app.app_context():
        db.session.execute(delete(Plain))
        db.session.commit()
    assert sorted(one["code"] for one in first["data"] + second["data"]) == ["a", "b", "c", "ñ"]
    assert len(first["data"]) == 2


# ---- What is no cursor of ours


@pytest.fixture
def given(client, records):
    """A cursor as it was given out, for a list sorted by name."""
    return client.get(f"{LIST}?sort=name&per_page=3").json["meta"]["next_cursor"]


def is_unknown(answer):
    return (answer.status_code, answer.mimetype, answer.json["detail"]) == (
        404,
        "application/problem+json",
        NO_CURSOR,
    )


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda one: "", id="empty"),
        pytest.param(lambda one: "x", id="no-cursor"),
        pytest.param(lambda one: "%00", id="nul"),
        pytest.param(lambda one: "ñ" * 5000, id="long"),
        pytest.param(lambda one: one[:-1], id="cut"),
        pytest.param(lambda one: one.rpartition(".")[0], id="unsigned"),
        pytest.param(lambda one: f"{one}A", id="longer"),
        pytest.param(lambda one: one.swapcase(), id="changed"),
        pytest.param(lambda one: f"{one}.{one}", id="doubled"),
    ],
)
def test_a_cursor_that_was_changed_is_not_found(client, given, change):
    answer = client.get(f"{LIST}?cursor={quote(change(given), safe='%')}")

    assert is_unknown(answer)


@pytest.mark.parametrize(("key", "is_ours"), [(None, True), ("x" * 40, False)])
def test_a_cursor_signed_with_another_key_is_not_found(app, client, monkeypatch, key, is_ours):
    with monkeypatch.context() as elsewhere, app.app_context():
        elsewhere.setitem(app.config, "SECRET_KEY", key or app.config["SECRET_KEY"])
        one = cursor.write("id", (1,), "kinds_record")

    answer = client.get(f"{LIST}?cursor={one}")

    assert answer.status_code == 200 if is_ours else is_unknown(answer)


def test_a_cursor_of_another_list_is_not_found(app, client, given):
    assert is_unknown(client.get(f"/kinds/plain?cursor={given}"))


@pytest.mark.parametrize(
    ("order", "place"),
    [
        pytest.param("gone,id", ["x", 1], id="column-gone"),
        pytest.param("day,id", ["red", 1], id="column-of-another-type"),
        pytest.param("name", ["x"], id="another-key"),
    ],
)
def test_a_cursor_of_an_older_version_is_not_found(app, client, order, place):
    with app.app_context():
        old = cursor.write(order, tuple(place), "kinds_record")

    assert is_unknown(client.get(f"{LIST}?cursor={old}"))


@pytest.mark.parametrize("others", ["page=2", "sort=-name", "sort=id", "sort=name,-id"])
def test_a_cursor_has_its_own_place_and_order(client, given, others):
    answer = client.get(f"{LIST}?{others}&cursor={given}")

    assert answer.status_code == 400
    assert answer.json["detail"] == (
        "'cursor': it has its own place and order; leave page and sort out."
    )


@pytest.mark.parametrize(
    "others", ["sort=name", "sort=name,id", "per_page=1", "fields=id", "page=1"]
)
def test_a_cursor_goes_with_what_does_not_change_the_order(client, given, others):
    answer = client.get(f"{LIST}?{others}&cursor={given}")

    assert answer.status_code == 200
    assert answer.json["data"][0]["id"] == whole(client, "sort=name")[3]


def test_a_cursor_outlives_a_rotation_of_the_key_as_long_as_the_old_one_is_known(
    app, client, given, monkeypatch
):
    old, new = app.config["SECRET_KEY"], "another key, made for this test only"
    url = f"{LIST}?per_page=3&cursor="
    expected = client.get(url + given).json["data"]

    monkeypatch.setitem(app.config, "SECRET_KEY", new)
    monkeypatch.setitem(app.config, "SECRET_KEY_FALLBACKS", ["an even older one", old])
    rotated = client.get(url + given).json
    monkeypatch.setitem(app.config, "SECRET_KEY_FALLBACKS", [])
    forgotten = client.get(url + given)

    assert rotated["data"] == expected
    assert is_unknown(forgotten)
    assert client.get(url + rotated["meta"]["next_cursor"]).status_code == 200


@pytest.mark.parametrize("sort", ["id", "-id", "name", "-name"])
def test_the_database_begins_at_the_place_of_the_cursor(app, client, records, sort):
    """Page 50,000 costs what page 1 costs: the place is found in an index, nothing is sorted."""
    with app.app_context():
        if db.engine.dialect.name != "sqlite":
            return
    sent = []

    def note(connection, cursor, statement, parameters, *others):
        sent.append((statement, parameters))

    following = client.get(f"{LIST}?sort={sort}&per_page=3").json["meta"]["next_cursor"]
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", note)
        client.get(f"{LIST}?cursor={following}&count=none")
        event.remove(db.engine, "before_cursor_execute", note)
        statement, parameters = next(one for one in sent if one[0].startswith("SELECT"))
        with db.engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = " ".join(row[3] for row in plan)

    assert "SEARCH kinds_record USING" in steps
    # Only rows of one name may need to be sorted.
    assert "TEMP B-TREE FOR ORDER BY" not in steps
