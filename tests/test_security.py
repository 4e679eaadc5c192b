"""What protects every answer, whatever made it."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from unittest.mock import MagicMock

import pytest
from flask import request, session
from werkzeug.test import encode_multipart

import core.sessions
from core.errors import EXPIRED_BUTTON, FOREIGN_FORM, OTHER_SITE
from core.security import content_security_policy
from core.setting import setting
from tests.reading import form_on
from tests.sample.models import Box, Thing

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
HSTS = "Strict-Transport-Security"
PREFIX = setting("API_PREFIX")


@pytest.fixture
def site(make_app, production):
    """The sample in production, where https ends at the application."""
    return make_app(["tests.sample"], **production)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/", 200, id="page"),
        pytest.param("GET", "/core/static/app.css", 200, id="static-file"),
        pytest.param("GET", "/health/live", 200, id="health"),
        pytest.param("GET", "/outside/things?page=0", 400, id="api"),
        pytest.param("GET", "/nowhere", 404, id="unknown-page"),
        pytest.param("GET", f"{PREFIX}/nowhere", 404, id="unknown-url-of-the-api"),
        pytest.param("POST", "/sample/boxes/1/delete", 400, id="refused-form"),
        pytest.param("DELETE", "/health/live", 405, id="method"),
        pytest.param("GET", "/sample/faults/crash", 500, id="crash"),
        pytest.param("GET", "/outside/faults/crash", 500, id="crash-of-the-api"),
    ],
)
def test_every_answer_carries_the_security_headers(site, method, path, status):
    answer = site.test_client().open(path, method=method, buffered=True)

    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert answer.headers[HSTS] == "max-age=31536000"


def test_an_answer_to_an_untrusted_host_carries_the_security_headers(site):
    answer = site.test_client().get("/", headers={"Host": "evil.example"})

    assert answer.status_code == 400
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


def test_a_view_may_set_a_header_of_its_own(make_app):
    application = make_app()
    application.add_url_rule("/frame", "frame", lambda: ("", {"X-Frame-Options": "SAMEORIGIN"}))

    answer = application.test_client().get("/frame")

    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/outside/things", 200),
        ("GET", "/outside/nowhere", 404),
        ("OPTIONS", "/outside/things", 200),
        ("GET", "/outside/faults/crash", 500),
        ("GET", "/health/live", 200),
    ],
)
def test_no_cache_gives_an_answer_to_somebody_else(
    app, isolated, monkeypatch, method, path, status
):
    monkeypatch.setattr(app, "testing", False)

    answer = app.test_client().open(path, method=method)

    assert (answer.status_code, answer.headers["Cache-Control"]) == (status, "private, no-cache")


def test_what_a_client_has_already_is_not_for_others_either(client):
    tag = client.get("/outside/things").headers["ETag"]

    answer = client.get("/outside/things", headers={"If-None-Match": tag})

    assert (answer.status_code, answer.headers["Cache-Control"]) == (304, "private, no-cache")


def test_a_view_may_let_caches_keep_its_answer(make_app):
    application = make_app()
    application.add_url_rule("/all", "all", lambda: ("{}", {"Cache-Control": "max-age=60"}))

    assert application.test_client().get("/all").headers["Cache-Control"] == "max-age=60"


def test_an_answer_without_content_has_no_type(client, save):
    box = save(Box(name="Drawer"))
    thing = save(Thing(name="Key", code="K1", price=Decimal(1), box_id=box.id))

    asked = client.options("/outside/things")
    deleted = client.delete(f"/outside/things/{thing.id}")

    assert [answer.status_code for answer in (asked, deleted)] == [200, 204]
    assert [answer.headers.get("Content-Type") for answer in (asked, deleted)] == [None, None]


def test_plain_http_is_not_forbidden_outside_production(client):
    answer = client.get("/")

    assert HSTS not in answer.headers


@pytest.mark.parametrize(
    ("added", "directive"),
    [
        pytest.param(
            {"img-src": ["https://cdn.example"]},
            "img-src 'self' data: https://cdn.example",
            id="known",
        ),
        pytest.param(
            {"script-src": ["https://stats.example"]},
            "script-src 'self' https://stats.example",
            id="new",
        ),
        pytest.param(
            {"frame-ancestors": ["https://partner.example"]},
            "frame-ancestors https://partner.example",
            id="in-place-of-none",
        ),
    ],
)
def test_settings_add_origins_to_the_policy(added, directive):
    policy = content_security_policy(added)

    directives = policy.split("; ")
    assert directive in directives
    assert "default-src 'self'" in directives
    assert len({name.partition(" ")[0] for name in directives}) == len(directives)


@pytest.mark.parametrize("environment", ["testing", "production"])
def test_a_form_without_a_token_is_refused(make_app, production, environment):
    client = make_app(["tests.sample"], **{**production, "APP_ENV": environment}).test_client()

    answer = client.post("/sample/boxes/1/delete")

    assert answer.status_code == 400
    assert str(EXPIRED_BUTTON) in answer.text


SITE = "https://localhost"
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("headers", "refusal"),
    [
        pytest.param({"Referer": f"{SITE}/"}, None, id="referer"),
        pytest.param({"Origin": SITE}, None, id="origin"),
        pytest.param({}, FOREIGN_FORM, id="neither"),
        pytest.param({"Origin": "null"}, FOREIGN_FORM, id="hidden"),
        pytest.param({"Origin": "http://localhost"}, FOREIGN_FORM, id="other-scheme"),
        pytest.param({"Origin": "https://evil.example"}, OTHER_SITE, id="foreign"),
        pytest.param({"Origin": SITE, "Referer": "https://evil.example/"}, FOREIGN_FORM, id="both"),
    ],
)
def test_on_https_a_form_is_taken_from_this_site_alone(make_app, headers, refusal):
    client = make_app(["tests.sample"]).test_client()
    page = client.get("/", base_url=SITE).text
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page)[1]
    data = {"csrf_token": token, "theme": "dark"}

    answer = client.post("/theme", data=data, base_url=SITE, headers=headers)

    assert answer.status_code == (302 if refusal is None else 400)
    told = [text for text in (FOREIGN_FORM, OTHER_SITE) if str(text) in answer.text]
    assert told == ([] if refusal is None else [refusal])


@pytest.mark.parametrize(
    ("url", "status"),
    [("/theme", 400), ("/sample/things", 400), ("/", 405), ("/nowhere", 404)],
)
@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}], ids=repr
)
def test_a_form_of_another_site_leaves_the_session_alone(client, url, status, headers):
    # A browser keeps the session back from it, and would take the answer's in its place.
    answer = client.post(url, data={"name": "From elsewhere"}, headers=headers)

    assert answer.status_code == status
    assert "Set-Cookie" not in answer.headers
    assert (str(OTHER_SITE) in answer.text) is (status == 400)
    assert "From elsewhere" not in answer.text


def test_a_route_without_a_form_class_is_protected_as_well(make_app):
    application = make_app()
    application.add_url_rule("/open", "open", lambda: "changed", methods=["POST", "DELETE"])

    answers = [application.test_client().open("/open", method=m) for m in ("POST", "DELETE")]

    assert [answer.status_code for answer in answers] == [400, 400]


@pytest.mark.parametrize("mount", ["/outside", f"{PREFIX}/sample"])
def test_the_blueprints_of_an_api_need_no_token(site, mount):
    answer = site.test_client().post(f"{mount}/faults/abort")

    assert answer.status_code == 404
    assert answer.json["detail"] == "No such thing."


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:5000", 200),
        ("shop.localhost", 200),
        ("127.0.0.1:5000", 200),
        ("evil.example", 400),
        ("localhost.evil.example", 400),
        ("192.168.0.10", 400),
    ],
)
def test_development_answers_this_machine_only(make_app, host, status):
    client = make_app(APP_ENV="development").test_client()

    answer = client.get("/", headers={"Host": host})

    assert answer.status_code == status


def test_production_answers_the_hosts_that_it_trusts(make_app, production):
    hosts = {"TRUSTED_HOSTS": "example.com,.shops.example"}
    client = make_app(**{**production, **hosts}).test_client()

    answers = {
        host: client.get("/", headers={"Host": host}).status_code
        for host in ("Example.COM", "one.shops.example", "www.example.com", "localhost")
    }

    assert answers == {
        "Example.COM": 200,
        "one.shops.example": 200,
        "www.example.com": 400,
        "localhost": 400,
    }


def test_an_untrusted_host_is_refused_in_plain_text(site):
    answer = site.test_client().get("/", headers={"Host": "evil.example"})

    assert answer.mimetype == "text/plain"
    assert answer.text == "Host 'evil.example' is not trusted.\n"


def test_an_untrusted_host_is_refused_as_a_problem_under_the_api(site):
    answer = site.test_client().get(f"{PREFIX}/nowhere", headers={"Host": "evil.example"})

    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")


@pytest.mark.parametrize(
    ("count", "forwarded", "seen"),
    [
        pytest.param("0", "203.0.113.9", ("127.0.0.1", "http"), id="none-trusted"),
        pytest.param("1", "203.0.113.9", ("203.0.113.9", "https"), id="one"),
        pytest.param("1", "6.6.6.6, 203.0.113.9", ("203.0.113.9", "https"), id="forged-beyond-one"),
        pytest.param("2", "203.0.113.9, 10.0.0.2", ("203.0.113.9", "http"), id="two"),
    ],
)
def test_as_many_proxies_are_believed_as_configured(make_app, count, forwarded, seen):
    application = make_app(PROXY_COUNT=count)
    application.add_url_rule("/me", "me", lambda: [request.remote_addr, request.scheme])

    answer = application.test_client().get(
        "/me", headers={"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https"}
    )

    assert tuple(answer.json) == seen


def test_a_session_that_lasts_is_signed_anew_once_a_day_alone(make_app, monkeypatch):
    """An answer that was under way while somebody signed out would sign him in again."""

    def keep():
        session.permanent = True
        session["name"] = "Ana"
        return ""

    app = make_app()
    app.add_url_rule("/keep", "keep", keep)
    app.add_url_rule("/name", "name", lambda: session.get("name", "nobody"))
    # As packages do that look after a login.
    app.after_request(lambda response: session.get("name") and response)
    client = app.test_client()
    client.get("/keep")

    same_day = client.get("/name")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    monkeypatch.setattr(core.sessions, "datetime", MagicMock(**{"now.return_value": tomorrow}))
    next_day, then = client.get("/name"), client.get("/name")
    file = client.get("/core/static/app.css")
    file.close()

    assert [one.text for one in (same_day, next_day, then)] == ["Ana"] * 3
    signed = ["Set-Cookie" in one.headers for one in (same_day, next_day, then, file)]
    assert signed == [False, True, False, False]
    assert "Cookie" not in file.headers["Vary"]


@pytest.mark.parametrize(
    ("environment", "flags"),
    [
        pytest.param("testing", {"HttpOnly", "Path=/", "SameSite=Lax"}, id="testing"),
        pytest.param(
            "production", {"HttpOnly", "Path=/", "SameSite=Lax", "Secure"}, id="production"
        ),
    ],
)
def test_the_session_cookie_is_closed_to_scripts_and_other_sites(
    make_app, production, environment, flags
):
    application = make_app(**{**production, "APP_ENV": environment})
    application.add_url_rule("/remember", "remember", lambda: session.update(name="Ana") or "")

    cookie = application.test_client().get("/remember").headers["Set-Cookie"]

    name, *rest = cookie.split("; ")
    assert set(rest) == flags
    assert name.startswith("__Host-") == ("Secure" in flags)


OLD, NEW = "old-Kq8ZsW2vLx0nT5yJd7RfBc3HgMp9UaEi4XoV", "new-Vo4XiEaU9pMgH3cBfR7dJy5Tn0xLv2WsZ8qK"
FORMS = "forms-T5yJd7RfBc3HgMp9UaEi4XoVKq8ZsW2vLx0n"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({"SECRET_KEY_FALLBACKS": OLD}, 302, id="with-the-old-key"),
        pytest.param({}, 400, id="without-the-old-key"),
        pytest.param(
            {"SECRET_KEY_FALLBACKS": OLD, "WTF_CSRF_SECRET_KEY": NEW}, 400, id="both-at-once"
        ),
    ],
)
def test_a_new_key_leaves_open_forms_and_sessions_alive(make_app, production, changes, status):
    keys = {**production, "WTF_CSRF_SECRET_KEY": FORMS, "COOKIE_SECURE": "false"}
    before = make_app(**{**keys, "SECRET_KEY": OLD}).test_client()
    after = make_app(**{**keys, "SECRET_KEY": NEW, **changes}).test_client()
    page = before.get("/").text
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page)[1]
    [cookie] = before._cookies.values()

    after.set_cookie(cookie.key, cookie.value)
    answer = after.post("/theme", data={"csrf_token": token, "theme": "dark"})

    assert answer.status_code == status


@pytest.mark.parametrize(("scheme", "secure"), [("https", True), ("http", False)])
@pytest.mark.parametrize(("name", "value"), [("lang", "es"), ("theme", "dark")])
def test_the_cookies_of_a_choice_are_closed_to_scripts(make_app, scheme, secure, name, value):
    path = {"lang": "/language", "theme": "/theme"}[name]
    client = make_app(WTF_CSRF_ENABLED=False).test_client()

    cookie = client.post(path, data={name: value}, base_url=f"{scheme}://localhost")

    first, *flags = cookie.headers["Set-Cookie"].split("; ")
    assert first == f"{name}={value}"
    assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= set(flags)
    assert ("Secure" in flags) == secure


def test_a_request_over_the_limit_is_refused(make_app):
    client = make_app(["tests.sample"], MAX_CONTENT_LENGTH="100").test_client()

    answers = [
        client.post("/sample/things", data={"name": "x" * 101}),
        client.post("/outside/things", json={"name": "x" * 101}),
    ]

    assert [(answer.status_code, answer.mimetype) for answer in answers] == [
        (413, "text/html"),
        (413, "application/problem+json"),
    ]


def test_a_form_with_a_file_takes_as_much_as_one_without(client):
    parts = {f"part-{number}": "" for number in range(2000)}
    token = form_on(client.get("/sample/things/new")).values["csrf_token"]
    sent = {"csrf_token": token, "text": "x" * 600_000}
    boundary, body = encode_multipart(sent | parts)
    media_type = f"multipart/form-data; boundary={boundary}"

    assert client.post("/sample/things", data=body, content_type=media_type).status_code == 422


def test_the_fields_of_a_form_are_counted_with_and_without_files(client):
    part = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    parts = {"data": f"{part * 3_001}--x--\r\n", "content_type": "multipart/form-data; boundary=x"}

    for sent in ({"data": "a&" * 10_000, "content_type": FORM}, parts):
        assert client.post("/sample/things", **sent).status_code == 413


@pytest.mark.parametrize("name", ["", '; filename="f"'], ids=["field", "file"])
@pytest.mark.parametrize("url", ["/sample/things", "/outside/things"])
def test_a_part_of_a_form_without_a_name_is_refused(client, url, name):
    part = f"--x\r\nContent-Disposition: form-data{name}\r\n\r\none\r\n--x--\r\n"

    answer = client.post(url, data=part, content_type="multipart/form-data; boundary=x")

    assert answer.status_code == (400 if url == "/sample/things" else 415)


def test_a_directive_that_is_no_list_of_sources_is_left_as_it_is():
    added = {"report-uri": ["/csp"], "upgrade-insecure-requests": [], "worker-src": ["blob:"]}

    policy = content_security_policy(added).split("; ")

    assert {"report-uri /csp", "upgrade-insecure-requests", "worker-src 'self' blob:"} < {*policy}


@pytest.mark.parametrize(("site", "status"), [("same-origin", 302), ("cross-site", 400), ("", 400)])
def test_a_tab_that_outlived_its_session_still_changes_its_colours(client, site, status):
    headers = {"Sec-Fetch-Site": site, "Referer": "http://localhost/"}

    answer = client.post("/theme", data={"theme": "dark", "next": "/"}, headers=headers)

    assert answer.status_code == status
    assert ("theme=dark" in answer.headers.get("Set-Cookie", "")) is (status == 302)
