"""A module for the tests of limits: an API in two versions, one with a guard, and a page."""

from flask import Blueprint, abort, request

from core.setting import setting
from services import limiter

limited_bp = Blueprint("limited", __name__, url_prefix=f"{setting('API_PREFIX')}/limited")
guarded_bp = Blueprint("limited_guarded", __name__, url_prefix=f"{setting('API_PREFIX')}/limited")
next_bp = Blueprint("limited_v2", __name__, url_prefix="/api/v2/limited")
whole_bp = Blueprint("limited_whole", __name__, url_prefix=f"{setting('API_PREFIX')}/limited")
pages_bp = Blueprint("limited_pages", __name__, url_prefix="/limited")


@guarded_bp.before_request
def require_key() -> None:
    if request.headers.get("X-API-Key") != "open":
        abort(401)


limiter.limit("2/minute")(whole_bp)

from . import resources  # noqa: E402, F401 - they need the blueprints above
