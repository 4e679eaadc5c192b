"""What SQLite needs when a revision changes a table: Alembic makes the table anew and copies it."""

import re
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic.ddl.impl import DefaultImpl
from alembic.util import CommandError
from alembic.util.sqla_compat import is_expression_index

from services import log

NAMES = sa.text("SELECT name FROM sqlite_master WHERE type = 'index'")
# Indexes without a text belong to the table's own rules.
TEXTS = sa.text(
    "SELECT name, sql FROM sqlite_master"
    " WHERE tbl_name = :table AND type IN ('index', 'trigger') AND sql IS NOT NULL"
)
TABLE = sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :table")
# Types that SQLite stores as text.
TEXTUAL = {sa.String, sa.Date, sa.DateTime, sa.Time}
LAST_KEY = sa.text("SELECT seq FROM sqlite_sequence WHERE name = :table")


class OnSQLite(DefaultImpl):
    """Overrides Alembic's class and what is the same for all engines (core/comparison.py)."""

    connection: Any
    # The statements to run again on the table that is made anew.
    _kept: tuple[str, ...] = ()

    def correct_for_autogen_constraints(
        self, conn_uniques: Any, conn_indexes: Any, model_uniques: Any, model_indexes: Any
    ) -> None:
        """Compare indexes of expressions by name, which is all that SQLAlchemy reads of them.

        Alembic would leave them out of a revision, which is for the other engines as well. Of an
        index that only sorts otherwise (DESC), SQLAlchemy reads the columns but not the order.
        """
        there = set(self.connection.scalars(NAMES))
        known = {one.name for one in model_indexes if is_expression_index(one)} & there
        conn_indexes -= {one for one in conn_indexes if one.name in known}
        model_indexes -= {one for one in model_indexes if one.name in known}

    def prep_table_for_batch(self, batch: Any, table: sa.Table) -> None:
        """Copy no computed columns, which SQLite would refuse; keep what Alembic does not see."""
        for name, column in batch.columns.items():
            if column.computed is not None:
                batch.column_transfers[name].pop("expr", None)
                # SQLAlchemy finds no text behind a type with a comma, such as NUMERIC(12, 2).
                if not str(column.computed.sqltext):
                    text = _expression(self.connection, table.name, name)
                    column.computed.sqltext = sa.text(text.replace(":", "\\:"))
        _expect_all_rules(batch, table)
        if not self.as_sql:
            text = str(self.connection.scalar(TABLE, {"table": table.name}))
            _keep_collations(text, batch, table)
            self._kept = tuple(self._unseen(table, batch))
            is_counted = sa.inspect(self.connection).has_table("sqlite_sequence")
            if is_counted and (last := self.connection.scalar(LAST_KEY, {"table": table.name})):
                # So that the keys of deleted rows are not used again.
                keep = f"UPDATE sqlite_sequence SET seq = {last} WHERE name = '{table.name}'"  # nosec B608
                self._kept += (keep,)
        super().prep_table_for_batch(batch, table)

    def cast_for_batch_migrate(self, existing: Any, transfer: Any, new_type: Any) -> None:
        """Copy texts and times as they are, as texts: a CAST would make a date the number 2026."""
        before, after = (one._type_affinity for one in (existing.type, new_type))  # noqa: SLF001
        if {before, after} <= TEXTUAL:
            value = transfer["expr"]
            if (before, after) == (sa.DateTime, sa.Date):
                start: sa.ColumnElement[int] = sa.literal_column("1")
                transfer["expr"] = sa.func.substr(value, start, sa.literal_column("10"))
            elif (before, after) == (sa.Date, sa.DateTime):
                transfer["expr"] = value.op("||")(sa.literal_column("' 00:00:00.000000'"))
        else:
            super().cast_for_batch_migrate(existing, transfer, new_type)  # type: ignore[no-untyped-call]

    def _unseen(self, table: sa.Table, batch: Any) -> Iterator[str]:
        """Yield the SQL of triggers and of indexes, as Alembic copies no DESC and no expression."""
        gone = set(table.columns.keys()) - {column.name for column in batch.columns.values()}
        words = re.compile(rf"(?i)\b(?:{'|'.join(map(re.escape, gone)) or '(?!)'})\b")
        seen = {index.name for index in table.indexes}
        for name, sql in self.connection.execute(TEXTS, {"table": table.name}):
            if name in seen and (words.search(sql) or name not in batch.indexes):
                continue
            if words.search(sql):
                log.warning("%s names a column that went: if it is needed, make it anew.", name)
            else:
                batch.indexes.pop(name, None)
                yield sql

    def rename_table(self, old_table_name: Any, *args: Any, **options: Any) -> None:
        """Make the indexes and triggers of a copied table anew; leave views of the table alone."""
        is_copy = str(old_table_name).startswith("_alembic_tmp_")
        if is_copy:
            # Otherwise SQLite checks that the tables in all views and triggers exist.
            self._exec("PRAGMA legacy_alter_table = ON")
        super().rename_table(old_table_name, *args, **options)
        if is_copy:
            self._exec("PRAGMA legacy_alter_table = OFF")
        kept, self._kept = self._kept, ()
        for sql in kept:
            self.connection.exec_driver_sql(sql)


def _expect_all_rules(batch: Any, table: sa.Table) -> None:
    """Refuse a rule over a column's new name, which Alembic would silently leave out."""
    made = {rule.name for rule in batch.new_table.constraints}
    names = {column.name for column in batch.new_table.columns}
    for name, rule in batch.named_constraints.items():
        if name not in made and names.issuperset(column.name for column in rule.columns):
            raise CommandError(
                f"{name} names a column by its new name, which SQLite cannot do in the batch that "
                f"renames it: create it in another one behind it, with "
                f'op.batch_alter_table("{table.name}") as batch_op.'
            )


def _keep_collations(text: str, batch: Any, table: sa.Table) -> None:
    """Keep the collation, which SQLAlchemy does not read, of columns whose type stays."""
    text, shorter = "", text.partition("(")[2]
    while text != shorter:
        # Drop parentheses: sizes, and expressions of checks, which may have a collation too.
        text, shorter = shorter, re.sub(r"\([^()]*\)", "", shorter)
    for name, column in batch.columns.items():
        there = rf'(?i)(?:^|,)\s*["`]?{re.escape(name)}["`]?\s[^,]*?\bCOLLATE\s+["`]?(\w+)'
        found = re.search(there, text)
        if found and name in table.columns and column.type is table.columns[name].type:
            column.type.collation = found[1]


def _expression(connection: sa.Connection, table: str, column: str) -> str:
    """Return a computed column's expression in SQLite, from the SQL of its table."""
    query = sa.text("SELECT sql FROM sqlite_master WHERE name = :name")
    text = str(connection.scalar(query, {"name": table}))
    kind = r"[^,()]*(?:\([^()]*\))?[^,()]*"
    _, text = re.split(rf"\b{re.escape(column)}\b{kind}\bAS\s*\(", text, maxsplit=1, flags=re.I)
    depth = 1
    # Skip parentheses within quotes.
    for part in re.finditer(r"'[^']*'|\"[^\"]*\"|[()]", text):
        depth += {"(": 1, ")": -1}.get(part[0], 0)
        if depth == 0:
            return text[: part.start()]
    return text
