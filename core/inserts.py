"""A record stored and read again by one statement, where nobody would miss the unit of work.

The session sends four, and computes as long as the rest of the request. It is asked all the same
where storing is more than a row: if a model or the session has listeners, validators, a
constructor or ancestors, and on engines that cannot select from an INSERT.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from core.database import engine_of, session_events
from core.plan import Plan, key_names
from core.schemas import Schema
from services import db

MODEL_EVENTS = ("before_insert", "after_insert")
SESSION_EVENTS = (
    "after_begin",
    "before_attach",
    "after_attach",
    "transient_to_pending",
    "before_flush",
    "after_flush",
    "after_flush_postexec",
    "pending_to_persistent",
    "before_commit",
    "after_commit",
    "do_orm_execute",
)


class Insert(Plan):
    """A plan whose rows are those of a new record.

    Raises LookupError for a model or a schema that needs the unit of work, or dump().
    """

    def __init__(self, schema: Schema, names: tuple[str, ...]) -> None:
        model: Any = schema.opts.model
        mapper = sa.inspect(model)
        columns = {name: mapper.columns[name] for name in names}
        if _has_own_ways(model, columns):
            raise LookupError
        values: dict[Any, Any] = {
            column: sa.bindparam(f"new_{name}", type_=column.type)
            for name, column in columns.items()
        }
        if mapper.version_id_col is not None:
            values[mapper.version_id_col] = mapper.version_id_generator(None)
        stored = sa.insert(mapper.local_table).values(values).returning(*mapper.local_table.c)
        self.key_names = tuple(key_names(model))
        super().__init__(schema, None, self.key_names, aliased(model, stored.cte("stored")))
        self._statement = self.select(sa.select(self.entity))

    def store(self, data: Mapping[str, Any]) -> Sequence[Any]:
        """Store the record, commit, and return its row."""
        rows = self.fetch(self._statement, {f"new_{name}": data[name] for name in data})
        if db.session.registry.has():
            db.session.commit()
        return rows


def insert_of(schema: Schema, data: Mapping[str, Any]) -> Insert | None:
    """Return how to store a record with these values, None if it takes the unit of work."""
    model: Any = schema.opts.model
    events, own_events = session_events(), sa.inspect(model).dispatch
    if (
        engine_of(model).dialect.name != "postgresql"
        or _has_unsaved()
        or any(getattr(events, name) for name in SESSION_EVENTS)
        or any(getattr(own_events, name) for name in MODEL_EVENTS)
        or any(isinstance(value, sa.ClauseElement) for value in data.values())
    ):
        return None
    return _insert(schema, tuple(data))


def _has_unsaved() -> bool:
    session = db.session
    return session.registry.has() and bool(session.new or session.dirty or session.deleted)


@lru_cache(maxsize=512)
def _insert(schema: Schema, names: tuple[str, ...]) -> Insert | None:
    try:
        return Insert(schema, names)
    except LookupError:
        return None


def _has_own_ways(model: Any, columns: Mapping[str, Any]) -> bool:
    """Tell whether a model does more than store a row when a record is made."""
    mapper = sa.inspect(model)
    defaults = (column.default for column in mapper.local_table.c if column.default is not None)
    return (
        mapper.inherits is not None
        or mapper.polymorphic_on is not None
        or mapper.class_manager.original_init is not db.Model.__init__
        or bool(mapper.validators)
        or not mapper.version_id_generator
        or any(getattr(model, name).dispatch.set for name in columns)
        # One that looks at the other values finds none in an INSERT that is part of a SELECT.
        or any(one.is_callable and not hasattr(one.arg, "__wrapped__") for one in defaults)
    )
