"""The application of these tests, with the sample module, and applications of their own."""

import logging
import os
from contextlib import ExitStack

import pytest

import config
from core.application import Application
from core.factory import create_app
from core.setting import setting
from core.testing import app_on_test_database, use_default_settings
from services import db

TEST_DATABASE_URL = os.environ.get("TEST_DATABASE_URL", "")
# Without the product, whose templates and home page may have replaced core's.
INSTALLED_APPS = ["tests.sample"]


@pytest.fixture(scope="session")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            use_default_settings(patch)
            application = stack.enter_context(app_on_test_database(folder, INSTALLED_APPS))
        yield application


@pytest.fixture(autouse=True)
def default_settings(monkeypatch):
    """What a product chose, languages and templates among it, is not what these tests are about."""
    use_default_settings(monkeypatch)
    # Those of app/templates.
    monkeypatch.setattr(Application, "jinja_loader", None)


@pytest.fixture
def clean_environment(monkeypatch, tmp_path):
    """No variable of ours is set, and .env and instance/ are those of an empty folder."""
    before = dict(os.environ)
    for name in (*config.VARIABLES, "FLASK_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(config, "BASE_DIR", tmp_path)
    monkeypatch.setattr(config, "INSTANCE_DIR", tmp_path / "instance")
    yield
    # What a test's .env sets there for modules would stay for all others.
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def make_app(clean_environment, tmp_path):
    """Build applications with a configuration of their own, on an SQLite file if none is named."""
    applications = []
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def make(installed_apps=(), **overrides):
        url = f"sqlite:///{tmp_path.as_posix()}/own.db"
        configuration = {"APP_ENV": "testing", "DATABASE_URL": url, **overrides}
        application = create_app(configuration, list(installed_apps))
        applications.append(application)
        return application

    yield make
    for application in applications:
        with application.app_context():
            db.engine.dispose()
    root.handlers, root.level = handlers, level


@pytest.fixture
def production():
    """A configuration that production accepts."""
    return {
        "APP_ENV": "production",
        "SECRET_KEY": "kq8ZsW2vLx0nT5yJd7RfBc3HgMp9UaEi4XoV",
        "TRUSTED_HOSTS": "localhost",
    }


@pytest.fixture
def postgresql_url():
    if not TEST_DATABASE_URL.startswith("postgres"):
        pytest.skip("TEST_DATABASE_URL names no PostgreSQL database")
    return TEST_DATABASE_URL


@pytest.fixture(scope="session")
def inside():
    """The sample's API under API_PREFIX."""
    return f"{setting('API_PREFIX')}/sample"
