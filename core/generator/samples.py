"""A record that a test needs first: the code that makes one of a model, and its imports."""

from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import MANYTOONE

from core.base import UTCDateTime
from core.columns import value_type

Imports = set[tuple[str, str]]


def sample(model: Any, name: str) -> tuple[str, Imports]:
    """Return the code for a record and those it requires, with imports; texts are `name`."""
    mapper = sa.inspect(model)
    arguments: list[str] = []
    imports: Imports = {(model.__module__, model.__name__)}
    relations = [one for one in mapper.relationships if one.direction is MANYTOONE]
    related = {column for one in relations for column in one.local_columns}
    for key, column in mapper.columns.items():
        if not _is_required(column) or column is mapper.version_id_col or column in related:
            continue
        # Three dots ask the developer for a value that the generator cannot know.
        code, needed = ("...", set()) if column.foreign_keys else _value(column.type, name)
        arguments.append(f"{key}={code}")
        imports |= needed
    for relation in relations:
        if all(map(_is_required, relation.local_columns)):
            code, needed = sample(relation.mapper.class_, f"{name} {relation.key}")
            arguments.append(f"{relation.key}={code}")
            imports |= needed
    return f"{model.__name__}({', '.join(arguments)})", imports


def _is_required(column: sa.Column[Any]) -> bool:
    has_default = column.default is not None or column.server_default is not None
    return not (column.primary_key or column.nullable or has_default)


def _value(kind: Any, name: str) -> tuple[str, Imports]:
    """Return the code for a value of the column's type, or three dots where none is obvious."""
    kind = value_type(kind)
    python: Any = datetime if isinstance(kind, UTCDateTime) else kind.python_type
    if issubclass(python, Enum):
        return f"{python.__name__}.{next(iter(python)).name}", {
            (python.__module__, python.__name__)
        }
    if issubclass(python, str):
        text = kind.enums[0] if isinstance(kind, sa.Enum) else name[: kind.length]
        return f'"{text}"', set()
    if issubclass(python, datetime):
        return "datetime(2026, 7, 20, tzinfo=UTC)", {("datetime", "UTC"), ("datetime", "datetime")}
    if issubclass(python, date):
        return "date(2026, 7, 20)", {("datetime", "date")}
    return ("1" if issubclass(python, (int, float, Decimal)) else "..."), set()
