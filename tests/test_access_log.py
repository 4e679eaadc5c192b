"""One line per request in production, that no input can forge and that holds no secret."""

import json
from contextlib import nullcontext

import pytest
from flask import Response, after_this_request, g

SENT = "0123abcd-EF"


@pytest.fixture
def site(make_app, production):
    """Build production with a log level; it has some routes that answer in their own ways."""

    def make(level="INFO"):
        application = make_app(["tests.sample"], **production, LOG_LEVEL=level)
        application.add_url_rule("/stream", "stream", lambda: Response(iter([b"abc", b"de"])))
        application.add_url_rule("/<path:anything>", "any", lambda anything: "ok")
        return application.test_client()

    return make


@pytest.fixture
def entries(capsys):
    """Read the lines about requests."""

    def read():
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        return [line for line in lines if line["logger"] == "access"]

    return read


def test_a_request_is_one_line_with_its_id_and_outcome(site, entries):
    site().get("/fine?token=hunter2", headers={"X-Request-ID": SENT, "Cookie": "a=hunter3"})

    [entry] = entries()
    assert entry.pop("duration_ms") >= 0
    assert "hunter" not in json.dumps(entry)
    del entry["time"]
    assert entry == {
        "level": "INFO",
        "logger": "access",
        "message": "request",
        "request_id": SENT,
        "method": "GET",
        "path": "/fine",
        "status": 200,
        "bytes": 2,
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("POST", "/outside/faults/crash", 500, id="crash"),
        pytest.param("GET", "/outside/faults/abort", 404, id="not-found"),
        pytest.param("POST", "/fine", 405, id="method"),
    ],
)
def test_failures_are_counted_once_with_their_status(site, entries, method, path, status):
    site().open(path, method=method)

    [entry] = entries()
    assert (entry["method"], entry["path"], entry["status"]) == (method, path, status)


def test_a_refused_host_is_logged(site, entries):
    site().get("/fine", headers={"Host": "evil.example"})

    assert [entry["status"] for entry in entries()] == [400]


@pytest.mark.parametrize(
    ("method", "path", "size"),
    [
        pytest.param("GET", "/stream", 5, id="stream"),
        pytest.param("HEAD", "/fine", 0, id="head"),
        pytest.param("HEAD", "/stream", 0, id="head-of-a-stream"),
    ],
)
def test_the_bytes_are_those_that_were_sent(site, entries, method, path, size):
    with site().open(path, method=method) as answer:
        answer.get_data()

    assert [entry["bytes"] for entry in entries()] == [size]


def test_a_stream_that_nobody_reads_is_logged_as_well(site, entries):
    site().get("/stream", buffered=False).close()

    assert [entry["path"] for entry in entries()] == ["/stream"]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/a%0A%7B%22level%22:%22ERROR%22%7D", id="line-break"),
        pytest.param("/a%22,%22status%22:200", id="quote"),
        pytest.param("/%1B[2J", id="escape"),
        pytest.param("/%E2%80%A8%C2%85", id="unicode-line-breaks"),
        pytest.param("/%FF%FE", id="not-utf-8"),
    ],
)
def test_no_path_forges_a_line(site, capsys, path):
    site().get(path)

    [line] = capsys.readouterr().err.splitlines()
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["level"] == "INFO"


@pytest.mark.parametrize(
    ("level", "logged"),
    [("DEBUG", ["/fine", "/health/live"]), ("INFO", ["/fine"]), ("WARNING", [])],
)
def test_log_level_chooses_what_is_logged(site, entries, level, logged):
    client = site(level)

    for path in ("/fine", "/health/live"):
        client.get(path)

    assert [entry["path"] for entry in entries()] == logged


def test_development_leaves_it_to_its_own_server(make_app, capsys):
    make_app(APP_ENV="development").test_client().get("/")

    assert "request" not in capsys.readouterr().err


def let_break(app):
    """Give an application hooks and a stream that fail."""

    def fail(*given):
        raise RuntimeError("torn")

    def stream():
        yield b"abc"
        fail()

    def after():
        after_this_request(fail)
        return "ok"

    def teardown():
        g.fails = True
        return "ok"

    app.add_url_rule("/after", "after", after)
    app.add_url_rule("/teardown", "teardown", teardown)
    app.add_url_rule("/broken", "broken", lambda: Response(stream()))
    app.teardown_request(lambda error: g.pop("fails", None) and fail())
    app.config.update(TESTING=False, PROPAGATE_EXCEPTIONS=False)


@pytest.mark.parametrize("path", ["/after", "/teardown"])
def test_what_fails_outside_of_all_handlers_has_its_id(site, capsys, path):
    client = site()
    let_break(client.application)

    with nullcontext() if path == "/after" else pytest.raises(RuntimeError, match="torn"):
        answer = client.get(path, headers={"X-Request-ID": SENT})
        assert (answer.status_code, answer.headers["X-Request-ID"]) == (500, SENT)

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    said = [(line["logger"], line["request_id"], line.get("status")) for line in lines]
    assert ("access", SENT, 500) in said
    assert ("app", SENT, None) in said


def test_a_stream_that_breaks_off_says_whose_it_was(site, capsys):
    client = site()
    let_break(client.application)

    with pytest.raises(RuntimeError, match="torn"):
        client.get("/broken", headers={"X-Request-ID": SENT}, buffered=True)

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    [error] = [line for line in lines if line["level"] == "ERROR"]
    assert (error["request_id"], error["path"]) == (SENT, "/broken")
    assert "torn" in error["exception"]
