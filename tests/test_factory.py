"""Applications live beside each other, start without a database, and from little."""

import re

import pytest
from flask import session
from sqlalchemy import text

import settings
from config import ConfigError
from core.factory import create_app
from services import db

# Nobody listens on this port: a connection is refused at once.
NO_DATABASE = "postgresql://nobody@127.0.0.1:9/away"


def test_two_applications_share_no_engine(make_app, tmp_path):
    first = make_app(DATABASE_URL=f"sqlite:///{tmp_path.as_posix()}/first.db")
    second = make_app(DATABASE_URL=f"sqlite:///{tmp_path.as_posix()}/second.db")
    with first.app_context(), db.engine.begin() as connection:
        connection.execute(text("CREATE TABLE note (id INTEGER)"))

    with second.app_context(), db.engine.connect() as connection:
        tables = connection.execute(text("SELECT name FROM sqlite_master")).all()

    assert tables == []


def test_two_applications_share_no_session(make_app, app):
    first, second = make_app(SECRET_KEY="first" * 8), make_app(SECRET_KEY="second" * 8)
    for application in (first, second):
        application.add_url_rule("/remember", "remember", lambda: session.update(name="Ana") or "")
        application.add_url_rule("/name", "name", lambda: session.get("name", "nobody"))
    cookie = first.test_client().get("/remember").headers["Set-Cookie"].partition(";")[0]

    names = [
        application.test_client(use_cookies=False).get("/name", headers={"Cookie": cookie}).text
        for application in (first, second)
    ]

    assert names == ["Ana", "nobody"]


def test_applications_have_their_own_limits_and_csrf(make_app):
    small = make_app(["tests.sample"], MAX_CONTENT_LENGTH="10")
    guarded = make_app(["tests.sample"])
    open_ = make_app(["tests.sample"], WTF_CSRF_ENABLED=False)
    form = {"lang": "en", "next": "/a/path"}

    answers = [
        application.test_client().post("/language", data=form)
        for application in (small, guarded, open_)
    ]

    assert [answer.status_code for answer in answers] == [413, 400, 302]


def test_without_modules_the_welcome_page_says_what_to_do(make_app):
    answer = make_app([], APP_ENV="development").test_client().get("/")

    assert answer.status_code == 200
    assert "no module is installed yet" in answer.text
    assert 'Blueprint("shop", __name__, url_prefix="/shop")' in answer.text.replace("&#34;", '"')


def test_the_listed_modules_are_installed_in_their_order(make_app):
    entries = [*settings.INSTALLED_APPS, "tests.sample"]

    application = make_app(entries)

    assert [module.entry for module in application.extensions["modules"]] == entries


def test_unsafe_configuration_stops_the_start(clean_environment):
    with pytest.raises(ConfigError, match=r"^SECRET_KEY is missing"):
        create_app({"APP_ENV": "production", "DATABASE_URL": "sqlite://"}, [])


@pytest.mark.parametrize("environment", ["testing", "production"])
@pytest.mark.parametrize(
    ("method", "path", "media_type"),
    [
        pytest.param("GET", "/sample/things", "text/html", id="page"),
        pytest.param("POST", "/sample/things", "text/html", id="expired-form"),
        pytest.param("GET", "/outside/things", "application/problem+json", id="api"),
    ],
)
def test_with_the_database_away_a_request_is_answered_503(
    make_app, production, environment, method, path, media_type
):
    overrides = {**production, "APP_ENV": environment, "DATABASE_URL": NO_DATABASE}
    client = make_app(["tests.sample"], **overrides).test_client()

    answer = client.open(path, method=method)

    assert answer.status_code == 503
    assert answer.mimetype == media_type
    assert answer.headers["Retry-After"] == "5"
    assert "The database does not answer at the moment" in answer.text
    assert "127.0.0.1" not in answer.text


def test_on_sqlite_no_driver_of_another_database_is_imported(scaffold):
    code = (
        "import sys; from run import app; app.test_client().get('/health/ready'); "
        "print([name for name in ('psycopg2', 'pymysql') if name in sys.modules])"
    )

    assert scaffold.python("-c", code) == "[]\n"


def test_an_old_settings_file_still_starts(scaffold):
    scaffold.write("settings.py", 'APP_NAME = "Old shop"\n')

    page = scaffold.get("/")

    assert re.search(r"<title>\s*Welcome · Old shop\s*</title>", page)
    assert "It runs, and no module is installed yet" in page


def test_an_empty_settings_file_still_starts(scaffold):
    scaffold.write("settings.py", "")

    page = scaffold.get("/")

    assert "no module is installed yet" in page
