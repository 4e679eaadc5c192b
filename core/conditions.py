"""The conditions of a list in SQL: words that are sought, and values that are compared."""

from collections.abc import Callable
from operator import eq, ge, le
from typing import Any

from sqlalchemy import ColumnElement, String, func
from sqlalchemy.orm import InstrumentedAttribute

from core.cursor import rounded
from core.database import engine_of
from core.text import fold

COMPARISONS: dict[str, Callable[..., ColumnElement[bool]]] = {"eq": eq, "gte": ge, "lte": le}


def contains(column: InstrumentedAttribute[str], word: str) -> ColumnElement[bool]:
    """Match a part of a text without regard to case and, where the engine can, to accents."""
    dialect = engine_of(column.class_).dialect.name
    if dialect == "sqlite":
        # fold() is registered by core/database.py: SQLite's own LIKE knows A to Z only.
        return func.fold(column, type_=String).contains(fold(word), autoescape=True)
    if dialect == "postgresql":
        return column.icontains(word, autoescape=True)
    # MariaDB's collations compare without case and accents.
    return column.contains(word, autoescape=True)


def compare(column: InstrumentedAttribute[Any], operator: str, value: Any) -> ColumnElement[bool]:
    """Compare with the value of a filter; the values of an `in` may be a select of them."""
    if operator == "null":
        return column.is_(None) if value else column.is_not(None)
    if operator == "in":
        values = [rounded(one, column) for one in value] if isinstance(value, list) else value
        return column.in_(values)
    return COMPARISONS[operator](column, rounded(value, column))
