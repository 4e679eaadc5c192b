"""Problem details, the one shape of an error in the API (RFC 9457)."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Response, current_app, json, request
from werkzeug.exceptions import MethodNotAllowed, NotFound

from core.logs import request_id
from core.setting import setting

MEDIA_TYPE = "application/problem+json"
# The one page under the API's prefix, made in core/openapi/.
DOCS = "core.docs"
# A variable part in the url_prefix of a blueprint.
VARIABLE = re.compile("<[^>]*>")
# RFC 9110's names of these statuses, which Python has since 3.13.
TITLES = {status.value: status.phrase for status in HTTPStatus} | {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}


def title_of(status: int) -> str:
    """Return the name of a status; for one that no RFC names, its class's name (RFC 9110, 15)."""
    return TITLES.get(status) or TITLES[500 if status >= 500 else 400]


def wants_problem() -> bool:
    """Tell whether the request is for an API: by its prefix, or its blueprint."""
    if request.endpoint == DOCS:
        return False
    if _is_below(setting("API_PREFIX")):
        return True
    if isinstance(request.routing_exception, NotFound):
        return any(_is_below(one) for one in current_app.extensions["api_prefixes"])
    return _blueprint() in current_app.extensions["api_blueprints"]


def _is_below(prefix: str | None) -> bool:
    path = f"{request.path}/"
    if prefix and "<" in prefix:
        parts = map(re.escape, VARIABLE.split(f"{prefix}/"))
        return bool(re.match("[^/]+".join(parts), path))
    return bool(prefix) and path.startswith(f"{prefix}/")


def _blueprint() -> str | None:
    """Return the request's blueprint; after a 405, that of the URL's other methods."""
    error = request.routing_exception
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        adapter: Any = current_app.create_url_adapter(request)
        endpoint: str = adapter.match(method=next(iter(error.valid_methods)))[0]
        return endpoint.rpartition(".")[0]
    return request.blueprint


def problem(status: int, detail: str | None, errors: Mapping[str, Any] | None = None) -> Response:
    """Return a problem; `errors` is {"field": ["message"]}."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title_of(status),
        "status": status,
        "detail": detail and str(detail),
        "request_id": request_id(),
    }
    if errors:
        body["errors"] = errors
    return Response(json.dumps(body) + "\n", status, mimetype=MEDIA_TYPE)
