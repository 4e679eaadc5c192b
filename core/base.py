"""The declarative base under services.db: constraint names and the types behind Mapped[...]."""

import enum
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, registry
from sqlalchemy.schema import CreateColumn
from sqlalchemy.sql.functions import current_timestamp, now

# PostgreSQL's limit for a name, counted here in characters; other databases take more.
LONGEST_NAME = 63


class _Pattern(str):
    """Makes the same names on every database: long ones are cut as on PostgreSQL."""

    __slots__ = ()

    def __mod__(self, values: Any) -> str:
        name = str.__mod__(self, values)
        if len(name) <= LONGEST_NAME:
            return name
        # As SQLAlchemy shortens names on PostgreSQL.
        digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        return f"{name[: LONGEST_NAME - 8]}_{digest[-4:]}"


# Named constraints can be altered by a migration and recognised in an error.
NAMING_CONVENTION = {
    "ix": _Pattern("ix_%(table_name)s_%(column_0_N_name)s"),
    "uq": _Pattern("uq_%(table_name)s_%(column_0_N_name)s"),
    "ck": _Pattern("ck_%(table_name)s_%(constraint_name)s"),
    "fk": _Pattern("fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s"),
    "pk": _Pattern("pk_%(table_name)s"),
}


def _is_same(kind: sa.JSON, one: Any, other: Any) -> bool:
    """Tell whether two values are the same JSON, in which true is not 1, and 1 is not 1.0."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(kind, one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(partial(_is_same, kind), one, other))
    # A float read from JSON is one of a subclass, WrittenFloat (core/encoding.py).
    are_floats = isinstance(one, float) and isinstance(other, float)
    return (are_floats or type(one) is type(other)) and bool(one == other)


# By Python's == a change from true to 1 would be none, and not be stored.
sa.JSON.compare_values = _is_same  # type: ignore[assignment,method-assign]


@event.listens_for(sa.Table, "after_parent_attach")
def _check_as_table(table: sa.Table, metadata: sa.MetaData) -> None:
    """Move the checks declared in a column to its table, where Alembic looks for them."""
    for column in table.columns:
        for check in list(column.constraints):
            column.constraints.discard(check)
            table.append_constraint(check)


@event.listens_for(sa.Table, "before_create")
def _count_keys_on(table: sa.Table, connection: Any, **options: Any) -> None:
    """Keep SQLite from giving a key twice, which no other engine does.

    By itself it gives the key of a deleted last row to the next new row, which a form that is still
    open on the deleted one would then change.
    """
    key: Any = table.autoincrement_column
    dialect = connection.dialect
    if dialect.name != "sqlite" or not _is_counted(key):
        return
    own = table.dialect_options["sqlite"]
    kind = dialect.type_compiler_instance.process(key.type, type_expression=key)
    if kind == "INTEGER" and own["with_rowid"]:
        own["autoincrement"] = True


COUNTED = " PRIMARY KEY AUTOINCREMENT"
SQLITE_NOW = "strftime('%Y-%m-%d %H:%M:%f000', 'now')"


@compiles(sa.DateTime, "mariadb", "mysql")
@compiles(sa.Time, "mariadb", "mysql")
@compiles(current_timestamp, "mariadb", "mysql")
@compiles(now, "mariadb", "mysql")
def _with_microseconds(element: Any, compiler: Any, **options: Any) -> str:
    """Ask MariaDB for the microseconds that the other engines keep: by default it cuts them off."""
    name = getattr(element, "name", element.__visit_name__)
    return f"{name.upper()}(6)"


@compiles(current_timestamp, "sqlite")
@compiles(now, "sqlite")
def _as_stored(element: Any, compiler: Any, **options: Any) -> str:
    """Write the current time as SQLAlchemy stores one: SQLite compares texts, its own is shorter.

    Not within the rules of a table, such as a CHECK: revisions carry these to the other engines.
    """
    return "CURRENT_TIMESTAMP" if options.get("literal_binds") else SQLITE_NOW


@compiles(CreateColumn, "sqlite")
def _column(element: CreateColumn, compiler: Any, **options: Any) -> str:
    """Write a default of the current time in that format; keep the name of a counted key's rule."""
    column = element.element
    text = str(compiler.visit_create_column(element, **options))
    if isinstance(getattr(column.server_default, "arg", None), (now, current_timestamp)):
        text = text.replace("DEFAULT CURRENT_TIMESTAMP", f"DEFAULT ({SQLITE_NOW})")
    if text.endswith(COUNTED) and column.table.primary_key.name:
        rule = compiler.preparer.format_constraint(column.table.primary_key)
        text = f"{text.removesuffix(COUNTED)} CONSTRAINT {rule}{COUNTED}"
    return text


@compiles(sa.BigInteger, "sqlite")
@compiles(sa.BIGINT, "sqlite")
def _big(kind: sa.BigInteger, compiler: Any, type_expression: Any = None, **options: Any) -> str:
    """Return INTEGER for a counted key: SQLite counts no other type, and this has 64 bits there."""
    return "INTEGER" if _is_counted(type_expression) else "BIGINT"


def _is_counted(column: Any) -> bool:
    """Tell whether a column is the whole primary key, and the database counts it up."""
    table = getattr(column, "table", None)
    if not isinstance(table, sa.Table) or table.autoincrement_column is not column:
        return False
    return len(table.primary_key) == 1


@compiles(sa.JSON, "sqlite")
def _json(kind: sa.JSON, compiler: Any, **options: Any) -> str:
    """Return TEXT: in a column of type JSON, SQLite would store a text like 1e5 as a number."""
    return "TEXT"


@compiles(sa.Float, "mariadb", "mysql")
def _float(kind: sa.Float[Any], compiler: Any, **kwargs: Any) -> str:
    """Return DOUBLE where no precision is named, as on the other engines."""
    return "DOUBLE" if kind.precision is None else str(compiler.visit_float(kind, **kwargs))


@compiles(sa.Numeric, "mariadb", "mysql")
def _numeric(kind: sa.Numeric[Any], compiler: Any, **kwargs: Any) -> str:
    """Return the widest decimal where no precision is named: MariaDB's default keeps no places."""
    if kind.precision is None:
        return "NUMERIC(65, 30)"
    return str(getattr(compiler, f"visit_{kind.__visit_name__}")(kind, **kwargs))


class UTCDateTime(sa.TypeDecorator[datetime]):
    """An aware datetime, in UTC on every engine; a naive one is refused with ValueError."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone: use datetime.now(UTC) or tzinfo=UTC.")
        return value.astimezone(UTC)

    def result_processor(self, dialect: sa.Dialect, coltype: Any) -> Callable[[Any], Any]:
        # In place of process_result_value(): one call for a value, not two.
        read = self.impl_instance.result_processor(dialect, coltype)
        return in_utc if read is None else lambda value: in_utc(read(value))


def in_utc(value: datetime | None) -> datetime | None:
    """Return in UTC a moment as an engine has read it."""
    if value is None or value.tzinfo is UTC:
        return value
    # SQLite and MariaDB return what was stored, in UTC, without saying so.
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _values(members: type[enum.Enum]) -> list[str]:
    return [str(member.value) for member in members]


class DeclarativeModel(DeclarativeBase):
    """The base that Flask-SQLAlchemy copies, not inherits from; behaviour is in core/models.py."""

    # A registry survives the copy, a type_annotation_map of the class does not.
    registry = registry(
        metadata=sa.MetaData(naming_convention=NAMING_CONVENTION),
        type_annotation_map={
            # MariaDB has no VARCHAR without a length.
            str: sa.String(255),
            datetime: UTCDateTime(),
            # A native PostgreSQL enum needs a hand-written migration for each new member.
            enum.Enum: sa.Enum(enum.Enum, native_enum=False, length=32, values_callable=_values),
        },
    )
