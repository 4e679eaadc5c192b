"""Every failure, from anywhere, is answered here: by a page, or by a problem for the API."""

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import sqlalchemy as sa
from flask import Flask, Response, current_app, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from flask_wtf.csrf import CSRFError
from marshmallow import ValidationError
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException, SecurityError, default_exceptions

from core.constraints import Violation, violation_of
from core.database import READ_METHODS, codes_of, reason
from core.expired import form_endpoint, shown_again
from core.problem import TITLES, problem, title_of, wants_problem
from core.schema_state import REMEDY, lacks_migration
from core.schemas import Schema
from core.security import is_cross_site_form
from core.tags import tags
from core.urls import resource_at_hand
from services import db, log

RETRY_AFTER = 5
DELETED = _l("Someone else deleted this record in the meantime.")
LOST = _l(
    "The record of this form is no longer there, so nothing was saved. "
    "What you typed is one step back in your browser: copy it from there."
)
STALE = _l(
    "Someone else changed this record in the meantime: load it again and repeat your change."
)
EXPIRED_BUTTON = _l(
    "The form had expired, so nothing was changed: go back, load the page again and repeat it."
)
MOST_ERRORS = 100
OUT_OF_RANGE = _l("A value is too long or out of range.")
FOREIGN_FORM = _l(
    "Nothing was changed, because your browser does not say that the form comes from this site: "
    "let it send the header Origin or Referer, and try again."
)
OTHER_SITE = _l("Nothing was changed, because the form came from another site.")
# For the API alone: the page of a status tells a person what to do (PAGES).
DETAILS = {
    401: "Nobody is logged in, or the key is not known.",
    403: "This is not for you.",
    404: "There is no such record.",
}
NO_URL = "There is no such URL."
INVALID = "The body breaks rules of its fields; `errors` names them."
DATABASE_AWAY = _l("The database does not answer at the moment: try again in a few seconds.")
# What a page says: the title, and what to do. The API says what the exception says, in English.
PAGES = {
    400: (_l("That did not work"), _l("The request makes no sense to us: go back and try again.")),
    401: (_l("Please sign in"), _l("This page is for those who have signed in.")),
    403: (_l("Not allowed"), _l("You may not do this. Sign in as somebody who may.")),
    404: (_l("Not found"), _l("There is nothing at this address: check it, or start over.")),
    405: (_l("Not possible here"), _l("This address does not take that kind of request.")),
    409: (_l("Conflict"), _l("What is stored does not allow this change.")),
    410: (_l("Gone"), _l("What was at this address is gone for good: start over.")),
    413: (
        _l("Too large"),
        _l("This is larger than the site takes: go back and send less, or a smaller file."),
    ),
    422: (
        _l("Please check what you sent"),
        _l("A part of it is missing or not allowed: go back, correct it and send it again."),
    ),
    429: (_l("Too many requests"), _l("Wait a moment, then try again.")),
    500: (_l("Something went wrong"), _l("The fault is ours and was logged: try again later.")),
    503: (_l("Back in a moment"), _l("A part of the site does not answer: try again shortly.")),
}
# SQLite and MySQL report faults of the program, too, as operational errors; only these pass by
# themselves. For MySQL: a full disk, table or store of locks, too many connections or threads, a
# broken connection, a shutdown, a lock, a time limit, a server that is read-only for now.
SQLITE_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
}
MYSQL_PASSING = {
    *(1021, 1114, 1030, 1206, 1637, 1040, 1203, 1226, 1041, 1135),
    *(1042, 1043, 1047, 1129, *range(1152, 1162)),
    *(1053, 1077, 1078, 1079, 1080, 1205, 1317, 1927, 1969, 3024, 1290, 1836),
}
# PostgreSQL's code for a text too long for its index; others of class 54 are the program's fault.
TOO_LONG = "54000"
# PostgreSQL has the same code for a server that takes no more changes before a VACUUM.
WRAPAROUND = "wraparound"
# Codes for a deadlock and for changes that met: the database undoes one of the two.
MET = {"40P01", "40001", 1213, 1020}
# Endpoints whose buttons only change how pages look to whoever presses them (core/i18n.py).
SWITCHES = ("preferences.language", "preferences.theme")
# PostgreSQL's code for a standby server, before it is promoted; to SQLAlchemy an InternalError.
READ_ONLY = "25006"


def init_errors(app: Flask) -> None:
    """Register the handlers; a crash reaches the first one as InternalServerError."""
    # abort() knows only statuses for which Werkzeug has an exception: not 402, for one.
    app.aborter.mapping |= {
        status: type("OtherError", (HTTPException,), {"code": status})
        for status in TITLES.keys() - default_exceptions.keys()
        if status >= 400
    }
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(CSRFError, _refused_form)
    app.register_error_handler(ValidationError, _invalid)
    app.register_error_handler(SQLAlchemyError, _database_error)
    # SQLAlchemy's error for a deletion that would take a part of another row's primary key.
    app.register_error_handler(AssertionError, _database_error)


def answer(
    status: int,
    detail: str | None,
    errors: Mapping[str, Any] | None = None,
    headers: Headers | Mapping[str, str] | None = None,
) -> Response:
    """Return an error in the form that its reader understands.

    Werkzeug's default words are about browsers: ours replace them where we have some.
    """
    is_default = detail == getattr(default_exceptions.get(status), "description", None)
    if wants_problem():
        own = NO_URL if status == 404 and request.routing_exception else DETAILS.get(status)
        response = problem(status, own if is_default and own else detail, errors)
    elif isinstance(request.routing_exception, SecurityError):
        # Under a host that we do not trust no URL can be built, so no page either.
        response = Response(f"{detail}\n", status, mimetype="text/plain")
    else:
        try:
            response = Response(_page(status, None if is_default else detail), status)
        except Exception:  # The product's page may need the very thing that failed.
            log.exception("The page of an error failed")
            response = Response(f"{title_of(status)}\n", status, mimetype="text/plain")
    response.headers.extend(headers or {})
    return response


def _page(status: int, detail: str | None) -> str:
    title, text = PAGES.get(status) or PAGES[500 if status >= 500 else 400]
    if status == 404 and request.method == "POST" and request.url_rule:
        # A form that is only a button has nothing typed in it.
        text = LOST if form_endpoint() else DELETED
    return render_template(
        [f"errors/{status}.html", "errors/error.html"],
        status=status,
        title=title,
        detail=detail or text,
    )


def _refused_form(error: CSRFError) -> ResponseReturnValue:
    if wants_problem():
        return _http_error(error)
    if is_cross_site_form():
        return answer(400, OTHER_SITE)
    if "referrer" in str(error.description):
        return answer(400, FOREIGN_FORM)
    if check := getattr(current_app.session_interface, "check", None):
        # Without a session the form seems expired, also if the store of sessions is down.
        try:
            check()
        except HTTPException as unavailable:
            return _http_error(unavailable)
    endpoint = str(request.endpoint)
    if endpoint in SWITCHES and request.headers.get("Sec-Fetch-Site") == "same-origin":
        # From a tab that has outlived its session; the browser vouches that the button is ours.
        return make_response(current_app.view_functions[endpoint]())
    page = shown_again()
    return answer(400, EXPIRED_BUTTON) if page is None else page


def _http_error(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    # flask_restful.abort puts its message on `data`.
    detail = getattr(error, "data", {}).get("message", error.description)
    # Not a dict: an API that takes several logins has a WWW-Authenticate for each.
    kept = Headers(error.get_headers(request.environ))
    kept.remove("Content-Type")
    kept.remove("Content-Length")
    if status == 401 and "WWW-Authenticate" not in kept:
        kept.extend(_challenge())
    return answer(status, detail, headers=kept)


def _challenge() -> dict[str, str]:
    """Return the WWW-Authenticate header that the API's `security` calls for (RFC 9110 11.6.1)."""
    security = current_app.extensions["api_blueprints"].get(request.blueprint)
    if not security:
        return {}
    # No authentication scheme is registered for API keys.
    other = "ApiKey" if security["type"] == "apiKey" else "Bearer"
    scheme = security.get("scheme", "").capitalize() or other
    return {"WWW-Authenticate": f'{scheme} realm="{request.blueprint}"'}


def _invalid(error: ValidationError) -> ResponseReturnValue:
    detail = INVALID if wants_problem() else None
    return answer(422, detail, _cut(error.normalized_messages()))  # type: ignore[no-untyped-call]


def _cut(errors: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the first errors, with long names cut short: a client may have made them up."""
    parts = ((str(name)[:100], part) for name, part in islice(errors.items(), MOST_ERRORS))
    return {name: _cut(part) if isinstance(part, dict) else part for name, part in parts}


def _database_error(error: Exception) -> ResponseReturnValue:
    """Answer a refusal of the database in words; raise what is a fault of the program."""
    db.session.rollback()
    if isinstance(error, StaleDataError):
        return answer(409 if "*" in tags("If-Match") else 412, STALE)
    # A read that met a change has changed nothing: below it gets a 503, to be sent again.
    if changes_met(error) and request.method not in READ_METHODS:
        return answer(409, STALE)
    if isinstance(error, ObjectDeletedError):
        return answer(404, DELETED)
    if violation := violation_of(error, request.method == "DELETE"):
        return answer(409, violation.message, _by_key(violation))
    if is_refused(error):
        # In a read the value is in the URL.
        return answer(400 if request.method in READ_METHODS else 422, OUT_OF_RANGE)
    if current_app.config["APP_ENV"] == "development" and lacks_migration(error):
        # Answered, not raised: in debug mode the debugger's page would hide the sentence.
        log.error("migrations are missing: %s", type(error).__name__, exc_info=error)
        return answer(500, REMEDY)
    if _is_passing(error) or changes_met(error):
        # In an outage every request comes here: a line each, no traceback.
        log.error("database unavailable: %s: %s", type(error).__name__, reason(error))
        return answer(503, DATABASE_AWAY, headers={"Retry-After": str(RETRY_AFTER)})
    raise error


def _by_key(violation: Violation) -> Mapping[str, Any]:
    """Return the errors of columns by their names in bodies of the requested resource.

    A column that bodies do not have, as that of the tenant in a unique rule, is left out.
    """
    resource = resource_at_hand()
    schema = getattr(resource, "body_schema", None) or getattr(resource, "schema", None)
    if not isinstance(schema, Schema) or schema.opts.model is None:
        return violation.errors
    if violation.kind == "in_use":
        # It is about the record as a whole, which its key stands for.
        keys = [column.name for column in sa.inspect(schema.opts.model).primary_key]
        return _within(schema, replace(violation, columns=tuple(keys))) or violation.errors
    errors = _within(schema, violation)
    return violation.errors if errors is None else errors


def _within(
    schema: Schema, violation: Violation, around: tuple[type, ...] = ()
) -> dict[str, Any] | None:
    """Return the errors by their names in a schema, None for a rule of neither it nor its parts.

    No database tells which of several records in a list broke the rule.
    """
    if violation.is_about(schema.opts.model):
        keys = [key for key in map(schema.key_of_column, violation.columns) if key is not None]
        # A column that nobody can send, as the user in a unique rule, is named only if no other is.
        sent = {field.data_key or name for name, field in schema.load_fields.items()}
        return {key: [violation.message] for key in [k for k in keys if k in sent] or keys}
    for name, field in schema.load_fields.items():
        part = getattr(getattr(field, "inner", field), "schema", None)
        if isinstance(part, Schema) and part.opts.model and type(part) not in around:
            errors = _within(part, violation, (*around, type(part)))
            if errors is not None:
                return {str(field.data_key or name): errors or [violation.message]}
    return None


def is_refused(error: Exception) -> bool:
    """Tell whether the database, a driver or a type refused a value."""
    if isinstance(error, DataError):
        return True
    if isinstance(error, DBAPIError) and TOO_LONG in codes_of(error):
        return WRAPAROUND not in reason(error)
    # Logged, as it may be a fault of the program, too.
    refused = isinstance(error, StatementError) and isinstance(
        error.orig, (ArithmeticError, ValueError)
    )
    if refused:
        log.warning("a value was refused", exc_info=error)
    return refused


def changes_met(error: Exception) -> bool:
    """Tell whether the database undid a change in favour of another at the same moment."""
    return isinstance(error, DBAPIError) and not MET.isdisjoint(codes_of(error))


def _is_passing(error: Exception) -> bool:
    """Tell whether the same request may succeed later: no connection, a lock, a time-out."""
    if isinstance(error, PoolTimeoutError):
        return True
    if isinstance(error, DBAPIError) and (
        error.connection_invalidated or READ_ONLY in codes_of(error)
    ):
        return True
    dialect = db.engine.dialect.name
    if not isinstance(error, (OperationalError, InterfaceError, InternalError)):
        return False
    # PyMySQL raises InternalError for troubles with the server's files, such as a full disk.
    if isinstance(error, InternalError) and dialect not in ("mysql", "mariadb"):
        return False
    if dialect == "sqlite":
        # The low byte is the kind of error; the next only tells more of it.
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in SQLITE_PASSING
    if dialect == "postgresql":
        is_limit = str(getattr(error.orig, "pgcode", "")).startswith(TOO_LONG[:2])
        return not is_limit or WRAPAROUND in reason(error)
    # Without a statement, connecting failed; the driver's own numbers are about that, too.
    numbers = {number for number in codes_of(error) if isinstance(number, int)}
    return error.statement is None or any(
        number in MYSQL_PASSING or number < 1000 or 2000 <= number < 3000 for number in numbers
    )
