"""What load balancers ask: does the process live, does the database answer."""

import threading
from contextlib import nullcontext
from time import monotonic
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
from flask import g, request
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core import health
from services import db

NO_DATABASE = "postgresql://nobody:hunter2@127.0.0.1:1/nothing"


@pytest.fixture
def site(make_app):
    return make_app()


@pytest.fixture
def questions(site):
    """The statements that the database was asked."""
    asked = []
    with site.app_context():
        engine = db.engine
    event.listen(
        engine, "before_cursor_execute", lambda c, k, statement, *_: asked.append(statement)
    )
    return asked


def test_with_the_database_there_the_process_is_ready(client):
    answer = client.get("/health/ready")

    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_with_the_database_away_the_process_lives_and_is_not_ready(make_app):
    client = make_app(DATABASE_URL=NO_DATABASE).test_client()

    live, ready = client.get("/health/live"), client.get("/health/ready")

    assert (live.status_code, live.json) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json) == (503, {"status": "unavailable"})
    assert ready.headers["Retry-After"] == "1"


def test_the_database_is_asked_once_a_second_at_most(site, questions):
    client = site.test_client()

    for _ in range(20):
        client.get("/health/ready")

    assert questions.count("SELECT 1") == 1


def test_the_next_second_asks_again(site, questions, monkeypatch):
    monkeypatch.setattr(health, "SECONDS", 0.0)
    client = site.test_client()

    for _ in range(3):
        client.get("/health/ready")

    assert questions.count("SELECT 1") == 3


def test_a_database_that_hangs_keeps_no_probe_and_is_soon_called_away(site, monkeypatch):
    monkeypatch.setattr(health, "WAIT", 0.01)
    monkeypatch.setattr(health, "SECONDS", 0.0)
    asked, goes_on = [], threading.Event()

    def hang(*_):
        asked.append(threading.current_thread())
        goes_on.wait(20)

    client = site.test_client()
    with site.app_context():
        event.listen(db.engine, "before_cursor_execute", hang)
    site.extensions["health"].answered = monotonic()
    first = [client.get("/health/ready").status_code for _ in range(3)]
    site.extensions["health"].answered -= health.FRESH
    then = [client.get("/health/ready").status_code for _ in range(3)]
    goes_on.set()
    site.extensions["health"].thread.join(20)

    assert len(set(asked)) == 1
    assert (first, then) == ([200] * 3, [503] * 3)
    assert client.get("/health/ready").status_code == 200


@pytest.mark.parametrize(
    ("error", "takes", "is_silent"),
    [
        pytest.param(OperationalError(None, None, Exception("timeout")), 3, True, id="connecting"),
        pytest.param(OperationalError("SELECT 1", {}, Exception("cut")), 0, True, id="cut"),
        pytest.param(OperationalError(None, None, Exception("too many")), 0, False, id="refused"),
        pytest.param(PoolTimeout(), 5, False, id="pool"),
        pytest.param(None, 5, False, id="slow"),
    ],
)
def test_a_silence_may_last_longer_than_a_question(site, monkeypatch, error, takes, is_silent):
    clock, cuts = [0.0], []

    def connect():
        clock[0] += takes
        if error:
            raise error
        return nullcontext(MagicMock())

    watch = site.extensions["health"]
    monkeypatch.setattr(health, "monotonic", lambda: clock[0])
    monkeypatch.setattr(health, "cut_waiting", lambda: cuts.append(clock[0]))
    monkeypatch.setattr(watch, "engine", SimpleNamespace(connect=connect))

    while clock[0] < 15:
        watch.answers()
        watch.thread.join(20)
        clock[0] += 1

    assert bool(cuts) == is_silent
    assert min(cuts, default=15) > health.HANGS


def test_time_in_which_nobody_asked_is_no_silence(site, monkeypatch):
    clock, cuts = [0.0], []
    watch = site.extensions["health"]
    monkeypatch.setattr(health, "monotonic", lambda: clock[0])
    monkeypatch.setattr(health, "cut_waiting", lambda: cuts.append(clock[0]))
    watch.answers()
    watch.thread.join(20)
    clock[0] = 30.0
    monkeypatch.setattr(watch, "_ask", lambda: None)

    watch.answers()

    assert cuts == []


def test_a_probe_waits_for_the_answer_that_another_one_has_asked_for(site):
    asked, goes_on = threading.Event(), threading.Event()

    def wait(*_):
        asked.set()
        goes_on.wait(20)

    with site.app_context():
        event.listen(db.engine, "before_cursor_execute", wait)
    watch = threading.Thread(target=site.extensions["health"].answers)
    watch.start()
    asked.wait(20)
    threading.Timer(0.1, goes_on.set).start()

    answer = site.test_client().get("/health/ready")

    watch.join(20)
    assert answer.status_code == 200


def test_a_database_that_comes_back_is_seen_without_a_restart(site, monkeypatch):
    monkeypatch.setattr(health, "SECONDS", 0.0)
    away = [True]

    def refuse(*_):
        if away:
            raise OperationalError("SELECT 1", {}, Exception("hunter2"))

    with site.app_context():
        event.listen(db.engine, "before_cursor_execute", refuse)
    before = site.test_client().get("/health/ready")
    away.clear()
    after = site.test_client().get("/health/ready")

    assert (before.status_code, after.status_code) == (503, 200)
    assert "hunter2" not in before.text


def test_who_tells_the_database_whose_rows_they_are_is_not_asked(site):
    def tell(session, transaction, connection):
        connection.execute(text("SELECT :tenant"), {"tenant": g.tenant_id})

    event.listen(db.session, "after_begin", tell)
    ready = site.test_client().get("/health/ready")
    event.remove(db.session, "after_begin", tell)

    assert ready.status_code == 200


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
@pytest.mark.parametrize("proxies", ["0", "1"])
def test_health_answers_under_any_host(make_app, production, path, proxies):
    hosts = {"TRUSTED_HOSTS": ".shops.example", "PROXY_COUNT": proxies}
    client = make_app(**{**production, **hosts}).test_client()

    answer = client.get(path, headers={"Host": "10.0.0.7:8000", "X-Forwarded-Host": "probe"})

    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_pages_of_a_product_below_health_are_as_all_others(make_app, production):
    app = make_app(**production)
    app.add_url_rule("/health/patients", view_func=lambda: request.cookies["who"])
    client = app.test_client()
    client.set_cookie("who", "Ana", domain="localhost")

    answer = client.get("/health/patients", base_url="https://localhost")
    stranger = client.get("/health/patients", base_url="https://evil.example")

    assert (answer.text, stranger.status_code) == ("Ana", 400)


def test_the_question_takes_no_lock_that_writers_need(site, questions):
    site.test_client().get("/health/ready")

    assert questions[:2] == ["BEGIN", "SELECT 1"]


def test_two_probes_at_once_wait_for_the_same_answer(site, monkeypatch):
    monkeypatch.setattr(health, "SECONDS", 0.0)
    answers = []

    def probe(database, start):
        start.wait(10)
        answers.append(database.answers())

    for _ in range(30):
        database, start = health._Database(site), threading.Barrier(4)
        threads = [threading.Thread(target=probe, args=(database, start)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)

    assert answers == [True] * 120
