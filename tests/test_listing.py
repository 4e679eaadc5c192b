"""The listing contract: what a URL may ask of a list, and the same rows on every engine."""

import re
import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import aliased, contains_eager
from werkzeug.datastructures import MultiDict

from core import paging
from core.factory import create_app
from core.listing import MAX_OFFSET, Listing
from core.pages import page_of
from core.rest import item
from core.schemas import Schema
from services import db
from tests.listed.models import Entry, Phase, Shelf
from tests.project import ENGINES, empty_database

TABLES = [Shelf.__table__, Entry.__table__]
TOKEN = uuid.UUID("00000000-0000-4000-8000-000000000001")
ROWS = [
    {
        "name": "Ñandú",
        "note": "100% wool",
        "whole": 1,
        "price": Decimal("12.50"),
        "ratio": 0.5,
        "day": date(2026, 1, 1),
        "moment": datetime(2026, 1, 1, 12, tzinfo=UTC),
        "clock": time(8),
        "flag": True,
        "phase": Phase.NEW,
        "token": TOKEN,
        "shelf_id": 1,
    },
    {
        "name": "nandina",
        "note": "a_b",
        "whole": 2,
        "price": Decimal("20.00"),
        "ratio": 1.5,
        "day": date(2026, 6, 1),
        "moment": datetime(2026, 6, 1, 12, tzinfo=UTC),
        "clock": time(20),
        "flag": False,
        "phase": Phase.WELL_USED,
        "token": uuid.UUID(int=2),
        "shelf_id": 2,
    },
    {"name": "OWL", "note": "axb"},
    {"name": "owlet", "whole": 2},
]


@pytest.fixture(scope="module", params=ENGINES)
def app(request, tmp_path_factory):
    """An application with the rows above, on each engine that there is a server for."""
    folder = tmp_path_factory.mktemp("listed")
    with empty_database(request.param, folder, "listed") as url:
        application = create_app({"APP_ENV": "testing", "DATABASE_URL": url}, ["tests.listed"])
        with application.app_context():
            db.metadata.create_all(db.engine, tables=TABLES)
            db.session.add_all(Shelf(id=id, name=f"Shelf {id}") for id in (1, 2))
            db.session.flush()
            db.session.add_all(Entry(id=id, **row) for id, row in enumerate(ROWS, 1))
            db.session.commit()
        yield application
        with application.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def isolated():
    """These tests write nothing, so no transaction has to be rolled back."""


ALL = Listing(search=("name", "whole", "price", "day", "phase"), default="id", model=Entry)


@pytest.mark.parametrize(
    ("words", "found"), [("2", [1, 2, 4]), ("12.50", [1]), ("2026-06", [2]), ("use", [2])]
)
def test_a_search_looks_into_what_is_no_text_too(app, words, found):
    assert rows(app, f"q={words}", ALL) == found


@pytest.mark.parametrize(
    ("paths", "words", "found"),
    [
        (("shelf.name",), "shelf 2", [2]),
        (("name", "shelf.name"), "NAND 2", [2]),
        (("name", "shelf.name"), "owl shelf", []),
        (("name", "shelf.loud"), "owl", [3, 4]),
        # Back to the rows of the list themselves.
        (("shelf.entries.note",), "wool", [1]),
        (("shelf.entries.shelf.name",), "1", [1]),
    ],
)
def test_a_search_looks_into_what_is_related(app, paths, words, found):
    listing = Listing(search=paths, default="id", model=Entry)

    assert rows(app, f"q={words}", listing) == found


def test_what_a_related_record_alone_is_called_is_offered_first(app):
    listing = Listing(search=("name", "shelf.name"), default="id", model=Entry)

    with app.app_context():
        whole = db.session.scalars(listing.whole("shelf 2", None)).all()

    assert [entry.id for entry in whole] == [2]


def test_what_is_named_by_the_words_alone_is_offered_first(app):
    with app.test_request_context():
        db.session.add_all(Shelf(id=90 + n, name=f"Shelf 1{n} 2") for n in range(9))
        db.session.add_all(Entry(id=90 + n, name=f"a {n}", note="a_b nandina") for n in range(9))
        db.session.flush()
        shelves = paging.options_of(Shelf, 5, "shelf 2")
        entries = paging.options_of(Entry, 5, "NANDINA a_b")
        db.session.rollback()

    assert [text for _, text in shelves] == ["Shelf 2", *(f"Shelf 1{n} 2" for n in range(4))]
    assert (entries[0][0], len(entries)) == ("2", 5)


def rows(app, query="", listing=Entry.listing):
    """Return the ids of the rows that a URL's arguments ask for; fail if one is refused."""
    with app.test_request_context(f"/listed/?{query}") as context:
        asked = listing.read(context.request.args, refuse=pytest.fail)
        return [entry.id for entry in db.session.scalars(listing.apply(select(Entry), asked))]


def refusals(app, args):
    messages = []
    with app.app_context():
        query = Entry.listing.read(MultiDict(args), messages.append)
    return query, messages


class TestReading:
    def test_nothing_asks_for_the_first_page_in_the_default_order(self, app):
        query, messages = refusals(app, {})

        assert messages == []
        assert (query.page, query.per_page, query.order) == (1, 20, (("name", False),))

    def test_what_is_asked_is_read_into_values(self, app):
        args = {
            "q": " two  words ",
            "sort": "-price,name",
            "page": "3",
            "per_page": "50",
            "filter[price][gte]": "12.50",
            "filter[phase]": "new",
            "filter[shelf_id][in]": "1,2",
            "filter[day][null]": "true",
        }

        query, messages = refusals(app, args)

        assert messages == []
        assert query.words == ("two", "words")
        assert query.order == (("price", True), ("name", False))
        assert (query.page, query.per_page) == (3, 50)
        assert query.conditions == (
            ("price", "gte", Decimal("12.50")),
            ("phase", "eq", Phase.NEW),
            ("shelf_id", "in", [1, 2]),
            ("day", "null", True),
        )
        assert query.args == args

    def test_a_search_takes_few_words_and_each_once(self, app):
        query, _ = refusals(app, {"q": "a b a " + " ".join(map(str, range(90)))})

        assert query.words == ("a", "b", *map(str, range(8)))

    @pytest.mark.parametrize(
        ("name", "text", "reason"),
        [
            pytest.param(
                "colour", "red", "it is unknown; allowed are page, per_page, cursor", id="name"
            ),
            pytest.param("filter[note]", "x", "it is unknown", id="not-a-filter"),
            pytest.param("filter[price][drop]", "1", "it is unknown", id="operator"),
            pytest.param(
                "filter[price][gt]", "1", "[gte], [lte], [in] or [null]", id="another-operator"
            ),
            pytest.param("filter[price", "1", "it is unknown", id="half-a-filter"),
            pytest.param("filter[__class__]", "1", "it is unknown", id="attribute"),
            pytest.param("sort", "password", "sort by id, name", id="sort"),
            pytest.param("sort", "", "sort by id, name", id="no-sort"),
            pytest.param("sort", "name;drop", "sort by id, name", id="sort-injection"),
            pytest.param("page", "0", "a whole number from 1", id="zero"),
            pytest.param("page", "1e9", "a whole number from 1", id="exponent"),
            pytest.param("page", "٣", "a whole number from 1", id="arabic-digit"),
            pytest.param("page", "9" * 5000, "a whole number from 1", id="endless"),
            pytest.param("per_page", "101", "from 1 to 100", id="page-too-large"),
            pytest.param("q", "a\x00b", "NUL", id="nul"),
            pytest.param("filter[price]", "cheap", "Not a valid number", id="decimal"),
            pytest.param("filter[price]", "NaN", "", id="nan"),
            pytest.param("filter[price]", "1e999999", "", id="huge"),
            pytest.param("filter[price]", "1.234", "At most 2 decimal places", id="places"),
            pytest.param("filter[ratio]", "inf", "", id="infinite"),
            pytest.param("filter[whole]", "9" * 5000, "", id="endless-whole"),
            pytest.param("filter[whole]", str(2**31), "", id="out-of-range"),
            pytest.param("filter[whole][in]", "1,,2", "", id="gap"),
            pytest.param("filter[day]", "2026-02-30", "Not a valid date", id="date"),
            pytest.param("filter[moment]", "yesterday", "Not a valid datetime", id="datetime"),
            pytest.param("filter[moment]", "0001-01-01T00:00+14:00", "valid datetime", id="before"),
            pytest.param("filter[moment]", "9999-12-31T23:59-14:00", "valid datetime", id="after"),
            pytest.param("filter[clock]", "25:00", "Not a valid time", id="time"),
            pytest.param("filter[flag]", "maybe", "Not a valid boolean", id="boolean"),
            pytest.param("filter[flag][gte]", "true", "neither more nor less", id="boolean-order"),
            pytest.param("filter[phase][lte]", "new", "neither more nor less", id="enum-order"),
            pytest.param("sort", "name,-name", "a column stands twice", id="sorted-twice"),
            pytest.param("filter[whole]", "1_0", "Not a valid integer", id="underscore"),
            pytest.param("filter[whole]", " 1", "Not a valid integer", id="space"),
            pytest.param("filter[ratio]", "1_0", "Not a valid number", id="ratio-underscore"),
            pytest.param("filter[moment]", "2026-01-02T03:04:05 05:00", "%2B", id="lost-plus"),
            pytest.param("filter[flag][null]", "maybe", "Not a valid boolean", id="null"),
            pytest.param("filter[phase]", "PHASE", "Must be one of: new, used", id="enum"),
            pytest.param("filter[token]", "x", "Not a valid UUID", id="uuid"),
            pytest.param("filter[name]", "x" * 41, "Longer than maximum length", id="too-long"),
            pytest.param("filter[name]", "a\x00", "NUL", id="nul-in-a-filter"),
        ],
    )
    def test_what_makes_no_sense_is_refused_in_words(self, app, name, text, reason):
        query, (message,) = refusals(app, {name: text})

        assert message.startswith(repr(name))
        assert reason in message
        assert query.args == {}
        assert (query.page, query.conditions, query.words) == (1, (), ())

    def test_a_name_that_stands_twice_counts_once(self, app):
        query, messages = refusals(app, [("page", "2"), ("page", "3")])

        assert messages == ["'page': it stands twice."]
        assert query.page == 2

    def test_the_name_of_a_list_may_stand_for_each_of_its_values(self, app):
        query, messages = refusals(
            app,
            [
                *[("sort", "name"), ("filter[whole][in]", "1"), ("fields", "id")],
                *[("sort", "-id"), ("filter[whole][in]", "2,3"), ("fields", "name")],
            ],
        )

        assert messages == []
        assert query.order == (("name", False), ("id", True))
        assert query.conditions == (("whole", "in", [1, 2, 3]),)
        assert query.args["sort"] == "name,-id"

    def test_a_long_unknown_name_is_not_repeated_whole(self, app):
        _, (message,) = refusals(app, {"x" * 5000: "1"})

        assert len(message) < 500

    def test_the_list_ends_where_skipping_becomes_expensive(self, app):
        last = MAX_OFFSET // 100 + 1

        query, messages = refusals(app, {"per_page": "100", "page": str(last)})
        beyond, (message,) = refusals(app, {"page": str(last + 1), "per_page": "100"})

        assert (query.page, messages) == (last, [])
        assert (beyond.page, beyond.args) == (1, {"per_page": "100"})
        assert f"pages end after {MAX_OFFSET} rows" in message

    def test_a_model_without_a_listing_has_pages_and_nothing_else(self, app):
        plain = Listing(default="id", model=Entry)

        assert list(plain.parameters()) == ["page", "per_page", "cursor", "count", "fields"]
        assert rows(app, "page=2&per_page=3", plain) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "query",
    [
        "sort=password",
        "page=1e9",
        "page=-1",
        f"page={10**8}",
        "endpoint=x",
        "_method=POST",
        "_external=1&_scheme=javascript&_anchor=x",
        "filename=../../etc/passwd",
        "q=%00",
        "q=%FF%FE",
        "q=" + "a+" * 1000,
        "q=%25_%5C%27%22%3B--",
        "filter[price]=NaN&filter[price][gte]=1e999999",
        "filter[moment][gte]=0001-01-01T00:00%2B14:00",
        "filter[flag][gte]=true",
        "filter[clock][lte]=10:00%2B02:00",
        "filter[whole][in]=" + ",".join("1" * 500),
        "filter[phase][null]=maybe&filter[]=x&filter[[]]=x",
        "per_page=0&per_page=100000",
        "self=1&page[]=2&args=x",
        "cursor=x&count=all&fields=y",
    ],
)
def test_a_page_answers_any_url(app, query):
    client = app.test_client()

    page = client.get(f"/listed/?{query}")
    file = client.get(f"/listed/entries.csv?{query}", buffered=True)

    assert page.status_code == 200
    assert file.status_code == (400 if "left out" in page.text else 200)


def test_a_range_that_makes_no_sense_is_told_of_once(app):
    page = app.test_client().get("/listed/?filter[day][gte]=soon&filter[day][lte]=late").text

    assert re.search("left out: (.*)", page)[1] == "Day"


FILTERED = [
    ("filter[name]=OWL", [3]),
    ("filter[name][in]=OWL,owlet", [3, 4]),
    ("filter[whole]=1", [1]),
    ("filter[whole][gte]=2", [2, 4]),
    ("filter[whole][lte]=1", [1]),
    ("filter[whole][in]=1,3", [1]),
    ("filter[whole][null]=true", [3]),
    ("filter[whole][null]=false", [1, 2, 4]),
    ("filter[price]=12.5", [1]),
    ("filter[price][gte]=12.50&filter[price][lte]=19.99", [1]),
    ("filter[price][in]=12.50,20", [1, 2]),
    ("filter[price][null]=true", [3, 4]),
    ("filter[ratio]=0.5", [1]),
    ("filter[ratio][gte]=1", [2]),
    ("filter[ratio][in]=0.5,1.5", [1, 2]),
    ("filter[day]=2026-01-01", [1]),
    ("filter[day][gte]=2026-01-02", [2]),
    ("filter[day][lte]=2026-06-01", [1, 2]),
    ("filter[day][in]=2026-01-01,2026-01-02", [1]),
    ("filter[moment]=2026-01-01T12:00:00Z", [1]),
    ("filter[moment]=2026-01-01T07:00:00-05:00", [1]),
    ("filter[moment][gte]=2026-01-01T12:00:01Z", [2]),
    ("filter[clock]=08:00", [1]),
    ("filter[clock][gte]=08:01", [2]),
    ("filter[flag]=true", [1]),
    ("filter[flag]=false", [2]),
    ("filter[flag][in]=true,false", [1, 2]),
    ("filter[flag][null]=true", [3, 4]),
    ("filter[phase]=used", [2]),
    ("filter[phase][in]=new,used", [1, 2]),
    ("filter[phase][null]=false", [1, 2]),
    (f"filter[token]={TOKEN}", [1]),
    (f"filter[token][in]={TOKEN}", [1]),
    ("filter[token][null]=true", [3, 4]),
    ("filter[shelf_id]=2", [2]),
    ("filter[shelf_id][in]=1,2", [1, 2]),
    ("filter[shelf_id]=3", []),
    ("filter[whole]=2&filter[flag]=false", [2]),
]


@pytest.mark.parametrize(("query", "found"), FILTERED)
def test_each_operator_finds_its_rows(app, query, found):
    assert rows(app, f"{query}&sort=id") == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param("q=OwL", [3, 4], id="case"),
        pytest.param("q=owl+et", [4], id="every-word"),
        pytest.param("q=owl+axb", [3], id="words-in-different-columns"),
        pytest.param("q=100%25", [1], id="percent-is-a-percent"),
        pytest.param("q=%25", [1], id="percent-alone"),
        pytest.param("q=a_b", [2], id="underscore-is-an-underscore"),
        pytest.param("q=%5C", [], id="backslash"),
        pytest.param("q=%2F", [], id="slash"),
        pytest.param("q=%27", [], id="quote"),
        pytest.param("q=nowhere", [], id="nothing"),
        pytest.param("q=+", [1, 2, 3, 4], id="blank"),
    ],
)
def test_a_search_finds_parts_of_words_as_they_were_typed(app, query, found):
    assert rows(app, f"{query}&sort=id") == found


def test_a_search_folds_accents_where_the_engine_can(app):
    with app.app_context():
        folds = db.engine.dialect.name != "postgresql"

    assert rows(app, "q=NANDU&sort=id") == ([1] if folds else [])
    assert rows(app, "q=%C3%B1AND%C3%9A&sort=id") == [1]


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        pytest.param("whole", [1, 2, 4, 3], id="ascending"),
        pytest.param("-whole", [2, 4, 1, 3], id="descending"),
        pytest.param("-whole,-id", [4, 2, 1, 3], id="with-a-second"),
        pytest.param("price", [1, 2, 3, 4], id="two-without"),
        pytest.param("-price", [2, 1, 3, 4], id="two-without-descending"),
        pytest.param("-id", [4, 3, 2, 1], id="key"),
    ],
)
def test_rows_without_a_value_come_last_and_equal_ones_by_their_key(app, sort, found):
    assert rows(app, f"sort={sort}") == found


def test_the_order_of_a_statement_gives_way_to_that_of_the_list(app):
    with app.test_request_context("/listed/?sort=id"):
        page = page_of(Entry, select(Entry).where(Entry.id > 1).order_by(Entry.id.desc()))

        assert [entry.id for entry in page] == [2, 3, 4]


OTHER = aliased(Entry)
BY_ENTRY = select(Shelf).join(Shelf.entries)


class ShelfSchema(Schema):
    class Meta(Schema.Meta):
        model = Shelf
        fields = ("id", "name")


@pytest.mark.parametrize(
    ("statement", "total"),
    [
        pytest.param(BY_ENTRY, 2, id="relationship"),
        pytest.param(select(Shelf).join(Entry), 2, id="foreign-key"),
        pytest.param(select(Shelf).join(OTHER, OTHER.shelf_id == Shelf.id), 2, id="condition"),
        pytest.param(BY_ENTRY.distinct(), 2, id="distinct"),
        pytest.param(BY_ENTRY.distinct().order_by(Entry.name), 2, id="distinct-in-an-order"),
        pytest.param(BY_ENTRY.group_by(Shelf.id).having(func.count() > 1), 1, id="grouped"),
    ],
)
def test_a_record_joined_to_many_of_another_stands_once(app, statement, total):
    with app.test_request_context("/listed/?per_page=1"):
        db.session.add(Entry(id=9, name="second", shelf_id=1))
        db.session.flush()
        page = page_of(Shelf, statement)

        assert ([shelf.id for shelf in page], page.total, page.has_next) == ([1], total, total > 1)
        # Of an item, too.
        assert item(ShelfSchema(), 1, statement=statement).json["data"]["name"]


def test_what_a_statement_loads_from_its_join_stays(app):
    loaded = BY_ENTRY.where(Entry.name == "nandina").options(contains_eager(Shelf.entries))

    with app.test_request_context("/listed/"):
        shelves = [[entry.name for entry in shelf.entries] for shelf in page_of(Shelf, loaded)]

        assert shelves == [["nandina"]]


@pytest.mark.parametrize(
    ("most", "total", "estimate"),
    [
        pytest.param(3, 4, True, id="more-than-counted"),
        pytest.param(4, 4, False, id="just-counted"),
        pytest.param(10, 4, False, id="all-counted"),
    ],
)
def test_rows_are_counted_up_to_a_limit(app, monkeypatch, most, total, estimate):
    monkeypatch.setattr(paging, "MAX_COUNT", most)

    with app.test_request_context("/listed/?per_page=1"):
        page = page_of(Entry)
        answer = app.test_client().get("/listed/?per_page=1").text

        assert (page.total, page.total_is_estimate) == (total, estimate)
    assert ("More than 3 rows" in answer) is estimate
    assert ("4 rows" in answer) is not estimate


def test_the_total_is_that_of_the_filtered_rows(app):
    with app.test_request_context("/listed/?filter[whole]=2&per_page=1"):
        page = page_of(Entry)

        assert (page.total, page.pages, len(page.items)) == (2, 2, 1)


def test_urls_of_a_list_keep_what_was_asked(app):
    with app.test_request_context("/listed/?q=owl&page=2&per_page=1&endpoint=x&sort=bad"):
        page = page_of(Entry)

        assert page.url() == "/listed/?q=owl&per_page=1"
        assert page.url(3) == "/listed/?q=owl&page=3&per_page=1"
        assert page.url(1, per_page="50", q=None) == "/listed/?page=1&per_page=50"


def test_a_page_tells_by_what_it_is_sorted_first(app):
    with app.test_request_context("/listed/?sort=-price,name"):
        page = page_of(Entry)

        assert (page.order("price"), page.order("name")) == ("descending", None)


def test_heads_sort_and_say_how_the_rows_are_sorted(app):
    first = app.test_client().get("/listed/").text
    second = app.test_client().get("/listed/?sort=-name").text

    assert re.search(r'aria-sort="ascending">\s*<a href="/listed/\?sort=-name"', first)
    assert re.search(r'aria-sort="descending">\s*<a href="/listed/\?sort=name"', second)
    assert first.count("aria-sort") == 1
    assert re.search(r'<th scope="col" class=""\s*>\s*Note\s*</th>', first)


def test_an_empty_list_says_why(app):
    answer = app.test_client().get("/listed/?q=nowhere").text

    assert "Nothing matches." in answer
    assert 'href="/listed/">Show all' in answer


def test_a_whole_list_with_its_related_rows_is_one_statement(app):
    statements = []

    def note(connection, cursor, statement, *others):
        statements.append(statement)

    with app.test_request_context("/listed/"):
        event.listen(db.engine, "before_cursor_execute", note)
        shelves = {str(entry.shelf) for entry in page_of(Entry)}
        event.remove(db.engine, "before_cursor_execute", note)

    assert shelves == {"Shelf 1", "Shelf 2", "None"}
    assert len([one for one in statements if one.startswith("SELECT")]) == 1
