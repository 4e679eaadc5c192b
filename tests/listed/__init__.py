"""A module for the tests of lists, languages and files: its model has a column of each kind."""

from flask import Blueprint
from flask_babel import lazy_gettext as _l

listed_bp = Blueprint(
    "listed",
    __name__,
    url_prefix="/listed",
    template_folder="templates",
    static_folder="static",
)

MENU = [("listed.entry_index", _l("Entries"))]

from . import routes  # noqa: E402, F401 - it needs the blueprint above
