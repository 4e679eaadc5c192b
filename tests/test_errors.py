"""Each failure is answered alike under test and in production, as a page or as a problem."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest
from flask import Blueprint, abort, get_flashed_messages
from sqlalchemy import update
from sqlalchemy.exc import OperationalError
from werkzeug.datastructures import WWWAuthenticate

from core.errors import STALE, is_refused
from core.pages import database_rules
from core.problem import problem
from core.rest import Api, Resource
from core.testing import app_on_test_database
from services import db
from tests.conftest import INSTALLED_APPS
from tests.project import ENGINES, app_on, connected
from tests.sample.models import Box

MEDIA_TYPES = {"/sample": "text/html", "/outside": "application/problem+json"}
UNAVAILABLE = "The database does not answer at the moment: try again in a few seconds."
CRASH = {
    "/sample": "The fault is ours and was logged: try again later.",
    "/outside": "The server encountered an internal error and was unable to complete your "
    "request. Either the server is overloaded or there is an error in the application.",
}

INVALID = {
    "/sample": "A part of it is missing or not allowed: go back, correct it and send it again.",
    "/outside": "The body breaks rules of its fields; `errors` names them.",
}


@pytest.fixture(scope="module", params=["testing", "production"])
def app(request, tmp_path_factory):
    with app_on_test_database(tmp_path_factory.mktemp("errors"), INSTALLED_APPS) as application:
        # Flask and Flask-RESTful answer otherwise when errors may reach a test: see both.
        if request.param == "production":
            application.config.update(TESTING=False, PROPAGATE_EXCEPTIONS=False)
        application.config["WTF_CSRF_ENABLED"] = False
        yield application


@pytest.fixture(params=["/sample", "/outside"], ids=["page", "api"])
def face(request):
    return request.param


@pytest.mark.parametrize(
    ("fault", "status", "detail"),
    [
        ("abort", 404, "No such thing."),
        ("unpaid", 402, "Pay first."),
        ("restful_abort", 403, "Not for you."),
        ("throttled", 429, "Slow down."),
        ("full_pool", 503, UNAVAILABLE),
        ("lost_update", 409, STALE),
        ("unfit", 422, "A value is too long or out of range."),
        ("duplicate", 409, "This value is already taken."),
        ("vanished", 404, "Someone else deleted this record in the meantime."),
    ],
)
def test_a_failure_is_answered_in_the_words_of_its_reader(client, face, fault, status, detail):
    answer = client.post(f"{face}/faults/{fault}")

    assert answer.status_code == status
    assert answer.mimetype == MEDIA_TYPES[face]
    assert str(detail) in answer.text.replace("&#39;", "'")
    assert "sqlalchemy" not in answer.text.lower()
    assert "sample_box" not in answer.text


def test_what_breaks_the_rules_of_its_fields_is_told_to_programs_and_people_alike(client, face):
    answer = client.post(f"{face}/faults/invalid")

    assert answer.status_code == 422
    assert INVALID[face] in answer.text
    assert ("`errors`" in answer.text) == (face == "/outside")


# Under test a crash reaches the test.
@pytest.mark.parametrize("app", ["production"], indirect=True)
@pytest.mark.parametrize("fault", ["crash", "broken_query", "unknown_function", "older_schema"])
def test_a_fault_of_the_program_says_nothing_of_its_inside(client, face, fault):
    answer = client.get(f"{face}/faults/{fault}")

    assert answer.status_code == 500
    assert answer.mimetype == MEDIA_TYPES[face]
    assert CRASH[face] in answer.text
    assert "hunter2" not in answer.text
    assert "sample_nowhere" not in answer.text


def test_a_problem_has_the_members_of_its_rfc_and_the_request_id(client):
    answer = client.get("/outside/faults/abort", headers={"X-Request-ID": "0123abcd"})

    assert answer.json == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "No such thing.",
        "request_id": "0123abcd",
    }


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/outside/things/1", "There is no such record."),
        ("/outside/nowhere", "There is no such URL."),
        ("/outside/things/99999999999999999999", "There is no such URL."),
    ],
)
def test_what_is_not_found_is_told_to_programs_in_words_for_them(client, path, detail):
    answer = client.get(path)

    assert (answer.status_code, answer.json["detail"]) == (404, detail)


UNKNOWN = "Nobody is logged in, or the key is not known."
BASIC = WWWAuthenticate("basic", {"realm": "own"})
BEARER = WWWAuthenticate("bearer", {"realm": "own"})


@pytest.mark.parametrize(
    ("security", "guard", "challenges"),
    [
        ({"type": "http", "scheme": "bearer"}, [], ['Bearer realm="keys"']),
        ({"type": "http", "scheme": "basic"}, [], ['Basic realm="keys"']),
        ({"type": "oauth2", "flows": {}}, [], ['Bearer realm="keys"']),
        ({"type": "apiKey", "in": "header", "name": "X-API-Key"}, [], ['ApiKey realm="keys"']),
        ({"type": "http", "scheme": "bearer"}, ["Who?", None, BASIC], ["Basic realm=own"]),
        (None, ["Who?", None, [BASIC, BEARER]], ["Basic realm=own", "Bearer realm=own"]),
        (None, [], []),
    ],
    ids=["bearer", "basic", "oauth2", "key", "own", "several", "none"],
)
def test_who_is_not_known_reads_how_to_log_in(make_app, security, guard, challenges):
    application = make_app()
    blueprint = Blueprint("keys", __name__, url_prefix="/keys")
    blueprint.before_request(lambda: abort(401, *guard))
    blueprint.add_url_rule("/", "all", lambda: "open")
    Api(blueprint, security=security)
    application.register_blueprint(blueprint)

    answer = application.test_client().get("/keys/")

    assert (answer.status_code, answer.headers.getlist("WWW-Authenticate")) == (401, challenges)
    assert answer.json["detail"] == (guard[0] if guard else UNKNOWN)


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (413, "Content Too Large"),
        (422, "Unprocessable Content"),
        (444, "Bad Request"),
        (599, "Internal Server Error"),
    ],
)
def test_a_problem_has_the_title_of_the_rfc_on_every_python(app, status, title):
    with app.test_request_context("/outside/things"):
        answer = problem(status, None)

    assert answer.json["title"] == title


@pytest.mark.parametrize(
    ("fault", "errors"),
    [
        ("invalid", {"name": ["Not this one."]}),
        ("invalid_as_a_whole", {"_schema": ["Not like this."]}),
        ("duplicate", {"name": ["This value is already taken."]}),
    ],
)
def test_a_problem_names_the_fields(client, fault, errors):
    answer = client.post(f"/outside/faults/{fault}")

    assert answer.json["errors"] == errors


def test_a_page_names_status_and_request(client):
    answer = client.get("/sample/faults/abort", headers={"X-Request-ID": "0123abcd"})

    assert "<h1>Not found</h1>" in answer.text
    assert "Error 404, request <code>0123abcd</code>" in answer.text


@pytest.mark.parametrize(("fault", "seconds"), [("throttled", "7"), ("full_pool", "5")])
def test_the_time_to_wait_is_kept(client, face, fault, seconds):
    answer = client.get(f"{face}/faults/{fault}")

    assert answer.headers["Retry-After"] == seconds


@pytest.mark.parametrize(
    ("path", "is_api"),
    [("/of/a/tags/b", True), ("/of/a/nowhere", True), ("/of/a", True), ("/of", False)],
)
def test_unknown_urls_under_a_prefix_with_a_variable_are_problems(make_app, path, is_api):
    application = make_app([])
    blueprint = Blueprint("tags", __name__, url_prefix="/of/<tenant>")
    Api(blueprint).add_resource(Resource, "/tags/<int:id>", endpoint="tag")
    application.register_blueprint(blueprint)

    answer = application.test_client().get(path)

    assert answer.status_code == 404
    assert (answer.mimetype == "application/problem+json") is is_api


@pytest.mark.parametrize("path", ["/api", "/api/nowhere", "/api/sample/nowhere"])
def test_unknown_urls_under_the_prefix_are_problems(client, inside, path):
    prefix = inside.removesuffix("/sample")

    answer = client.get(path.replace("/api", prefix))

    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


@pytest.mark.parametrize("path", ["/nowhere", "/apiary", "/sample/nowhere"])
def test_other_unknown_urls_are_pages(client, path):
    answer = client.get(path)

    assert (answer.status_code, answer.mimetype) == (404, "text/html")


def test_a_url_that_begins_like_the_prefix_is_a_page(client, inside):
    answer = client.get(inside.removesuffix("/sample") + "0")

    assert (answer.status_code, answer.mimetype) == (404, "text/html")


def test_a_wrong_method_names_the_right_ones_on_a_page(client):
    answer = client.delete("/sample/things")

    assert (answer.status_code, answer.mimetype) == (405, "text/html")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_a_wrong_method_names_the_right_ones_in_the_api_wherever_it_is(client, inside):
    answers = [client.delete(f"{mount}/things") for mount in (inside, "/outside")]

    for answer in answers:
        assert (answer.status_code, answer.mimetype) == (405, "application/problem+json")
        assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_after_a_refusal_of_the_database_the_next_request_works(client):
    client.post("/outside/faults/duplicate")

    answer = client.get("/outside/things")

    assert (answer.status_code, answer.json["data"]) == (200, [])


@pytest.mark.postgresql
@pytest.mark.parametrize(("method", "status"), [("POST", 422), ("GET", 400)])
def test_a_text_that_is_too_long_for_its_column_is_no_crash(client, postgresql_url, method, status):
    answer = client.open("/outside/faults/too_long", method=method)

    assert answer.status_code == status
    assert answer.json["detail"] == "A value is too long or out of range."


@pytest.fixture(params=[one for one in ENGINES if one != "sqlite"])
def met(request, tmp_path):
    """The app and the error of a request that waited for somebody who waited for it."""
    named = update(Box).execution_options(synchronize_session=False)
    first, second = (named.where(Box.id == number) for number in (1, 2))
    with app_on(request.param, tmp_path, "tests.sample") as app:
        with app.app_context():
            # The more one has written, the less MariaDB undoes it.
            db.session.add_all(Box(id=number, name=f"Box {number}") for number in range(1, 99))
            db.session.commit()
            url = db.engine.url.render_as_string(hide_password=False)
        with app.test_request_context(method="POST"):
            db.session.execute(first.values(name="Mine"))
            with connected(url) as other, ThreadPoolExecutor(1) as pool:
                other.execute(named.where(Box.id > 1).values(version=2))
                wait = copy_context().run
                waiting = pool.submit(wait, db.session.execute, second.values(name="Mine"))
                time.sleep(0.3)
                other.execute(first.values(name="Theirs"))
            yield app, waiting.exception(timeout=10)


def test_of_two_changes_that_wait_for_each_other_one_is_a_conflict(met):
    app, error = met

    with database_rules():
        raise error
    answer = app.make_response(app.handle_user_exception(error))

    assert get_flashed_messages() == [STALE]
    assert answer.status_code == 409
    assert str(STALE) in answer.get_data(as_text=True)


class _ToldError(Exception):
    """What a driver raises."""

    def __init__(self, text, pgcode):
        super().__init__(text)
        self.pgcode = pgcode


@pytest.mark.parametrize(("method", "status"), [("GET", 503), ("POST", 409)])
def test_who_only_reads_has_changed_nothing(make_app, method, status):
    def meet():
        raise OperationalError("SELECT 1", {}, _ToldError("deadlock detected", "40P01"))

    app = make_app(WTF_CSRF_ENABLED=False)
    app.add_url_rule("/meet", "meet", meet, methods=["GET", "POST"])

    answer = app.test_client().open("/meet", method=method)

    assert answer.status_code == status
    assert ("Retry-After" in answer.headers) is (status == 503)


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("index row size 3000 exceeds btree version 4 maximum 2704", True),
        ("database is not accepting commands to avoid wraparound data loss", False),
    ],
)
def test_a_server_that_takes_no_changes_refuses_no_value(text, refused):
    error = OperationalError("INSERT", {}, _ToldError(text, "54000"))

    assert is_refused(error) is refused
