"""Turns the database's refusals into the user's words: which rule was broken, by which columns."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import Constraint, ForeignKeyConstraint, Table, select
from sqlalchemy.exc import DBAPIError

from core.modules import installed_metadata
from services import db

MESSAGES = {
    "unique": _l("This value is already taken."),
    "missing": _l("This record does not exist or was deleted."),
    "in_use": _l("Not deleted: other records still use this one."),
    "check": _l("This value is not allowed."),
    "required": _l("This value is required."),
}
POSTGRESQL_KINDS = {
    "23505": "unique",
    "23503": "missing",
    "23001": "in_use",
    "23514": "check",
    "23502": "required",
}
# Error numbers; 4025 (MariaDB) and 3819 (MySQL) come as OperationalError.
MYSQL_KINDS = {
    1062: "unique",
    1452: "missing",
    1451: "in_use",
    4025: "check",
    3819: "check",
    1048: "required",
}
SQLITE_KINDS = {"UNIQUE": "unique", "FOREIGN": "missing", "CHECK": "check", "NOT": "required"}


@dataclass(frozen=True)
class Violation:
    """A broken rule: its kind (a key of MESSAGES), the columns it is about, and the message."""

    kind: str
    columns: tuple[str, ...]
    message: str

    @property
    def errors(self) -> dict[str, list[str]]:
        """Return {"column": ["message"]}, the shape of a form's and of a schema's errors."""
        return {column: [self.message] for column in self.columns}


def violation_of(error: DBAPIError) -> Violation | None:
    """Return the rule behind an error of any of the engines, None if it is another kind of error.

    Call it after the rollback: it may have to ask SQLite which parent is missing. A constraint's
    own words, `info={"message": "..."}`, win over MESSAGES.
    """
    kind, name, columns = _READERS[db.engine.dialect.name](error.orig)
    if kind == "missing" and str(error.statement).lstrip()[:6].upper() == "DELETE":
        kind = "in_use"
    if kind == "in_use":
        return Violation(kind, ("id",), str(MESSAGES[kind]))
    if kind == "":
        return None
    constraint = next((c for c in _constraints() if c.name == name), None) if name else None
    if constraint is not None:
        columns = _columns_of(constraint)
    elif kind == "missing":
        columns = _orphaned_columns(error)
    message = constraint.info.get("message") if constraint is not None else None
    return Violation(kind, tuple(columns), str(message or MESSAGES[kind]))


def _read_postgresql(orig: Any) -> tuple[str, str | None, list[str]]:
    column = orig.diag.column_name
    return (
        POSTGRESQL_KINDS.get(orig.pgcode, ""),
        orig.diag.constraint_name,
        [column] if column else [],
    )


def _read_mysql(orig: Any) -> tuple[str, str | None, list[str]]:
    kind = MYSQL_KINDS.get(orig.args[0], "")
    name = re.search(r"for key '(?:[^'.]*\.)?([^']+)'|CONSTRAINT `([^`]+)`", str(orig.args[-1]))
    column = re.search(r"Column '([^']+)'", str(orig.args[-1]))
    return kind, name and (name[1] or name[2]), [column[1]] if column else []


def _read_sqlite(orig: Any) -> tuple[str, str | None, list[str]]:
    rule, _, detail = str(orig).partition(" constraint failed: ")
    kind = SQLITE_KINDS.get(rule.split()[0], "") if "constraint failed" in str(orig) else ""
    if index := re.fullmatch("index '(.+)'", detail):
        return kind, index[1], []
    if kind in ("unique", "required"):
        return kind, None, [part.rpartition(".")[2] for part in detail.split(", ")]
    return kind, detail or None, []


_READERS = {
    "postgresql": _read_postgresql,
    "mysql": _read_mysql,
    "mariadb": _read_mysql,
    "sqlite": _read_sqlite,
}


def _tables() -> Iterator[Table]:
    for metadata in installed_metadata():
        yield from metadata.tables.values()


def _constraints() -> Iterator[Any]:
    for table in _tables():
        yield from table.constraints
        yield from table.indexes


def _columns_of(constraint: Any) -> list[str]:
    columns = [column.name for column in constraint.columns]
    if columns or not isinstance(constraint, Constraint):
        return columns
    # A CHECK written as text lists no columns: those of the table that it names are meant.
    words = set(re.findall(r"\w+", str(getattr(constraint, "sqltext", ""))))
    return [column.name for column in constraint.table.columns if column.name in words]


def _orphaned_columns(error: DBAPIError) -> list[str]:
    """Find the foreign keys without a parent row, which SQLite alone does not name."""
    written = re.match(r'\s*(?:INSERT INTO|UPDATE) "?(\w+)"?(.*)', str(error.statement), re.DOTALL)
    table = next((t for t in _tables() if written and t.name == written[1]), None)
    if written is None or table is None or not isinstance(error.params, tuple):
        return []
    names = re.findall(r'"?(\w+)"?\s*(?:[,)]|=\s*\?)', written[2].partition("VALUES")[0])
    row = dict(zip(names, error.params, strict=False))
    return [name for key in table.foreign_key_constraints for name in _without_parent(key, row)]


def _without_parent(key: ForeignKeyConstraint, row: dict[str, Any]) -> list[str]:
    values = [row.get(name) for name in key.column_keys]
    if None in values:
        return []
    parent = [element.column == value for element, value in zip(key.elements, values, strict=True)]
    exists = db.session.scalar(select(1).where(*parent).limit(1))
    return [] if exists else list(key.column_keys)
