"""The schemas of the module are read and written by plan, whatever is asked for."""

import marshmallow
import pytest

from app.api.schemas import AuthorSchema, BookSchema
from core.listing import listing_of
from core.plan import Plan, plan_of

from .conftest import make_book, new_isbn


@pytest.mark.parametrize("schema", [AuthorSchema(), BookSchema()])
def test_the_schemas_have_plans_for_all_that_may_be_asked_for(app, schema):
    orders = [(), *((name, "id") for name in listing_of(schema.opts.model).sort)]
    parts = [None, *((name,) for name in schema.dump_fields)]

    with app.app_context():
        plans = [plan_of(schema, shown, order) for shown in parts for order in orders]

    assert {type(plan) for plan in plans} == {Plan}


def test_a_book_shows_what_dump_would_show(app, send, author):
    make_book(send, author, published="2026-02-28", price="0.10")
    make_book(send, author, pages=7)

    listed = send("GET", "/books").json["data"]

    shown = [send("GET", f"/books/{book['id']}").data for book in listed]
    assert listed == shown
    assert [list(book["author"]) for book in listed] == [["id", "name"]] * 2


def test_no_request_falls_back_to_dump(send, author, book, monkeypatch):
    dumped = []
    monkeypatch.setattr(marshmallow.Schema, "dump", lambda self, *_, **__: dumped.append(self))
    writable = {"title": "A", "isbn": new_isbn(), "price": "1.00", "author_id": author["id"]}

    answers = [
        send("GET", "/books"),
        send("GET", "/books?sort=-title&fields=title,author&q=map"),
        send("GET", f"/books/{book['id']}"),
        send("GET", f"/books/{book['id']}?fields=id"),
        send("PUT", f"/books/{book['id']}", writable),
        send("PATCH", f"/books/{book['id']}", {"pages": 9}),
        send("POST", "/authors", {"name": "Ana"}),
        send("POST", "/books", {**writable, "isbn": new_isbn()}),
    ]

    assert [answer.status for answer in answers] == [200] * 6 + [201] * 2
    assert dumped == []
