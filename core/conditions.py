"""The conditions of a list in SQL: words to search for, and values to compare."""

from collections.abc import Callable, Iterable
from operator import eq, ge, le
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, aliased

from core.columns import value_type
from core.cursor import rounded
from core.database import engine_of
from core.text import fold

# Makes the condition that a column has these words.
Match = Callable[[Any, str], sa.ColumnElement[bool]]
COMPARISONS: dict[str, Callable[..., sa.ColumnElement[bool]]] = {"eq": eq, "gte": ge, "lte": le}


def contains(column: InstrumentedAttribute[Any], word: str) -> sa.ColumnElement[bool]:
    """Match a part of a text without regard to case and, where the engine can, to accents.

    A number or a date is searched as the text that the database makes of it.
    """
    text, dialect = _text_of(column)
    if dialect == "sqlite":
        return text.contains(fold(word), autoescape=True)
    if dialect == "postgresql":
        return text.icontains(word, autoescape=True)
    # MariaDB's collations compare without case and accents.
    return text.contains(word, autoescape=True)


def is_whole(column: InstrumentedAttribute[Any], word: str) -> sa.ColumnElement[bool]:
    """Match the whole of a text, with contains()'s disregard for case and accents."""
    text, dialect = _text_of(column)
    if dialect == "sqlite":
        return text == fold(word)
    return sa.func.lower(text) == word.lower() if dialect == "postgresql" else text == word


def _text_of(column: InstrumentedAttribute[Any]) -> tuple[sa.SQLColumnExpression[Any], str]:
    """Return a column as a text, which on SQLite is folded, and its engine's name."""
    kind, dialect = value_type(column.type), engine_of(column.class_).dialect.name
    text: sa.SQLColumnExpression[Any] = column
    if dialect == "sqlite" and isinstance(kind, sa.Numeric) and kind.scale is not None:
        # SQLite keeps no decimal places: 12.50 is 12.5 there.
        text = sa.func.printf(f"%.{kind.scale}f", column, type_=sa.String)
    elif isinstance(kind, sa.Enum) or not isinstance(kind, sa.String | sa.types.NullType):
        text = sa.cast(column, sa.String)
    # fold() is registered by core/database.py: SQLite's own LIKE knows A to Z only.
    return (sa.func.fold(text, type_=sa.String) if dialect == "sqlite" else text), dialect


def in_path(entity: Any, path: str, match: Match, words: str) -> sa.ColumnElement[bool]:
    """Match an attribute of an entity or, behind a dot, of a related record (of any, if many)."""
    name, _, rest = path.partition(".")
    attribute = getattr(entity, name)
    if not rest:
        return match(attribute, words)
    # Under an alias: the path may lead back to the same model.
    related = aliased(attribute.property.mapper.class_)
    found = in_path(related, rest, match, words)
    relation = attribute.of_type(related)
    there_is: Callable[..., sa.ColumnElement[bool]] = (
        relation.any if attribute.property.uselist else relation.has
    )
    return there_is(found)


def model_at(model: Any, path: Iterable[str]) -> Any:
    """Return the model at the end of a path of relationships, None if a name in it is none."""
    for name in path:
        relations = sa.inspect(model).relationships
        if name not in relations:
            return None
        model = relations[name].mapper.class_
    return model


def compare(
    column: InstrumentedAttribute[Any], operator: str, value: Any
) -> sa.ColumnElement[bool]:
    """Compare a column with a filter's value; that of an `in` is a list, or a select of values."""
    if operator == "null":
        return column.is_(None) if value else column.is_not(None)
    if operator == "in":
        values = [rounded(one, column) for one in value] if isinstance(value, list) else value
        return column.in_(values)
    return COMPARISONS[operator](column, rounded(value, column))
