"""A module for the tests of core: pages, an API under API_PREFIX, and one outside of it."""

from flask import Blueprint

from core.setting import setting

sample_bp = Blueprint("sample", __name__, url_prefix="/sample", template_folder="templates")
inside_bp = Blueprint("sample_inside", __name__, url_prefix=f"{setting('API_PREFIX')}/sample")
outside_bp = Blueprint("sample_outside", __name__, url_prefix="/outside")

MENU = [("sample.thing_index", "Things")]

from . import resources, routes  # noqa: E402, F401 - they need the blueprints above
