"""What a revision that autogenerate writes may lose or fail at, for who applies it to rows."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops

from core.columns import decimal_places, limits_of
from core.portable import generic

Quote = Callable[[str], str]
# How to find what is past a limit of a type, and the limit: None where there is none.
LIMITS: dict[str, Callable[[Any], Any]] = {
    "length({0}) > {1}": lambda kind: kind.length if isinstance(kind, sa.String) else None,
    "abs({0}) > {1}": lambda kind: limits_of(kind)[1],
    "{0} <> round({0}, {1})": lambda kind: (
        decimal_places(kind) if isinstance(kind, sa.Numeric) else None
    ),
}


def risks(changes: Sequence[Any], quote: Quote) -> Iterator[str]:
    """Yield what an upgrade loses, and what may stop it where there are rows.

    `quote` writes a name as the database at hand reads it.
    """
    yield from _repeated(changes, quote)
    yield from _broken(changes, quote)
    for change in changes:
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
            case ops.AlterColumnOp():
                yield from _of_column(change, quote)


def _repeated(changes: Sequence[Any], quote: Quote) -> Iterator[str]:
    """Warn of unique rules that tables get whose rows may break them already."""
    new = {one.table_name for one in changes if isinstance(one, ops.CreateTableOp)}
    empty = {
        (one.table_name, one.column.name)
        for one in changes
        if isinstance(one, ops.AddColumnOp) and one.column.server_default is None
    }
    for change in changes:
        is_index = isinstance(change, ops.CreateIndexOp) and change.unique
        is_rule = is_index or isinstance(change, ops.CreateUniqueConstraintOp)
        if not is_rule or change.table_name in new:
            continue
        columns = [getattr(column, "name", None) or str(column) for column in change.columns]
        if empty.isdisjoint((change.table_name, column) for column in columns):
            names, table = ", ".join(columns), _table(change, quote)
            known = " AND ".join(f"{_column(one, quote)} IS NOT NULL" for one in columns)
            sought = ", ".join(_column(one, quote) for one in columns)
            # To be read, not run.
            query = (
                f"SELECT {sought} FROM {table} WHERE {known} GROUP BY {sought} HAVING count(*) > 1"  # nosec B608
            )
            yield (
                f"{change.table_name} must have no two rows with the same {names}: a database "
                f"refuses this where it has. Look for them before you apply it: {query};"
            )


def _broken(changes: Sequence[Any], quote: Quote) -> Iterator[str]:
    """Warn of checks that tables get whose rows may break them; in a new column there are none."""
    added = [one for one in changes if isinstance(one, ops.AddColumnOp)]
    for change in changes:
        if not isinstance(change, ops.CreateCheckConstraintOp):
            continue
        rule, words = str(change.condition), set(re.findall(r"\w+", str(change.condition)))
        if any(one.table_name == change.table_name and one.column.name in words for one in added):
            continue
        # To be read, not run.
        query = f"SELECT * FROM {_table(change, quote)} WHERE NOT ({rule})"  # nosec B608
        yield (
            f"{change.table_name} gets the rule {rule}: a database refuses it where a row breaks "
            f"it. Look for such rows before you apply it: {query};"
        )


def _table(change: Any, quote: Quote) -> str:
    return ".".join(map(quote, filter(None, [change.schema, change.table_name])))


def _column(name: str, quote: Quote) -> str:
    # An index may be one of expressions.
    return quote(name) if name.isidentifier() else name


def _of_column(change: Any, quote: Quote) -> Iterator[str]:
    column = f"Column {change.table_name}.{change.column_name}"
    if change.modify_type is not None:
        before, after = generic(change.existing_type), generic(change.modify_type)
        if before._type_affinity is not after._type_affinity:  # noqa: SLF001
            yield (
                f"{column} becomes another type: a database may refuse its values, or make others "
                "of them; a new column that this revision fills keeps them."
            )
        elif lost := " OR ".join(_past_limits(quote(change.column_name), before, after)):
            # To be read, not run.
            query = f"SELECT * FROM {_table(change, quote)} WHERE {lost}"  # nosec B608
            yield (
                f"{column} takes less than before: PostgreSQL and MariaDB refuse longer texts and "
                "larger numbers and round further decimals, SQLite keeps them. Look for such rows "
                f"before you apply it: {query};"
            )
    defaults = change.modify_server_default, change.existing_server_default
    if defaults[0] is not False and sa.Identity in map(type, defaults):
        yield (
            f"{column} gets, changes or loses an Identity(), which PostgreSQL refuses as it stands "
            "here: docs/migrations.md has the statements."
        )
    if change.modify_nullable is False:
        yield f"{column} becomes NOT NULL: fill its NULLs in this revision first."


def _past_limits(column: str, before: Any, after: Any) -> Iterator[str]:
    """Yield the conditions of values that a narrower type does not take as they are."""
    for condition, limit in LIMITS.items():
        had, has = limit(before), limit(after)
        if has is not None and (had is None or has < had):
            yield condition.format(column, has)
