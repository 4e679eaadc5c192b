"""Sessions in Redis: shared by processes, gone when they end, and no pages without them."""

import json
import pickle
import sys

import pytest
from flask import current_app, flash, get_flashed_messages, session
from flask.sessions import SecureCookieSessionInterface
from flask_babel import lazy_gettext as _l
from flask_wtf.csrf import generate_csrf

from config import ConfigError
from tests.redis_server import Server

redis = pytest.importorskip("redis")


@pytest.fixture(scope="module")
def store():
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def make_site(make_app, store):
    """Build applications that keep their sessions in this Redis."""
    applications = []

    def make(**overrides):
        configuration = {"SESSION_REDIS": True, "REDIS_URL": store.url, **overrides}
        app = make_app(["tests.sample"], **configuration)
        app.add_url_rule("/set/<name>", "set", set_name)
        app.add_url_rule("/get", "get", lambda: session.get("name", "nobody"))
        app.add_url_rule("/out", "out", lambda: session.clear() or "")
        app.add_url_rule("/flash", "flash", lambda: flash(_l("Not found")) or "")
        app.add_url_rule("/flashes", "flashes", get_flashed_messages)
        app.add_url_rule("/renew", "renew", renew)
        applications.append(app)
        return app

    store.client.flushall()
    yield make
    for app in applications:
        app.session_interface.store.client.close()


def set_name(name):
    session["name"] = name
    return ""


def renew():
    session.setdefault("name", "nobody")
    current_app.session_interface.regenerate(session)
    return ""


def test_without_the_switch_sessions_stay_in_the_cookie(make_app):
    app = make_app(REDIS_URL="redis://127.0.0.1:1/0")

    assert isinstance(app.session_interface, SecureCookieSessionInterface)


def test_another_key_signs_the_next_cookie(make_app):
    app = make_app()
    before = app.session_interface.get_signing_serializer(app)
    again = app.session_interface.get_signing_serializer(app)

    app.secret_key = "another"

    after = app.session_interface.get_signing_serializer(app)
    assert before is again
    assert after.secret_keys == [b"another"]


def test_what_a_process_remembers_another_knows(make_site):
    first, second = make_site().test_client(), make_site().test_client()
    first.get("/set/Ana")
    [cookie] = first._cookies.values()

    second.set_cookie(cookie.key, cookie.value)

    assert second.get("/get").text == "Ana"
    assert "Ana" not in cookie.value


def test_the_cookie_keeps_its_flags_and_the_session_its_end(make_site, production, store):
    client = make_site(**production).test_client()

    header = client.get("/set/Ana").headers["Set-Cookie"]

    name, *flags = header.split("; ")
    assert name.startswith("__Host-")
    assert set(flags) == {"HttpOnly", "Path=/", "SameSite=Lax", "Secure"}
    [key] = store.client.keys()
    assert 13 * 86400 < store.client.ttl(key) <= 14 * 86400


def test_a_visit_that_remembers_nothing_leaves_nothing(make_site, store):
    answer = make_site().test_client().get("/get")

    assert answer.text == "nobody"
    assert "Set-Cookie" not in answer.headers
    assert store.client.keys() == []


def test_a_form_of_another_site_begins_no_session(make_site, store):
    headers = {"Sec-Fetch-Site": "cross-site"}

    answer = make_site().test_client().post("/theme", headers=headers)

    assert answer.status_code == 400
    assert "Set-Cookie" not in answer.headers
    assert store.client.keys() == []


@pytest.mark.parametrize(("path", "days"), [("/", 1), ("/fresh", 1), ("/set/Ana", 14)])
def test_a_session_of_somebody_who_did_nothing_ends_after_a_day(make_site, store, path, days):
    app = make_site()
    # As Flask-Login says of who has not signed in.
    app.add_url_rule("/fresh", "fresh", lambda: session.update(_fresh=False) or "")
    app.test_client().get(path)

    [key] = store.client.keys()
    assert store.client.ttl(key) == pytest.approx(days * 24 * 3600, abs=60)


def test_an_ended_session_opens_nothing_even_with_its_cookie(make_site):
    client = make_site().test_client()
    client.get("/set/Ana")
    [cookie] = client._cookies.values()
    client.get("/out")

    client.set_cookie(cookie.key, cookie.value)

    assert client.get("/get").text == "nobody"


def test_an_id_that_we_did_not_give_is_not_taken_over(make_site, store):
    app = make_site()
    client = app.test_client()
    client.set_cookie(app.config["SESSION_COOKIE_NAME"], "chosen-by-somebody-else")

    client.get("/set/Ana")

    [cookie] = client._cookies.values()
    assert cookie.value != "chosen-by-somebody-else"
    assert b"chosen" not in b"".join(store.client.keys())


def test_a_new_id_keeps_the_session_and_closes_the_old_one(make_site):
    client = make_site().test_client()
    client.get("/set/Ana")
    [old] = client._cookies.values()
    client.get("/renew")

    kept = client.get("/get").text
    client.set_cookie(old.key, old.value)

    assert (kept, client.get("/get").text) == ("Ana", "nobody")


def test_a_login_by_flask_login_gives_the_session_a_new_number(make_site):
    app = make_site()
    app.add_url_rule("/in/<user>", "in", lambda user: session.update(_user_id=user) or "")
    client = app.test_client()

    def number():
        return client.get_cookie(app.config["SESSION_COOKIE_NAME"]).value

    client.get("/set/Ana")
    before = number()
    client.get("/in/7")
    during = number()
    client.get("/in/7")

    assert before != during == number()
    assert client.get("/get").text == "Ana"
    client.set_cookie(app.config["SESSION_COOKIE_NAME"], before)
    assert client.get("/get").text == "nobody"


def test_translated_messages_are_kept_as_in_a_cookie(make_site):
    client = make_site().test_client()
    client.get("/flash")

    assert client.get("/flashes").json == ["Not found"]


def test_forms_work(make_site):
    client = make_site().test_client()
    page = client.get("/").text
    token = page.partition('name="csrf_token"')[2].partition('value="')[2].partition('"')[0]

    answer = client.post("/theme", data={"csrf_token": token, "theme": "dark"})

    assert token
    assert answer.status_code == 302


def test_what_lies_in_redis_is_read_as_data_and_never_run(make_site, store):
    app = make_site()
    client = app.test_client()
    client.get("/set/Ana")
    [key] = store.client.keys()
    assert json.loads(store.client.get(key))["name"] == "Ana"

    for data in (pickle.dumps({"name": "run"}), b"[1]", b'"x"', b'{" t":1}'):
        store.client.set(key, data)

        assert app.test_client().get("/get").text == "nobody"
        assert client.get("/get").text == "nobody"


def test_without_redis_pages_say_so_and_health_stays(make_site, store, capsys):
    app = make_site()
    client, stranger = app.test_client(), app.test_client()
    client.get("/set/Ana")
    store.stop()
    try:
        answers = [client.get("/get"), client.post("/theme", data={"theme": "dark"})]
        api = client.get("/outside/things/1")
        ready = [one.get("/health/ready").status_code for one in (client, stranger)]
        unsaved = stranger.get("/set/Eva")
        login = stranger.get("/renew")
    finally:
        store.start()

    assert [(a.status_code, a.headers["Retry-After"]) for a in answers] == [(503, "5")] * 2
    assert (api.status_code, api.mimetype) == (503, "application/problem+json")
    assert ready == [200, 200]
    assert unsaved.status_code == 200
    assert (login.status_code, login.headers["Retry-After"]) == (503, "5")
    assert "session not saved: ConnectionError" in capsys.readouterr().err
    assert client.get("/get").status_code == 200


def test_redis_without_its_address_is_refused(make_app):
    with pytest.raises(ConfigError) as refusal:
        make_app(SESSION_REDIS=True)

    assert refusal.value.message == (
        "SESSION_REDIS is on and REDIS_URL is missing: set it, for example "
        "REDIS_URL=redis://localhost:6379/0."
    )


@pytest.mark.parametrize(
    "url", ["redis://127.0.0.1:99999/0", "redis://127.0.0.1:1/0?socket_timeout=soon"]
)
@pytest.mark.parametrize("holds_sessions", [False, True])
def test_a_redis_that_no_library_can_reach_is_one_sentence(make_app, url, holds_sessions):
    with pytest.raises(ConfigError, match="REDIS_URL cannot be used"):
        make_app(RATE_LIMIT="5/minute", SESSION_REDIS=holds_sessions, REDIS_URL=url)


@pytest.mark.parametrize("url", ["redis+sentinel://127.0.0.1:1/main", "redis://127.0.0.1/0?a=b"])
def test_a_redis_for_limits_alone_is_told_so(make_app, url):
    with pytest.raises(ConfigError, match="REDIS_URL cannot be used for sessions"):
        make_app(SESSION_REDIS=True, REDIS_URL=url)


def test_sessions_live_in_a_redis_behind_a_socket(make_site, store):
    client = make_site(REDIS_URL=f"redis+unix://{store.socket}").test_client()

    client.get("/set/Ana")

    assert client.get("/get").text == "Ana"


def test_a_missing_library_is_one_sentence(make_app, monkeypatch):
    monkeypatch.setitem(sys.modules, "flask_session.redis", None)

    with pytest.raises(ConfigError) as refusal:
        make_app(SESSION_REDIS=True, REDIS_URL="redis://127.0.0.1:1/0")

    assert "pip install -r requirements-optional.txt" in refusal.value.message


def test_a_form_is_not_expired_where_no_session_can_be_kept(make_site, store):
    app = make_site()
    app.add_url_rule("/form", "form", generate_csrf, methods=["GET", "POST"])
    client = app.test_client()
    store.client.config_set("maxmemory", 1)
    try:
        shown, answer = client.get("/form"), client.post("/form")
    finally:
        store.client.config_set("maxmemory", 0)
    expired = client.post("/form")

    assert (shown.status_code, answer.status_code, expired.status_code) == (200, 503, 400)
    assert answer.headers["Retry-After"]
