"""Lists of the API: their shape to the letter, and the way from page to page."""

import pytest
from sqlalchemy import event

from services import db

from .conftest import make_book
from .sending import API


def test_an_empty_list_has_the_shape_of_every_list(send):
    answer = send("GET", "/books")

    first = f"{API}/books?page=1"
    assert answer.status == 200
    assert answer.json == {
        "data": [],
        "meta": {
            "page": 1,
            "per_page": 20,
            "total": 0,
            "total_is_estimate": False,
            "next_cursor": None,
        },
        "links": {"self": first, "first": first, "prev": None, "next": None, "last": first},
    }


@pytest.fixture
def authors(send):
    """Make 45 authors."""
    return [send("POST", "/authors", {"name": f"A{number:02}"}).data for number in range(45)]


def test_a_list_holds_whole_items_the_oldest_first(send, authors):
    answer = send("GET", "/authors?per_page=100")

    assert answer.json["data"] == authors


@pytest.mark.parametrize(
    ("query", "names", "links"),
    [
        ("", range(20), [1, 1, None, 2, 3]),
        ("?page=2", range(20, 40), [2, 1, 1, 3, 3]),
        ("?page=3", range(40, 45), [3, 1, 2, None, 3]),
        ("?page=4", [], [4, 1, 3, None, 3]),
        ("?page=1000", [], [1000, 1, 3, None, 3]),
    ],
    ids=["first", "middle", "last", "past the end", "far past the end"],
)
def test_a_list_is_paged(send, authors, query, names, links):
    answer = send("GET", f"/authors{query}")

    expected = [page and f"{API}/authors?page={page}" for page in links]
    assert answer.status == 200
    assert [author["name"] for author in answer.json["data"]] == [f"A{n:02}" for n in names]
    assert answer.json["meta"]["total"] == 45
    assert answer.json["links"] == dict(
        zip(["self", "first", "prev", "next", "last"], expected, strict=True)
    )


def test_following_next_meets_every_item_once(send, authors):
    url, names = "/authors?per_page=7", []
    while url:
        answer = send("GET", url).json
        names += [author["name"] for author in answer["data"]]
        url = answer["links"]["next"]

    assert names == [author["name"] for author in authors]


@pytest.mark.parametrize(
    ("query", "shown", "number"),
    [
        pytest.param("", 5, 1, id="the-whole-list"),
        pytest.param("?per_page=5", 5, 1, id="a-full-page-that-is-the-last"),
        pytest.param("?page=2&per_page=3", 2, 1, id="the-last-page"),
        pytest.param("?per_page=4", 4, 2, id="rows-follow"),
        pytest.param("?per_page=4&count=none", 4, 1, id="rows-follow-uncounted"),
        pytest.param("?page=3&per_page=5", 0, 2, id="past-the-end"),
    ],
)
def test_a_list_takes_one_query_and_one_to_count_what_it_does_not_show(
    app, send, query, shown, number
):
    for number_of_book in range(5):
        make_book(send, send("POST", "/authors", {"name": f"A{number_of_book}"}).data)
    with app.app_context():
        connection = db.session.connection()
    statements = []

    @event.listens_for(connection, "before_cursor_execute")
    def note(connection, cursor, statement, *rest):
        if "SAVEPOINT" not in statement:
            statements.append(statement)

    answer = send("GET", f"/books{query}").json

    assert len(answer["data"]) == shown
    assert len(statements) == number
    assert sum("api_author" in statement for statement in statements) == 1
    assert sum("api_author" in statement for statement in statements) == 1
