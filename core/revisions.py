"""What autogenerate compares and writes: revisions that suit every engine and name their risks."""

import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.ddl.mysql import MySQLImpl
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.ddl.sqlite import SQLiteImpl
from alembic.operations import ops
from sqlalchemy.sql.functions import now

from core.base import UTCDateTime
from services import log

# How the engines repeat a text: 'it''s', ('it''s') or 'it''s'::character varying.
TEXT_DEFAULT = re.compile(r"\(?'((?:[^']|'')*)'\)?(?:::.+)?")


class _Defaults:
    """Compares server defaults where Alembic 1.20's own comparison fails.

    A compare_server_default function would be the usual way, but it breaks off at the first
    computed column.
    """

    SPELLINGS: dict[str | None, str] = {}

    def compare_server_default(
        self, inspected: Any, column: Any, declared: str | None, reflected: str | None
    ) -> bool:
        """Tell whether they differ. PostgreSQL cannot say it of json: never, then."""
        if isinstance(column.type, sa.JSON):
            return False
        text = TEXT_DEFAULT.fullmatch(reflected or "")
        if text and declared is not None and isinstance(column.server_default.arg, str):
            return bool(text[1].replace("''", "'") != column.server_default.arg)
        declared = self.SPELLINGS.get(declared, declared)
        differ: bool = super().compare_server_default(  # type: ignore[misc]
            inspected, column, declared, reflected
        )
        return differ


# Alembic takes the last class that names a dialect.
class _SQLite(_Defaults, SQLiteImpl):
    __dialect__ = "sqlite"


class _PostgreSQL(_Defaults, PostgresqlImpl):
    __dialect__ = "postgresql"


class _MySQL(_Defaults, MySQLImpl):
    __dialect__ = "mysql"
    # How the server repeats what it was told.
    SPELLINGS = {"false": "0", "true": "1", "now()": "current_timestamp()"}


class _MariaDB(_MySQL):
    __dialect__ = "mariadb"


def render_item(kind: str, item: Any, context: AutogenContext) -> str | bool:
    """Write types and defaults so that a revision made on one engine applies on the others."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "server_default" and isinstance(item, sa.DefaultClause):
        return _portable_default(item.arg)
    return False


def _portable_default(default: Any) -> str | bool:
    if isinstance(default, sa.sql.elements.True_):
        return "sa.true()"
    if isinstance(default, sa.sql.elements.False_):
        return "sa.false()"
    if isinstance(default, now):
        return "sa.func.now()"
    return False


def complete_revision(context: Any, revision: Any, directives: list[Any]) -> None:
    """Make it portable; warn on the screen and in the file of what loses data or may fail."""
    for script in directives:
        for operations in (script.upgrade_ops, script.downgrade_ops):
            _drop_whole_tables(operations)
            _put_in_order(operations)
            _describe_by_model(operations, context.opts["target_metadata"])
        for warning in dict.fromkeys(_risks(script.upgrade_ops)):
            log.warning("%s", warning)
            script.imports.add(f"# WARNING: {warning}")


def _drop_whole_tables(operations: Any) -> None:
    """Leave a table's indexes to its DROP TABLE: MariaDB drops none that a foreign key needs."""
    dropped = {one.table_name for one in operations.ops if isinstance(one, ops.DropTableOp)}
    operations.ops = [
        one
        for one in operations.ops
        if getattr(one, "table_name", None) not in dropped
        or not all(isinstance(part, ops.DropIndexOp) for part in getattr(one, "ops", [one]))
    ]


def _put_in_order(operations: Any) -> None:
    """Drop tables before those they refer to; Alembic takes those it drops by their names.

    What concerns other tables stays between what is made and what is dropped; the sort is stable,
    so an index stays behind its table.
    """
    made = {one.table_name: one for one in operations.ops if isinstance(one, ops.CreateTableOp)}
    gone = {one.table_name: one for one in operations.ops if isinstance(one, ops.DropTableOp)}
    rank = {name: place - len(made) for place, name in enumerate(_parents_first(made))}
    rank |= {name: place + 1 for place, name in enumerate(reversed(_parents_first(gone)))}
    operations.ops.sort(key=lambda one: rank.get(getattr(one, "table_name", ""), 0))


def _parents_first(tables: Mapping[str, Any]) -> list[str]:
    """Return the names of the tables that these operations make or drop, parents first."""
    parents = {
        name: {key.target_fullname.rpartition(".")[0] for key in one.to_table().foreign_keys}
        for name, one in tables.items()
    }
    order = {name: (parents[name] & set(tables)) - {name} for name in sorted(tables)}
    try:
        return list(TopologicalSorter(order).static_order())
    except CycleError:
        # Tables that refer to each other in a circle have no order; a person must find one.
        return sorted(tables)


def _describe_by_model(operations: Any, metadata: list[sa.MetaData]) -> None:
    """Take what a change leaves alone from the model: the database tells it in its own dialect."""
    tables = {name: table for one in metadata for name, table in one.tables.items()}
    for operation in _changes(operations):
        if not isinstance(operation, ops.AlterColumnOp):
            continue
        column = tables[operation.table_name].columns[operation.column_name]
        if operation.modify_type is None:
            operation.existing_type = column.type
        if operation.modify_server_default is False:
            operation.existing_server_default = column.server_default or False


def _changes(operations: Any) -> Iterator[Any]:
    for operation in operations.ops:
        yield from _changes(operation) if hasattr(operation, "ops") else [operation]


def _risks(operations: Any) -> Iterator[str]:
    for operation in _changes(operations):
        if isinstance(operation, ops.DropTableOp):
            yield f"Table {operation.table_name} is dropped with its rows."
        elif isinstance(operation, ops.DropColumnOp):
            yield (
                f"Column {operation.table_name}.{operation.column_name} is dropped with its "
                "values; for a rename write batch_op.alter_column(..., new_column_name=...)."
            )
        elif isinstance(operation, ops.AddColumnOp) and _lacks_value(operation.column):
            yield (
                f"Column {operation.table_name}.{operation.column.name} is NOT NULL without a "
                "server_default: a table that has rows refuses it."
            )
        elif isinstance(operation, ops.AlterColumnOp) and operation.modify_nullable is False:
            yield (
                f"Column {operation.table_name}.{operation.column_name} becomes NOT NULL: fill "
                "its NULLs in this revision first."
            )


def _lacks_value(column: sa.Column[Any]) -> bool:
    return not column.nullable and column.server_default is None
