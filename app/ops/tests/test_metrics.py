"""What is counted, under which names, and who may read it."""

import logging
import time

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from services import db

TOKEN = "a-token-of-the-operators"
PUBLIC = {"REMOTE_ADDR": "203.0.113.9"}


def scrape(app, samples):
    answer = app.test_client().get("/metrics")
    assert answer.status_code == 200
    return samples(answer.text)


def added(app, samples, act):
    """Return what `act` added to the numbers of this process."""
    before = scrape(app, samples)
    act()
    after = scrape(app, samples)
    return {key: value - before.get(key, 0) for key, value in after.items()}


def test_requests_are_counted_by_route_and_status(make_ops, samples):
    app = make_ops()
    app.add_url_rule("/things/<int:id>", "thing", lambda id: ("", 204))
    client = app.test_client()

    counts = added(
        app, samples, lambda: [client.get(path) for path in ("/things/1", "/things/2", "/no")]
    )

    assert counts["app_requests_total", "/things/<int:id>", "2xx", "GET"] == 2
    assert counts["app_requests_total", "4xx", "GET", "none"] == 1
    assert counts["app_request_seconds_count", "/things/<int:id>", "2xx"] == 2


def test_the_time_until_the_answer_is_measured(make_ops, samples):
    app = make_ops()
    app.add_url_rule("/slow", "slow", lambda: time.sleep(0.1) or "")

    seconds = added(app, samples, lambda: app.test_client().get("/slow"))

    assert 0.1 <= seconds["app_request_seconds_sum", "/slow", "2xx"] < 1
    assert seconds["app_request_seconds_bucket", "/slow", "0.075", "2xx"] == 0


def test_a_crash_and_a_refused_form_are_counted(make_ops, samples):
    app = make_ops(TESTING=False, PROPAGATE_EXCEPTIONS=False)
    app.add_url_rule("/crash", "crash", lambda: 1 / 0)
    app.add_url_rule("/form", "form", lambda: "", methods=["POST"])
    client = app.test_client()

    counts = added(app, samples, lambda: [client.get("/crash"), client.post("/form")])

    assert counts["app_requests_total", "/crash", "5xx", "GET"] == 1
    assert counts["app_requests_total", "/form", "4xx", "POST"] == 1


def test_a_method_of_the_clients_own_makes_no_series(make_ops, samples):
    app = make_ops()

    counts = added(app, samples, lambda: app.test_client().open("/no", method="INVENTED"))

    assert counts["app_requests_total", "4xx", "none", "other"] == 1
    assert not [key for key in counts if "INVENTED" in key]


def test_queries_and_connections_are_counted(make_ops, samples):
    app = make_ops(DB_POOL_SIZE="3", DB_MAX_OVERFLOW="4")
    counts = {}

    with app.app_context():
        before = scrape(app, samples)
        db.session.execute(text("SELECT 1"))
        during = scrape(app, samples)
        db.session.rollback()
        db.engine.dispose()
        after = scrape(app, samples)

    for name in ("app_db_connections", "app_db_connections_in_use"):
        counts[name] = [numbers[(name,)] - before[(name,)] for numbers in (during, after)]
    assert counts == {"app_db_connections": [1, 0], "app_db_connections_in_use": [1, 0]}
    assert during[("app_db_connections_limit",)] == 7
    queries = "app_query_seconds_count"
    # BEGIN is one as well.
    assert during[(queries,)] - before[(queries,)] == 2


def test_a_connection_that_cannot_be_opened_is_not_given_back(make_ops, samples):
    app = make_ops()

    def refuse(*_):
        raise OperationalError("CONNECT", {}, Exception("away"))

    with app.app_context():
        before = scrape(app, samples)
        db.session.connection().invalidate()
        db.session.rollback()
        event.listen(db.engine, "do_connect", refuse)
        for _ in range(2):
            with pytest.raises(OperationalError):
                db.session.execute(text("SELECT 1"))
            db.session.rollback()
        event.remove(db.engine, "do_connect", refuse)
        after = scrape(app, samples)

    assert after["app_db_connections_in_use",] == before["app_db_connections_in_use",]


# Who may read them


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("127.0.0.1", 200),
        ("127.9.9.9", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),
        ("203.0.113.9", 404),
        ("10.0.0.7", 404),
        ("::ffff:10.0.0.7", 404),
        ("", 404),
    ],
)
def test_only_this_machine_reads_without_a_token(make_ops, address, status):
    client = make_ops(OPS_METRICS_TOKEN=TOKEN).test_client()

    answer = client.get("/metrics", environ_base={"REMOTE_ADDR": address})

    assert answer.status_code == status


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
@pytest.mark.parametrize("proxies", ["0", "1", "2"])
def test_who_comes_through_a_proxy_is_not_this_machine(make_ops, header, proxies):
    client = make_ops(PROXY_COUNT=proxies).test_client()

    answer = client.get("/metrics", headers={header: "127.0.0.1"})

    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(f"Bearer {TOKEN}", 200, id="right"),
        pytest.param("Bearer wrong", 404, id="wrong"),
        pytest.param(f"Bearer {TOKEN}ñ", 404, id="not-ascii"),
        pytest.param("Bearer ", 404, id="empty"),
        pytest.param(f"Basic {TOKEN}", 404, id="basic"),
        pytest.param(TOKEN, 404, id="bare"),
    ],
)
def test_a_bearer_token_opens_from_elsewhere(make_ops, sent, status):
    client = make_ops(OPS_METRICS_TOKEN=TOKEN).test_client()

    answer = client.get("/metrics", headers={"Authorization": sent}, environ_base=PUBLIC)

    assert answer.status_code == status


def test_without_a_token_in_the_environment_none_opens(make_ops, monkeypatch):
    monkeypatch.delenv("OPS_METRICS_TOKEN", raising=False)
    client = make_ops().test_client()

    answer = client.get("/metrics", headers={"Authorization": "Bearer "}, environ_base=PUBLIC)

    assert answer.status_code == 404


def test_the_token_is_read_from_the_environment(make_ops, monkeypatch):
    monkeypatch.setenv("OPS_METRICS_TOKEN", TOKEN)
    client = make_ops().test_client()

    answer = client.get(
        "/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, environ_base=PUBLIC
    )

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("10.0.0.7:8000", 200),
        ("10.0.0.7", 200),
        ("[::1]:8000", 200),
        ("[::1]", 200),
        ("example.com", 200),
        ("evil.example", 400),
    ],
)
def test_prometheus_may_ask_by_address(make_ops, host, status):
    client = make_ops(TRUSTED_HOSTS="example.com").test_client()

    answers = [client.get(path, headers={"Host": host}) for path in ("/metrics", "/health/no")]

    assert answers[0].status_code == status


def test_other_pages_keep_to_the_trusted_hosts(make_ops):
    client = make_ops(TRUSTED_HOSTS="example.com").test_client()

    answer = client.get("/", headers={"Host": "10.0.0.7:8000"})

    assert answer.status_code == 400


# Slow queries


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.WARNING, "app")
    return caplog


def napping(app):
    """Give the database a function that takes its time."""

    def add(connection, record):
        connection.create_function("nap", 1, lambda value: time.sleep(0.05) or value)

    with app.app_context():
        event.listen(db.engine, "connect", add)
    query = text("SELECT nap(:secret)\n  AS one")
    app.add_url_rule("/nap", "nap", lambda: str(db.session.scalar(query, {"secret": "hunter2"})))
    return app


def test_a_slow_query_is_logged_with_its_route_and_without_values(make_ops, lines):
    app = napping(make_ops(OPS_SLOW_QUERY_MS=20))

    answer = app.test_client().get("/nap")

    assert answer.text == "hunter2"
    [line] = lines.messages
    start, _, rest = line.partition(" ms in ")
    assert 50 <= int(start.removeprefix("slow query: ")) < 1000
    assert rest == "/nap: SELECT nap(?) AS one"


def test_a_slow_query_bears_the_id_of_its_request(make_ops, capsys):
    app = napping(make_ops(OPS_SLOW_QUERY_MS=20))

    app.test_client().get("/nap", headers={"X-Request-ID": "request-of-mine"})

    assert capsys.readouterr().err.rstrip().endswith("AS one [request-of-mine]")


def test_a_quick_query_is_not_logged(make_ops, lines):
    app = napping(make_ops())

    app.test_client().get("/nap")

    assert app.config["OPS_SLOW_QUERY_MS"] == 500
    assert lines.messages == []


def test_a_slow_query_of_a_command_is_logged(make_ops, lines):
    app = napping(make_ops(OPS_SLOW_QUERY_MS=20))

    with app.app_context():
        db.session.execute(text("SELECT nap(1)"))

    assert lines.messages[-1].endswith(" ms in no request: SELECT nap(1)")


def test_a_query_that_fails_late_is_logged(make_ops, lines):
    app = napping(make_ops(OPS_SLOW_QUERY_MS=20))

    with app.app_context(), pytest.raises(OperationalError):
        db.session.execute(text("SELECT nap(1), abs(-9223372036854775807 - nap(1))"))

    assert "ms in no request: SELECT nap(1), abs(" in lines.messages[-1]
