"""A module for the tests of limits: an API in two versions and a page, some with limits."""

from flask import Blueprint

from core.setting import setting

limited_bp = Blueprint("limited", __name__, url_prefix=f"{setting('API_PREFIX')}/limited")
next_bp = Blueprint("limited_v2", __name__, url_prefix="/api/v2/limited")
pages_bp = Blueprint("limited_pages", __name__, url_prefix="/limited")

from . import resources  # noqa: E402, F401 - they need the blueprints above
