"""The RESTful module: authors and books, by JSON."""

from flask import Blueprint

from core.setting import setting

api_bp = Blueprint("api", __name__, url_prefix=setting("API_PREFIX"))

# `flask doctor --deploy` refuses a demo: everyone may write into it.
DEMO = True

from . import resources
