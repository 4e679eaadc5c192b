"""Prepares each engine for the web: SQLite's pragmas and transactions, PgBouncer's timeouts."""

import json
import os
import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from flask import Flask, current_app, has_request_context, request
from sqlalchemy import Connection, Dialect, Engine, Numeric, event
from sqlalchemy.exc import DataError, DBAPIError, DisconnectionError, SQLAlchemyError

from config import ConfigError
from core.base import LONGEST_NAME
from core.columns import DIGITS
from core.encoding import JSONProvider
from core.text import fold
from services import db, log

# A connection used this recently is taken to be alive: a check costs each request a round trip.
IDLE_SECONDS = 1
# psycopg2.extensions.TRANSACTION_STATUS_ACTIVE: the server was sent a statement and works on it.
ACTIVE = 1
# A decimal of no more digits comes back from a float as it was.
DIGITS_OF_A_FLOAT = 15
READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# What a driver says of a database that cannot be connected to, and what helps.
REMEDIES = {
    'database "[^"]*" does not exist': "create it (createdb {}) or mend DATABASE_URL",
    "Unknown database": "create it (CREATE DATABASE {} CHARACTER SET utf8mb4) or mend DATABASE_URL",
    'role "[^"]*" does not exist|authentication failed|Access denied': "mend user and password "
    "in DATABASE_URL or create the user",
    "too many|connection slots|max_user_connections": "end connections, or lower DB_POOL_SIZE, "
    "DB_MAX_OVERFLOW or WEB_CONCURRENCY",
    "unable to open database file": "let DATABASE_URL name a file that this user may write",
    "unsupported startup parameter": "set DB_PGBOUNCER=true",
    "permission denied|must be owner|command denied": "let the user of DATABASE_URL own the "
    "database, or grant it what it needs (docs/migrations.md)",
}
# The codes of PostgreSQL and MariaDB for what a user may not do.
NOT_ALLOWED = {"42501", 1044, 1142}


def init_database(app: Flask) -> None:
    """Bind db to the application and prepare each of its engines. Connects to nothing."""
    # A column of JSON takes all that an answer of the API may hold, such as a UUID.
    write = partial(json.dumps, default=JSONProvider.default)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "json_serializer": write,
        **app.config["SQLALCHEMY_ENGINE_OPTIONS"],
    }
    db.init_app(app)
    app.teardown_appcontext_funcs.remove(db._teardown_session)  # noqa: SLF001 - no public way
    app.teardown_appcontext(_end_session)
    with app.app_context():
        for engine in db.engines.values():
            _prepare(app, engine)


def _end_session(_: BaseException | None) -> None:
    """Give the session up, as Flask-SQLAlchemy does, even if its connection was lost meanwhile.

    The answer is ready by then; and a session left in place would be used by a later request.
    """
    try:
        db.session.remove()
    except SQLAlchemyError as error:
        db.session.registry.clear()
        log.warning("a connection was lost: %s: %s", type(error).__name__, reason(error))


def _prepare(app: Flask, engine: Engine) -> None:
    # SQLAlchemy's errors quote what people typed, and errors are logged.
    engine.hide_parameters = not app.debug
    event.listen(engine, "handle_error", _say_out_of_range)
    # So a longer name in a revision (op.f) is cut the same way on every engine, too.
    engine.dialect.max_constraint_name_length = LONGEST_NAME
    engine.dialect.max_index_name_length = LONGEST_NAME
    if engine.dialect.name == "sqlite":
        engine.dialect.colspecs = {**engine.dialect.colspecs, Numeric: SQLiteNumeric}
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "handle_error", _open_again)
        return
    if engine.dialect.driver == "psycopg2":
        opened = app.extensions.setdefault("connections", WeakValueDictionary())
        event.listen(engine, "connect", lambda one, _: opened.update({id(one): one}))
    # A new connection is alive, too: behind a pooler whose server is away, a check would fail.
    for moment in ("connect", "checkin"):
        event.listen(engine, moment, lambda _, record: record.info.update(used=time.monotonic()))
    event.listen(engine, "checkout", _idle_check(engine.dialect))
    if engine.dialect.name == "postgresql" and app.config["DB_PGBOUNCER"]:
        timeout = app.config["DB_STATEMENT_TIMEOUT_MS"]
        statement = f"SET LOCAL statement_timeout = {timeout}; SET LOCAL lock_timeout = 5000"
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(statement))


class SQLiteNumeric(Numeric[Any]):
    """A decimal, kept as a float; ValueError for one that would come back as another number."""

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], float | None]:
        # Rounding to the column's places is allowed: other databases do it, too.
        most = Decimal(0) if self.scale is None else Decimal(5).scaleb(-self.scale - 1)

        def to_float(value: Any) -> float | None:
            if value is None:
                return None
            number, exact = float(value), Decimal(str(value))
            if not exact.is_finite():
                raise ValueError("A column of decimals holds no NaN and nothing infinite.")
            if abs(Decimal(repr(number)) - exact) > most:
                raise ValueError("SQLite keeps 15 digits of a decimal, this one has more.")
            return number

        return to_float

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        is_short = self.scale is not None and 0 < (self.precision or 0) <= DIGITS_OF_A_FLOAT
        if is_short or not self.asdecimal:
            # SQLAlchemy's own function, in C, is enough here.
            return super().result_processor(dialect, coltype)  # type: ignore[no-untyped-call]
        last_place = None if self.scale is None else Decimal(1).scaleb(-self.scale)

        def to_decimal(value: float | None) -> Decimal | None:
            if value is None:
                return None
            # repr() gives the shortest decimal that is stored as this float, without its noise.
            number = Decimal(repr(value))
            if last_place is None or not number.is_finite():
                return number
            return number.quantize(last_place, context=DIGITS)

        return to_decimal


def engine_of(model: Any) -> Engine:
    """Return the engine that the session uses for a model: its __bind_key__'s, or the default."""
    # A model may be mapped to a join, which has no metadata.
    metadata = getattr(model.__table__, "metadata", db.metadata)
    return db.engines[metadata.info.get("bind_key")]


def cut_waiting() -> None:
    """Cut the connections that wait for a server that does not answer.

    PostgreSQL's driver would wait forever; MariaDB's has a time limit of its own.
    """
    opened = current_app.extensions.get("connections", WeakValueDictionary())
    # Listed in one step: a thread that connects meanwhile would break off a loop.
    for connection in filter(None, [reference() for reference in opened.valuerefs()]):
        # The connection's own thread may close it meanwhile.
        with suppress(OSError, db.engine.dialect.loaded_dbapi.Error):
            if connection.get_transaction_status() == ACTIVE:
                with socket.socket(fileno=os.dup(connection.fileno())) as waiting:
                    waiting.shutdown(socket.SHUT_RDWR)


def reason(error: Exception) -> str:
    """Return the driver's own first line, which holds neither statement nor password."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return (str(cause).strip() or type(cause).__name__).splitlines()[0]


def check_connection() -> None:
    """Connect once. Raises ConfigError for a database that is away or does not exist."""
    try:
        with db.engine.connect():
            return
    except SQLAlchemyError as error:
        raise unusable(error) from error


def unusable(error: SQLAlchemyError) -> ConfigError:
    """Return the sentence for a database that cannot be connected to."""
    url = db.engine.url.render_as_string(hide_password=True)
    return ConfigError(f"DATABASE_URL cannot be used ({url}: {reason(error)}): {remedy(error)}.")


def codes_of(error: Exception) -> set[Any]:
    """Return the driver's codes for an error: PostgreSQL's SQLSTATE, the number of the others."""
    cause = getattr(error, "orig", None)
    return {getattr(cause, "pgcode", None), *getattr(cause, "args", ())[:1]}


def is_not_allowed(error: SQLAlchemyError) -> bool:
    """Tell whether an error says that the database's user lacks a right."""
    return not NOT_ALLOWED.isdisjoint(codes_of(error))


def remedy(error: SQLAlchemyError) -> str:
    """Return what helps against a database that cannot be connected to, or allows too little."""
    text = reason(error)
    found = (advice for pattern, advice in REMEDIES.items() if re.search(pattern, text))
    advice = next(found, "start the server or mend DATABASE_URL")
    return advice.format(db.engine.url.database)


def _idle_check(dialect: Dialect) -> Callable[[Any, Any, Any], None]:
    """Ask a connection that was not used lately whether it lives; the pool replaces a dead one."""

    def check(connection: Any, record: Any, proxy: Any) -> None:
        if time.monotonic() - record.info.get("used", 0) < IDLE_SECONDS:
            return
        try:
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            raise DisconnectionError("The connection is dead.") from error

    return check


def _prepare_sqlite(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout = 5000")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()
    connection.create_function("fold", 1, fold, deterministic=True)


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and then writes may fail at once with "database is locked": one
    # that may write takes the lock first. Others do not, or one long download would stop the site.
    reads = connection.get_execution_options().get("only_reads") or (
        has_request_context() and request.method in READ_METHODS
    )
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _open_again(context: Any) -> None:
    """Give up a connection that may only read: SQLite never checks again whether it may write.

    A new one may, once the file's owner or its disk is mended; until then requests get a 503.
    """
    if "readonly database" in str(context.original_exception):
        context.is_disconnect = True


def _say_out_of_range(context: Any) -> None:
    """Raise DataError where a driver raises Python's own error for a value that it cannot write.

    Such values are numbers past 64 bits on SQLite, NUL on PostgreSQL, and lone surrogates.
    """
    error = context.original_exception
    is_nul = type(error) is ValueError and "NUL" in str(error)
    if is_nul or isinstance(error, (OverflowError, UnicodeEncodeError)):
        raise DataError(context.statement, None, error, hide_parameters=True)
