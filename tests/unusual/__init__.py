"""A module for the tests of what models may be besides a table of plain columns."""

from flask import Blueprint

unusual_bp = Blueprint("unusual", __name__, url_prefix="/unusual")

from . import resources  # noqa: E402, F401 - it needs the blueprint above
