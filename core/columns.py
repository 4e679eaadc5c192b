"""What a column takes: its limits, for which a database may have other words or none."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

# The ranges of the SQL types, which SQLite does not enforce and Python does not have.
INTEGER_BITS: dict[type, int] = {sa.SmallInteger: 15, sa.BigInteger: 63, sa.Integer: 31}
SMALLEST_REAL, LARGEST_REAL = 1.2e-38, 3.4e38
# Beyond it a number of JSON does not tell microseconds apart.
LONGEST = timedelta(seconds=2**32)


def integer_limit(column_type: sa.Integer) -> int:
    """Return the largest value that the column takes."""
    bits = next(bits for kind, bits in INTEGER_BITS.items() if isinstance(column_type, kind))
    return (1 << bits) - 1


def numeric_limit(column_type: sa.Numeric[Any]) -> Decimal | None:
    """Return the largest value that the column takes, None if it has no precision."""
    if column_type.precision is None:
        return None
    # Not by arithmetic, which rounds to 28 digits.
    return Decimal((0, (9,) * column_type.precision, -(column_type.scale or 0)))


def lowest(limit: Any) -> Any:
    """Return what is as far below zero as a limit is above; a decimal's own minus rounds."""
    return limit.copy_negate() if isinstance(limit, Decimal) else -limit


def decimal_places(column_type: sa.Numeric[Any]) -> int | None:
    """Return how many decimal places the column keeps, None if there is no limit."""
    # In SQL a precision without a scale is one for whole numbers.
    is_whole = column_type.scale is None and column_type.precision is not None
    return 0 if is_whole else column_type.scale


def is_real(kind: Any) -> bool:
    """Tell whether a type is a float of single precision."""
    return isinstance(kind, sa.REAL) or (
        isinstance(kind, sa.Float) and kind.precision is not None and kind.precision <= 24
    )


def looks_at_others(default: Any) -> bool:
    """Tell whether a default reads the other values, which only an INSERT knows."""
    # SQLAlchemy wraps a function that takes no context.
    return default is not None and default.is_callable and default.arg is default._given_arg  # noqa: SLF001


def key_names(entity: Any) -> list[str]:
    """Return the attributes of a model's primary key."""
    mapper = sa.inspect(entity).mapper
    return [mapper.get_property_by_column(column).key for column in mapper.primary_key]


def attribute_of(model: Any, column: str) -> str:
    """Return the attribute of a model's column, its own name if there is none."""
    columns = sa.inspect(model).columns.items()
    return next((name for name, one in columns if one.name == column), column)
