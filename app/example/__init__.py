"""The monolithic module: categories and products, by browser."""

from flask import Blueprint
from flask_babel import lazy_gettext as _l

example_bp = Blueprint("example", __name__, url_prefix="/example", template_folder="templates")

# `flask doctor --deploy` refuses a demo: everyone may write into it.
DEMO = True
MENU = [
    ("example.dashboard", _l("Dashboard")),
    ("example.product_index", _l("Products")),
    ("example.category_index", _l("Categories")),
]

from . import routes
