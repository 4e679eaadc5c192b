"""Items of the API: their shapes to the letter, and what each method does to them."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from app.api.models import Book
from services import db

from .conftest import make_book, new_isbn
from .sending import API

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
AUTHOR_FIELDS = ["id", "name", "created_at", "updated_at", "version"]
BOOK_FIELDS = [
    "id",
    "title",
    "isbn",
    "price",
    "published",
    "pages",
    "author_id",
    "author",
    "created_at",
    "updated_at",
    "version",
]


def test_create_answers_201_with_the_item_and_where_it_is(send_both):
    send = send_both

    answer = send("POST", "/authors", {"name": "Sofía Ibáñez 🖋"})

    author = answer.data
    assert answer.status == 201
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["location"] == f"{API}/authors/{author['id']}"
    assert list(answer.json) == ["data"]
    assert list(author) == AUTHOR_FIELDS
    assert (author["name"], author["version"]) == ("Sofía Ibáñez 🖋", 1)
    shown = send("GET", answer.headers["location"])
    assert shown.data == author
    assert shown.headers["etag"] == answer.headers["etag"]
    assert send("DELETE", answer.headers["location"]).status == 204


def test_a_book_has_the_fields_of_the_contract(send, author):
    isbn = new_isbn()
    values = {
        "title": "El mapa",
        "isbn": isbn,
        "price": "12.5",
        "published": "2026-02-28",
        "pages": 320,
        "author_id": author["id"],
    }

    book = send("POST", "/books", values).data

    assert list(book) == BOOK_FIELDS
    assert book == {
        **values,
        "id": book["id"],
        "price": "12.50",
        "author": {"id": author["id"], "name": author["name"]},
        "created_at": book["created_at"],
        "updated_at": book["updated_at"],
        "version": 1,
    }


def test_absent_optional_fields_are_null(send, author):
    book = make_book(send, author)

    assert (book["published"], book["pages"]) == (None, None)


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ("0", "0.00"),
        ("-0", "0.00"),
        ("7", "7.00"),
        ("0.1", "0.10"),
        ("1e2", "100.00"),
        ("99999999.99", "99999999.99"),
        ("12.500", "12.50"),
        (12, "12.00"),
        (0.1, "0.10"),
        (1.15, "1.15"),
        (99999999.99, "99999999.99"),
    ],
)
def test_prices_are_exact_decimals_in_strings(app, send, author, sent, answered):
    book = make_book(send, author, price=sent)

    shown = send("GET", f"/books/{book['id']}").data
    with app.app_context():
        stored = db.session.scalar(select(Book.price).where(Book.id == book["id"]))

    assert book["price"] == answered
    assert shown["price"] == answered
    assert stored == Decimal(answered)


def test_times_are_iso_8601_in_utc(send, book):
    assert TIME.fullmatch(book["created_at"])
    assert TIME.fullmatch(book["updated_at"])
    age = datetime.now(UTC) - datetime.fromisoformat(book["created_at"])
    assert timedelta() <= age < timedelta(minutes=1)


def test_put_replaces_all_and_resets_what_is_absent(send, author, book):
    other = send("POST", "/authors", {"name": "Luis"}).data
    send("PATCH", f"/books/{book['id']}", {"pages": 10, "published": "2026-01-01"})
    values = {"title": "Other", "isbn": new_isbn(), "price": "1.00", "author_id": other["id"]}

    answer = send("PUT", f"/books/{book['id']}", values)

    assert answer.status == 200
    assert answer.data == {
        **book,
        **values,
        "published": None,
        "pages": None,
        "author": {"id": other["id"], "name": "Luis"},
        "updated_at": answer.data["updated_at"],
        "version": 3,
    }
    assert send("GET", f"/books/{book['id']}").data == answer.data


def test_patch_changes_what_it_names_alone(send, book):
    answer = send("PATCH", f"/books/{book['id']}", {"price": "3.20"})

    assert answer.status == 200
    assert answer.data == {
        **book,
        "price": "3.20",
        "updated_at": answer.data["updated_at"],
        "version": 2,
    }
    assert answer.data["updated_at"] > book["updated_at"]
    assert send("GET", f"/books/{book['id']}").data == answer.data


def test_an_empty_patch_changes_nothing(send, book):
    answer = send("PATCH", f"/books/{book['id']}", {})

    assert (answer.status, answer.data) == (200, book)


def test_put_and_patch_rename_an_author(send, author):
    url = f"/authors/{author['id']}"

    put = send("PUT", url, {"name": "Put"})
    patched = send("PATCH", url, {"name": "Patched"})

    assert (put.status, put.data["name"], put.data["version"]) == (200, "Put", 2)
    assert (patched.status, patched.data["name"], patched.data["version"]) == (200, "Patched", 3)
    assert send("GET", url).data == patched.data


def test_delete_answers_204_without_a_body(send_both, shelf):
    send, url = send_both, f"/books/{shelf['book']['id']}"

    answer = send("DELETE", url)

    assert (answer.status, answer.body) == (204, b"")
    assert send("GET", url).status == 404
    assert send("DELETE", url).status == 404


def test_an_author_without_books_is_deleted(send, author):
    assert send("DELETE", f"/authors/{author['id']}").status == 204
    assert send("GET", "/authors").json["meta"]["total"] == 0
