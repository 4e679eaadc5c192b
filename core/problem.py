"""Problem details, the one shape of an error in the API (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Response, current_app, json, request

from core.logs import request_id
from core.setting import setting

MEDIA_TYPE = "application/problem+json"


def wants_problem() -> bool:
    """Tell whether the request is for an API: by its prefix, or by a blueprint made one."""
    prefix = setting("API_PREFIX")
    if request.path == prefix or request.path.startswith(f"{prefix}/"):
        return True
    return request.blueprint in current_app.extensions["api_blueprints"]


def problem(status: int, detail: str | None, errors: Mapping[str, Any] | None = None) -> Response:
    """Return a problem; `errors` is {"field": ["message"]}."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": request_id(),
    }
    if errors:
        body["errors"] = errors
    return Response(json.dumps(body) + "\n", status, mimetype=MEDIA_TYPE)
