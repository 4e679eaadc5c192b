"""What the tests of the module share: senders of requests, and an author with a book."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from .sending import Sender, in_process, over_http


@pytest.fixture
def send(client: FlaskClient) -> Sender:
    """Send to the application in this process."""
    return Sender(in_process(client))


@pytest.fixture(params=["in process", "in production"])
def send_both(request: pytest.FixtureRequest) -> Sender:
    """Send to the application in this process, then to a production server."""
    if request.param == "in process":
        return request.getfixturevalue("send")
    return Sender(over_http(request.getfixturevalue("live_server").url))


def new_isbn() -> str:
    return f"978{uuid4().int % 10**10:010}"


@pytest.fixture
def author(send: Sender) -> dict[str, Any]:
    return send("POST", "/authors", {"name": "Ana Restrepo"}).data


@pytest.fixture
def book(send: Sender, author: dict[str, Any]) -> dict[str, Any]:
    return make_book(send, author)


@pytest.fixture
def shelf(send_both: Sender) -> Iterator[dict[str, Any]]:
    """Make an author with two books wherever the requests go, and take them away again."""
    author = send_both("POST", "/authors", {"name": "Ana Restrepo"}).data
    books = [make_book(send_both, author) for _ in range(2)]
    yield {"author": author, "book": books[0], "other": books[1]}
    for book in books:
        send_both("DELETE", f"/books/{book['id']}")
    assert send_both("DELETE", f"/authors/{author['id']}").status == 204


def make_book(send: Sender, author: dict[str, Any], **given: Any) -> dict[str, Any]:
    values = {"title": "The Map", "isbn": new_isbn(), "price": "12.50", "author_id": author["id"]}
    answer = send("POST", "/books", {**values, **given})
    assert answer.status == 201, answer.body
    return answer.data
