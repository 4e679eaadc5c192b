"""Prepares each engine for the web: SQLite's pragmas and transactions, PgBouncer's timeouts."""

from typing import Any

from flask import Flask, has_request_context, request
from sqlalchemy import Connection, event
from werkzeug.routing import IntegerConverter, ValidationError

from core.text import fold
from services import db

READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def init_database(app: Flask) -> None:
    """Bind db to the application and attach the listeners its engine needs. Connects to nothing."""
    db.init_app(app)
    app.url_map.converters["int"] = KeyConverter
    with app.app_context():
        engine = db.engine
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif engine.dialect.name == "postgresql" and app.config["DB_PGBOUNCER"]:
        timeout = app.config["DB_STATEMENT_TIMEOUT_MS"]
        event.listen(engine, "begin", _pgbouncer_timeouts(timeout))


class KeyConverter(IntegerConverter):
    """<int:...> in a route: past 64 bits, which no database takes, nothing is found."""

    def to_python(self, value: str) -> int:
        number: int = super().to_python(value)
        if number >= 2**63:
            raise ValidationError
        return number


def _prepare_sqlite(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout = 5000")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()
    connection.create_function("fold", 1, fold, deterministic=True)


def _begin_sqlite(connection: Connection) -> None:
    # A reader that turns writer in mid-transaction fails at once with "database is locked": who may
    # write takes the lock first. Readers do not, or one long download would stop the site.
    reads = has_request_context() and request.method in READ_METHODS
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _pgbouncer_timeouts(timeout: int) -> Any:
    statement = f"SET LOCAL statement_timeout = {timeout}; SET LOCAL lock_timeout = 5000"

    def set_timeouts(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return set_timeouts
