"""Limits of how often, of who from another site, and of how long a resource will live."""

import signal
import socket

import pytest

import settings
from config import ConfigError
from core.setting import setting
from services import csrf, limiter

MODULES = ["tests.limited"]
PROBLEM = "application/problem+json"
API = f"{setting('API_PREFIX')}/limited"
ORIGIN = {"Origin": "https://shop.example.com"}
KEY = {"X-API-Key": "open"}


@pytest.fixture
def client(make_app):
    """Return a function that makes a client of an application with this configuration."""

    def make(**configuration):
        application = make_app(MODULES, **configuration)
        if "REDIS_URL" not in configuration:
            limiter.reset()
        return application.test_client()

    return make


class TestRates:
    def test_a_route_without_a_limit_says_nothing_of_limits(self, client):
        answer = client().get(f"{API}/free")

        assert answer.status_code == 200
        assert not [name for name, _ in answer.headers if "ratelimit" in name.lower()]

    def test_a_resource_answers_429_past_its_own_limit(self, client):
        browser = client()
        answers = [browser.get(f"{API}/tight") for _ in range(3)]

        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[0].headers["RateLimit-Limit"] == "2"
        assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
        refused = answers[2]
        assert refused.mimetype == PROBLEM
        assert refused.json["status"] == 429
        assert "2 per 1 minute" in refused.json["detail"]
        assert 0 < int(refused.headers["Retry-After"]) <= 60
        assert refused.headers["Retry-After"] == refused.headers["RateLimit-Reset"]

    @pytest.mark.parametrize("rate", ["", "9/minute"])
    def test_a_limit_of_a_blueprint_holds_for_its_routes_and_no_others(self, client, rate):
        browser = client(RATE_LIMIT=rate)

        answers = [browser.get(f"{API}/whole") for _ in range(3)]

        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert "2 per 1 minute" in answers[2].json["detail"]
        document = browser.get(f"{setting('API_PREFIX')}/openapi.json").json
        assert "429" in document["paths"][f"{API}/whole"]["get"]["responses"]
        assert browser.get(f"{API}/free").status_code == 200

    def test_a_page_past_its_limit_is_a_page(self, client):
        browser = client()
        browser.get("/limited/page")

        answer = browser.get("/limited/page", headers={"Accept": "text/html"})

        assert (answer.status_code, answer.mimetype) == (429, "text/html")
        assert answer.headers["Retry-After"]

    def test_the_limit_of_the_configuration_holds_for_the_api_and_nothing_else(self, client):
        browser = client(RATE_LIMIT="3/minute")
        api = [browser.get(f"{API}/free").status_code for _ in range(4)]
        rest = {browser.get("/health/live").status_code for _ in range(5)}

        assert api == [200, 200, 200, 429]
        assert rest == {200}

    def test_a_page_that_limits_one_method_is_free_for_the_others(self, client):
        browser = client(RATE_LIMIT="1/minute")

        read = [browser.get("/limited/login").status_code for _ in range(3)]
        sent = [browser.post("/limited/login").status_code for _ in range(3)]

        assert (read, sent) == ([200, 200, 200], [200, 200, 429])

    @pytest.mark.parametrize("method", ["GET", "OPTIONS"])
    def test_what_the_guard_refuses_counts_as_well(self, client, method):
        browser = client(RATE_LIMIT="5/minute")
        wrong = [{"X-API-Key": f"{number}"} for number in range(6)]

        tries = [browser.open(f"{API}/guarded", method=method, headers=key) for key in wrong]

        assert [answer.status_code for answer in tries] == [401] * 5 + [429]
        assert browser.get(f"{API}/guarded", headers=KEY).status_code == 429

    def test_what_the_guard_refuses_counts_also_where_a_route_has_its_own_limit(self, client):
        browser, url = client(RATE_LIMIT="2/minute"), f"{API}/guarded-tight"
        right = [browser.get(url, headers=KEY) for _ in range(3)]
        wrong = [browser.get(url, headers={"X-API-Key": f"guess{number}"}) for number in range(3)]

        assert [answer.status_code for answer in right] == [200] * 3
        assert [answer.headers["RateLimit-Remaining"] for answer in right] == ["2", "1", "0"]
        assert [answer.status_code for answer in wrong] == [401, 401, 429]
        assert "Retry-After" in wrong[-1].headers

    def test_each_application_has_its_own_limit(self, client):
        client(RATE_LIMIT="100/minute").get(f"{API}/free")
        browser = client(RATE_LIMIT="1/minute")

        assert [browser.get(f"{API}/free").status_code for _ in range(2)] == [200, 429]

    def test_each_client_address_has_its_own_count(self, client):
        browser = client(PROXY_COUNT=1)
        one = [
            browser.get(f"{API}/tight", headers={"X-Forwarded-For": "10.0.0.1"}) for _ in range(3)
        ]
        other = browser.get(f"{API}/tight", headers={"X-Forwarded-For": "10.0.0.2"})

        assert one[2].status_code == 429
        assert other.status_code == 200

    @pytest.mark.parametrize(
        ("one", "other", "status"),
        [
            pytest.param("2001:db8::1", "2001:db8::ffff:2", 429, id="a-network"),
            pytest.param("2001:db8::1", "2001:db8:0:1::1", 200, id="two-networks"),
            pytest.param("::ffff:10.0.0.1", "::ffff:10.0.0.2", 200, id="mapped"),
            pytest.param("[2001:db8::1]:80", "[2001:db8::2]:81", 429, id="with-ports"),
            pytest.param("9.9.9.9:1001", "9.9.9.9:1002", 429, id="with-ports-of-ipv4"),
        ],
    )
    def test_a_network_of_one_client_counts_as_one(self, client, one, other, status):
        browser = client()
        for _ in range(2):
            browser.get(f"{API}/tight", environ_base={"REMOTE_ADDR": one})

        answer = browser.get(f"{API}/tight", environ_base={"REMOTE_ADDR": other})

        assert answer.status_code == status

    def test_without_redis_each_process_counts_for_itself(self, client):
        pytest.importorskip("redis")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        browser = client(REDIS_URL=f"redis://127.0.0.1:{port}/0")

        answers = [browser.get(f"{API}/tight").status_code for _ in range(3)]

        assert answers == [200, 200, 429]

    def test_a_redis_that_dies_in_the_middle_of_a_request_spoils_nothing(
        self, make_app, monkeypatch
    ):
        pytest.importorskip("redis")
        from tests.redis_server import Server

        redis = Server()
        application = make_app(MODULES, REDIS_URL=redis.url)
        # The limiter may remember the Redis of an earlier test.
        monkeypatch.setattr(limiter, "_storage_dead", False)

        @limiter.limit("5/minute")
        def work():
            redis.stop(signal.SIGKILL)
            return "done"

        application.add_url_rule("/work", "work", work, methods=["POST"])
        csrf.exempt(work)

        answer = application.test_client().post("/work")

        assert (answer.status_code, answer.text) == (200, "done")
        assert "RateLimit-Limit" not in answer.headers

    @pytest.mark.parametrize("limit", ["often", "10", "10/blink", "0/minute", "5/second;0/day"])
    def test_a_limit_that_cannot_be_read_stops_the_start(self, make_app, limit):
        with pytest.raises(ConfigError, match=f"RATE_LIMIT is '{limit}': write it as 100/minute"):
            make_app(MODULES, RATE_LIMIT=limit)

    def test_a_limit_of_a_module_that_is_not_listed_turns_nothing_on(self, client, make_app):
        client()
        application = make_app(["tests.sample"])

        hooks = [hook.__module__ for hook in application.after_request_funcs[None]]

        assert limiter._marked_for_limiting
        assert "core.limits" not in hooks
        assert not [name for name in hooks if name.startswith("flask_limiter")]

    def test_no_test_uses_up_the_limit_of_another(self, client, request, monkeypatch):
        browser = client()
        # The limiter may remember the Redis of an earlier test.
        monkeypatch.setattr(limiter, "_storage_dead", False)
        before = [browser.get(f"{API}/tight").status_code for _ in range(3)]

        request.getfixturevalue("isolated")

        assert before == [200, 200, 429]
        assert browser.get(f"{API}/tight").status_code == 200


class TestOtherSites:
    @pytest.mark.parametrize("url", [f"{API}/free", f"{setting('API_PREFIX')}/nowhere"])
    def test_nobody_is_let_in_unless_configured(self, client, url):
        answer = client().get(url, headers=ORIGIN)

        assert "Access-Control-Allow-Origin" not in answer.headers

    @pytest.mark.parametrize(
        ("url", "status"),
        [
            (f"{API}/free", 200),
            ("/api/v2/limited/free", 200),
            (f"{setting('API_PREFIX')}/nowhere", 404),
            (f"{API}/guarded", 401),
            (f"{API}/tight", 405),
        ],
    )
    def test_a_configured_site_reads_answers_and_errors(self, client, url, status):
        browser = client(CORS_ORIGINS=[ORIGIN["Origin"]])

        answer = browser.open(url, method="PUT" if status == 405 else "GET", headers=ORIGIN)

        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN["Origin"]
        assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert "Origin" in answer.headers["Vary"]

    def test_a_site_that_is_not_configured_reads_nothing(self, client):
        browser = client(CORS_ORIGINS=[ORIGIN["Origin"]])

        answer = browser.get(f"{API}/free", headers={"Origin": "https://evil.example.com"})

        assert "Access-Control-Allow-Origin" not in answer.headers

    @pytest.mark.parametrize(
        "url", ["/", "/limited/page", "/health/live", f"{setting('API_PREFIX')}0/nowhere"]
    )
    def test_pages_stay_closed(self, client, url):
        answer = client(CORS_ORIGINS=[ORIGIN["Origin"]]).get(url, headers=ORIGIN)

        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]

    @pytest.mark.parametrize("url", [f"{API}/guarded", f"{setting('API_PREFIX')}/nowhere"])
    def test_a_preflight_says_what_may_be_sent(self, client, url):
        asked = {
            **ORIGIN,
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": "If-Match, Content-Type, X-API-Key",
        }

        answer = client(CORS_ORIGINS=[ORIGIN["Origin"]]).options(url, headers=asked)

        assert answer.status_code == 200
        assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
        allowed = answer.headers["Access-Control-Allow-Headers"].lower()
        assert "if-match" in allowed
        assert "content-type" in allowed
        assert "x-api-key" in allowed

    def test_a_script_of_another_site_may_send_the_headers_of_the_product(
        self, client, monkeypatch
    ):
        monkeypatch.setattr(settings, "CORS_HEADERS", ["X-Tenant"], raising=False)
        asked = {
            **ORIGIN,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "x-tenant, x-other",
        }

        answer = client(CORS_ORIGINS=[ORIGIN["Origin"]]).options(f"{API}/free", headers=asked)

        assert answer.headers["Access-Control-Allow-Headers"].lower() == "x-tenant"

    def test_a_guard_of_the_whole_application_lets_a_preflight_pass(self, make_app):
        application = make_app(MODULES, CORS_ORIGINS=[ORIGIN["Origin"]])
        application.before_request(lambda: ("Sign in.", 401))
        browser = application.test_client()
        asked = {**ORIGIN, "Access-Control-Request-Method": "GET"}

        answers = [browser.options(f"{API}/free", headers=headers) for headers in (asked, ORIGIN)]
        page = browser.options("/limited/page", headers=asked)

        assert [answer.status_code for answer in (*answers, page)] == [200, 401, 401]


def test_a_preflight_does_not_count(client):
    browser = client(CORS_ORIGINS=[ORIGIN["Origin"]], RATE_LIMIT="1/minute")
    asked = {**ORIGIN, "Access-Control-Request-Method": "GET"}

    before = [browser.options(f"{API}/free", headers=asked).status_code for _ in range(3)]

    assert before == [200] * 3
    assert [browser.get(f"{API}/free").status_code for _ in range(2)] == [200, 429]


def test_a_deprecated_resource_says_since_when_until_when_and_where_to_read(client):
    answer = client().get(f"{API}/free")

    assert answer.headers["Deprecation"] == "@1767225600"
    assert answer.headers["Sunset"] == "Fri, 01 Jan 2027 00:00:00 GMT"
    assert answer.headers["Link"] == '</changes>; rel="deprecation"'
    assert answer.json == {"version": 1}


def test_a_second_version_lives_beside_the_first(client):
    answer = client().get("/api/v2/limited/free")

    assert answer.json == {"version": 2}
    assert "Deprecation" not in answer.headers


def test_each_version_has_its_own_limit(client):
    browser = client()

    statuses = [browser.get("/api/v2/limited/tight").status_code for _ in range(4)]
    answer = browser.get(f"{API}/tight")

    assert statuses == [200, 200, 200, 429]
    assert (answer.status_code, answer.headers["RateLimit-Limit"]) == (200, "2")


def test_a_resource_may_require_the_state_that_a_client_changes(client):
    browser = client()
    refused = browser.put(f"{API}/guarded", json={}, headers=KEY)
    taken = browser.put(f"{API}/guarded", json={}, headers={**KEY, "If-Match": '"x"'})

    assert (refused.status_code, refused.mimetype) == (428, PROBLEM)
    assert "If-Match" in refused.json["detail"]
    assert taken.status_code == 200
