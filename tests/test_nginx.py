"""The site behind nginx with the files of deploy/nginx, on one server and on three."""

import gzip
import json
import os
import re
import shutil
import signal
import socket
import time
from contextlib import ExitStack, suppress
from http.client import HTTPConnection
from urllib.error import HTTPError
from urllib.parse import urlencode

import pytest

from config import BASE_DIR
from core.setting import setting
from core.testing import scratch_database
from tests.fronting import behind_nginx as fronted
from tests.load import Load
from tests.project import connected, copy_project, without_product
from tests.reading import form_on
from tests.serving import THING, live_site

pytestmark = pytest.mark.structure
THINGS = "/outside/things"
API = f"{setting('API_PREFIX')}/sample/things"
# What nginx and the app send alike.
SECURITY = {
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "Referrer-Policy",
    "Permissions-Policy",
    "Cross-Origin-Opener-Policy",
}


@pytest.fixture
def behind_nginx(scaffold, tmp_path):
    """Return a function that serves the site by some servers behind nginx."""
    with ExitStack() as stack:

        def start(database_url, count=1, **variables):
            site = live_site(scaffold, database_url).having(**variables)
            return stack.enter_context(fronted(site, tmp_path / "nginx", count))

        yield start


@pytest.fixture(scope="module")
def one_site(tmp_path_factory):
    """The site on one server, for the tests that leave it as it was."""
    folder = tmp_path_factory.mktemp("nginx")
    scaffold = without_product(copy_project(folder / "project"))
    site = live_site(scaffold, f"sqlite:///{folder.as_posix()}/own.db")
    with fronted(site, folder / "nginx") as front:
        yield front


@pytest.fixture
def front(one_site):
    one_site.forget()
    return one_site


def test_a_page_and_its_static_files_come_through(front):
    with front.open("/") as answer:
        sent, page = answer.headers, answer.read().decode()
    [path] = re.findall(r'"(/core/static/app\.css\?v=\w+)"', page)

    with front.open(path, Accept_Encoding="gzip") as answer:
        headers, css = dict(answer.headers), gzip.decompress(answer.read())

    assert css == (BASE_DIR / "core/static/app.css").read_bytes()
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert {name: headers[name] for name in SECURITY} == {name: sent[name] for name in SECURITY}
    assert re.fullmatch("[0-9a-f]{32}", headers["X-Request-ID"])
    assert [len(sent.get_all(name)) for name in (*SECURITY, "X-Request-ID")] == [1] * 7
    assert headers["Vary"] == "Accept-Encoding"
    assert [line["upstream"] == "" for line in front.lines(2)] == [False, True]


@pytest.mark.parametrize(
    "query",
    ["", "?v=000000000000", "?v=..", "?v=../../core", "?v=" + "0" * 12 + "/.."],
    ids=["none", "unknown", "parent", "path", "hidden-parent"],
)
def test_a_version_that_is_not_there_is_answered_by_the_app_and_not_kept(front, query):
    with front.open(f"/core/static/app.css{query}") as answer:
        answer.read()

    assert answer.headers["Cache-Control"] == "no-cache"
    assert front.lines(1)[0]["upstream"] != ""


def test_the_app_sees_the_client_and_not_what_he_claims(front):
    forged = {
        "X_Forwarded_For": "6.6.6.6",
        "X_Forwarded_Proto": "https",
        "X_Forwarded_Host": "evil.example",
        "X_Forwarded_Prefix": "/evil",
        "X_Request_ID": "0123abcd-EF",
    }

    with front.open(f"{THINGS}?per_page=1", **forged) as answer:
        link = json.load(answer)["links"]["self"]

    assert "evil" not in link
    assert not link.startswith("https:")
    assert answer.headers["X-Request-ID"] == "0123abcd-EF"
    assert front.lines(1)[0]["request_id"] == "0123abcd-EF"


def test_behind_a_load_balancer_the_app_sees_the_client_and_https(scaffold, sqlite_url, tmp_path):
    # The files as they are after an edit: this machine is the load balancer.
    shutil.copytree(BASE_DIR / "deploy/nginx", tmp_path / "files")
    balancer = tmp_path / "files/balancer.conf"
    commented = re.compile(r"# (set_real_ip_from )?10\.0\.0\.0/8")
    edited, count = commented.subn(r"\g<1>127.0.0.1", balancer.read_text())
    balancer.write_text(edited)
    site = live_site(scaffold, sqlite_url)

    with fronted(site, tmp_path / "nginx", files=tmp_path / "files") as front:
        forwarded = {
            "Host": "127.0.0.1",
            "X_Forwarded_For": "6.6.6.6, 203.0.113.9",
            "X_Forwarded_Proto": "https",
        }
        with front.open("/probe/seen", **forwarded) as answer:
            seen = json.load(answer)
        line = front.lines(1)[0]
        with front.open("/probe/seen", **forwarded, X_Forwarded_Port="8443") as answer:
            at_its_port = json.load(answer)["host"]
        front.servers[0].stop()
        with pytest.raises(HTTPError) as caught:
            front.open("/", **forwarded)
        caught.value.close()

    assert count == 2
    # Not the port of this nginx: every form would be refused, whose Referer names the public one.
    assert seen == {"address": "203.0.113.9", "scheme": "https", "host": "127.0.0.1"}
    assert at_its_port == "127.0.0.1:8443"
    assert line["client"] == "203.0.113.9"
    assert caught.value.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_an_unsound_request_id_is_replaced_for_nginx_and_the_app_alike(front):
    with front.open("/", X_Request_ID='"}{') as answer:
        given = answer.headers["X-Request-ID"]

    assert re.fullmatch("[0-9a-f]{32}", given)
    assert front.lines(1)[0]["request_id"] == given


def test_a_line_of_the_log_is_json_whatever_was_asked_for(front):
    front.forget()
    with socket.create_connection(front.address) as client:
        client.sendall(b"GET /caf\xe9\xff HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        client.recv(1)

    assert front.lines(1)[0]["path"] == "/caf"


@pytest.mark.parametrize("encoding", ["identity", "gzip", "br"])
def test_the_etag_of_a_compressed_item_can_be_sent_back(front, encoding):
    body = json.dumps({**THING, "code": encoding, "note": "long " * 500}).encode()
    with front.open(THINGS, body, Content_Type="application/json") as answer:
        created = answer.headers["Location"]
    path = "/" + created.split("/", 3)[-1] if "://" in created else created
    with front.open(path, Accept_Encoding=encoding) as answer:
        etag, sent = answer.headers["ETag"], answer.headers.get("Content-Encoding", "identity")

    change = json.dumps({"name": "Screw"}).encode()
    headers = {"Content_Type": "application/json", "If_Match": etag}
    with front.open(path, change, "PATCH", **headers) as answer:
        changed = json.load(answer)["data"]["name"]

    assert (sent, changed) == (encoding, "Screw")


LONG = "x" * 9000


@pytest.mark.parametrize(
    ("query", "headers", "status", "title"),
    [
        ("", {"Content-Length": str(100 * 1024 * 1024)}, 413, "Content Too Large"),
        ("", {"X-Long": LONG}, 400, "Bad Request"),
        (LONG, {}, 414, "URI Too Long"),
    ],
    ids=["body", "header", "url"],
)
@pytest.mark.parametrize("path", [API, "/sample/things"], ids=["api", "page"])
def test_what_is_too_long_is_refused_before_the_app(front, path, query, headers, status, title):
    front.forget()
    connection = HTTPConnection(*front.address, timeout=10)
    connection.request("POST", f"{path}?{query}", headers=headers)

    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()

    assert answer.status == status
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert_is_ours(answer, text, title, is_problem=path == API)
    line = front.lines(1)[-1]
    assert (line["method"], line["path"], line["status"]) == ("POST", path, str(status))


def assert_is_ours(answer, text, title, is_problem):
    """Hold an error that nginx makes to the form of the app's."""
    given = answer.headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{32}", given)
    assert set(answer.headers) >= SECURITY
    if is_problem:
        assert answer.headers["Content-Type"] == "application/problem+json"
        problem = json.loads(text)
        assert (problem["title"], problem["status"]) == (title, answer.status)
        assert problem["request_id"] == given
    else:
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert f"<h1>{title}</h1>" in text
        assert given in text


def test_without_the_app_its_clients_read_when_to_try_again(behind_nginx, sqlite_url):
    front = behind_nginx(sqlite_url)
    front.servers[0].stop()

    for path in (API, "/"):
        with pytest.raises(HTTPError) as caught:
            front.open(f"{path}?token=secret", Referer="http://localhost/?token=secret")
        with caught.value as answer:
            text = answer.read().decode()

        assert (answer.status, answer.headers["Retry-After"]) == (502, "5")
        assert_is_ours(answer, text, "Bad Gateway", is_problem=path == API)
    assert [one["status"] for one in front.lines(2)] == ["502", "502"]
    assert "secret" not in (front.folder / "error.log").read_text()


def test_slow_clients_take_no_thread_of_the_app(front):
    clients = [socket.create_connection(front.address) for _ in range(40)]
    for client in clients:
        client.sendall(b"POST /outside/things HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n")
    started = time.monotonic()

    with front.open("/probe/") as answer:
        status = answer.status
    seconds = time.monotonic() - started
    for client in clients:
        client.close()

    assert status == 200
    assert seconds < 2


def test_keep_alive_connections_to_the_app_are_never_closed_under_a_request(front):
    with Load(front.address, THINGS, THING) as load:
        load.wait_for(300)

    assert (load.lost, load.refused, set(load.answers)) == ([], 0, {201})
    assert len(load.created) == load.answers[201]


@pytest.fixture
def shared_url(postgresql_url, tmp_path):
    """One PostgreSQL for several servers; it outlives them."""
    with scratch_database(tmp_path, "shared", postgresql_url) as url:
        yield url


@pytest.fixture
def redis():
    pytest.importorskip("redis")
    from tests.redis_server import Server

    server = Server()
    yield server
    server.stop()


@pytest.mark.postgresql
@pytest.mark.parametrize("sessions", ["cookie", "redis"])
def test_three_servers_are_one_site(shared_url, behind_nginx, redis, sessions):
    kept = {"SESSION_REDIS": "true", "REDIS_URL": redis.url} if sessions == "redis" else {}
    front = behind_nginx(shared_url, count=3, WEB_CONCURRENCY="1", **kept)

    processes = []
    for _ in range(9):
        with front.open("/probe/") as answer:
            processes.append(json.load(answer)["process"])
    # A form of one server is sent to the next one, and what it made is shown by the third.
    with front.open("/sample/things/new") as answer:
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
        form = form_on(Page(answer.read().decode()))
    for name, value in {"name": "Nail", "code": "N-1", "price": "1.50", "box": "1"}.items():
        form.values.setlist(name, [value])
    data = urlencode(list(form.values.items(multi=True))).encode()
    with front.open(form.action, data, Cookie=cookie) as answer:
        shown = answer.read().decode()

    assert len(set(processes)) == 3
    assert "N-1" in shown
    assert len(redis.client.keys("*")) == (sessions == "redis")
    assert len({line["upstream"] for line in front.lines(12)[-3:]}) == 3


@pytest.mark.postgresql
def test_three_servers_count_as_one(shared_url, behind_nginx, redis):
    limits = {"RATE_LIMIT": "20/hour", "REDIS_URL": redis.url}
    front = behind_nginx(shared_url, count=3, WEB_CONCURRENCY="1", **limits)

    statuses, left = [], []
    for _ in range(30):
        with suppress(HTTPError), front.open(THINGS) as answer:
            statuses.append(answer.status)
            left.append(int(answer.headers["RateLimit-Remaining"]))

    assert statuses == [200] * 20
    assert left == list(range(19, -1, -1))
    assert [line["status"] for line in front.lines(30)].count("429") == 10


@pytest.mark.postgresql
def test_a_server_that_is_stopped_is_not_missed(shared_url, behind_nginx):
    front = behind_nginx(shared_url, count=3, WEB_CONCURRENCY="1")

    with Load(front.address, THINGS, THING, mixed=True) as load:
        load.wait_for(100)
        front.servers[0].stop()
        load.wait_for(100)

    assert (load.lost, load.refused, set(load.answers)) == ([], 0, {200, 201})


@pytest.fixture
def load_while_one_is_killed(shared_url, behind_nginx):
    """Return a function that sends requests to three servers, one of which is killed."""

    def send(body):
        front = behind_nginx(shared_url, count=3, WEB_CONCURRENCY="1")
        victim = front.servers[0]
        with Load(front.address, THINGS, body) as load:
            load.wait_for(100)
            for pid in [*victim.workers, victim.process.pid]:
                os.kill(pid, signal.SIGKILL)
            load.wait_for(100)
        # An answer that had begun is cut off, and nobody can send it once more.
        load.lost = [loss for loss in load.lost if "IncompleteRead" not in loss]
        return load

    return send


@pytest.mark.postgresql
def test_a_read_on_a_server_that_is_killed_is_repeated_by_another(load_while_one_is_killed):
    load = load_while_one_is_killed(None)

    assert (load.lost, load.refused, set(load.answers)) == ([], 0, {200})


@pytest.mark.postgresql
def test_a_write_on_a_server_that_is_killed_is_never_done_twice(
    shared_url, load_while_one_is_killed
):
    load = load_while_one_is_killed(THING)

    with connected(shared_url) as connection:
        stored = set(connection.exec_driver_sql("SELECT code FROM sample_thing").scalars())
    # A code is unique: a write that was repeated would be answered 409.
    assert set(load.answers) <= {201, 502}
    assert (load.lost, load.refused, set(load.created) - stored) == ([], 0, set())


class Page:
    """What tests.reading needs of an answer."""

    def __init__(self, text):
        self.text = text
