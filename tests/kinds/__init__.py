"""A module for the tests of plans and cursors: a column of each kind, relations, and its list."""

from flask import Blueprint

kinds_bp = Blueprint("kinds", __name__, url_prefix="/kinds")

from . import resources  # noqa: E402, F401 - it needs the blueprint above
