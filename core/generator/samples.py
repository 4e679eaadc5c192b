"""A record that exists before a test: the code that makes one of a model, and what it imports."""

from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import MANYTOONE

Imports = set[tuple[str, str]]


def sample(model: Any, name: str) -> tuple[str, Imports]:
    """Return the code for a record with what it requires, and its imports; its texts are `name`."""
    mapper = sa.inspect(model)
    arguments: list[str] = []
    imports: Imports = {(model.__module__, model.__name__)}
    for key, column in mapper.columns.items():
        if not _is_required(column) or column is mapper.version_id_col or column.foreign_keys:
            continue
        code, needed = _value(column.type, name)
        if code:
            arguments.append(f"{key}={code}")
            imports |= needed
    for relation in mapper.relationships:
        if relation.direction is MANYTOONE and all(map(_is_required, relation.local_columns)):
            code, needed = sample(relation.mapper.class_, f"{name} {relation.key}")
            arguments.append(f"{relation.key}={code}")
            imports |= needed
    return f"{model.__name__}({', '.join(arguments)})", imports


def _is_required(column: sa.Column[Any]) -> bool:
    has_default = column.default is not None or column.server_default is not None
    return not (column.primary_key or column.nullable or has_default)


def _value(kind: Any, name: str) -> tuple[str, Imports]:
    """Return the code for a value of the column's type; none for a type that has no obvious one."""
    python = kind.python_type
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
    return ("1" if issubclass(python, (int, float, Decimal)) else ""), set()
