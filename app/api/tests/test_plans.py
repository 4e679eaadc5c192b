"""The schemas of the module are read and written by plan, whatever is asked for."""

import pytest

from app.api.schemas import AuthorSchema, BookSchema
from core.plan import FALLBACKS, Plan, plan_of

from .conftest import make_book


@pytest.mark.parametrize("schema", [AuthorSchema(), BookSchema()])
def test_the_schemas_have_plans_for_all_that_may_be_asked_for(app, schema):
    with app.app_context():
        plans = [plan_of(schema), *(plan_of(schema, (name,)) for name in schema.dump_fields)]

    assert {type(plan) for plan in plans} == {Plan}
    assert FALLBACKS[type(schema)] == 0


def test_no_request_falls_back_to_dump(send, author):
    FALLBACKS.clear()
    book = make_book(send, author)

    for path in ("/authors", "/books", "/books?sort=-price&fields=author", "/books?count=none"):
        assert send("GET", path).status == 200
    send("PATCH", f"/books/{book['id']}?fields=title", {"title": "Other"})

    assert not FALLBACKS


def test_a_book_shows_what_dump_would_show(app, send, author):
    make_book(send, author, published="2026-02-28", price="0.10")
    make_book(send, author, pages=7)

    listed = send("GET", "/books").json["data"]

    shown = [send("GET", f"/books/{book['id']}").data for book in listed]
    assert listed == shown
    assert [list(book["author"]) for book in listed] == [["id", "name"]] * 2
