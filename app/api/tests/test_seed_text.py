"""The seed's own lines, which name both demo modules, beside the demo."""

from importlib.util import find_spec

import pytest

SEED_EDIT = """
from app.example import models as example_models
from app.api import models as api_models
target_metadata = [example_models.Base.metadata, api_models.Base.metadata]
"""
SEED_SNIPPET = """
from flask import Blueprint
api_bp = Blueprint('api', __name__)
from . import archivo_rutas
"""


# The lines need both modules; whoever deleted the other one has no use for this promise.
if find_spec("app.example"):

    @pytest.mark.parametrize("keep", [False, True], ids=["in-place-of-ours", "after-ours"])
    def test_the_seeds_edit_of_env_py_changes_nothing(project, sqlite_url, keep):
        project = project.on(sqlite_url)
        project.install("app.example", "app.api")
        project.alembic("upgrade", "head")

        project.edit_env(SEED_EDIT, keep=keep)

        assert "No new upgrade operations detected" in project.alembic("check")


def test_the_seeds_module_beside_this_one_is_told_of_the_clash(project, sqlite_url):
    project.write("app/seed/__init__.py", SEED_SNIPPET)
    project.write("app/seed/archivo_rutas.py", "from . import api_bp\n")
    project.install("app.api", "app.seed")

    output = project.on(sqlite_url).alembic_fails("current")

    assert output.strip() == (
        "FAILED: INSTALLED_APPS lists 'app.seed', whose blueprint 'api' has the name of the one in "
        "app.api: give it another name in Blueprint(...)."
    )
