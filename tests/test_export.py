"""A list as CSV: the rows of the URL, streamed, and harmless in a spreadsheet."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from flask import has_app_context
from sqlalchemy import select
from werkzeug.exceptions import BadRequest

from core import export
from core.export import _cell, csv_of, csv_response
from core.setting import setting
from core.testing import app_on_test_database
from services import db
from tests.listed.models import Entry, Phase, Shelf

URL = "/listed/entries.csv"
HEADS = ["Name", "Note", "Price", "Day", "Flag", "Phase", "Shelf"]


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    with app_on_test_database(tmp_path_factory.mktemp("export"), ["tests.listed"]) as application:
        yield application


def download(client, query=""):
    return client.get(f"{URL}{query}")


def read(answer):
    assert answer.status_code == 200
    return list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"), newline="")))


def test_a_list_comes_as_a_file_for_spreadsheets(client, save):
    save(Entry(name="Ñandú"))

    answer = download(client)

    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="listed_entry.csv"'
    assert answer.data.startswith("\ufeffName,".encode())
    assert read(answer)[1][0] == "Ñandú"


def test_what_the_database_computes_is_a_column_too(app, save):
    save(Entry(name="Cup", shelf=save(Shelf(name="Upper"))))

    with app.test_request_context(), csv_of(Entry, ("name", "shelf.loud")) as answer:
        text = answer.get_data(as_text=True)

    assert text.splitlines()[1] == "Cup,UPPER"


def test_each_kind_of_value_has_its_text(client, save):
    shelf = save(Shelf(name="Upper"))
    save(
        Entry(
            name='a "b", c',
            note="two\nlines",
            price=Decimal("-12.50"),
            day=date(2026, 1, 2),
            flag=True,
            phase=Phase.NEW,
            shelf_id=shelf.id,
        )
    )
    save(Entry(name="bare"))

    assert read(download(client)) == [
        HEADS,
        ['a "b", c', "two\nlines", "-12.50", "2026-01-02", "True", "new", "Upper"],
        ["bare", "", "", "", "", "", ""],
    ]


def test_a_small_decimal_is_written_out():
    assert [export._cell(Decimal(text)) for text in ("1E-10", "0E-10")] == [
        "0.0000000001",
        "0.0000000000",
    ]


def test_a_guard_that_reads_leaves_one_connection_for_the_file(client, app, save, monkeypatch):
    def guard():
        db.session.scalars(select(Entry)).all()

    monkeypatch.setitem(app.before_request_funcs, "listed", [guard])
    save(Entry(name="one"))

    assert [row[0] for row in read(download(client))] == ["Name", "one"]


def test_a_file_that_nobody_reads_leaves_no_context_behind(client, save):
    save(Entry(name="one"))

    answer = client.get(URL)

    assert (answer.status_code, has_app_context()) == (200, False)


def test_an_empty_list_has_its_heads(client):
    assert read(download(client)) == [HEADS]


def test_the_file_has_all_rows_that_the_url_asks_for(client, save):
    for name in ("one", "two", "three"):
        save(Entry(name=name, flag=name != "two"))

    rows = read(download(client, "?filter[flag]=true&sort=-name&per_page=1&page=2&colour=red"))

    assert [row[0] for row in rows[1:]] == ["three", "one"]


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1", "@SUM(A1)", "=cmd|'/c calc'!A1"),
        *("\t1", "\r1", "\n1", "  =1", "\xa0=1"),
        # As a keyboard for Japanese writes them.
        *("\uff1d1", "\uff0b1", "\uff0d1", "\uff20A1"),
    ],
)
def test_no_text_is_a_formula(client, save, text):
    save(Entry(name="x", note=text))

    assert read(download(client))[1][1] == f"'{text}"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("x;=1+1", "x;'=1+1"),
        (";=1", ";'=1"),
        ('a;"=1";b', 'a;\'"=1";b'),
        ('a; ""@x', 'a;\' ""@x'),
        *(("\t=1", "'\t'=1"), ("\r=1", "'\r'=1"), ("\n=1", "'\n'=1")),
        *(("=1\n=2", "'=1\n'=2"), ("=1\r\n=2", "'=1\r\n'=2")),
        ("x\t\t =1", "x\t\t' =1"),
        ("x\t@SUM(A1)|-1", "x\t'@SUM(A1)|'-1"),
        ("Milk\n- bread", "Milk\n'- bread"),
        ("1;2 = 3", "1;2 = 3"),
        ("a-b; c", "a-b; c"),
    ],
)
def test_no_part_of_a_text_is_a_formula_where_something_else_separates(client, save, text, kept):
    save(Entry(name="x", note=text))

    assert read(download(client))[1][1] == kept


def test_what_json_holds_is_no_formula_and_may_be_exact():
    assert export._cell({"a": "x;=1"}) == """{"a": "x;'=1"}"""
    assert export._cell([Decimal("1.50"), date(2026, 1, 2)]) == '["1.50", "2026-01-02"]'


def test_a_long_list_is_read_in_parts_that_are_forgotten(app, client, save, monkeypatch):
    monkeypatch.setattr(export, "CHUNK", 2)
    for number in range(9):
        save(Entry(name=f"Entry {number}"))

    parts, held = [], []
    with app.test_request_context(URL), export.csv_of(Entry, ["name"]) as answer:
        for part in answer.response:
            parts.append(part)
            held.append(len(list(db.session)))

    # The heads come with the first part.
    assert [part.count("\r\n") for part in parts] == [3, 2, 2, 2, 1]
    assert max(held) <= 4
    assert [row[0] for row in read(download(client))[1:]] == [f"Entry {n}" for n in range(9)]


MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (MOMENT, "2026-01-01T22:04:05-05:00"),
        (MOMENT.replace(microsecond=678), "2026-01-01T22:04:05.000678-05:00"),
        (MOMENT.replace(tzinfo=None, microsecond=678), "2026-01-02T03:04:05.000678"),
        (timedelta(days=1, seconds=3661, microseconds=123456), 90061.123456),
        ({"ñ": [True, None]}, '{"ñ": [true, null]}'),
        (["=1"], '["=1"]'),
    ],
    ids=str,
)
def test_a_value_is_written_whole_in_a_form_that_others_read(app, monkeypatch, value, cell):
    monkeypatch.setattr(app.extensions["babel"], "default_timezone", "America/Bogota")

    with app.test_request_context(URL):
        assert export._cell(value) == cell


@pytest.mark.parametrize(
    ("query", "reason"),
    [("filter[price]=abc", "Not a valid number"), ("colour=red", "it is unknown; allowed are")],
)
def test_what_makes_no_sense_is_refused_in_an_api(app, client, save, monkeypatch, query, reason):
    monkeypatch.setitem(app.extensions["api_blueprints"], "listed", None)
    save(Entry(name="x", price=1))

    refused = download(client, f"?{query}")

    assert (refused.status_code, refused.mimetype) == (400, "application/problem+json")
    assert reason in refused.json["detail"]
    assert [row[0] for row in read(download(client, "?filter[price]=1"))] == ["Name", "x"]


def test_a_filter_that_makes_no_sense_is_no_file_of_all_rows(client):
    assert download(client, "?filter[price][gte]=cheap").status_code == 400


def test_a_query_that_fails_is_no_file(make_app):
    answer = make_app(["tests.listed"], APP_ENV="development").test_client().get(URL)

    assert (answer.status_code, answer.mimetype) == (500, "text/html")
    assert "alembic upgrade head" in answer.text


@pytest.mark.parametrize(
    ("columns", "heads"),
    [
        pytest.param(("name", "shelf.name"), "Name,Shelf", id="one"),
        pytest.param(
            ("name", "shelf.id", "shelf.name"), "Name,Shelf: Id,Shelf: Name", id="two-of-a-record"
        ),
    ],
)
def test_the_heads_tell_columns_of_one_related_record_apart(app, columns, heads):
    with app.test_request_context(), csv_of(Entry, columns) as answer:
        text = answer.get_data(as_text=True)

    assert text.splitlines()[0] == f"\ufeff{heads}"


def test_rows_of_ones_own_are_a_file_too(app):
    rows = [("=1+1", Decimal("1E+3"), None), (Shelf(name="=2"), Phase.NEW, date(2026, 1, 2))]

    with (
        app.test_request_context(),
        csv_response('año "26"', ["@plan", "Sum", "Of"], rows) as answer,
    ):
        text = answer.get_data(as_text=True)

    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=\"a_o _26_.csv\"; filename*=UTF-8''a%C3%B1o%20%2226%22.csv"
    )
    assert text == "\ufeff'@plan,Sum,Of\r\n'=1+1,1000,\r\n'=2,new,2026-01-02\r\n"


@pytest.mark.parametrize("argument", ["fields=id", "page=2", "per_page=5"])
def test_a_file_of_an_api_refuses_what_it_would_not_heed(app, argument):
    with (
        app.test_request_context(f"{setting('API_PREFIX')}/entries.csv?{argument}"),
        pytest.raises(BadRequest, match="a file has all rows"),
    ):
        csv_of(Entry, ("id",))


def test_bytes_are_written_as_the_api_does():
    assert _cell(b"\x00\x01") == "AAE="
