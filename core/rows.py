"""Rows of columns in place of whole records: what a page or an answer shows, and nothing else."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import MANYTOONE, ColumnProperty, aliased

from core.reads import read


class Rows:
    """How a page (core/paging.py) reads columns of a model and of records that it belongs to."""

    def __init__(self, model: Any, entity: Any = None) -> None:
        self.model = model
        self.entity = model if entity is None else entity
        self.columns: list[Any] = []
        self.joins: list[tuple[Any, bool]] = []
        # Whether a row also gives its values by their columns' names, as templates need.
        self.named = False
        self._places: dict[tuple[Any, str], int] = {}

    def place(self, entity: Any, attribute: str) -> int:
        """Return where the attribute's column stands in a row, adding it if it is new.

        Raises LookupError for an attribute that is no column, nor a column_property.
        """
        if (entity, attribute) not in self._places:
            prop = sa.inspect(entity).mapper.attrs.get(attribute)
            if not isinstance(prop, ColumnProperty):
                raise LookupError(
                    f"{attribute!r} of {entity} is no column: name one, a path to one of a related "
                    "record, or make it a column_property."
                )
            self._places[entity, attribute] = len(self.columns)
            self.columns.append(getattr(entity, attribute))
        return self._places[entity, attribute]

    def join(self, entity: Any, attribute: str, is_outer: bool = False) -> tuple[Any, bool]:
        """Join the one record behind a relationship; return it, and whether it may be missing.

        Raises LookupError if there is no such relationship, or if it may lead to several records.
        """
        relation = sa.inspect(entity).mapper.relationships.get(attribute)
        if relation is None or relation.direction is not MANYTOONE:
            raise LookupError(f"{attribute!r} of {entity} is no relationship to one record.")
        related = aliased(relation.mapper.class_)
        # Only who wrote the model knows that there always is one, and says so by innerjoin.
        is_outer = is_outer or not relation.innerjoin
        self.joins.append((getattr(entity, attribute).of_type(related), is_outer))
        return related, is_outer

    def select(self, statement: sa.Select[Any]) -> sa.Select[Any]:
        """Turn a select of the model's records into one of the columns."""
        statement = statement.with_only_columns(*self.columns)
        for target, is_outer in self.joins:
            statement = statement.join(target, isouter=is_outer)
        return statement

    def fetch(self, statement: sa.Select[Any], values: Mapping[str, Any]) -> Sequence[Any]:
        """Run a select that select() made, and return its rows."""
        return read(self.model, statement, values, self.named)


@lru_cache(maxsize=512)
def rows_of(model: Any, names: tuple[str, ...], named: bool = False) -> Rows:
    """Return how to read these attributes of a model, such as ("name", "category.name")."""
    rows = Rows(model)
    rows.named = named
    entities: dict[str, tuple[Any, bool]] = {"": (model, False)}
    for name in names:
        *steps, attribute = name.split(".")
        path = ""
        for step in steps:
            parent, path = path, f"{path}.{step}"
            if path not in entities:
                entities[path] = rows.join(entities[parent][0], step, entities[parent][1])
        rows.place(entities[path][0], attribute)
    return rows
