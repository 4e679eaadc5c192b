"""HTTP as its clients expect it, under test and in production."""

import re
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from .sending import API


@pytest.mark.parametrize("path", ["/books", "/authors/{author}", "/books/{book}", "/nothing"])
def test_head_answers_as_get_without_the_body(send_both, shelf, path):
    ids = {name: shelf[name]["id"] for name in ("author", "book")}
    path = path.format(**ids)

    got, head = (send_both(method, path) for method in ("GET", "HEAD"))

    changing = {"date", "x-request-id"}
    assert (head.status, head.body) == (got.status, b"")
    assert {name: value for name, value in head.headers.items() if name not in changing} == {
        name: value for name, value in got.headers.items() if name not in changing
    }


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/books", "GET HEAD OPTIONS POST"), ("/books/1", "DELETE GET HEAD OPTIONS PATCH PUT")],
)
def test_options_names_the_methods(send_both, path, methods):
    answer = send_both("OPTIONS", path)

    assert (answer.status, answer.body) == (200, b"")
    assert sorted(answer.headers["allow"].split(", ")) == methods.split()


@pytest.mark.parametrize(
    "media_type",
    ["application/json; charset=utf-8", "application/merge-patch+json", "APPLICATION/JSON"],
)
def test_every_json_media_type_is_read(send, author, media_type):
    headers = {"Content-Type": media_type}

    answer = send("PATCH", f"/authors/{author['id']}", {"name": "ñ"}, headers=headers)

    assert (answer.status, answer.data["name"]) == (200, "ñ")


def test_a_request_id_is_taken_over_or_made(send_both):
    own = send_both("GET", "/books", headers={"X-Request-ID": "order-12345678"})
    refused = send_both("GET", "/nothing", headers={"X-Request-ID": "order-12345678"})
    bad = send_both("GET", "/books", headers={"X-Request-ID": "a b"})

    assert own.headers["x-request-id"] == "order-12345678"
    assert refused.json["request_id"] == "order-12345678"
    assert re.fullmatch("[0-9a-f]{32}", bad.headers["x-request-id"])


def test_no_answer_sets_a_cookie(send_both):
    answer = send_both("POST", "/authors", {"name": "No cookie"})

    assert "set-cookie" not in answer.headers
    assert send_both("DELETE", f"/authors/{answer.data['id']}").status == 204


def test_a_body_in_chunks_is_read_and_limited(live_server):
    address = urlsplit(live_server.url)
    headers = {"Content-Type": "application/json"}
    chunks = [b'{"name": "', b"Chunk", b'"}'], [b'{"name": "', *[b"x" * 65536] * 33, b'"}']
    statuses = []

    for body in chunks:
        connection = HTTPConnection(str(address.hostname), address.port, timeout=20)
        connection.request("POST", f"{API}/authors", iter(body), headers, encode_chunked=True)
        statuses.append(connection.getresponse().status)
        connection.close()

    assert statuses == [201, 413]
