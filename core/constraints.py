"""Turns the database's refusals into the user's words: which rule was broken, by which columns."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.exc import CircularDependencyError, DBAPIError

from core.modules import installed_tables
from services import db, log

MESSAGES = {
    "unique": _l("This value is already taken."),
    "missing": _l("This record does not exist or was deleted."),
    "in_use": _l("Not deleted: other records still use this one."),
    "referred": _l("Not changed: other records still refer to this value."),
    "circle": _l("A record cannot belong to itself, nor to one that belongs to it."),
    "check": _l("This value is not allowed."),
    "required": _l("This value is required."),
}
# By kind: PostgreSQL's SQLSTATE, the number of MariaDB and MySQL, SQLite's name.
CODES: dict[str, set[Any]] = {
    # 23P01: two rows that an exclusion constraint does not let stand together.
    "unique": {"23505", "23P01", 1062, "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"},
    "missing": {"23503", 1452, "SQLITE_CONSTRAINT_FOREIGNKEY"},
    "in_use": {"23001", 1451},
    # 4025 (MariaDB) and 3819 (MySQL) come as OperationalError; the codes behind them are those of
    # triggers (RAISE, SIGNAL) and of views.
    "check": {"23514", 4025, 3819, "SQLITE_CONSTRAINT_CHECK", "P0001", 1644, "44000", 1369}
    | {"SQLITE_CONSTRAINT_TRIGGER"},
    "required": {"23502", 1048, "SQLITE_CONSTRAINT_NOTNULL"},
}
# Where the messages of MariaDB, MySQL and SQLite name a constraint (COLUMN: where columns).
NAME = re.compile(
    # Greedy, to find the last one: before it stands a value that a client has sent.
    r".*for key '(?:[^'.]*\.)?([^']+)'|CONSTRAINT `([^`]+)`"
    r"|CHECK constraint failed: (.+)|failed: index '(.+)'",
    re.DOTALL,
)
COLUMN = re.compile(r"Column '([^']+)'|(?:failed: |, )[^.,']+\.([^,]+)")
# Where the messages of PostgreSQL and MariaDB name the columns of a rule.
KEY = re.compile(r"(?:Key|.*FOREIGN KEY) \(([\w, \"`]+)\)")
# A name as SQLAlchemy writes it: in quotes if it has special characters or is a word of SQL.
QUOTED = r"""(?:["`]([^"`]+)["`]|(\w+))"""
Written = tuple[str, str, str]
WRITTEN = re.compile(rf"""\s*(?:INSERT INTO|UPDATE) (?:["`]?\w+["`]?\.)?{QUOTED}(.*)""", re.DOTALL)
DELETE, UPDATE = (re.compile(rf"\s*{word}", re.IGNORECASE) for word in ("DELETE", "UPDATE"))


@dataclass(frozen=True)
class Violation:
    """A broken rule: its kind (a key of MESSAGES), the columns it is about, and the message."""

    kind: str
    columns: tuple[str, ...]
    message: str
    # The table that has these columns, if the statement or the driver names it.
    table: str | None = field(default=None, compare=False)

    def is_about(self, model: Any) -> bool:
        """Tell whether the columns are this model's: the commit may have written other models."""
        return self.table is None or self.table in [one.name for one in sa.inspect(model).tables]

    @property
    def errors(self) -> dict[str, list[str]]:
        """Return {"column": ["message"]}, the shape of a form's and of a schema's errors."""
        return {column: [self.message] for column in self.columns}


def violation_of(error: Exception, is_deletion: bool = False) -> Violation | None:
    """Return the rule behind an error of any of the engines, None if it is another kind of error.

    SQLAlchemy itself refuses records that refer to each other in a circle. And before it deletes a
    record it sets the keys that refer to it to NULL: if one may not be NULL, the record is in use.

    Call it after the rollback: it may have to ask SQLite which parent is missing. A constraint's
    own words, `info={"message": "..."}`, win over MESSAGES.
    """
    if isinstance(error, CircularDependencyError):
        return _circle(error)
    if isinstance(error, AssertionError) and "blank-out primary key" in str(error):
        return _told("in_use", ("id",))
    if not isinstance(error, DBAPIError):
        return None
    statement = str(error.statement)
    kind, name, columns = _read(error.orig)
    written = _written(statement)
    is_taken_off = is_deletion and kind == "required" and _is_key(written, columns)
    if is_taken_off or (kind in ("in_use", "missing") and DELETE.match(statement)):
        return _told("in_use", ("id",))
    if kind == "":
        return None
    # A deferred rule fails at the COMMIT, a statement that names no table.
    diagnostics = getattr(error.orig, "diag", None)
    table = written[1] if written else getattr(diagnostics, "table_name", None)
    # That table's rules first: checks and keys of two tables may have the same name.
    tables = sorted(installed_tables(), key=lambda one: one.name != table)
    rules = (one for made in tables for one in (*made.constraints, *made.indexes))
    rule = next((one for one in rules if _is_meant(one, name, table, error, columns)), None)
    columns = (
        _columns_of(rule) if rule is not None else columns or _told_columns(error, kind, written)
    )
    if kind == "required":
        # Forms and schemas require it themselves: those of this request leave the column out.
        log.warning("%s.%s was given no value, and may not be NULL", table, ", ".join(columns))
    if kind in ("in_use", "missing") and (referred := _referred(written, rule, columns)):
        return _told("referred", referred, table)
    return _told(kind, columns, table, None if rule is None else rule.info.get("message"))


def _told_columns(error: DBAPIError, kind: str, written: Written | None) -> list[str]:
    """Return the columns of a rule that no model has by name, as after a column was renamed."""
    details = getattr(getattr(error.orig, "diag", None), "message_detail", None)
    if kind in ("unique", "missing") and (named := KEY.match(details or str(error.orig))):
        return re.findall(r"\w+", named[1])
    return _orphaned_columns(written, error.params) if kind == "missing" and written else []


def _written(statement: str) -> Written | None:
    """Return an INSERT or UPDATE, its table, and the text behind that name; None for others."""
    found = WRITTEN.match(statement)
    return found and (found[0], found[1] or found[2], found[3])


def _names(pattern: str, text: str) -> list[str]:
    return [quoted or plain for quoted, plain in re.findall(pattern, text)]


def _told(
    kind: str, columns: Iterable[str], table: str | None = None, message: str | None = None
) -> Violation:
    return Violation(kind, tuple(columns), str(message or MESSAGES[kind]), table)


def _circle(error: CircularDependencyError) -> Violation | None:
    """Return the violation of records that refer to each other; None for a fault of the program."""
    states = [step.state for step in error.cycles if hasattr(step, "state")]
    tables = {state.mapper.local_table for state in states}
    if len(tables) != 1:
        is_deletion = any("Delete" in type(step).__name__ for step in error.cycles)
        return _told("in_use", ("id",)) if is_deletion else None
    [table] = tables
    keys = (key.parent.name for key in table.foreign_keys if key.column.table is table)
    return _told("circle", keys, table.name)


def _is_key(written: Written | None, columns: list[str]) -> bool:
    """Tell whether a statement is an UPDATE of a table in which these columns are foreign keys."""
    if written is None or not UPDATE.match(written[0]):
        return False
    tables = (table for table in installed_tables() if table.name == written[1])
    return {*columns} <= {key.parent.name for table in tables for key in table.foreign_keys}


def _referred(written: Written | None, rule: Any, orphaned: list[str]) -> list[str]:
    """Return the columns that an UPDATE may not change because other rows refer to them."""
    if written is None or not UPDATE.match(written[0]):
        return []
    changed = set(_names(rf"{QUOTED}\s*=", written[2].partition(" WHERE ")[0]))
    if rule is None:
        # SQLite names neither the key nor its table.
        keys = [] if orphaned else [key for one in installed_tables() for key in one.foreign_keys]
    elif rule.table.name == written[1] and not changed.isdisjoint(_columns_of(rule)):
        return []
    else:
        keys = rule.elements
    referred = {key.column.name for key in keys if key.column.table.name == written[1]}
    return sorted(referred & changed)


def _read(orig: Any) -> tuple[str, str | None, list[str]]:
    """Return what the driver tells: the kind of rule, the constraint's name, the columns."""
    if diagnostics := getattr(orig, "diag", None):
        code, name = orig.pgcode, diagnostics.constraint_name
        if code == "42501" and "row-level security" in str(orig):
            code = "44000"
        columns = [diagnostics.column_name] if diagnostics.column_name else []
    else:
        code, text = getattr(orig, "sqlite_errorname", orig.args[0]), str(orig.args[-1])
        if code == "SQLITE_CONSTRAINT_TRIGGER" and text == "FOREIGN KEY constraint failed":
            # SQLite says so of a key with ondelete="RESTRICT".
            code = "SQLITE_CONSTRAINT_FOREIGNKEY"
        named = NAME.search(text)
        name = named and next(filter(None, named.groups()))
        columns = [mysql or sqlite for mysql, sqlite in COLUMN.findall(text)]
    return next((kind for kind, codes in CODES.items() if code in codes), ""), name, columns


def _is_meant(
    rule: Any, name: str | None, table: str | None, error: DBAPIError, columns: list[str]
) -> bool:
    """Tell whether this is the rule that a driver names."""
    if name == "PRIMARY":
        # MariaDB's name for the primary key of every table.
        return rule is rule.table.primary_key and rule.table.name == table
    if name:
        return bool(rule.name == name)
    # SQLite names only the columns, with their table.
    is_unique = isinstance(rule, sa.UniqueConstraint) or getattr(rule, "unique", False)
    is_told = f"UNIQUE constraint failed: {rule.table.name}." in str(error.orig)
    return is_unique and is_told and {column.name for column in rule.columns} == set(columns)


def _columns_of(constraint: Any) -> list[str]:
    columns = [column.name for column in constraint.columns]
    if columns or not isinstance(constraint, sa.Constraint):
        return columns
    # A CHECK written as text lists no columns: take the table's columns that its text names.
    words = set(re.findall(r"\w+", str(getattr(constraint, "sqltext", ""))))
    return [column.name for column in constraint.table.columns if column.name in words]


def _orphaned_columns(written: Written, params: Any) -> list[str]:
    """Return the columns of foreign keys without a parent row; only SQLite does not name them."""
    if not isinstance(params, tuple):
        return []
    names = _names(rf"{QUOTED}\s*(?:[,)]|=\s*\?)", written[2].partition("VALUES")[0])
    # If a column stands in SET and in WHERE, the value of SET counts.
    row = dict(reversed([*zip(names, params, strict=False)]))
    tables = (table for table in installed_tables() if table.name == written[1])
    keys = [key for table in tables for key in table.foreign_key_constraints]
    orphaned = [key for key in keys if not _has_parent(key, row)]
    # If an UPDATE writes only a part of a key, the rest of its values is unknown.
    suspect = (key for key in keys if 0 < len(row.keys() & key.column_keys) < len(key.column_keys))
    return [name for key in orphaned or suspect for name in key.column_keys]


def _has_parent(key: sa.ForeignKeyConstraint, row: dict[str, Any]) -> bool:
    parent = {element.column: row.get(element.parent.name) for element in key.elements}
    # With a NULL in it a key refers to nothing.
    if None in parent.values():
        return True
    # As the driver got them: the column's type would convert the values a second time.
    same = (
        sa.type_coerce(column, sa.types.NullType()) == value for column, value in parent.items()
    )
    return bool(db.session.scalar(sa.select(1).where(*same).limit(1)))
