"""The API side: Flask-RESTful tamed, the shapes of items and lists."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import lru_cache, partial
from typing import Any, ClassVar

import flask_restful
import sqlalchemy as sa
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    after_this_request,
    current_app,
    request,
    url_for,
)
from flask.sansio.blueprints import BlueprintSetupState
from marshmallow import ValidationError
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    PreconditionFailed,
    PreconditionRequired,
    UnsupportedMediaType,
)
from werkzeug.routing import Map

from core.columns import key_names
from core.database import READ_METHODS
from core.deprecation import Deprecation
from core.encoding import JSONProvider
from core.inserts import insert_of
from core.links import link_header, links_of, meta_of
from core.listing import check_select, listing_of
from core.module_errors import ModuleError
from core.openapi.operations import check_described
from core.paging import ListPage
from core.plan import key_of, part_of, plan_of, with_key
from core.schemas import Schema
from core.tags import conditional, is_named, require_match, tag_of, tags
from core.updates import update_of
from core.urls import resource_at_hand
from services import csrf, db, ma

MERGE_PATCH = "application/merge-patch+json"
WRITES = ("PUT", "PATCH", "DELETE")


def init_rest(app: Flask) -> None:
    """Bind the serialiser and the JSON provider."""
    app.json = JSONProvider(app)
    app.extensions |= {"api_blueprints": {}, "api_prefixes": set()}
    ma.init_app(app)


class Api(flask_restful.Api):  # type: ignore[misc]
    """Flask-RESTful's Api for one blueprint: its errors are problems, its routes free of CSRF.

    API clients send no session cookie. A resource that accepts it needs the protection again.
    `security` is OpenAPI's security scheme, which tells clients how to pass the blueprint's guard.
    """

    def __init__(
        self, blueprint: Blueprint, security: Mapping[str, str] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(blueprint, **kwargs)
        if not isinstance(security, Mapping | None):
            raise TypeError(
                'Api(security=...) takes one scheme of OpenAPI, as {"type": "http", "scheme": '
                '"bearer"}: say in the `description` what else the guard takes.'
            )
        self.security = security
        csrf.exempt(blueprint)
        blueprint.record(self._note)
        # Flask-RESTful's own JSON cannot write dates.
        self.representation("application/json")(_json)

    def _note(self, state: BlueprintSetupState) -> None:
        own = state.blueprint.name
        if state.name_prefix or state.name != own:
            # Flask-RESTful names the resources by the blueprint alone.
            raise ModuleError(
                f"The blueprint {own!r} of an Api is registered within another one, or by another "
                "name, where Flask asks none of its guards: make it in the package of its module "
                "with its whole url_prefix, and leave the registration to INSTALLED_APPS."
            )
        state.app.extensions["api_blueprints"][state.blueprint.name] = self.security
        state.app.extensions["api_prefixes"].add(state.url_prefix)

    def _init_app(self, app: Flask) -> None:
        # Without Flask-RESTful's handler of errors, which comes before the app's and, in production
        # alone, would answer in its place.
        for resource, urls, options in self.resources:
            self._register_view(app, resource, *urls, **options)


class Resource(flask_restful.Resource):  # type: ignore[misc]
    """The base of the modules' resources; its methods return what item() or page_of() made.

    `schema` is what they take and answer, for the API's document and for `?fields=`; `body_schema`
    is the one that reads bodies, if it differs. With `if_match_required` a client must say which
    state it changes (RFC 6585); `deprecation` announces the resource's end.
    In the document a URL that ends with a variable is one record's, and any other is a list's;
    where that is wrong, `many` says so.
    `describe` adds to the document what it cannot know: {"get": {"description": "..."}}; None takes
    a part of it away.
    """

    schema: ClassVar[Schema | None] = None
    body_schema: ClassVar[Schema | None] = None
    many: ClassVar[bool | None] = None
    if_match_required: ClassVar[bool] = False
    deprecation: ClassVar[Deprecation | None] = None
    describe: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        check_described(cls.__name__, cls.describe)

    @classmethod
    def as_view(cls, name: str, *args: Any, **kwargs: Any) -> Any:
        def qualified(view: Any) -> Any:
            # Flask-Limiter tells views apart by this: two API versions may share a name.
            view.__qualname__ = cls.__qualname__
            return view

        own = cls.decorators
        cls.decorators = [qualified, *own] if own else own
        try:
            return super().as_view(name, *args, **kwargs)
        finally:
            cls.decorators = own

    def dispatch_request(self, *args: Any, **kwargs: Any) -> Any:
        if (
            self.if_match_required
            and request.method in WRITES
            and "If-Match" not in request.headers
        ):
            raise PreconditionRequired("Send the ETag of what you read as If-Match.")
        if self.schema is not None and request.method not in READ_METHODS:
            # A wrong `?fields=` is refused before anything is changed.
            _fields(self.schema)
        if self.deprecation:
            after_this_request(self.deprecation.announce)
        return super().dispatch_request(*args, **kwargs)


def body() -> Any:
    """Return the JSON sent; 400 if it is none, 413 if too long, 415 if of another media type."""
    if request.mimetype not in ("application/json", MERGE_PATCH):
        # Other types that end in +json mean something else: a list of steps, an envelope.
        raise UnsupportedMediaType("Send the body as application/json.")
    if (request.content_encoding or "identity").lower() != "identity":
        raise UnsupportedMediaType("Send the body as it is, without a Content-Encoding.")
    if "Content-Range" in request.headers:
        raise BadRequest("Send the whole body, without a Content-Range.")
    try:
        data = request.get_json()
    except BadRequest as error:
        # Outside debug mode Flask does not say what is wrong with the JSON; the cause does.
        raise error.__cause__ or error from None
    if request.mimetype == MERGE_PATCH and isinstance(data, dict):
        _check_flat(data)
    return data


def _check_flat(patch: Mapping[str, Any]) -> None:
    """Refuse an object in a merge patch, which would merge it (RFC 7396); here it would replace."""
    if any(isinstance(value, dict) for value in patch.values()):
        raise UnsupportedMediaType(
            "An object within the body takes the place of the one that is stored: "
            "send the whole as application/json."
        )


def item(schema: Schema, record: Any, status: int = 200, statement: Any = None) -> Response:
    """Answer {"data": ...} with its ETag; 304 if the client has it already, 404 if there is none.

    `record` is a record or its primary key; `statement`, as in page_of(), narrows the records down.
    """
    response = _item(schema, record, status, statement=statement)
    return conditional(response) if request.method in READ_METHODS else response


def create(schema: Schema, data: Mapping[str, Any], endpoint: str) -> Response:
    """Store a new record of the schema's model with these values; answer as created().

    On PostgreSQL that is one statement where it does the same as the session (core/inserts.py).
    """
    # Before anything is stored: a client that gets an error sends the body again.
    _parts_of(endpoint)
    _model_of(schema)
    insert = insert_of(schema, data)
    if insert is None:
        record = schema.new(data)
        db.session.add(record)
        db.session.commit()
        return created(schema, record, endpoint)
    rows = insert.store(data)
    response = _answer(schema, insert.write(rows)[0], 201)
    key = zip(insert.key_names, insert.values(rows[0], insert.key_names), strict=True)
    return _located(response, endpoint, dict(key), data.get)


def update(schema: Schema, key: Any, partial: bool = False, statement: Any = None) -> Response:
    """Change the record with this primary key to what the body carries; answer the record.

    That is all fields for a PUT, and those in the body for a PATCH, which is `partial`. If this is
    the schema of the resource, its `body_schema`, if any, reads the body. 404 if there is no such
    record, or `statement` does not find it; then 412 as check_match(), then what body() refuses.
    On PostgreSQL that is one statement where it does the same as the session (core/updates.py).
    """
    model, reader = _model_of(schema), _reader_of(schema)
    check_select(model, statement)
    values, refusal = _changes(reader, partial)
    takes_more = refusal or _names_a_state() or statement is not None or reader is not schema
    change = None if takes_more else update_of(schema, _key(key), values)
    if change and (rows := change.store(_key(key), values)):
        return _answer(schema, change.write_one(rows[0]), 200)
    # Objects that a schema has made of the body must not get into the session yet.
    with db.session.no_autoflush:
        record = _matched(schema, key, statement)
    if refusal:
        raise refusal
    reader.assign(record, values)
    if change and change.version is not None and db.session.is_modified(record):
        # The statement met another request's change of the record, as a flush may, too.
        raise StaleDataError
    db.session.commit()
    if statement is not None:
        # After the change, `statement` may not find the record any more.
        statement = sa.select(model).execution_options(**statement.get_execution_options())
    return item(schema, record, statement=statement)


def delete(schema: Schema, key: Any, statement: Any = None) -> tuple[str, int]:
    """Delete the record with this primary key, and answer 204.

    404 if there is none, or `statement` does not find it; then 412 as check_match(); 409 if another
    record needs it.
    """
    check_select(_model_of(schema), statement)
    db.session.delete(_matched(schema, key, statement))
    db.session.commit()
    return "", 204


def _matched(schema: Schema, key: Any, statement: Any) -> Any:
    """Return the record to change or delete, if it is in the state that the client means."""
    found = db.session.scalars(with_key(schema.opts.model, _key(key), statement))
    record = found.unique().first()
    # Compared with None: a model may define when it is false.
    if record is None:
        abort(404)
    check_match(schema, record, statement)
    return record


def _reader_of(schema: Schema) -> Schema:
    """Return the schema that reads bodies: the resource's `body_schema`, if `schema` is its own."""
    resource = resource_at_hand()
    reader: Any = getattr(resource, "body_schema", None)
    if reader is None or resource.schema is not schema:
        return schema
    if getattr(reader.opts, "model", None) is not schema.opts.model:
        raise LookupError(
            f"The body_schema of {resource.__name__} has another model than {schema.opts.model!r}, "
            "which update() changes: give it that one, or load the body by it and set the values."
        )
    return reader  # type: ignore[no-any-return]


def _changes(schema: Schema, partial: bool) -> tuple[dict[str, Any], Exception | None]:
    try:
        return schema.changes(body(), partial), None
    except (HTTPException, ValidationError) as error:
        return {}, error


def created(schema: Schema, record: Any, endpoint: str) -> Response:
    """Answer 201 with the new record; Location is the URL of the endpoint with its key.

    The other variables of that URL get their values from the request's URL, or from the record.
    """
    key = zip(key_names(type(record)), _key(record), strict=True)
    response = _item(schema, record, 201)
    return _located(response, endpoint, dict(key), lambda name: getattr(record, name, None))


def _parts_of(endpoint: str) -> frozenset[str]:
    """Return the variables in the URL of an endpoint or ".endpoint". Raises LookupError."""
    name = f"{request.blueprint}{endpoint}" if endpoint.startswith(".") else endpoint
    try:
        return _variables(current_app.url_map, name)
    except KeyError:
        near = " or ".join(get_close_matches(name, current_app.view_functions)) or "another"
        raise LookupError(f"There is no endpoint {name!r}: did you mean {near}?") from None


@lru_cache(maxsize=512)
def _variables(url_map: Map, endpoint: str) -> frozenset[str]:
    # If a resource also has the URL of the list, take the longer one.
    parts = (frozenset(rule.arguments) for rule in url_map.iter_rules(endpoint))
    return max(parts, key=len)


def _located(
    response: Response, endpoint: str, key: dict[str, Any], value: Callable[[str], Any]
) -> Response:
    parts = _parts_of(endpoint)
    around = request.view_args or {}
    values = {part: value(part) for part in parts - around.keys() - key.keys()} | around | key
    missing = [part for part in parts if values[part] is None]
    spare = [own for own in key if own not in parts or own in around]
    if missing and spare:
        # The URL has the key under another name, beside a variable with the key's own name.
        values |= around | {missing[0]: key[spare[0]]}
    # A part that a hook of the blueprint took out of the URL is None here: url_defaults puts it in.
    known = {part: value for part, value in values.items() if part in parts and value is not None}
    # A member of an enum is written by its value, as in bodies.
    shown = {part: getattr(value, "value", value) for part, value in known.items()}
    response.headers["Location"] = url_for(endpoint, **shown)
    return response


def check_match(schema: Schema, record: Any, statement: Any = None) -> None:
    """Answer 412 if the client wants to change another state of the record (RFC 9110 13.1).

    It wants another state if its If-Match does not name the present one, or its If-None-Match does.
    `statement` is that of item(), if only it finds the record.
    The version column then guards the moment between this check and the commit; the record of a
    model without one is read anew and locked, so call this before you change it.
    """
    if not _names_a_state():
        return
    model: Any = type(record)
    if sa.inspect(model).version_id_col is None:
        # Lock the model's row alone: PostgreSQL locks none that an outer join may lack.
        found = with_key(model, _key(record), statement).with_for_update(of=model)
        # Do not overwrite what a handler has set already.
        is_changed = db.session.is_modified(record)
        fresh = found.execution_options(populate_existing=not is_changed)
        if db.session.scalars(fresh).unique().first() is None:
            abort(404)
    response = _item(schema, record, statement=statement)
    require_match(response)
    if "If-None-Match" in request.headers and is_named(response, "If-None-Match"):
        raise PreconditionFailed("If-None-Match names the state that it has.")


def _names_a_state() -> bool:
    """Tell whether the client names a state of the record, to be met or to be avoided."""
    return "*" not in tags("If-Match") or "If-None-Match" in request.headers


def page_of(schema: Schema, statement: Any = None) -> Response:
    """Answer one page of the schema's model as {"data", "meta", "links"}; 400 for a wrong URL.

    `statement` narrows the rows down; by default the list has all rows.
    """
    listing = listing_of(_model_of(schema))
    query = listing.read(request.args, partial(abort, 400))
    order = tuple(name for name, _ in listing.total_order(query.order))
    plan = plan_of(schema, _fields(schema), order)
    page = ListPage(statement, listing, query, plan)
    cursor = listing.cursor_at(query, plan.values(page.items[-1], order)) if page.has_next else None
    body = {"data": plan.write(page.items), "meta": meta_of(page, cursor)}
    links = body["links"] = links_of(page, cursor)
    response = _json(body)
    response.set_etag(_tag(response), weak=True)
    response.headers["Link"] = link_header(links)
    return conditional(response)


def _model_of(schema: Any) -> Any:
    model = getattr(schema.opts, "model", None)
    if model is None:
        raise LookupError(
            f"{type(schema).__name__} has no model, in which anything is found or stored: return "
            'what the resource has found out itself, {"data": schema.dump(...)}.'
        )
    return model


def _fields(schema: Schema) -> tuple[str, ...] | None:
    """Return the fields that the URL asks for, None for all of them."""
    if not request.query_string or "fields" not in request.args:
        return None
    asked = ",".join(request.args.getlist("fields")).split(",")
    names = {key_of(name, field): name for name, field in schema.dump_fields.items()}
    if unknown := [key for key in asked if key not in names]:
        allowed = ", ".join(names)
        abort(400, f"'fields': {unknown[0][:40]!r} is unknown; allowed are {allowed}.")
    return tuple(name for key, name in names.items() if key in asked)


def _item(schema: Schema, record: Any, status: int = 200, statement: Any = None) -> Response:
    check_select(_model_of(schema), statement)
    plan = plan_of(schema)
    rows = plan.find(_key(record), statement) or abort(404)
    return _answer(schema, plan.write_one(rows[0]), status)


def _answer(schema: Schema, whole: dict[str, Any], status: int) -> Response:
    """Answer a record, or the fields that the URL asks for; the ETag covers the whole record."""
    response = _json({"data": whole}, status)
    tag = _tag(response)
    if (shown := _fields(schema)) is not None:
        response = _json({"data": part_of(whole, schema, shown)}, status)
        tag = f"{tag}.{tag_of(repr(shown).encode(), 4)}"
    response.set_etag(tag)
    return response


def _key(record: Any) -> tuple[Any, ...]:
    if (state := sa.inspect(record, raiseerr=False)) is not None:
        return tuple(state.identity)
    return record if isinstance(record, tuple) else (record,)


def _tag(response: Any) -> str:
    # get_data() would first ask whether the response is a stream.
    return tag_of(response.response[0])


def _json(payload: Any, status: int = 200, headers: Any = None) -> Response:
    response: Any = current_app.json.response(payload)
    if status != 200:
        response.status_code = status
    if headers:
        response.headers.extend(headers)
    return response  # type: ignore[no-any-return]
