"""The API's OpenAPI 3.1 document, made once from resources and schemas, and its page."""

from typing import Any

from flask import Flask, Response, current_app, json, render_template, request

from core.openapi.document import document
from core.openapi.page import groups
from core.problem import DOCS
from core.setting import setting
from core.tags import conditional, tag_of

MEDIA_TYPE = "application/json"


def init_openapi(app: Flask) -> None:
    """Serve the document and its page under API_PREFIX; a module's route of the same URL wins."""
    app.extensions["openapi"] = {}
    prefix = setting("API_PREFIX")
    app.add_url_rule(f"{prefix}/openapi.json", "core.openapi", _document)
    app.add_url_rule(f"{prefix}/docs", DOCS, _docs)


def api_document() -> dict[str, Any]:
    """Return the document of the current application; it is made at the first call."""
    kept: dict[str, Any] = current_app.extensions["openapi"]
    if "document" not in kept:
        kept["document"] = document(current_app)
    made: dict[str, Any] = kept["document"]
    return made


def _document() -> Response:
    body, tag = _written(request.root_path)
    response = Response(body, mimetype=MEDIA_TYPE)
    response.set_etag(tag)
    return conditional(response)


def _written(root: str) -> tuple[bytes, str]:
    """Return the document as bytes, and their tag; behind a proxy the API may have a root path."""
    kept: dict[str, tuple[bytes, str]] = current_app.extensions["openapi"]
    key = f"written {root}"
    if key not in kept:
        body = json.dumps({**api_document(), "servers": [{"url": root or "/"}]}).encode() + b"\n"
        kept[key] = body, tag_of(body)
    return kept[key]


def _docs() -> str:
    found = api_document()
    return render_template("api_docs.html", document=found, groups=groups(found))
