"""Many clients at one row of PostgreSQL, through gunicorn and nginx: no change is lost."""

import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from sqlalchemy import create_engine, select, text

from config import parse_url
from core.rest import item, page_of
from services import db
from tests.load import RECOVERY
from tests.project import empty_database
from tests.sample.models import Box, Thing
from tests.sample.schemas import BoxSchema, ThingSchema
from tests.sample_server import make_tables, nginx_before, sample_served

pytestmark = pytest.mark.postgresql

THINGS = "/outside/things"
LONG = "A note that is worth compressing. " * 40
WRITERS = 50


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self):
        return json.loads(self.body)["data"]


def send(url, method="GET", body=None, **headers):
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname, address.port, timeout=30)
    sent = None if body is None else json.dumps(body)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    target = f"{address.path}?{address.query}" if address.query else address.path
    try:
        connection.request(method, target, sent, {"Content-Type": "application/json", **headers})
        response = connection.getresponse()
        return Answer(response.status, dict(response.getheaders()), response.read())
    finally:
        connection.close()


@pytest.fixture(scope="module")
def database_url(tmp_path_factory):
    """A database of PostgreSQL, whose rows all connections see."""
    with empty_database("postgresql", tmp_path_factory.mktemp("busy"), "busy") as url:
        make_tables(url)
        yield url


@pytest.fixture(scope="module")
def server(database_url, tmp_path_factory):
    with sample_served(tmp_path_factory.mktemp("served"), database_url) as live:
        yield live.url


@pytest.fixture(scope="module")
def database(database_url):
    """A connection of somebody else, who sees what is committed."""
    engine = create_engine(parse_url("DATABASE_URL", database_url), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def thing(server, database):
    """The URL of a new thing, alone in the list."""
    database.execute(text("DELETE FROM sample_thing"))
    database.execute(text("DELETE FROM sample_box"))
    box = database.scalar(Box.__table__.insert().returning(Box.id), {"name": "Busy", "version": 1})
    body = {"name": "Key", "code": "K1", "price": "1.50", "note": LONG, "box_id": box}
    created = send(f"{server}{THINGS}", "POST", body)
    assert created.status == 201, created.body
    return f"{server}{created.headers['Location']}"


def test_of_fifty_writers_with_if_match_each_acknowledged_one_counts(thing):
    outcomes = Counter()
    start = threading.Barrier(WRITERS)

    def raise_amount(_):
        start.wait()
        for _ in range(400):
            shown = send(thing)
            outcomes[shown.status] += shown.status != 200
            if shown.status != 200:
                continue
            amount = {"amount": shown.data["amount"] + 1}
            answer = send(thing, "PATCH", amount, If_Match=shown.headers["ETag"])
            outcomes[answer.status] += 1
            if answer.status == 200:
                return

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(raise_amount, range(WRITERS)))

    assert send(thing).data["amount"] == outcomes[200] == WRITERS
    assert outcomes[412] + outcomes[409] > 0
    assert set(+outcomes) <= {200, 409, 412}


def test_of_two_patches_at_once_without_if_match_none_is_lost_silently(thing, database):
    """Both have read the row before either writes: somebody's lock on it holds them back."""
    with database.engine.execution_options(isolation_level="READ COMMITTED").begin() as other:
        other.execute(text("SELECT 1 FROM sample_thing FOR UPDATE"))
        with ThreadPoolExecutor(2) as pool:
            sent = [
                pool.submit(send, thing, "PATCH", {"name": "Mine"}),
                pool.submit(send, thing, "PATCH", {"amount": 7}),
            ]
            wait_until(database, 2, "wait_event_type = 'Lock'")
            other.rollback()
            answers = [one.result() for one in sent]

    done, refused = sorted(answers, key=lambda answer: answer.status)
    assert (done.status, refused.status) == (200, 409)
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert send(thing).data == done.data
    assert done.data["version"] == 2


def wait_until(database, number, condition):
    """Wait until so many connections of this database are in a state."""
    own = "datname = current_database() AND pid <> pg_backend_pid()"
    query = text(f"SELECT count(*) FROM pg_stat_activity WHERE {own} AND {condition}")
    deadline = time.monotonic() + 3
    while database.scalar(query) < number:
        assert time.monotonic() < deadline, "The requests did not meet."
        time.sleep(0.02)


# ---- Reading without a transaction


def held(database):
    """Return the transactions that stay open; the server's watch has one for a moment."""
    query = text(
        "SELECT pid, xact_start FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
        " AND backend_type = 'client backend'"
    )
    deadline = time.monotonic() + 3
    transactions = set(database.execute(query))
    while transactions and time.monotonic() < deadline:
        time.sleep(0.02)
        transactions &= set(database.execute(query))
    return transactions


@pytest.mark.parametrize("path", ["", "?fields=name", "?count=exact&page=2", "/{id}"])
def test_a_read_leaves_no_transaction_open(server, thing, database, path):
    url = f"{server}{THINGS}{path.format(id=thing.rpartition('/')[2])}"

    answers = [send(url).status for _ in range(10)]

    assert answers == [200] * 10
    assert not held(database)


@pytest.mark.parametrize(
    ("query", "shape"),
    [
        pytest.param("", "list", id="list"),
        pytest.param("?page=2", "list", id="counted-list"),
        pytest.param("", "item", id="item"),
    ],
)
def test_a_read_has_no_transaction_even_within_its_request(
    make_app, database_url, thing, database, query, shape
):
    """Between the answer's query and its sending nothing is held in the database."""
    key = int(thing.rpartition("/")[2])
    with in_request(make_app, database_url, f"{THINGS}{query}", "GET"):
        answer = page_of(ThingSchema()) if shape == "list" else item(ThingSchema(), key)
        inside = held(database)

    assert answer.status_code == 200
    assert not inside


def test_a_read_sees_what_others_have_committed(server, thing, database):
    shown = []
    for number in range(5):
        database.execute(text("UPDATE sample_thing SET amount = :n"), {"n": number})
        shown.append((send(thing).data["amount"], send(f"{server}{THINGS}").data[0]["amount"]))

    assert shown == [(number, number) for number in range(5)]


@contextmanager
def in_request(make_app, database_url, path="/", method="POST"):
    application = make_app(["tests.sample"], DATABASE_URL=database_url)
    with application.test_request_context(path, method=method):
        yield application


def test_an_item_shows_what_its_handler_has_flushed(make_app, database_url, thing, database):
    with in_request(make_app, database_url):
        record = db.session.scalars(select(Thing)).one()
        record.amount = 41
        db.session.flush()
        record.name = "Not even flushed"

        inside = item(ThingSchema(), record).get_json()["data"]
        outside = database.execute(text("SELECT amount, name FROM sample_thing")).one()
        db.session.rollback()

    assert (inside["amount"], inside["name"]) == (41, "Not even flushed")
    assert tuple(outside) == (0, "Key")


def test_an_item_shows_what_was_added_before_the_first_query(make_app, database_url):
    with in_request(make_app, database_url):
        box = Box(name="Fresh")
        db.session.add(box)
        db.session.flush()

        shown = item(BoxSchema(), box).get_json()["data"]
        db.session.rollback()

    assert (shown["name"], shown["version"]) == ("Fresh", 1)


# ---- Tags through nginx


@pytest.fixture(
    params=[
        pytest.param("", id="compressed-by-us"),
        pytest.param('proxy_set_header Accept-Encoding "";', id="compressed-by-nginx"),
    ]
)
def proxied(request, server, thing, tmp_path):
    """The URL of the thing through nginx, and the name of who compresses."""
    with nginx_before(server, tmp_path, request.param) as url:
        yield thing.replace(server, url)


def test_a_tag_survives_compression_on_the_way(proxied):
    shown = send(proxied, Accept_Encoding="gzip")

    tag = shown.headers["ETag"]
    assert shown.headers["Content-Encoding"] == "gzip"
    assert tag != send(proxied).headers["ETag"]
    had = send(proxied, Accept_Encoding="gzip", If_None_Match=tag)
    assert (had.status, had.body) == (304, b"")
    first = send(proxied, "PATCH", {"amount": 1}, If_Match=tag)
    assert (first.status, first.data["amount"]) == (200, 1)
    assert send(proxied, "PATCH", {"amount": 2}, If_Match=tag).status == 412


def test_a_list_that_the_client_has_is_not_sent_again_through_nginx(proxied):
    url = proxied.rpartition("/")[0]
    shown = send(url, Accept_Encoding="gzip")

    had = send(url, Accept_Encoding="gzip", If_None_Match=shown.headers["ETag"])

    assert shown.headers["Content-Encoding"] == "gzip"
    assert shown.headers["ETag"].startswith('W/"')
    assert (had.status, had.body) == (304, b"")


# ---- The database goes away


@contextmanager
def closed(database, database_url):
    """Let nobody into the database, and end the connections of others."""
    url = parse_url("DATABASE_URL", database_url)
    engine = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    allow = f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS"
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    end = text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    with engine.connect() as connection:
        connection.execute(text(f"{allow} false"))
        database.execute(end)
        yield
        connection.execute(text(f"{allow} true"))
    engine.dispose()


def soon(*request):
    """Send it until the site is well again: each worker finds its own dead connections."""
    deadline = time.monotonic() + RECOVERY
    while (answer := send(*request)).status == 503 and time.monotonic() < deadline:
        time.sleep(0.1)
    return answer


def test_a_database_that_goes_away_is_503_until_it_is_back(server, thing, database, database_url):
    body = {"name": "New", "code": "K2", "price": "1.50", "box_id": send(thing).data["box_id"]}

    with closed(database, database_url):
        answers = [
            send(thing),
            send(f"{server}{THINGS}?count=exact"),
            send(thing, "PATCH", {"amount": 1}),
            send(thing, "DELETE"),
            send(f"{server}{THINGS}", "POST", body),
        ]

    for answer in answers:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert b"psycopg" not in answer.body
        assert b"connection" not in answer.body
    assert soon(thing).data["amount"] == 0
    assert soon(f"{server}{THINGS}", "POST", body).status == 201
