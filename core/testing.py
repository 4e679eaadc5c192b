"""The fixtures of all tests: an application, an isolated database, a live server, a browser."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from flask import Flask
from flask.testing import FlaskClient
from limits.storage import MemoryStorage
from sqlalchemy import URL, MetaData, create_engine, inspect, text

import settings
from config import BASE_DIR, parse_url
from core.factory import create_app
from core.modules import installed_metadata
from core.setting import DEFAULTS
from services import db, limiter

# The commands that tests start are tested too, and must not read .env.
os.environ["APP_ENV"] = "testing"
os.environ["FLASK_SKIP_DOTENV"] = "1"
# Each process of pytest-xdist takes a database of its own.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
# A number for each application that a test process builds.
NUMBERS = count(1)
# Types of requests whose answer is what the page shows, even if it is an error.
ANSWERS = ("document", "fetch", "xhr")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="A skipped test fails the run.")


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--no-skips") and reporter and reporter.stats.get("skipped"):
        reporter.write_line("Tests were skipped, which --no-skips forbids.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The application with the modules of settings.INSTALLED_APPS on the tests' database."""
    with app_on_test_database(tmp_path_factory.mktemp("database")) as application:
        yield application


def use_default_settings(patch: pytest.MonkeyPatch) -> None:
    """Set the settings that a request reads to the scaffold's defaults: a product has its own."""
    for name in ("PER_PAGE", "MAX_PER_PAGE", "CSP", "LANGUAGES", "TIMEZONE", "CURRENCY"):
        patch.setattr(settings, name, DEFAULTS[name], raising=False)


@contextmanager
def app_on_test_database(folder: Path, installed_apps: list[str] | None = None) -> Iterator[Flask]:
    """Build an application on TEST_DATABASE_URL or on an SQLite file, with fresh tables."""
    shared = os.environ.get("TEST_DATABASE_URL") and not WORKER
    with nullcontext("") if shared else scratch_database(folder, f"main{next(NUMBERS)}") as url:
        application = create_app({"APP_ENV": "testing", "DATABASE_URL": url}, installed_apps)
        # An upload of a test must not get into the product's files.
        application.instance_path = str(folder)
        # A fresh clone has no jsonschema; with it, as in `make check`, the API must keep its word.
        conformance = import_module("core.conformance") if find_spec("jsonschema") else None
        application.test_client_class = conformance.ConformingClient if conformance else Client
        # So that a view's commit or rollback ends a savepoint inside the test's transaction.
        db.session.session_factory.configure(join_transaction_mode="create_savepoint")
        with application.app_context():
            for metadata in (_left_behind(), *installed_metadata()):
                metadata.drop_all(db.engine)
            for metadata in installed_metadata():
                metadata.create_all(db.engine)
        yield application
        with application.app_context():
            db.engine.dispose()


def _left_behind() -> MetaData:
    """Return the tables of removed modules that refer to tables which are dropped here."""
    ours = {table.name for metadata in installed_metadata() for table in metadata.sorted_tables}
    keys = inspect(db.engine).get_multi_foreign_keys().items()
    needs = {name: {key["referred_table"] for key in found} for (_, name), found in keys}
    left: set[Any] = set()
    while more := {name for name, to in needs.items() if to & (ours | left)} - ours - left:
        left |= more
    metadata = MetaData()
    metadata.reflect(db.engine, only=sorted(left))
    return metadata


class Client(FlaskClient):
    """Flask's client; it reads answers to their end, as a stream keeps its connection open."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        response = super().open(*args, **{"buffered": True, **kwargs})
        # The body of a form with a file of 500 KB or more is a file, which nothing else closes.
        sent = response.request.environ["wsgi.input"]
        if "input_stream" not in kwargs and not isinstance(sent, BytesIO):
            sent.close()
        return response


@pytest.fixture
def isolated(app: Flask) -> Iterator[None]:
    """Run the test inside one transaction that is rolled back at its end, with no limit used up."""
    # Only limits counted in this process: a Redis may be shared with others.
    if limiter.initialized and isinstance(limiter.storage, MemoryStorage):
        limiter.storage.reset()
    # Private, but the only way: a session bound to the connection would ask for the engine again.
    engines = db._app_engines[app]
    engine = engines[None]
    with engine.connect() as connection:
        transaction = connection.begin()
        engines[None] = connection  # type: ignore[assignment]
        yield
        engines[None] = engine
        transaction.rollback()


@pytest.fixture
def client(app: Flask, isolated: None) -> FlaskClient:
    """A client; hold no app context around its calls, or they share its session."""
    return app.test_client()


@pytest.fixture
def save(app: Flask, isolated: None) -> Callable[[Any], Any]:
    """Store a record, as save(Category(name="Tea")); return it detached, with its id."""

    def store(record: Any) -> Any:
        with app.app_context():
            db.session.add(record)
            db.session.commit()
            db.session.refresh(record)
            db.session.expunge_all()
        return record

    return store


@dataclass(frozen=True)
class LiveServer:
    """A production server of its own, and the database it works on."""

    url: str
    environment: dict[str, str]


@pytest.fixture(scope="session")
def live_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """gunicorn with APP_ENV=production on a migrated database with the modules' demo data."""
    folder = tmp_path_factory.mktemp("live")
    with scratch_database(folder) as database_url:
        environment = production_environment(database_url)
        run(["alembic", "upgrade", "head"], environment)
        run(["flask", "seed", "--rows", "45", "--force"], environment)
        with served(environment) as url:
            yield LiveServer(url, environment)


def production_environment(database_url: str) -> dict[str, str]:
    """Return the environment of a production process on this machine, over plain http."""
    return {
        **os.environ,
        "APP_ENV": "production",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "TRUSTED_HOSTS": "127.0.0.1",
        "DATABASE_URL": database_url,
        "COOKIE_SECURE": "false",
        "PORT": str(free_port()),
        "FLASK_APP": "run",
    }


@contextmanager
def scratch_database(folder: Path, name: str = "live", server: str | None = None) -> Iterator[str]:
    """Make an empty database beside `server`, or an SQLite file if that is ""; drop it afterwards.

    By default it is beside TEST_DATABASE_URL.
    """
    given = os.environ.get("TEST_DATABASE_URL", "") if server is None else server
    if not given:
        yield f"sqlite:///{folder.as_posix()}/{name}.db"
        return
    url = parse_url("TEST_DATABASE_URL", given)
    base = str(url.database).removesuffix("_test")
    own = url.set(database=f"{base}_{name}{WORKER}_test")
    # FORCE: a stream that a test did not read to its end keeps its connection open. Encoding: not
    # every server's databases hold any text by default.
    force, encoding = "", "CHARACTER SET utf8mb4"
    if url.get_backend_name() == "postgresql":
        force, encoding = " WITH (FORCE)", "ENCODING 'UTF8' TEMPLATE template0"
    drop = f"DROP DATABASE IF EXISTS {own.database}{force}"
    _administer(url, drop, f"CREATE DATABASE {own.database} {encoding}")
    yield own.render_as_string(hide_password=False)
    _administer(url, drop)


def _administer(url: URL, *statements: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def run(command: list[str], environment: dict[str, str], cwd: Path = BASE_DIR) -> str:
    """Run a tool of the virtual environment; return what it printed. Fails the test if it fails."""
    result = subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    return output


@contextmanager
def served(
    environment: dict[str, str], cwd: Path = BASE_DIR, until: str = "/health/ready"
) -> Iterator[str]:
    """Serve a folder's `run:app` with gunicorn; yield its URL when `until` answers there."""
    url = f"http://127.0.0.1:{environment['PORT']}"
    command = [sys.executable, "-m", "gunicorn", "run:app"]
    with subprocess.Popen(command, cwd=cwd, env=environment) as process:
        try:
            wait_for(f"{url}{until}")
            yield url
        finally:
            process.terminate()


def wait_for(url: str, seconds: float = 20) -> None:
    """Wait until the URL answers 200."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urlopen(url, timeout=5):
                return
        except OSError as error:
            if isinstance(error, HTTPError):
                error.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def free_port() -> int:
    """Return a port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium of this machine, driven by Playwright; the test is skipped where one is missing."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
    if path is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any, live_server: LiveServer) -> Iterator[Any]:
    """A new browser page on the live server; any console error or missing file fails the test."""
    context = browser.new_context(base_url=live_server.url)
    page = context.new_page()
    errors = errors_of(page)
    yield page
    context.close()
    assert errors == []


def errors_of(page: Any) -> list[str]:
    """Return a list that fills with what goes wrong on a browser's page."""
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if _is_error(message) else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("response", lambda one: errors.extend([one.url] if _is_missing(one) else []))
    return errors


def _is_error(message: Any) -> bool:
    # Chromium reports every answer from 400 on, even an expected one: _is_missing() filters them.
    return bool(message.type == "error" and "Failed to load resource" not in message.text)


def _is_missing(response: Any) -> bool:
    """Tell whether a file that a page loads is missing; an error page itself is expected."""
    return bool(response.status >= 400 and response.request.resource_type not in ANSWERS)
