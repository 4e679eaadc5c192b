"""Stores a new record and reads it again by one statement, where no unit of work is needed.

The unit of work sends four statements, and computes as long as the rest of the request. It is used
all the same where storing is more than a row: if something listens, if a model has validators, a
constructor or ancestors, for what is no column, and on engines that cannot select from an INSERT.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from core.columns import key_names, looks_at_others, made_by
from core.database import engine_of
from core.parts import tend_parts
from core.plan import Plan
from core.reads import current_session, keep, read
from core.schemas import Schema
from services import db

LISTENERS = attrgetter("before_insert", "after_insert")
SESSION_LISTENERS = attrgetter(
    "after_transaction_create",
    "after_transaction_end",
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


class Stored(Plan):
    """A plan (core/plan.py) whose rows are those that a statement stores.

    Raises LookupError for a model or a schema that needs the unit of work, or dump().
    """

    has_expressions = False

    def __init__(self, schema: Schema, stores: Any) -> None:
        model: Any = schema.opts.model
        self._table = stores.table
        stored = stores.returning(*self._table.c).cte()
        self.key_names = tuple(key_names(model))
        super().__init__(schema, None, self.key_names, aliased(model, stored))
        self._statement = keep(self.select(sa.select(self.entity)))

    def _bind(self, table: sa.Table, columns: Mapping[str, Any], default: str) -> dict[Any, Any]:
        """Return the parameters of these columns, and of those for which Python makes a value.

        `default` is the column's attribute that makes the value: default, or onupdate.
        """
        self._prefix = _free_prefix(table)
        self._binds = {name: f"{self._prefix}{name}" for name in columns}
        values: dict[Any, Any] = {
            column: sa.bindparam(self._binds[name], type_=column.type)
            for name, column in columns.items()
        }
        # SQLAlchemy would make these anew for each execution, and so the whole statement.
        others = (column for column in table.c if column not in values)
        made = (column for column in others if _is_made(getattr(column, default)))
        self._made: dict[str, Any] = {}
        for number, column in enumerate(made):
            self._made[f"{self._prefix}{number}"] = getattr(column, default)
            values[column] = sa.bindparam(f"{self._prefix}{number}", type_=column.type)
        return values

    def _given(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of the parameters that _bind() made."""
        given = {bind: data[name] for name, bind in self._binds.items()}
        return given | {bind: made_by(default) for bind, default in self._made.items()}

    def join(self, entity: Any, attribute: str, is_outer: bool = False) -> tuple[Any, bool]:
        # Outer: the statement sees no record committed since it began, nor its own new row.
        related, is_outer = super().join(entity, attribute, is_outer=True)
        if any(table is self._table for table in sa.inspect(related).mapper.tables):
            raise LookupError
        return related, is_outer

    def _stored(self, values: Mapping[str, Any]) -> Sequence[Any]:
        """Store, commit, and return the row; none if the statement found none."""
        # Outside of a transaction the statement commits by itself.
        rows = read(self.model, self._statement, values)
        if rows and current_session().in_transaction():
            db.session.commit()
        return rows


class Insert(Stored):
    """Stores a new record with values for these attributes."""

    def __init__(self, schema: Schema, names: tuple[str, ...]) -> None:
        model: Any = schema.opts.model
        mapper = sa.inspect(model)
        if _takes_more_to_make(mapper):
            raise LookupError
        table = mapper.local_table
        columns = {name: mapper.columns[name] for name in names}
        if any(column.table is not table for column in columns.values()):
            raise LookupError
        self._version = mapper.version_id_generator if mapper.version_id_col is not None else None
        if self._version:
            # Under a name that no attribute has.
            columns[""] = mapper.version_id_col
        values = self._bind(table, columns, "default")
        values |= {
            column: sa.bindparam(None, None, type_=column.type)
            for column in table.c
            if column not in values and _is_bound_as_none(column)
        }
        super().__init__(schema, sa.insert(table).values(values))

    def store(self, data: Mapping[str, Any]) -> Sequence[Any]:
        """Store the record, commit, and return its row."""
        given = {**data, "": self._version(None)} if self._version else data
        return self._stored(self._given(given))


def insert_of(schema: Schema, data: Mapping[str, Any]) -> Insert | None:
    """Return the statement for a record with these values, None if it takes the unit of work."""
    model: Any = schema.opts.model
    # One listener is the mapper's own.
    is_watched = len(sa.inspect(model).class_manager.dispatch.init) > 1
    if is_watched or takes_the_session(model, data, LISTENERS):
        return None
    unset = _left_out_as_none(model)
    names = tuple(n for n in data if data[n] is not None or n not in unset)
    insert: Insert | None = stored_by(Insert, schema, names)
    return insert


@lru_cache(maxsize=1024)
def stored_by(kind: Any, schema: Schema, names: tuple[str, ...]) -> Any:
    """Return the statement of this kind for these attributes, made once; None if there is none."""
    try:
        return kind(schema, names)
    except LookupError:
        return None


def takes_the_session(
    model: Any, values: Mapping[str, Any], listeners: Callable[[Any], Iterable[Any]]
) -> bool:
    """Tell whether the session has to store these values, not a single statement.

    It has to on an engine that cannot select from what it stores, if changes wait in the session,
    if a value is SQL, and if something listens; `listeners` returns those of a model.
    """
    session, engine = current_session(), engine_of(model)
    return (
        engine.dialect.name != "postgresql"
        or bool(session.new or session.dirty or session.deleted)
        or _is_watched(session, engine)
        # Outside of a transaction psycopg2 applies no isolation level.
        or bool(engine.dialect._on_connect_isolation_level)  # noqa: SLF001
        or _is_watched_model(model, values, listeners)
        or any(isinstance(value, sa.ClauseElement) for value in values.values())
    )


def _is_watched(session: Any, engine: sa.Engine) -> bool:
    """Tell whether something listens to what the unit of work does with any record."""
    listeners = chain.from_iterable(SESSION_LISTENERS(session.dispatch))
    # The scaffold's own listener only looks at changed records.
    others = any(one is not tend_parts for one in listeners)
    return bool(others or engine.dispatch.commit or engine.dispatch.rollback)


def _is_watched_model(
    model: Any, names: Iterable[str], listeners: Callable[[Any], Iterable[Any]]
) -> bool:
    """Tell whether something listens to what the unit of work does with a record of this model."""
    mapper, attributes = _watched_of(model, tuple(names))
    return any(listeners(mapper.dispatch)) or any(one.set for one in attributes)


@lru_cache(maxsize=512)
def _watched_of(model: Any, names: tuple[str, ...]) -> tuple[Any, list[Any]]:
    """Return what listeners may have been added to: the mapper, and these attributes' events."""
    mapper = sa.inspect(model)
    return mapper, [getattr(model, name).dispatch for name in names if name in mapper.columns]


def _free_prefix(table: sa.Table) -> str:
    """Return a prefix of no column: a parameter named like one would be taken for its value."""
    prefix = "new_"
    while any(key.startswith(prefix) for key in table.c.keys()):  # noqa: SIM118 - no dictionary
        prefix += "_"
    return prefix


def takes_more_than_a_row(mapper: Any) -> bool:
    """Tell whether a record of this model is more than the columns of one row."""
    return (
        not isinstance(mapper.local_table, sa.Table)
        or mapper.inherits is not None
        or mapper.polymorphic_on is not None
        or bool(mapper.validators)
        or mapper.class_.__setattr__ is not object.__setattr__
    )


def _takes_more_to_make(mapper: Any) -> bool:
    return (
        takes_more_than_a_row(mapper)
        or mapper.class_manager.original_init is not db.Model.__init__
        or (mapper.version_id_col is not None and not mapper.version_id_generator)
        or any(looks_at_others(column.default) for column in mapper.local_table.c)
    )


def _is_made(default: Any) -> bool:
    """Tell whether Python makes a default, not the database: it is a value or a function."""
    return default is not None and (default.is_scalar or default.is_callable)


def _has_a_value(column: Any) -> bool:
    return column.primary_key or column.default is not None or column.server_default is not None


def _is_bound_as_none(column: Any) -> bool:
    """Tell whether the unit of work sends a None for this column if it was not set."""
    return not _has_a_value(column) and not column.type.should_evaluate_none


@lru_cache(maxsize=512)
def _left_out_as_none(model: Any) -> frozenset[str]:
    """Return the attributes that the unit of work leaves to a default if their value is None."""
    columns = ((n, c) for n, c in sa.inspect(model).columns.items() if isinstance(c, sa.Column))
    return frozenset(
        name
        for name, column in columns
        if _has_a_value(column) and not column.type.should_evaluate_none
    )
