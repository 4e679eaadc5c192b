"""What autogenerate compares and writes: revisions that suit every engine and name their risks."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.ddl.mysql import MariaDBImpl, MySQLImpl
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.ddl.sqlite import SQLiteImpl
from alembic.operations import ops
from sqlalchemy.sql.elements import False_, True_
from sqlalchemy.sql.functions import current_timestamp, now

from core.base import UTCDateTime
from services import log

# How the engines repeat a text: 'it''s', ('it''s') or 'it''s'::character varying.
TEXT_DEFAULT = re.compile(r"\(?'((?:[^']|'')*)'\)?(?:::.+)?")


PORTABLE_DEFAULTS: dict[type, str] = {
    True_: "sa.true()",
    False_: "sa.false()",
    now: "sa.func.now()",
    current_timestamp: "sa.func.current_timestamp()",
}
# How MariaDB and MySQL repeat what they were told.
MYSQL_SPELLINGS = {"false": "0", "true": "1", "NOW()": "current_timestamp()"}


class _Defaults:
    """Compares server defaults where Alembic 1.20's own comparison fails.

    A compare_server_default function would be the usual way, but it breaks off at the first
    computed column.
    """

    def compare_server_default(
        self, inspected: Any, column: Any, declared: str | None, reflected: str | None
    ) -> bool:
        """Tell whether they differ. PostgreSQL cannot say it of json: never, then."""
        if isinstance(column.type, sa.JSON):
            return False
        text = TEXT_DEFAULT.fullmatch(reflected or "")
        if text and declared is not None and isinstance(column.server_default.arg, str):
            return bool(text[1].replace("''", "'") != column.server_default.arg)
        if isinstance(self, MySQLImpl):
            # Older columns, and texts, have no microseconds: that is no difference.
            declared, reflected = (
                one and one.replace("(6)", "()") for one in (declared, reflected)
            )
            declared = MYSQL_SPELLINGS.get(str(declared), declared)
        comparison: Any = super()
        return bool(comparison.compare_server_default(inspected, column, declared, reflected))


for _impl in (SQLiteImpl, PostgresqlImpl, MySQLImpl, MariaDBImpl):
    # Alembic takes the last class that names a dialect.
    type(_impl.__name__, (_Defaults, _impl), {"__dialect__": _impl.__dialect__})


def render_item(kind: str, item: Any, context: AutogenContext) -> str | bool:
    """Write types and defaults so that a revision made on one engine applies on the others."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "server_default" and isinstance(item, sa.DefaultClause):
        return PORTABLE_DEFAULTS.get(type(item.arg), False)
    return False


def complete_revision(context: Any, revision: Any, directives: list[Any]) -> None:
    """Make it portable; warn on the screen and in the file of what loses data or may fail."""
    for script in directives:
        _put_in_order(script.upgrade_ops, context.connection)
        script.upgrade_ops.reverse_into(script.downgrade_ops)
        for operations in (script.upgrade_ops, script.downgrade_ops):
            _drop_whole_tables(operations)
            _describe_by_model(operations, context.opts["target_metadata"])
        for warning in dict.fromkeys(_risks(script.upgrade_ops)):
            log.warning("%s", warning)
            script.imports.add(f"# WARNING: {warning}")


def _put_in_order(operations: Any, connection: sa.Connection) -> None:
    """Drop tables last, and each before those it refers to; Alembic takes them by their names.

    The sort is stable: an index stays behind its table, and what is made in Alembic's order.
    """
    children_first = reversed(sa.inspect(connection).get_sorted_table_and_fkc_names())
    places = {name: place for place, (name, _) in enumerate(children_first, start=1)}
    gone = {one.table_name for one in operations.ops if isinstance(one, ops.DropTableOp)}
    rank = {name: places.get(name, 1) for name in gone}
    operations.ops.sort(key=lambda one: rank.get(getattr(one, "table_name", ""), 0))


def _drop_whole_tables(operations: Any) -> None:
    """Leave a table's indexes to its DROP TABLE: MariaDB drops none that a foreign key needs."""
    gone = {one.table_name for one in operations.ops if isinstance(one, ops.DropTableOp)}
    operations.ops = [
        one
        for one in operations.ops
        if getattr(one, "table_name", "") not in gone
        or not all(isinstance(change, ops.DropIndexOp) for change in _changes([one]))
    ]


def _describe_by_model(operations: Any, metadata: list[sa.MetaData]) -> None:
    """Take what a change leaves alone from the model: the database tells it in its own dialect."""
    tables = {name: table for one in metadata for name, table in one.tables.items()}
    for change in _changes(operations.ops):
        if isinstance(change, ops.AlterColumnOp):
            column = tables[change.table_name].columns[change.column_name]
            if change.modify_type is None:
                change.existing_type = column.type
            if change.modify_server_default is False:
                change.existing_server_default = column.server_default or False


def _changes(operations: Iterable[Any]) -> Iterator[Any]:
    for operation in operations:
        yield from getattr(operation, "ops", [operation])


def _risks(operations: Any) -> Iterator[str]:
    for change in _changes(operations.ops):
        match change:
            case ops.DropTableOp():
                yield f"Table {change.table_name} is dropped with its rows."
            case ops.DropColumnOp():
                yield (
                    f"Column {change.table_name}.{change.column_name} is dropped with its "
                    "values; for a rename write batch_op.alter_column(..., new_column_name=...)."
                )
            case ops.AddColumnOp(column=sa.Column(nullable=False, server_default=None)):
                yield (
                    f"Column {change.table_name}.{change.column.name} is NOT NULL without a "
                    "server_default: a table that has rows refuses it."
                )
            case ops.AlterColumnOp(modify_nullable=False):
                yield (
                    f"Column {change.table_name}.{change.column_name} becomes NOT NULL: fill "
                    "its NULLs in this revision first."
                )
