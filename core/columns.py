"""What a column takes: limits that a database may word differently, or not enforce at all."""

from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm.attributes import flag_modified, set_committed_value
from sqlalchemy.sql.elements import Grouping

from core.base import UTCDateTime

# The ranges of the SQL types, which SQLite does not enforce and Python does not have.
INTEGER_BITS: dict[type, int] = {sa.SmallInteger: 15, sa.BigInteger: 63, sa.Integer: 31}
SMALLEST_REAL, LARGEST_REAL = 1.2e-38, 3.4e38
# Beyond this a number in JSON, a double, does not tell microseconds apart.
LONGEST = timedelta(seconds=2**32)
# For decimals: more digits than any column has; Python's default context rounds to 28.
DIGITS = Context(prec=1000)
# By the class that a TypeDecorator may name for its values, its python_type.
TYPES: dict[type, Any] = {
    bool: sa.Boolean(),
    bytes: sa.LargeBinary(),
    date: sa.Date(),
    datetime: UTCDateTime(),
    Decimal: sa.Numeric(),
    float: sa.Double(),
    int: sa.BigInteger(),
    str: sa.Text(),
    time: sa.Time(),
    timedelta: sa.Interval(),
    UUID: sa.Uuid(),
}


def value_type(kind: Any) -> Any:
    """Return the type of a column's values; for a module's own type, that of its python_type.

    If it names none, the values are taken to be those that it stores.
    """
    is_own = isinstance(kind, sa.TypeDecorator) and not isinstance(kind, UTCDateTime)
    if not is_own or type(kind).__module__.startswith("sqlalchemy."):
        return kind
    if type(kind).python_type is sa.types.TypeEngine.python_type:
        return kind.impl_instance
    return TYPES.get(kind.python_type, kind.impl_instance)


def limits_of(kind: Any) -> tuple[Any, Any]:
    """Return the least and the largest value that a column takes, None and None without limits."""
    most: Any = None
    if isinstance(kind, sa.Integer):
        bits = next(bits for one, bits in INTEGER_BITS.items() if isinstance(kind, one))
        most = (1 << bits) - 1
    elif isinstance(kind, sa.Numeric) and kind.precision is not None:
        # Made of digits: arithmetic would round to 28.
        digits, places = (9,) * kind.precision, -(kind.scale or 0)
        return Decimal((1, digits, places)), Decimal((0, digits, places))
    elif isinstance(kind, sa.Interval):
        most = LONGEST
    elif is_real(kind):
        most = LARGEST_REAL
    return (None, None) if most is None else (-most, most)


def limits_of_column(column: Any) -> tuple[Any, Any]:
    """Return the least and the largest number of a column: by its type or `info={"min": 1}`."""
    low, high = limits_of(value_type(column.type))
    own = getattr(column, "info", {})
    return own.get("min", low), own.get("max", high)


def may_be_blank(column: Any) -> bool:
    """Tell whether a text that is never NULL may be empty: it may if that is its default."""
    return getattr(getattr(column, "default", None), "arg", None) == ""


def decimal_places(column_type: sa.Numeric[Any]) -> int | None:
    """Return how many decimal places the column keeps, None if there is no limit."""
    # In SQL a precision without a scale means whole numbers.
    is_whole = column_type.scale is None and column_type.precision is not None
    return 0 if is_whole else column_type.scale


def has_its_places(expression: Any) -> bool:
    """Tell whether a decimal that is computed is rounded to the places of its type."""
    while isinstance(expression, sa.Label | sa.ScalarSelect | Grouping):
        inner: Any = expression.element
        expression = inner.selected_columns[0] if isinstance(inner, sa.Select) else inner
    kind = expression.type
    if not isinstance(kind, sa.Numeric):
        return True
    is_rounded = isinstance(expression, sa.FunctionElement) and expression.name == "round"
    places = [getattr(one, "value", None) for one in expression.clauses][1:] if is_rounded else []
    return kind.scale is not None and places == [kind.scale]


def is_real(kind: Any) -> bool:
    """Tell whether a type is a float of single precision."""
    return isinstance(kind, sa.REAL) or (
        isinstance(kind, sa.Float) and kind.precision is not None and kind.precision <= 24
    )


def real(number: float) -> float:
    """Return a number as a REAL takes it: one that is too small for it becomes 0, as in Python."""
    return number if abs(number) > SMALLEST_REAL else 0.0


def looks_at_others(default: Any) -> bool:
    """Tell whether a default is a function of the row's other values, known only at its INSERT."""
    # SQLAlchemy wraps a function that takes no context, and keeps one that does as it is.
    return default is not None and default.is_callable and default.arg is default._given_arg  # noqa: SLF001


def made_by(default: Any) -> Any:
    """Return the value that a new row gets by a Python default, which is a value or a function."""
    return default.arg(None) if default.is_callable else default.arg


def server_value(default: Any) -> Any:
    """Return a default that only the database knows (DefaultClause) as SQL, None without one."""
    if not isinstance(default, sa.DefaultClause):
        return None
    return sa.literal(default.arg) if isinstance(default.arg, str) else default.arg


def set_value(record: Any, name: str, value: Any) -> None:
    """Set a value; one that SQL will compute passes by `@validates`, which cannot judge it."""
    if isinstance(value, sa.ClauseElement):
        set_committed_value(record, name, value)
        flag_modified(record, name)
    else:
        setattr(record, name, value)


def key_names(entity: Any) -> list[str]:
    """Return the attributes of a model's primary key."""
    mapper = sa.inspect(entity).mapper
    return [mapper.get_property_by_column(column).key for column in mapper.primary_key]


def attribute_of(model: Any, column: str) -> str:
    """Return the model's attribute for the name of a column, that name itself if there is none."""
    columns = sa.inspect(model).columns.items()
    return next((name for name, one in columns if one.name == column), column)
