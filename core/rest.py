"""The API side: Flask-RESTful tamed, the shapes of items and lists, ETags and preconditions."""

import hashlib
import re
from typing import Any

import flask_restful
from flask import Blueprint, Flask, Response, json, request
from werkzeug.exceptions import BadRequest, PreconditionFailed, RequestEntityTooLarge

from core.encoding import JSONProvider
from core.listing import MAX_OFFSET, Listing, ListPage
from core.schemas import Schema
from services import csrf, ma

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


def page_of(schema: Schema, statement: Any = None) -> Response:
    """Answer one page of the schema's model as {"data", "meta", "links"}; 400 for a wrong URL.

    `statement` narrows the rows down, or says what to load with them; by default it is all rows.
    """
    model: Any = schema.opts.model
    listing = getattr(model, "listing", None) or Listing(default="id", model=model)
    query = listing.read(request.args, _refuse)
    page = ListPage(statement, listing, query)
    meta = {
        "page": page.page,
        "per_page": page.per_page,
        "total": page.total,
        "total_is_estimate": page.total_is_estimate,
        "next_cursor": None,
    }
    data = schema.dump(page.items, many=True)
    return _json({"data": data, "meta": meta, "links": _links(page)})


def _refuse(message: str) -> None:
    raise BadRequest(message)


def _links(page: ListPage) -> dict[str, str | None]:
    last = min(max(page.pages, 1), MAX_OFFSET // page.per_page + 1)
    return {
        "self": page.url(page.page),
        "first": page.url(1),
        "prev": page.url(min(page.page - 1, last)) if page.page > 1 else None,
        "next": page.url(page.page + 1) if page.page < last else None,
        "last": None if page.total_is_estimate else page.url(last),
    }


def _json(payload: Any, status: int = 200) -> Response:
    return Response(json.dumps(payload) + "\n", status, mimetype="application/json")


def _tag(response: Response) -> str:
    return hashlib.blake2b(response.get_data(), digest_size=12).hexdigest()
