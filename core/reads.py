"""Reads: one select without a transaction around it, on PostgreSQL by the shortest way."""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, Select
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData

from core.base import in_utc
from core.database import engine_of
from services import db

WATCHED = (
    "engine_connect",
    "before_execute",
    "after_execute",
    "before_cursor_execute",
    "after_cursor_execute",
)
WATCHERS = attrgetter(*WATCHED)


def read(
    model: Any, statement: Select[Any], values: Mapping[str, Any], named: bool = False
) -> Sequence[Any]:
    """Return the rows of a select from the database of this model, as tuples or `named` as Rows.

    On PostgreSQL a select alone needs no transaction around it, which saves two round trips; within
    a transaction it sees the transaction's own changes. If an event listens to selects (soft
    deletion) or to the begin of transactions (a tenant's rows), the session runs the select in its
    transaction. What a statement changes is committed at once, unless a transaction is open.
    """
    engine = engine_of(model)
    session = current_session()
    # A test binds the session to a connection of its own.
    is_plain = isinstance(engine, Engine) and engine.dialect.name == "postgresql"
    is_alone = is_plain and not session.in_transaction() and not engine.dispatch.begin
    if not is_alone or reads_are_prepared(session):
        return db.session.execute(statement, values).all()
    if (kept := _kept(engine, statement)) is not None:
        return kept.rows(engine, values, named)
    with engine.connect() as connection:
        # With SQLAlchemy's isolation_level="AUTOCOMMIT" the driver asks the server each time.
        driver: Any = connection.connection.driver_connection
        driver.autocommit = True
        try:
            return connection.execute(statement, values).all()
        finally:
            if not driver.closed:
                driver.autocommit = False


def keep(statement: Select[Any]) -> Select[Any]:
    """Mark a select that is built once and read often, so that read() makes a Kept of it."""
    return statement.execution_options(kept=True)


def reads_are_prepared(session: Any = None) -> bool:
    """Tell whether an event listener exists that may hide rows from the session's selects."""
    events = (session or current_session()).dispatch
    return bool(events.after_begin or events.do_orm_execute)


def current_session() -> Any:
    """Return the session for questions about it: if none is in use yet, a spare, unused one."""
    return db.session() if db.session.registry.has() else _unused_session()


@cache
def _unused_session() -> Any:
    # Making a session for each question costs more than the question.
    return db.session.session_factory()


class Kept:
    """A select prepared for psycopg2: what SQLAlchemy does for each execution is done once.

    Types and errors are SQLAlchemy's; reading a row by its key takes half of SQLAlchemy's time.
    """

    def __init__(self, statement: Select[Any], compiled: Any, dialect: Dialect) -> None:
        self._text = str(compiled)
        self._types = [column.type for column in statement.selected_columns]
        self._values = compiled.params
        binds = compiled.bind_names.items()
        kinds = ((name, bind.type.dialect_impl(dialect)) for bind, name in binds)
        writers = ((name, kind.bind_processor(dialect)) for name, kind in kinds)
        # A name that occurs several times has several binds, but its value is written once.
        self._writers = {name: write for name, write in writers if write}
        self._row: SimpleResultMetaData | None = None
        # Whether the driver's values are Python's already, if the connection is in UTC.
        self._is_plain = False

    def rows(self, engine: Engine, values: Mapping[str, Any], named: bool) -> Sequence[Any]:
        """Return the rows of the select with these values of its parameters."""
        taken = _taken(engine)
        driver: Any = taken.driver_connection
        cursor, given = None, {**self._values, **values}
        try:
            driver.autocommit = True
            for name, write in self._writers.items():
                given[name] = write(given[name])
            cursor = driver.cursor()
            cursor.execute(self._text, given)
            rows = cursor.fetchall()
            is_in_utc = driver.get_parameter_status("TimeZone") == "UTC"
        # BaseException: what ends a worker ends the connection, too.
        except BaseException as error:
            connection = Connection(engine, taken)
            connection._handle_dbapi_exception(error, self._text, given, cursor, None)  # noqa: SLF001
        finally:
            if not driver.closed:
                driver.autocommit = False
            taken.close()
        if self._row is None:
            self._row = self._read(cursor.description, engine.dialect)
        if self._is_plain and is_in_utc and not named:
            return rows  # type: ignore[no-any-return]
        result: IteratorResult[Any] = IteratorResult(self._row, iter(rows))
        return result.all()

    def _read(self, description: Sequence[Any], dialect: Dialect) -> SimpleResultMetaData:
        """Return the names of the columns, and what turns the driver's values into Python's."""
        readers = [
            kind.dialect_impl(dialect).result_processor(dialect, column.type_code)
            for kind, column in zip(self._types, description, strict=True)
        ]
        self._is_plain = all(one in (None, in_utc) for one in readers)
        return SimpleResultMetaData([column.name for column in description], _processors=readers)


def _taken(engine: Engine) -> Any:
    """Take a connection from the pool, with SQLAlchemy's errors but without its slow Connection."""
    try:
        return engine.raw_connection()
    except engine.dialect.loaded_dbapi.Error as error:
        Connection._handle_dbapi_exception_noconnection(error, engine.dialect, engine)  # noqa: SLF001


def _kept(engine: Engine, statement: Select[Any]) -> Kept | None:
    """Return the prepared form of a statement, or None if it has none or an event listens."""
    if (
        not statement.get_execution_options().get("kept")
        or any(WATCHERS(engine.dispatch))
        # Such as a schema for each tenant; or a log of statements (SQLALCHEMY_ECHO).
        or engine.get_execution_options()
        or engine._should_log_info()  # noqa: SLF001
    ):
        return None
    return _made(statement, engine.dialect)


@lru_cache(maxsize=1024)
def _made(statement: Select[Any], dialect: Dialect) -> Kept | None:
    compiled: Any = statement.compile(dialect=dialect)
    # Statements that depend on the values, or are made anew for each execution.
    is_open = compiled.literal_execute_params or compiled.post_compile_params
    is_timed = any(bind.callable for bind in compiled.bind_names) or compiled.insert_prefetch
    if is_open or is_timed or compiled.escaped_bind_names or dialect.driver != "psycopg2":
        return None
    return Kept(statement, compiled, dialect)
