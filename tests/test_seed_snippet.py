"""The text the project comes from, command for command (seed.es.md), with modules of one's own."""

from urllib.request import urlopen

import pytest

from tests.project import tables

# As the seed has it, but for the name of the blueprint.
SNIPPET = """
from flask import Blueprint
{name}_bp = Blueprint('{name}', __name__)
from . import archivo_rutas
"""
ROUTES = """
from . import {name}_bp


@{name}_bp.route("/{folder}/hola")
def hola():
    return "hola desde {folder}"
"""
MODELS = {
    "the-scaffolds-base": """
from sqlalchemy.orm import Mapped, mapped_column

from core.models import Base


class Cliente(Base):
    __tablename__ = "{folder}_cliente"

    id: Mapped[int] = mapped_column(primary_key=True)
""",
    "a-base-of-its-own": """
from sqlalchemy import Column, Integer
from sqlalchemy.orm import declarative_base

Base = declarative_base()


class Cliente(Base):
    __tablename__ = "{folder}_cliente"

    id = Column(Integer, primary_key=True)
""",
}
SEED_EDIT = """
from app.ventas import models as ventas_models
from app.compras import models as compras_models
target_metadata = [ventas_models.Base.metadata, compras_models.Base.metadata]
"""
CLEAN = "No new upgrade operations detected"


def write_module(project, folder, name, models):
    """Make a module as the seed shows; listing it is left to the test."""
    project.write(f"app/{folder}/__init__.py", SNIPPET.format(name=name))
    project.write(f"app/{folder}/archivo_rutas.py", ROUTES.format(folder=folder, name=name))
    project.write(f"app/{folder}/models.py", MODELS[models].format(folder=folder))


@pytest.fixture
def two_modules(scaffold):
    """Two modules of the seed, one on each kind of base."""
    write_module(scaffold, "ventas", "api", "the-scaffolds-base")
    write_module(scaffold, "compras", "otro_nombre", "a-base-of-its-own")
    scaffold.install("app.ventas", "app.compras")
    return scaffold


@pytest.mark.parametrize("models", MODELS)
@pytest.mark.parametrize("name", ["api", "cualquier_nombre"])
def test_a_module_made_as_the_seed_shows_is_served(scaffold, sqlite_url, name, models):
    write_module(scaffold, "ventas", name, models)
    scaffold.install("app.ventas")

    answer = scaffold.on(sqlite_url).get("/ventas/hola")

    assert answer.strip() == "hola desde ventas"


def test_autogenerate_sees_the_modules_without_an_edit(two_modules, database_url):
    project = two_modules.on(database_url)

    output = project.alembic_each("revision --autogenerate -m Message", "upgrade head", "check")

    assert tables(database_url) == {"ventas_cliente", "compras_cliente"}
    assert CLEAN in output


@pytest.mark.parametrize("keep", [False, True], ids=["in-place-of-ours", "after-ours"])
def test_the_seeds_edit_of_env_py_changes_nothing(two_modules, sqlite_url, keep):
    project = two_modules.on(sqlite_url)
    project.alembic_each("revision --autogenerate -m Message", "upgrade head")

    project.edit_env(SEED_EDIT, keep=keep)

    assert CLEAN in project.alembic("check")


def test_two_blueprints_of_one_name_are_refused_with_a_sentence(two_modules, sqlite_url):
    write_module(two_modules, "compras", "api", "a-base-of-its-own")

    output = two_modules.on(sqlite_url).alembic_fails("current")

    assert output.strip() == (
        "FAILED: INSTALLED_APPS lists 'app.compras', whose blueprint 'api' has the name of the one "
        "in app.ventas: give it another name in Blueprint(...)."
    )


def test_the_seeds_installation_serves_and_migrates(project, database_url):
    """`.env`, upgrade, serve, a module, revision, upgrade, serve: each a command of its own."""
    environment = (project.root / ".env.example").read_text(encoding="utf-8")
    project.write(".env", f"{environment}\nDATABASE_URL={database_url}\n")

    project.alembic("upgrade", "head")
    with project.serving() as url, urlopen(f"{url}/health/live") as answer:
        assert answer.status == 200
    write_module(project, "ventas", "nuevo", "a-base-of-its-own")
    project.add_entry("app.ventas")
    project.alembic("revision", "--autogenerate", "-m", "Message for migrate")
    project.alembic("upgrade", "head")

    assert "ventas_cliente" in tables(database_url)
    with project.serving() as url, urlopen(f"{url}/ventas/hola") as answer:
        assert answer.read() == b"hola desde ventas"
