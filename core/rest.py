"""The API side: Flask-RESTful tamed, the shapes of items and lists, ETags and preconditions."""

import hashlib
import re
from typing import Any

import flask_restful
from flask import Blueprint, Flask, Response, json, request, url_for
from sqlalchemy import Select
from werkzeug.exceptions import BadRequest, PreconditionFailed, RequestEntityTooLarge

from core.encoding import JSONProvider
from core.listing import MAX_OFFSET, rows_of
from core.schemas import Schema
from core.setting import setting
from services import csrf, ma

LIST_PARAMETERS = ("page", "per_page")
# Compression on the way marks a tag as weak or with its own name; it is still our version.
ETAG = re.compile(r'(?:W/)?"([^"]*?)(?:[:-](?:gzip|br|zstd|deflate))?"')


def init_rest(app: Flask) -> None:
    """Bind the serialiser and the JSON provider."""
    app.json = JSONProvider(app)
    app.extensions["api_blueprints"] = set()
    ma.init_app(app)


class Api(flask_restful.Api):  # type: ignore[misc]
    """Flask-RESTful's Api for one blueprint: its errors are problems, its routes free of CSRF.

    API clients send no session cookie. Where a resource accepts it, protect that resource again.
    """

    def __init__(self, blueprint: Blueprint, **kwargs: Any) -> None:
        super().__init__(blueprint, **kwargs)
        csrf.exempt(blueprint)
        blueprint.record(lambda state: state.app.extensions["api_blueprints"].add(blueprint.name))

    def error_router(self, original_handler: Any, e: Exception) -> Any:
        # Flask-RESTful would answer in production, and only there, past the app's own handlers.
        return original_handler(e)


class Resource(flask_restful.Resource):  # type: ignore[misc]
    """The base of the modules' resources; its methods return what item() or page_of() made."""


def body() -> Any:
    """Return the JSON sent; 400 if it is none, 413 if too long, 415 if of another media type."""
    if request.content_length is None and len(request.get_data()) == request.max_content_length:
        # Werkzeug cuts a chunked body off at the limit without a word.
        raise RequestEntityTooLarge
    return request.get_json()


def item(schema: Schema, record: Any, status: int = 200, location: str | None = None) -> Response:
    """Answer {"data": ...} with its ETag; 304 if the client has it already."""
    response = _json({"data": schema.dump(record)}, status)
    response.set_etag(_tag(response))
    if location:
        response.headers["Location"] = location
    if request.method in ("GET", "HEAD"):
        response.make_conditional(request)
    return response


def check_match(schema: Schema, record: Any) -> None:
    """Answer 412 if the client's If-Match names another state than the record's (RFC 9110 13.1.1).

    The version column then guards the moment between this check and the commit.
    """
    if "If-Match" not in request.headers or request.headers["If-Match"].strip() == "*":
        return
    if _tag(_json({"data": schema.dump(record)})) not in ETAG.findall(request.headers["If-Match"]):
        raise PreconditionFailed("The record has changed since you read it: read it again.")


def page_of(schema: Schema, statement: Select[Any]) -> Response:
    """Answer one page of a select as {"data", "meta", "links"}; 400 for unknown parameters."""
    page, per_page = _page_parameters()
    rows = rows_of(statement, page, per_page)
    meta = {
        "page": page,
        "per_page": per_page,
        "total": rows.total,
        "total_is_estimate": False,
        "next_cursor": None,
    }
    links = _links(page, per_page, rows.pages)
    return _json({"data": schema.dump(rows.items, many=True), "meta": meta, "links": links})


def _page_parameters() -> tuple[int, int]:
    unknown = sorted(set(request.args) - set(LIST_PARAMETERS))
    if unknown:
        allowed = ", ".join(LIST_PARAMETERS)
        raise BadRequest(f"Unknown parameter {unknown[0][:40]!r}: allowed are {allowed}.")
    page = _positive("page", 1, MAX_OFFSET)
    per_page = _positive("per_page", setting("PER_PAGE"), setting("MAX_PER_PAGE"))
    if (page - 1) * per_page > MAX_OFFSET:
        raise BadRequest(f"The page lies past the first {MAX_OFFSET} rows: narrow the list down.")
    return page, per_page


def _positive(name: str, default: int, limit: int) -> int:
    values = request.args.getlist(name)
    if not values:
        return default
    if len(values) > 1 or not re.fullmatch(r"[0-9]{1,9}", values[0]):
        raise BadRequest(f"{name} must be one whole number.")
    if not 1 <= int(values[0]) <= limit:
        raise BadRequest(f"{name} must be between 1 and {limit}.")
    return int(values[0])


def _links(page: int, per_page: int, pages: int) -> dict[str, str | None]:
    def link(number: int) -> str:
        arguments = {**(request.view_args or {}), "page": number, "per_page": per_page}
        return url_for(str(request.endpoint), **arguments)

    last = min(max(pages, 1), MAX_OFFSET // per_page + 1)
    return {
        "self": link(page),
        "first": link(1),
        "prev": link(min(page - 1, last)) if page > 1 else None,
        "next": link(page + 1) if page < last else None,
        "last": link(last),
    }


def _json(payload: Any, status: int = 200) -> Response:
    return Response(json.dumps(payload) + "\n", status, mimetype="application/json")


def _tag(response: Response) -> str:
    return hashlib.blake2b(response.get_data(), digest_size=12).hexdigest()
