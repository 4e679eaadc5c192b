"""What autogenerate compares and how it writes it: in words that every engine reads."""

import re
from decimal import Decimal
from typing import Any, Literal

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _repr_type
from alembic.ddl.impl import DefaultImpl
from alembic.ddl.mysql import MariaDBImpl, MySQLImpl
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.ddl.sqlite import SQLiteImpl
from alembic.util import CommandError
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.sql.elements import False_, True_
from sqlalchemy.sql.functions import current_timestamp, now

from core.base import SQLITE_NOW

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
# Of a moment; PostgreSQL tells of a zone.
WITHOUT_ZONE = (sa.DATETIME, sqlite.DATETIME, mysql.DATETIME)
# Of PostgreSQL's own types those that are no more than what the others have.
ON_ALL_ENGINES = (postgresql.BYTEA, postgresql.INTERVAL, postgresql.TIME)
# What MariaDB makes of bytes of at most so many.
BLOBS = {255: "TINYBLOB", 2**16 - 1: "BLOB", 2**24 - 1: "MEDIUMBLOB", 2**32: "LONGBLOB"}
# How MariaDB and MySQL repeat what they were told.
MYSQL_SPELLINGS = {"false": "0", "true": "1", "NOW()": "current_timestamp()"}


class _Own(DefaultImpl):
    """Compares, writes and copies columns where Alembic 1.20 by itself fails.

    A compare_server_default function would be the usual way, but it breaks off at the first
    computed column.
    """

    connection: Any

    def compare_server_default(
        self, inspected: Any, column: Any, declared: str | None, reflected: str | None
    ) -> bool:
        """Tell whether they differ. PostgreSQL cannot say it of json: never, then."""
        if isinstance(column.type, sa.JSON):
            return False
        text = TEXT_DEFAULT.fullmatch(reflected or "")
        if text and declared is not None and isinstance(column.server_default.arg, str):
            repeated = text[1].replace("''", "'")
            if isinstance(column.type, sa.Time):
                # MariaDB repeats one with all its places.
                repeated = repeated.removesuffix(".000000")
            return bool(repeated != column.server_default.arg)
        if isinstance(column.type, sa.Numeric) and _number(declared) is not None:
            # MariaDB repeats it with all places of the type.
            return _number(declared) != _number(reflected)
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
        differ: Any = super().compare_server_default
        return bool(differ(inspected, column, declared, reflected))

    def _compare_identity_default(self, declared: Any, reflected: Any) -> Any:
        """Return what differs, what was left out, whether it matters: not without identities."""
        if not self.dialect.supports_identity_columns:
            return set(), set(), False
        return super()._compare_identity_default(declared, reflected)  # type: ignore[no-untyped-call]

    def _normalize_computed_default(self, expression: str) -> str:
        """Return nothing that differs: the engines repeat an expression in their own words.

        Of some SQLAlchemy reads the half on SQLite. Alembic only warns of it, and writes nothing.
        """
        return "computed"

    def prep_table_for_batch(self, batch: Any, table: sa.Table) -> None:
        """Copy no values of computed columns to the new table on SQLite, which refuses them."""
        for name, column in batch.columns.items():
            if column.computed is not None:
                batch.column_transfers[name].pop("expr", None)
                # SQLAlchemy finds none behind a type with a comma, as NUMERIC(12, 2).
                if not str(column.computed.sqltext):
                    text = _expression(self.connection, table.name, name)
                    column.computed.sqltext = sa.text(text.replace(":", "\\:"))
        super().prep_table_for_batch(batch, table)

    def render_type(self, kind: Any, context: AutogenContext) -> str | Literal[False]:
        """Write a type, also one of PostgreSQL within a type for all engines."""
        return super().render_type(kind, context) or POSTGRESQL.render_type(kind, context)


def _number(text: str | None) -> Decimal | None:
    """Return the number in a default, quoted or not; None if it is something else."""
    found = re.fullmatch(r"\(?'?(-?[0-9.]+)'?\)?(?:::.+)?", text or "")
    return Decimal(found[1]) if found else None


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


class _OwnMySQL(_Own):
    """What MariaDB and MySQL need besides."""

    type_synonyms = (*MySQLImpl.type_synonyms, {"REAL", "DOUBLE"})

    def compare_type(self, inspected: Any, column: Any) -> bool:
        """Tell whether types differ; bytes of a length have that of the kind that holds it."""
        kind = column.type
        if type(kind) is sa.LargeBinary and kind.length:
            name = next(name for most, name in BLOBS.items() if kind.length <= most)
            return type(inspected.type).__name__ != name
        return super().compare_type(inspected, column)

    def add_column(self, table_name: str, column: Any, **options: Any) -> None:
        """Refuse a required column in a table with rows, as the other engines do by themselves.

        These would write "", 0 or 0000-00-00 into each row.
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
        """Leave an index that a foreign key needs to it, by its name: none else can be dropped."""
        table = index.table.name
        there = None if self.as_sql else sa.inspect(self.connection)
        name = None if there is None else _key_served_by(there, table, index.name)
        if name is None:
            super().drop_index(index, **options)
        else:
            rename = f"ALTER TABLE `{table}` RENAME INDEX `{index.name}` TO `{name}`"
            self.connection.exec_driver_sql(rename)


def _key_served_by(there: Any, table: str, index: str) -> str | None:
    """Return the name of a foreign key that has this index alone, None if there is none."""
    columns = {one["name"]: one["column_names"] for one in there.get_indexes(table)}
    columns[""] = there.get_pk_constraint(table)["constrained_columns"]
    for key in there.get_foreign_keys(table):
        needed = key["constrained_columns"]
        if [name for name in columns if columns[name][: len(needed)] == needed] == [index]:
            return str(key["name"])
    return None


for _impl in (SQLiteImpl, PostgresqlImpl, MySQLImpl, MariaDBImpl):
    _own = _OwnMySQL if issubclass(_impl, MySQLImpl) else _Own
    # Alembic takes the last class that names a dialect.
    type(_impl.__name__, (_own, _impl), {"__dialect__": _impl.__dialect__})


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


def generic(kind: Any) -> Any:
    """Return a type that a database tells, which may be its own, as all engines read it."""
    if isinstance(kind, sa.DateTime):
        # A zone, which models have, SQLite and MariaDB do not tell.
        return sa.DateTime(timezone=getattr(kind, "timezone", False) or type(kind) in WITHOUT_ZONE)
    if isinstance(kind, sa.Double):
        # With a precision, which PostgreSQL tells, MariaDB refuses it.
        return sa.Double()
    if isinstance(kind, mysql.TINYINT):
        return sa.Boolean() if kind.display_width == 1 else sa.SmallInteger()
    is_of_postgresql = type(kind).__module__.startswith("sqlalchemy.dialects.postgresql")
    if is_of_postgresql and not isinstance(kind, ON_ALL_ENGINES):
        return kind
    if isinstance(kind, (sa.CHAR, sa.REAL)):
        return kind
    try:
        found = kind.as_generic()
    except NotImplementedError:
        return kind
    # MariaDB's LONGTEXT is none that SQLAlchemy finds.
    return sa.Text() if type(found) is sa.String and found.length is None else found
