"""What autogenerate compares and writes: revisions that suit every engine and name their risks."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _repr_type
from alembic.ddl.mysql import MariaDBImpl, MySQLImpl
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.ddl.sqlite import SQLiteImpl
from alembic.operations import ops
from sqlalchemy.schema import sort_tables_and_constraints
from sqlalchemy.sql.elements import False_, True_
from sqlalchemy.sql.functions import current_timestamp, now

from core.base import NAMING_CONVENTION, SQLITE_NOW
from services import log

# How the engines repeat a text: 'it''s', ('it''s') or 'it''s'::character varying.
TEXT_DEFAULT = re.compile(r"\(?'((?:[^']|'')*)'\)?(?:::.+)?")


PORTABLE_DEFAULTS: dict[type, str] = {
    True_: "sa.true()",
    False_: "sa.false()",
    now: "sa.func.now()",
    current_timestamp: "sa.func.current_timestamp()",
}
# Who writes PostgreSQL's own types, whatever engine a revision is made on.
POSTGRESQL = object.__new__(PostgresqlImpl)
# How MariaDB and MySQL repeat what they were told.
MYSQL_SPELLINGS = {"false": "0", "true": "1", "NOW()": "current_timestamp()"}


class _Own:
    """Compares, writes and copies columns where Alembic 1.20 by itself fails.

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
        if isinstance(self, SQLiteImpl):
            # So columns of before were made.
            declared, reflected = (
                one and one.replace("CURRENT_TIMESTAMP", SQLITE_NOW)
                for one in (declared, reflected)
            )
        if isinstance(self, MySQLImpl):
            # Older columns, and texts, have no microseconds: that is no difference.
            declared, reflected = (
                one and one.replace("(6)", "()") for one in (declared, reflected)
            )
            declared = MYSQL_SPELLINGS.get(str(declared), declared)
        comparison: Any = super()
        return bool(comparison.compare_server_default(inspected, column, declared, reflected))

    def _compare_identity_default(self, declared: Any, reflected: Any) -> Any:
        """Return what differs, what was left out, whether it matters: not without identities."""
        comparison: Any = super()
        dialect: Any = getattr(self, "dialect")  # noqa: B009 - of the class beside this one
        if not dialect.supports_identity_columns:
            return set(), set(), False
        return comparison._compare_identity_default(declared, reflected)  # noqa: SLF001

    def _normalize_computed_default(self, expression: str) -> str:
        """Return nothing that differs: the engines repeat an expression in their own words.

        Of some SQLAlchemy reads the half on SQLite. Alembic only warns of it, and writes nothing.
        """
        return "computed"

    def prep_table_for_batch(self, batch: Any, table: sa.Table) -> None:
        """Copy no values of computed columns to the new table on SQLite, which refuses them."""
        own: Any = self
        for name, column in batch.columns.items():
            if column.computed is not None:
                batch.column_transfers[name].pop("expr", None)
                # SQLAlchemy finds none behind a type with a comma, as NUMERIC(12, 2).
                if not str(column.computed.sqltext):
                    text = _expression(own.connection, table.name, name)
                    column.computed.sqltext = sa.text(text.replace(":", "\\:"))
        parent: Any = super()
        parent.prep_table_for_batch(batch, table)

    def render_type(self, kind: Any, context: AutogenContext) -> str | bool:
        """Write a type, also one of PostgreSQL within a type for all engines."""
        comparison: Any = super()
        return comparison.render_type(kind, context) or POSTGRESQL.render_type(kind, context)


def _expression(connection: sa.Connection, table: str, column: str) -> str:
    """Return the expression of a computed column on SQLite, from the table's own text."""
    query = sa.text("SELECT sql FROM sqlite_master WHERE name = :name")
    text = str(connection.scalar(query, {"name": table}))
    kind = r"[^,()]*(?:\([^()]*\))?[^,()]*"
    _, text = re.split(rf"\b{re.escape(column)}\b{kind}\bAS\s*\(", text, maxsplit=1, flags=re.I)
    depth = 1
    # A parenthesis within quotes is none.
    for part in re.finditer(r"'[^']*'|\"[^\"]*\"|[()]", text):
        depth += {"(": 1, ")": -1}.get(part[0], 0)
        if depth == 0:
            return text[: part.start()]
    return text


for _impl in (SQLiteImpl, PostgresqlImpl, MySQLImpl, MariaDBImpl):
    # Alembic takes the last class that names a dialect.
    _own: Any = type(_impl.__name__, (_Own, _impl), {"__dialect__": _impl.__dialect__})
    if issubclass(_impl, MySQLImpl):
        _own.type_synonyms = (*_impl.type_synonyms, {"REAL", "DOUBLE"})


def render_item(kind: str, item: Any, context: AutogenContext) -> str | bool:
    """Write types and defaults so that a revision made on one engine applies on the others."""
    if kind == "type" and not type(item).__module__.startswith("sqlalchemy."):
        return _own_type(item, context)
    if kind == "server_default" and isinstance(item, sa.DefaultClause):
        return PORTABLE_DEFAULTS.get(type(item.arg), False)
    return False


def _own_type(kind: Any, context: AutogenContext) -> str | bool:
    """Write a type of the project as what it is stored as: it may change, or go with its module.

    One that differs between engines only itself knows.
    """
    own = getattr(type(kind), "load_dialect_impl", None)
    if own is sa.TypeDecorator.load_dialect_impl:
        # Alembic has no public name for what writes a type.
        text = str(_repr_type(kind.impl_instance, context))
        variants = kind._variant_mapping.items()  # noqa: SLF001
        named = (f".with_variant({_repr_type(one, context)}, {name!r})" for name, one in variants)
        return text + "".join(named)
    context.imports.add(f"import {type(kind).__module__}")
    return False


def complete_revision(context: Any, revision: Any, directives: list[Any]) -> None:
    """Make it portable; warn on the screen and in the file of what loses data or may fail."""
    metadata = context.opts["target_metadata"]
    for script in directives:
        _put_in_order(script.upgrade_ops, metadata, context.connection)
        _part_circles(script.upgrade_ops)
        _leave_nullable_open(script.upgrade_ops)
        script.upgrade_ops.reverse_into(script.downgrade_ops)
        _part_circles(script.downgrade_ops)
        for operations in (script.upgrade_ops, script.downgrade_ops):
            _open_circles(operations)
            _drop_whole_tables(operations)
            _describe_by_model(operations, metadata)
        for warning in dict.fromkeys(_risks(script.upgrade_ops)):
            log.warning("%s", warning)
            script.imports.add(f"# WARNING: {warning}")


def _put_in_order(operations: Any, metadata: list[sa.MetaData], connection: sa.Connection) -> None:
    """Take parents first, that may get the rules which keys to them need; drop tables last.

    Keys go before all that, since a parent may lose the rule that they needed. Alembic takes tables
    by their names. The sort is stable: an index stays behind its table.
    """
    declared = [table for one in metadata for table in one.tables.values()]
    # The last pair has no table, but the keys of circles.
    *parents_first, _ = sort_tables_and_constraints(declared)  # type: ignore[no-untyped-call]
    children_first = reversed(sa.inspect(connection).get_sorted_table_and_fkc_names())
    gone = {one.table_name for one in operations.ops if isinstance(one, ops.DropTableOp)}
    order = [
        *(table.name for table, _ in parents_first),
        *(name for name, _ in children_first if name in gone),
    ]
    rank = {name: place for place, name in enumerate(order)}
    operations.ops.sort(key=lambda one: rank.get(getattr(one, "table_name", ""), len(rank)))
    _drop_keys_first(operations)


def _drop_keys_first(operations: Any) -> None:
    """Drop foreign keys to other tables that change, too, before all changes."""
    changed = {getattr(one, "table_name", "") for one in operations.ops}
    first = []
    for one in operations.ops:
        if isinstance(one, ops.ModifyTableOps):
            others = changed - {one.table_name}
            keys = [change for change in one.ops if _drops_key_to(others, change)]
            one.ops = [change for change in one.ops if change not in keys]
            first.append(ops.ModifyTableOps(one.table_name, keys, schema=one.schema))
    # Of a table whose keys alone went nothing is left.
    operations.ops = [one for one in (*first, *operations.ops) if getattr(one, "ops", True)]


def _drops_key_to(tables: set[str], change: Any) -> bool:
    if not isinstance(change, ops.DropConstraintOp) or change.constraint_type != "foreignkey":
        return False
    key: Any = change.to_constraint()
    return _target(key).rpartition(".")[2] in tables


def _part_circles(operations: Any) -> None:
    """Make a foreign key to a table that is made later after both: Alembic fails, or forgets it."""
    tables = [one for one in operations.ops if isinstance(one, ops.CreateTableOp)]
    later = [one.to_table().fullname for one in tables]
    for made in tables:
        later.pop(0)
        late: list[Any] = [part for part in made.columns if _is_late(part, later)]
        made.columns = [part for part in made.columns if not _is_late(part, later)]
        keys: list[Any] = [ops.CreateForeignKeyOp.from_constraint(key) for key in late]
        for key in keys:
            # One that is made by itself needs a name, which a base of a module's own may not give.
            names = {
                "table_name": made.table_name,
                "column_0_N_name": "_".join(key.local_cols),
                "referred_table_name": key.referent_table,
            }
            key.constraint_name = key.constraint_name or NAMING_CONVENTION["fk"] % names
        if keys:
            operations.ops.append(ops.ModifyTableOps(made.table_name, keys, schema=made.schema))


def _is_late(part: Any, later: list[str]) -> bool:
    if not isinstance(part, sa.ForeignKeyConstraint):
        return False
    return bool(part.use_alter) or _target(part) in later


def _target(key: sa.ForeignKeyConstraint) -> str:
    """Return the table that a foreign key refers to."""
    target = key.elements[0].target_fullname.rpartition(".")[0]
    schema = key.table.metadata.schema
    return f"{schema}.{target}" if schema and "." not in target else target


def _open_circles(operations: Any) -> None:
    """Drop a foreign key to a table that is dropped earlier before both; SQLite checks none."""
    gone: set[str] = set()
    keys: list[Any] = []
    for one in operations.ops:
        if isinstance(one, ops.DropTableOp):
            table = one.to_table()
            for key in table.foreign_key_constraints:
                if key.name and _target(key) in gone:
                    drop = ops.DropConstraintOp.from_constraint(key)
                    keys.append(ops.ModifyTableOps(one.table_name, [drop], schema=one.schema))
            gone.add(table.fullname)
    operations.ops[:0] = keys


def _leave_nullable_open(operations: Any) -> None:
    """Say nothing of NULL in a computed column, as its model: MariaDB takes no NOT NULL there."""
    for change in _changes(operations.ops):
        for part in (*getattr(change, "columns", ()), getattr(change, "column", None)):
            if getattr(part, "computed", None) is not None:
                part.nullable = None


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
