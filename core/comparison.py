"""How Alembic's autogenerate compares columns, and writes types that every engine reads."""

import re
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import _repr_type
from alembic.ddl.impl import DefaultImpl
from alembic.ddl.mysql import MariaDBImpl, MySQLImpl
from alembic.ddl.postgresql import PostgresqlImpl
from alembic.ddl.sqlite import SQLiteImpl
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import CreateEnumType
from sqlalchemy.sql.elements import False_, True_
from sqlalchemy.sql.functions import current_timestamp, now

from core.base import SQLITE_NOW
from core.columns import is_real
from core.mysql_changes import OnMySQL
from core.sqlite_changes import OnSQLite

# How the engines report a text as default: 'it''s', ('it''s') or 'it''s'::character varying.
TEXT_DEFAULT = re.compile(r"\(?'((?:[^']|'')*)'\)?(?:::.+)?")
PORTABLE_DEFAULTS: dict[type, str] = {
    True_: "sa.true()",
    False_: "sa.false()",
    now: "sa.func.now()",
    current_timestamp: "sa.func.current_timestamp()",
}
# Writes PostgreSQL's own types, whatever engine a revision is made on.
POSTGRESQL = object.__new__(PostgresqlImpl)
FLOATS = (sa.REAL, sa.DOUBLE_PRECISION)
# MariaDB's DECIMAL has a size even where none was given.
SIZED = (sa.VARCHAR, sa.NUMERIC)
# How MariaDB and MySQL report defaults that were declared otherwise.
MYSQL_SPELLINGS = {"false": "0", "true": "1", "NOW()": "current_timestamp()"}


class _Own(DefaultImpl):
    """Compares and writes columns where Alembic 1.20 by itself fails.

    A compare_server_default function would be the usual way, but with one Alembic crashes at the
    first computed column.
    """

    def compare_type(self, inspected: Any, column: Any) -> bool:
        """Tell whether types differ; PostgreSQL reports a float's precision by one of two names.

        Alembic ignores a size if the other type has none.
        """
        is_key = isinstance(self, SQLiteImpl) and column.primary_key
        if is_key and isinstance(column.type, sa.BigInteger):
            # A counted key is an INTEGER there (core/base.py); a copy may have made it count.
            return not isinstance(inspected.type, (sa.BIGINT, sa.INTEGER))
        if isinstance(column.type, sa.Float) and type(inspected.type) in FLOATS:
            return is_real(column.type) != is_real(inspected.type)
        if isinstance(inspected.type, SIZED) and self._size(inspected) != self._size(column):
            return True
        return super().compare_type(inspected, column)

    def _size(self, column: Any) -> list[str]:
        # For a number without places some engines report a scale of 0.
        return [size for size in self._tokenize_column_type(column).args if size != "0"]

    def compare_server_default(
        self, inspected: Any, column: Any, declared: str | None, reflected: str | None
    ) -> bool:
        """Tell whether defaults differ.

        For JSON, which PostgreSQL cannot compare, it only counts whether there is one.
        """
        if isinstance(column.type, sa.JSON):
            return (declared is None) != (reflected in (None, "NULL"))
        if isinstance(column.type, (sa.Numeric, sa.Float)) and _number(declared) is not None:
            # MariaDB reports it with all places of the type.
            return _number(declared) != _number(reflected)
        text = TEXT_DEFAULT.fullmatch(reflected or "")
        if text and declared is not None and isinstance(column.server_default.arg, str):
            told = (column.server_default.arg, text[1].replace("''", "'"))
            first, second = (_value(column.type, one) for one in told)
            return bool(first != second)
        if isinstance(self, SQLiteImpl):
            # Columns of earlier versions were made with CURRENT_TIMESTAMP.
            declared, reflected = (
                one and one.replace("CURRENT_TIMESTAMP", SQLITE_NOW)
                for one in (declared, reflected)
            )
        if isinstance(self, MySQLImpl):
            # Older columns, and defaults written as text, lack the (6): that is no difference.
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
        """Return the same for all: the engines report an expression in words of their own.

        On SQLite, SQLAlchemy reads only half of some. Nothing is lost: of a difference Alembic
        only warns, and writes nothing.
        """
        return "computed"

    def render_type(self, kind: Any, context: AutogenContext) -> str | Literal[False]:
        """Write a type, also one of PostgreSQL that is a variant of a type for all engines."""
        return super().render_type(kind, context) or POSTGRESQL.render_type(kind, context)


def _value(kind: Any, text: str) -> Any:
    """Return the value that a default's text stands for: each engine reports it in its own form."""
    kind = getattr(kind, "impl_instance", kind)
    try:
        if isinstance(kind, sa.DateTime):
            moment = datetime.fromisoformat(text)
            # Connections are in UTC.
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(kind, sa.Time):
            return time.fromisoformat(text)
        return UUID(text) if isinstance(kind, sa.Uuid) else text
    except ValueError:
        return text


def _number(text: str | None) -> Decimal | None:
    """Return the number in a default, quoted or not; None if it is something else."""
    found = re.fullmatch(r"\(?'?(-?[0-9.]+(?:e[+-]?\d+)?)'?\)?(?:::.+)?", text or "", re.IGNORECASE)
    return Decimal(found[1]) if found else None


class _OnPostgresql(DefaultImpl):
    """Makes the types of native enums on PostgreSQL before the columns that use them."""

    connection: Any

    def create_table(self, table: sa.Table, **options: Any) -> None:
        """Make missing types of native enums first; those of a dropped table are still there."""
        for column in table.columns:
            self._make_type(column)
        super().create_table(table, **options)

    def add_column(self, table_name: str, column: Any, **options: Any) -> None:
        """Make the type of a native enum first, as a new table does."""
        self._make_type(column)
        super().add_column(table_name, column, **options)

    def _make_type(self, column: Any) -> None:
        kind = column.type.dialect_impl(self.dialect)
        if not isinstance(kind, postgresql.ENUM) or not kind.create_type:
            return
        # SQLAlchemy's own record of the types that it has made.
        made = self.memo.setdefault(f"pg_{kind.__visit_name__}", set())
        if not self.as_sql:
            kind.create(self.connection, checkfirst=True)
        elif (kind.schema, kind.name) not in made:
            self._exec(CreateEnumType(kind))
        made.add((kind.schema, kind.name))


for _impl, _own in (
    (SQLiteImpl, (OnSQLite, _Own)),
    (PostgresqlImpl, (_OnPostgresql, _Own)),
    (MySQLImpl, (OnMySQL, _Own)),
    (MariaDBImpl, (OnMySQL, _Own)),
):
    # Alembic takes the class that was last defined for a dialect.
    type(_impl.__name__, (*_own, _impl), {"__dialect__": _impl.__dialect__})


def render_item(kind: str, item: Any, context: AutogenContext) -> str | bool:
    """Write types and defaults so that a revision made on one engine applies on the others."""
    if kind == "type" and not type(item).__module__.startswith("sqlalchemy."):
        return _own_type(item, context)
    if kind == "server_default" and isinstance(item, sa.DefaultClause):
        if type(item.arg) is str:
            # Alembic would strip quotes that are part of the text.
            return repr(item.arg)
        return PORTABLE_DEFAULTS.get(type(item.arg), False)
    return False


def _own_type(kind: Any, context: AutogenContext) -> str | bool:
    """Write a type of the project as the type that it stores: it may change, or go with its module.

    One that stores another type on each engine is imported: nothing else can stand for it.
    """
    own = getattr(type(kind), "load_dialect_impl", None)
    if own is sa.TypeDecorator.load_dialect_impl:
        # Alembic has no public function that writes a type.
        text = str(_repr_type(kind.impl_instance, context))
        variants = kind._variant_mapping.items()  # noqa: SLF001
        named = (f".with_variant({_repr_type(one, context)}, {name!r})" for name, one in variants)
        return text + "".join(named)
    context.imports.add(f"import {type(kind).__module__}")
    return False
