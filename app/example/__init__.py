"""The monolithic module: categories and products, by browser."""

from flask import Blueprint

example_bp = Blueprint("example", __name__, url_prefix="/example", template_folder="templates")

MENU = [
    ("example.product_index", "Products"),
    ("example.category_index", "Categories"),
]

from . import routes
