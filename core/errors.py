"""Every failure ends here, from anywhere: as a page, or as a problem for the API."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, render_template, request
from flask.typing import ResponseReturnValue
from marshmallow import ValidationError
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError
from werkzeug.exceptions import HTTPException, SecurityError

from core.constraints import violation_of
from core.problem import problem, wants_problem
from services import db, log

RETRY_AFTER = 5
DELETED = "Someone else deleted this record in the meantime."
STALE = "Someone else changed this record in the meantime: load it again and repeat your change."
# SQLite and MySQL report faults of the program, too, as operational errors: these pass.
SQLITE_PASSING = re.compile("locked|busy|unable to open|disk I/O|full", re.IGNORECASE)
MYSQL_FAULTS = {1054, 1364}


def init_errors(app: Flask) -> None:
    """Register the handlers; a crash reaches the first one as InternalServerError."""
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(ValidationError, _invalid)
    app.register_error_handler(SQLAlchemyError, _database_error)


def answer(
    status: int,
    detail: str | None,
    errors: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an error in the form that its reader understands."""
    if wants_problem():
        response = problem(status, detail, errors)
    elif isinstance(request.routing_exception, SecurityError):
        # Under a host that we do not trust no URL can be built, so no page either.
        response = Response(f"{detail}\n", status, mimetype="text/plain")
    else:
        response = Response(_page(status, detail), status)
    response.headers.extend(headers or {})
    return response


def _page(status: int, detail: str | None) -> str:
    title = HTTPStatus(status).phrase
    return render_template(
        [f"errors/{status}.html", "errors/error.html"], status=status, title=title, detail=detail
    )


def _http_error(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    # flask_restful.abort puts its message on `data`.
    detail = getattr(error, "data", {}).get("message", error.description)
    kept = {
        name: value
        for name, value in error.get_headers(request.environ)
        if name not in ("Content-Type", "Content-Length")
    }
    return answer(status, detail, headers=kept)


def _invalid(error: ValidationError) -> ResponseReturnValue:
    detail = "The body breaks rules of its fields; `errors` names them."
    return answer(422, detail, error.normalized_messages())  # type: ignore[no-untyped-call]


def _database_error(error: SQLAlchemyError) -> ResponseReturnValue:
    """Answer a refusal of the database in words; raise what is a fault of the program."""
    db.session.rollback()
    if isinstance(error, StaleDataError):
        return answer(409, STALE)
    if isinstance(error, ObjectDeletedError):
        return answer(404, DELETED)
    if isinstance(error, DBAPIError) and (violation := violation_of(error)):
        return answer(409, violation.message, violation.errors)
    if isinstance(error, DataError):
        return answer(422, "A value is too long or out of range.")
    if _is_passing(error):
        log.error("database unavailable: %s", type(error).__name__, exc_info=error)
        detail = "The database does not answer at the moment: try again in a few seconds."
        return answer(503, detail, headers={"Retry-After": str(RETRY_AFTER)})
    raise error


def _is_passing(error: SQLAlchemyError) -> bool:
    """Tell whether the same request may succeed later: no connection, a lock, a time-out."""
    if isinstance(error, PoolTimeoutError):
        return True
    if not isinstance(error, (OperationalError, InterfaceError)):
        return False
    if db.engine.dialect.name == "sqlite":
        return bool(SQLITE_PASSING.search(str(error.orig)))
    return not MYSQL_FAULTS.intersection(getattr(error.orig, "args", ()))
