"""What MariaDB and MySQL need when a revision changes a table, and to see what has changed."""

from typing import Any

import sqlalchemy as sa
from alembic.ddl.impl import DefaultImpl
from alembic.ddl.mysql import MySQLImpl
from alembic.util import CommandError

# The type that they give to a column of bytes, by the greatest length it holds.
BLOBS = {255: "TINYBLOB", 2**16 - 1: "BLOB", 2**24 - 1: "MEDIUMBLOB", 2**32: "LONGBLOB"}


class OnMySQL(DefaultImpl):
    """Overrides Alembic's class and what is the same for all engines (core/comparison.py)."""

    connection: Any
    # Indexes that were dropped along with their foreign keys: a revision may still drop them.
    _gone: frozenset[Any] = frozenset()

    type_synonyms = (*MySQLImpl.type_synonyms, {"REAL", "DOUBLE"})

    def compare_type(self, inspected: Any, column: Any) -> bool:
        """Tell whether types differ; bytes with a length count as the BLOB that holds them."""
        kind = column.type
        if type(kind) is sa.LargeBinary and kind.length:
            name = next(name for most, name in BLOBS.items() if kind.length <= most)
            return type(inspected.type).__name__ != name
        return super().compare_type(inspected, column)

    def add_column(self, table_name: str, column: Any, **options: Any) -> None:
        """Refuse a required column in a table with rows, as the other engines do by themselves.

        MariaDB and MySQL would write "", 0 or 0000-00-00 into each row.
        """
        has_value = column.nullable or column.server_default or column.computed or column.identity
        if not has_value and not self.as_sql:
            query = sa.select(1).select_from(sa.table(table_name, schema=options.get("schema")))
            if self.connection.scalar(query.limit(1)):
                raise CommandError(
                    f"Column {table_name}.{column.name} is NOT NULL without a server_default, and "
                    "the table has rows: add it as nullable, fill it, then forbid NULL."
                )
        super().add_column(table_name, column, **options)

    def drop_index(self, index: Any, **options: Any) -> None:
        """Rename an index to the name of a foreign key that only it serves: no drop is allowed."""
        table = index.table.name
        if (table, index.name) in self._gone:
            return
        key = None if self.as_sql else _key_served_by(self.connection, table, index.name)
        if key is None:
            super().drop_index(index, **options)
        else:
            rename = f"ALTER TABLE `{table}` RENAME INDEX `{index.name}` TO `{key['name']}`"
            self.connection.exec_driver_sql(rename)

    def drop_constraint(self, const: Any, **options: Any) -> None:
        """Index a foreign key that relied on a unique rule; drop the index that a key had made."""
        if self.as_sql or const.table.schema:
            super().drop_constraint(const, **options)
            return
        table = const.table.name
        if isinstance(const, sa.UniqueConstraint):
            self._serve_keys_of(table, const.name)
        super().drop_constraint(const, **options)
        if isinstance(const, sa.ForeignKeyConstraint):
            names = {one["name"] for one in sa.inspect(self.connection).get_indexes(table)}
            if const.name in names and not _key_served_by(self.connection, table, const.name):
                self.connection.exec_driver_sql(f"DROP INDEX `{const.name}` ON `{table}`")
                self._gone |= {(table, const.name)}

    def _serve_keys_of(self, table: str, index: Any) -> None:
        while key := _key_served_by(self.connection, table, index):
            columns = ", ".join(f"`{column}`" for column in key["constrained_columns"])
            add = f"ALTER TABLE `{table}` ADD INDEX `{key['name']}` ({columns})"
            self.connection.exec_driver_sql(add)


def _key_served_by(connection: Any, table: str, index: Any) -> Any:
    """Return a foreign key, as reflected, that this index alone serves; None if there is none."""
    there = sa.inspect(connection)
    columns = {one["name"]: one["column_names"] for one in there.get_indexes(table)}
    columns[""] = there.get_pk_constraint(table)["constrained_columns"]
    for key in there.get_foreign_keys(table):
        needed = key["constrained_columns"]
        if [name for name in columns if columns[name][: len(needed)] == needed] == [index]:
            return key
    return None
