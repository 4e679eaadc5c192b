"""Development: what the database lacks that models and migrations have, and the command for it."""

import re
import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from sqlalchemy import Connection, inspect
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from config import BASE_DIR
from core.database import codes_of
from core.modules import installed_tables
from services import db

REMEDY = _l(
    "The database lacks a table or a column that the models declare: run `alembic upgrade head`. "
    'For a new or changed model run `alembic revision --autogenerate -m "..."` first.'
)
# How a line in a revision begins that warns of what the revision loses or may fail at.
WARNING = "# WARNING:"
SQLITE_MISSING = re.compile("no such (table|column)|has no column named")
# Undefined table and undefined column, of PostgreSQL and of MariaDB.
MISSING = {"42P01", "42703", 1146, 1054}


@dataclass(frozen=True)
class SchemaState:
    """Whether all is well, and the sentence that says so or what to do."""

    good: bool
    text: str


def lacks_migration(error: Exception) -> bool:
    """Tell whether an error comes from a table or column that a migration would have made."""
    if not isinstance(error, DBAPIError):
        return False
    if db.engine.dialect.name == "sqlite":
        return bool(SQLITE_MISSING.search(str(error.orig)))
    return not MISSING.isdisjoint(codes_of(error))


def schema_state() -> SchemaState:
    """Compare the database with the migrations and the models' tables."""
    try:
        with db.engine.connect() as connection:
            return _state(connection)
    except SQLAlchemyError:
        return SchemaState(False, gettext("The database does not answer: see DATABASE_URL."))


def _state(connection: Connection) -> SchemaState:
    current = current_revisions(connection)
    try:
        heads = heads_of(revisions())
    except Exception:
        return SchemaState(False, gettext("The migrations cannot be read: run `alembic heads`."))
    if current != set(heads):
        text = gettext("Migrations have not run yet: run `alembic upgrade head`.")
        return SchemaState(False, text)
    if missing := _missing(connection):
        text = gettext(
            "No migration makes these tables or columns yet: %(names)s. Run `alembic revision "
            '--autogenerate -m "..."`, then `alembic upgrade head`.',
            names=", ".join(missing),
        )
        return SchemaState(False, text)
    text = gettext("The database answers, all migrations have run, and no table is missing.")
    return SchemaState(True, text)


def _missing(connection: Connection) -> list[str]:
    """Return the names of tables, and of columns of others, that the database lacks."""
    inspector, tables = inspect(connection), installed_tables()
    found: dict[Any, Any] = {}
    for schema in {table.schema for table in tables}:
        # Not the other tables and views in the database, which may hold anything.
        ours = [table.name for table in tables if table.schema == schema]
        found |= inspector.get_multi_columns(schema, filter_names=ours, kind=ObjectKind.ANY)
    names = []
    for table in tables:
        if (columns := found.get((table.schema, table.name))) is None:
            names.append(table.fullname)
        else:
            declared = {column.name for column in table.columns if not column.system}
            lost = declared - {column["name"] for column in columns}
            names += [f"{table.fullname}.{name}" for name in lost]
    return sorted(names)


def current_revisions(connection: Connection) -> set[str]:
    """Return the revisions at which the database stands."""
    return {*alembic_part("migration").MigrationContext.configure(connection).get_current_heads()}


def revisions() -> Any:
    """Return the revisions in alembic/versions. Raises any error of their code."""
    return alembic_part("script").ScriptDirectory.from_config(alembic_config())


def heads_of(scripts: Any) -> list[str]:
    """Return the heads of the revisions. Raises LookupError, with the remedy, if one is missing."""
    try:
        with warnings.catch_warnings():
            # The LookupError below says it, with the remedy.
            warnings.filterwarnings("ignore", "Revision .* is not present")
            return list(scripts.get_heads())
    except KeyError as error:
        files = (BASE_DIR / "alembic/versions").glob("*.py")
        names = [file.name for file in files if error.args[0] in file.read_text(encoding="utf-8")]
        raise LookupError(
            f"alembic/versions/ lacks the revision {error}, on which {' and '.join(names)} stands: "
            "bring its file back, or set down_revision there to what is still there (None for "
            "nothing)."
        ) from error


def alembic_config(**options: Any) -> Any:
    """Return the configuration that Alembic's commands need."""
    return alembic_part("config").Config(BASE_DIR / "alembic.ini", **options)


def alembic_part(part: str) -> Any:
    """Return a module of Alembic, which costs start-up time that only its users should pay."""
    return import_module(f"alembic.{part}")
