"""A module leaves without a trace, starts without the others, and survives a newer scaffold."""

import json
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

import settings
from config import BASE_DIR
from tests.documents import block_with
from tests.project import PYTHON, Project, tables

pytestmark = pytest.mark.structure

# What runs in a copy without the product is the same without the modules.
QUICK = "not structure and not browser and not mariadb and not slow and not postgresql and not bare"
CHECKS = {
    "ruff": [["check", "."], ["format", "--check", "."]],
    "importlinter": [],
    "djlint": [["--quiet", "--lint", "core", "app"], ["--check", "core", "app"]],
    "mypy": [[]],
}
OWN_TABLES = """
import json, sys
from importlib import import_module
from importlib.util import find_spec
from sqlalchemy import Table
from run import app
def own(entry):
    models = import_module(f"{entry}.models") if find_spec(f"{entry}.models") else None
    for value in vars(models).values() if models else ():
        table = getattr(value, "__table__", value)
        if isinstance(table, Table) and getattr(value, "__module__", entry).startswith(entry):
            yield table.name
print(json.dumps({entry: sorted(own(entry)) for entry in sys.argv[1:]}))
"""
# What each file of the user's is called, for git.
YOURS = ("app/", "settings.py", "alembic/versions/", "requirements-app.")


def folder_of(entry: str) -> str:
    return entry.replace(".", "/")


def sources(project: Project, entry: str) -> str:
    """Return the text of a module's code, its tests left out."""
    files = (project.root / folder_of(entry)).rglob("*.py")
    return "\n".join(
        file.read_text(encoding="utf-8") for file in files if "tests" not in file.parts
    )


class Modules:
    """The listed modules of a copy: what each owns, and which others it needs."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.entries = list(settings.INSTALLED_APPS)
        self.tables = json.loads(project.run(PYTHON, "-c", OWN_TABLES, *self.entries).stdout)

    def needs(self, entry: str) -> set[str]:
        """Return the modules that this one imports or has foreign keys to, and theirs."""
        text = sources(self.project, entry)
        direct = {
            other
            for other in self.entries
            if other != entry
            and (
                re.search(rf"\b{re.escape(other)}\b", text)
                or any(re.search(rf"['\"]{table}\.", text) for table in self.tables[other])
            )
        }
        return direct.union(*map(self.needs, direct))

    def needed_by(self, entry: str) -> set[str]:
        return {other for other in self.entries if entry in self.needs(other)}

    def delete(self, entries: set[str]) -> None:
        """Do what the README says: the entries, the folders, and their revisions."""
        for entry in entries:
            line = rf"^ *[\"']{re.escape(entry)}[\"'],\n"
            text = (self.project.root / "settings.py").read_text(encoding="utf-8")
            text = re.sub(line, "", text, flags=re.MULTILINE).replace("= [\n]", "= []")
            self.project.write("settings.py", text)
            shutil.rmtree(self.project.root / folder_of(entry))
        self._delete_revisions(entries)

    def _delete_revisions(self, entries: set[str]) -> None:
        """Delete revisions that are about tables of these modules alone, and close the gaps."""
        leaving = {table for entry in entries for table in self.tables[entry]}
        staying = {table for tables in self.tables.values() for table in tables} - leaving
        scripts = ScriptDirectory.from_config(Config(self.project.root / "alembic.ini"))
        after: dict[str, str | None] = {}
        for script in [*scripts.walk_revisions()][::-1]:
            text = Path(script.path).read_text(encoding="utf-8")
            down = after.get(str(script.down_revision), script.down_revision)
            if names(text, leaving) and not names(text, staying):
                after[script.revision] = down
                Path(script.path).unlink()
            else:
                assigned = f"down_revision = {down!r}"
                text = re.sub(r"down_revision = ['\"]\w+['\"]$", assigned, text, flags=re.MULTILINE)
                Path(script.path).write_text(text, encoding="utf-8")


def names(text: str, tables: set[str]) -> bool:
    return any(f'"{table}"' in text or f"'{table}'" in text for table in tables)


def run_tests(project: Project, folder: Path, *more: str) -> None:
    options = ["-q", "-p", "no:cacheprovider", f"--basetemp={folder}", "-m", QUICK]
    # Pytest's own filter makes warnings errors.
    result = project.having(PYTHONWARNINGS="").run("pytest", *options, *more)
    # 5: the modules that are left have no tests.
    assert result.returncode in (0, 5), result.stdout[-5000:] + result.stderr[-2000:]


def git(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    return subprocess.run(
        ["git", *identity, *command], cwd=folder, capture_output=True, text=True, check=False
    )


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    result = git(folder, "commit", "--quiet", "--no-verify", "-m", message)
    assert result.returncode == 0, result.stdout + result.stderr


def test_all_modules_leave_without_a_trace(project, tmp_path, sqlite_url):
    modules = Modules(project)

    modules.delete(set(modules.entries))

    # Some tests copy the project again, by what git would track.
    git(project.root, "init", "--quiet")
    # What mypy found out about the libraries is still true.
    known = {"MYPY_CACHE_DIR": str(BASE_DIR / ".mypy_cache")}
    for tool, commands in CHECKS.items():
        for arguments in commands if find_spec(tool) else []:
            project.having(PYTHONWARNINGS="", **known).python("-m", tool, *arguments)
    if find_spec("importlinter"):
        result = project.run("lint-imports", "--no-logo")
        assert result.returncode == 0, result.stdout
    run_tests(project, tmp_path / "nested", "--collect-only")


@pytest.mark.slow
def test_without_modules_the_tests_pass(project, tmp_path, sqlite_url):
    modules = Modules(project)

    modules.delete(set(modules.entries))

    git(project.root, "init", "--quiet")
    run_tests(project, tmp_path / "nested")


# The tests of the others take a minute; `make slow` runs them.
@pytest.mark.parametrize(
    "extent", ["--collect-only", pytest.param("--quiet", marks=pytest.mark.slow)]
)
def test_each_module_leaves_the_others_intact(tmp_path_factory, project, extent):
    for entry in settings.INSTALLED_APPS:
        folder = tmp_path_factory.mktemp("without")
        shutil.copytree(project.root, folder / "project")
        rest = Project(folder / "project").on(f"sqlite:///{folder.as_posix()}/own.db")
        modules = Modules(rest)

        modules.delete({entry, *modules.needed_by(entry)})

        rest.alembic("upgrade", "head")
        assert "No new upgrade operations" in rest.alembic("check")
        assert not tables(rest.variables["DATABASE_URL"]) & set(modules.tables[entry])
        rest.get("/")
        git(rest.root, "init", "--quiet")
        run_tests(rest, folder / "nested", extent, "-m", f"{QUICK} and not copied", "app")


def test_each_module_starts_without_the_others(project):
    modules = Modules(project)

    for entry in modules.entries:
        project.install(*sorted(modules.needs(entry)), entry)
        project.get("/")


def test_a_newer_scaffold_merges_into_a_product(tmp_path, project):
    scaffold, product = project.root, Project(tmp_path / "product")
    git(scaffold, "init", "--quiet", "--initial-branch=main")
    commit(scaffold, "A release")
    git(tmp_path, "clone", "--quiet", str(scaffold), str(product.root))

    product.write(
        "app/boats/__init__.py",
        "from flask import Blueprint\n\nbp = Blueprint('boats', __name__)\n",
    )
    product.write("app/boats/models.py", "from core.models import Base\n")
    product.write("alembic/versions/boats.py", "revision = 'boats'\n")
    product.add_entry("app.boats")
    product.replace("settings.py", 'APP_NAME = "', 'APP_NAME = "Boats and ')
    product.write("requirements-app.in", "# boats\n")
    commit(product.root, "Our product")
    tracked = git(scaffold, "ls-files").stdout.splitlines()
    theirs = [name for name in tracked if not name.startswith(YOURS)]
    for name in theirs:
        with (scaffold / name).open("ab") as file:
            file.write(b"\n# Newer.\n")
    commit(scaffold, "A newer release")

    git(product.root, "fetch", "--quiet")
    result = git(product.root, "merge", "--no-edit", "origin/main")

    assert result.returncode == 0, result.stdout + result.stderr
    assert "core/factory.py" in theirs
    for name in theirs:
        assert (product.root / name).read_bytes().endswith(b"# Newer.\n")
    assert '"app.boats"' in (product.root / "settings.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("document", ["README.md", "README.es.md"])
def test_a_demo_that_the_newer_scaffold_added_to_stays_deleted(tmp_path, scaffold, document):
    commands = block_with(BASE_DIR / document, "sh", "git rm").text.splitlines()
    folder = commands[0].split()[-1]
    product = tmp_path / "product"
    demo = scaffold.write(f"{folder}/routes.py", "A = 1\n")
    git(scaffold.root, "init", "--quiet", "--initial-branch=main")
    commit(scaffold.root, "A release")
    git(tmp_path, "clone", "--quiet", str(scaffold.root), str(product))
    shutil.rmtree(product / folder)
    commit(product, "Without the demo")
    demo.write_text("A = 2\n")
    scaffold.write(f"{folder}/more.py", "B = 1\n")
    commit(scaffold.root, "A newer release")
    git(product, "fetch", "--quiet")
    assert git(product, "merge", "--no-edit", "origin/main").returncode != 0

    results = [git(product, *command.split()[1:]) for command in commands]

    assert [result.returncode for result in results] == [0, 0], results
    assert git(product, "status", "--porcelain").stdout == ""
    assert not (product / folder).exists()
