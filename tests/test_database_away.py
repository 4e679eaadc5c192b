"""A database that does not answer is 503 with Retry-After: in this process, and in production."""

import json
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from tests.sample_server import sample_served

# Nobody listens on this port.
NOWHERE = "postgresql://nobody:hunter2@127.0.0.1:1/nowhere_test"
DETAIL = "The database does not answer at the moment: try again in a few seconds."
BODY = {"name": "Key", "code": "K1", "price": "1.50", "box_id": 1}
REQUESTS = [
    ("GET", "/outside/things"),
    ("GET", "/outside/things?count=exact&fields=name"),
    ("HEAD", "/outside/things/1"),
    ("GET", "/outside/things/1"),
    ("POST", "/outside/things"),
    ("PUT", "/outside/things/1"),
    ("PATCH", "/outside/things/1"),
    ("DELETE", "/outside/things/1"),
]
NAMES = [f"{method} {path}" for method, path in REQUESTS]


def is_away(status, headers, body, method):
    assert (status, headers["Retry-After"]) == (503, "5")
    assert headers["Content-Type"] == "application/problem+json"
    assert headers["X-Request-ID"]
    if method != "HEAD":
        problem = json.loads(body)
        assert (problem["title"], problem["detail"]) == ("Service Unavailable", DETAIL)
        assert problem["request_id"] == headers["X-Request-ID"]
    for inside in (b"psycopg", b"127.0.0.1", b"hunter2", b"SELECT"):
        assert inside not in body


@pytest.fixture(params=["postgresql", "sqlite"])
def away(request, make_app, tmp_path):
    url = NOWHERE if request.param == "postgresql" else f"sqlite:///{tmp_path.as_posix()}"
    return make_app(["tests.sample"], DATABASE_URL=url).test_client()


@pytest.mark.parametrize(("method", "path"), REQUESTS, ids=NAMES)
def test_without_a_database_the_api_asks_to_try_again(away, method, path):
    answer = away.open(path, method=method, json=BODY)

    is_away(answer.status_code, answer.headers, answer.data, method)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("away")
    with sample_served(folder, NOWHERE, until="/health/live") as live:
        yield urlsplit(live.url)


@pytest.mark.parametrize(("method", "path"), REQUESTS, ids=NAMES)
def test_without_a_database_a_production_server_asks_to_try_again(server, method, path):
    connection = HTTPConnection(server.hostname, server.port, timeout=20)
    body = None if method in ("GET", "HEAD") else json.dumps(BODY)

    connection.request(method, path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    content = response.read()
    connection.close()

    is_away(response.status, dict(response.getheaders()), content, method)
