"""A copy of the project that a test may change, and the commands that run in it."""

import atexit
import compileall
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Connection, create_engine, inspect

from config import BASE_DIR, VARIABLES, parse_url
from core.factory import create_app
from core.testing import free_port, scratch_database, wait_for
from services import db
from tests import warm

PYTHON = Path(sys.executable).name
# Where each engine's tests find their server; SQLite needs none.
SERVERS = {"sqlite": "", "postgresql": "TEST_DATABASE_URL", "mariadb": "TEST_MARIADB_URL"}
ENGINES = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.postgresql),
    pytest.param("mariadb", marks=pytest.mark.mariadb),
]


def mostly_on(chosen: str) -> pytest.MarkDecorator:
    """Run a test on one engine, and on the others, where it says nothing new, by `make slow`."""
    engines = []
    for name in SERVERS:
        marks = [] if name == "sqlite" else [getattr(pytest.mark, name)]
        marks += [] if name == chosen else [pytest.mark.slow]
        engines.append(pytest.param(name, marks=marks))
    return pytest.mark.parametrize("database_url", engines, indirect=True)


# Fixtures that are SQLite's or start from nothing, and those that are the servers'.
OWN = {"sqlite_url", "project", "scaffold"}
SHARED = {"app", "database_url", "live_server", "postgresql_url"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that are the same whatever runs around them, so that none is run for nothing.

    `sqlite`: no server is part of it. `copied`: it runs in a copy of the project. `bare`: one
    without the product. `extra`: `make test` may lack the packages that its file needs.
    """
    for item in items:
        if _needs_extras(item.path):
            item.add_marker("extra")
        names = set(getattr(item, "fixturenames", ()))
        callspec = getattr(item, "callspec", None)
        is_param = callspec is not None and "sqlite" in callspec.params.values()
        if is_param or (names & OWN and not names & SHARED):
            item.add_marker("sqlite")
        if names & {"project", "scaffold"}:
            item.add_marker("copied")
        if "scaffold" in names:
            item.add_marker("bare")


@cache
def _needs_extras(path: Path) -> bool:
    """Tell whether a test file or the conftest.py beside it asks for packages of the checks."""
    files = (path, path.with_name("conftest.py"))
    return any("importorskip(" in file.read_text("utf-8") for file in files if file.exists())


@dataclass(frozen=True)
class Project:
    """A folder with the project's files, and the variables its commands see."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)

    def on(self, database_url: str) -> "Project":
        return self.having(DATABASE_URL=database_url)

    def having(self, **variables: str) -> "Project":
        return replace(self, variables={**self.variables, **variables})

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def replace(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text(encoding="utf-8")
        assert old in text, f"{path} has no {old!r}"
        self.write(path, text.replace(old, new))

    def install(self, *entries: str) -> None:
        """List these modules and no others."""
        with (self.root / "settings.py").open("a", encoding="utf-8") as file:
            file.write(f"\nINSTALLED_APPS = {list(entries)!r}\n")

    def add_entry(self, entry: str) -> None:
        """List one more module, as its author would: in the list in settings.py."""
        path = self.root / "settings.py"
        opening = re.compile(r"^INSTALLED_APPS.*= \[", re.MULTILINE)
        added = opening.sub(rf'\g<0>\n    "{entry}",', path.read_text(encoding="utf-8"))
        path.write_text(added, encoding="utf-8")

    def add_module(self, name: str, models: str) -> None:
        """Make and list a module of its own with these models and no routes."""
        self.write(
            f"app/{name}/__init__.py",
            f"from flask import Blueprint\n\nbp = Blueprint({name!r}, __name__)\n",
        )
        self.write(f"app/{name}/models.py", models)
        self.install(f"app.{name}")

    def revision(self, *options: str) -> Path:
        """Let autogenerate write a revision; return its file."""
        before = self.revisions
        self.alembic("revision", "--autogenerate", "-m", "made", *options)
        return (self.revisions - before).pop()

    @property
    def revisions(self) -> set[Path]:
        return set((self.root / "alembic/versions").glob("*.py"))

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment without the variables of the project and of its tests."""
        outer = {*VARIABLES, *SERVERS.values(), "FLASK_SKIP_DOTENV", "FLASK_APP", "FLASK_DEBUG"}
        return {
            **{key: value for key, value in os.environ.items() if key not in outer},
            # A file written twice in one second would run from the first one's bytecode.
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONWARNINGS": "error,ignore:Skipped unsupported reflection",
            # Those of the checks alone take seconds to load.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            # Beside the copy: in the folder of all runs it would clear away what earlier ones left.
            "PYTEST_DEBUG_TEMPROOT": str(self.root.parent),
            **self.variables,
        }

    def run(self, *command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program of the virtual environment in the copy."""
        program = shutil.which(command[0], path=str(Path(sys.executable).parent))
        assert program, f"{command[0]} is not installed"
        # The others are no Python, or load little of what we do.
        if warm.AVAILABLE and command[0] in (PYTHON, "alembic", "flask", "pytest"):
            line = command[1:] if command[0] == PYTHON else (program, *command[1:])
            return warm.run(line, cwd or self.root, self.environment)
        return subprocess.run(
            [program, *command[1:]],
            cwd=cwd or self.root,
            env=self.environment,
            capture_output=True,
            text=True,
        )

    def python(self, *arguments: str) -> str:
        return _succeeded(self.run(PYTHON, *arguments))

    def alembic(self, *arguments: str) -> str:
        return _succeeded(self.run("alembic", *arguments))

    def alembic_each(self, *commands: str) -> str:
        """Run several commands in one process: to start it takes longer than to run them."""
        code = (
            "import sys; from alembic.config import main; [main(c.split()) for c in sys.argv[1:]]"
        )
        return self.python("-c", code, *commands)

    def alembic_fails(self, *arguments: str) -> str:
        result = self.run("alembic", *arguments)
        assert result.returncode != 0, result.stdout + result.stderr
        return result.stdout + result.stderr

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Run `python run.py` in the copy; yield its URL when it answers."""
        port = free_port()
        project = self.having(PORT=str(port))
        with subprocess.Popen(
            [sys.executable, "run.py"],
            cwd=project.root,
            env=project.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                wait_for(f"http://127.0.0.1:{port}/health/ready")
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()

    def edit_env(self, lines: str, *, keep: bool) -> None:
        """Type lines into alembic/env.py after our target_metadata line, or in its place."""
        ours = "target_metadata = module_metadata()\n"
        self.replace("alembic/env.py", ours, (ours if keep else "") + lines)

    def get(self, url: str) -> str:
        """Return what the application in the copy answers at this URL."""
        code = (
            "import sys; from run import app; headers = {'Accept-Language': 'en'}\n"
            "print(app.test_client().get(sys.argv[1], headers=headers).text)"
        )
        return self.python("-c", code, url)


def _succeeded(result: subprocess.CompletedProcess[str]) -> str:
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    return output


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The project as it is, in a folder of its own."""
    return copy_project(tmp_path / "project")


@pytest.fixture
def scaffold(project: Project) -> Project:
    """The project without its product: no modules and no revisions."""
    return without_product(project)


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database on each engine that there is a server for."""
    with empty_database(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path.as_posix()}/own.db"


def copy_project(folder: Path) -> Project:
    """Copy what git tracks or would track; neither secrets nor databases."""
    shutil.copytree(_original(), folder)
    return Project(folder)


@cache
def _original() -> Path:
    """Make the copy that others are copied from, whose code is compiled already."""
    folder = Path(tempfile.mkdtemp(prefix="original-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=BASE_DIR, capture_output=True, text=True)
    names = listing.stdout.split("\0") if listing.returncode == 0 else _names_without_git()
    for name in names:
        if name and (BASE_DIR / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(BASE_DIR / name, folder / name)
    for name in ("core", "app", "tests/sample"):
        compileall.compile_dir(folder / name, quiet=2)
    compileall.compile_dir(folder, maxlevels=0, quiet=2)
    return folder


def _names_without_git() -> list[str]:
    """Name the files of a downloaded archive: all but what was made in it since."""
    made = {".venv", "instance", "__pycache__", ".env"}
    files = (path.relative_to(BASE_DIR) for path in BASE_DIR.rglob("*"))
    return [str(path) for path in files if not made.intersection(path.parts)]


def without_product(project: Project) -> Project:
    for folder in [*(project.root / "app").glob("*/"), project.root / "alembic/versions"]:
        shutil.rmtree(folder, ignore_errors=True)
    # A fixture for all of its modules, say.
    for file in (project.root / "app").glob("*.py"):
        if file.name != "__init__.py":
            file.unlink()
    settings = (project.root / "settings.py").read_text(encoding="utf-8")
    project.write("settings.py", f'{settings}\nLANGUAGES = ["en", "es"]\n')
    project.install()
    return project


@contextmanager
def empty_database(engine: str, folder: Path, name: str = "own") -> Iterator[str]:
    server = os.environ.get(SERVERS[engine], "")
    if SERVERS[engine] and not server:
        pytest.skip(f"{SERVERS[engine]} is not set")
    with scratch_database(folder, name, server) as url:
        yield url


@contextmanager
def app_on(engine: str, folder: Path, entry: str) -> Iterator[Flask]:
    """Build an application with one module of the tests, whose tables carry its name."""
    name = entry.rpartition(".")[2]
    with empty_database(engine, folder, name) as url:
        application = create_app({"APP_ENV": "testing", "DATABASE_URL": url}, [entry])
        with application.app_context():
            tables = [one for one in db.metadata.sorted_tables if one.name.startswith(f"{name}_")]
            db.metadata.create_all(db.engine, tables=tables)
        yield application
        with application.app_context():
            db.session.remove()
            db.engine.dispose()


@contextmanager
def connected(database_url: str) -> Iterator[Connection]:
    """Connect from this process; commit at the end."""
    engine = create_engine(parse_url("DATABASE_URL", database_url))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def tables(database_url: str) -> set[str]:
    """Return the names of the tables, Alembic's own left out."""
    with connected(database_url) as connection:
        return set(inspect(connection).get_table_names()) - {"alembic_version"}


def count(database_url: str, table: str) -> int:
    with connected(database_url) as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())
