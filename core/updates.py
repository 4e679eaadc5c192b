"""A change stored and read again by one statement, where nobody would miss the unit of work.

The session reads the record, changes it, commits, and reads what belongs to it: five round trips.
It is asked all the same for what core/inserts.py leaves to it, and for values that PostgreSQL may
find equal where the session would not.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from core.columns import looks_at_others, made_by
from core.inserts import Stored, free_prefix, is_made, takes_more_than_a_row, takes_the_session
from core.parts import is_part
from core.schemas import Schema

POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]
LISTENERS = attrgetter("before_update", "after_update")
# Of which PostgreSQL finds two values equal only if they are.
COMPARED = (
    sa.String,
    sa.Integer,
    sa.Numeric,
    sa.Float,
    sa.Boolean,
    sa.Date,
    sa.DateTime,
    sa.Time,
    sa.Interval,
    sa.Uuid,
    sa.LargeBinary,
)


class Update(Stored):
    """The row of a record after these attributes got other values; none if it had them."""

    def __init__(self, schema: Schema, names: tuple[str, ...]) -> None:
        mapper = sa.inspect(schema.opts.model)
        if takes_more_than_a_row(mapper) or _takes_more_to_change(mapper):
            raise LookupError
        table = mapper.local_table
        columns = {name: mapper.columns[name] for name in names}
        if not columns or not all(_is_plain(column, mapper) for column in columns.values()):
            raise LookupError
        prefix = free_prefix(table)
        self._binds = {name: f"{prefix}{name}" for name in columns}
        values: dict[Any, Any] = {
            column: sa.bindparam(self._binds[name], type_=column.type)
            for name, column in columns.items()
        }
        differs = sa.or_(*(column.is_distinct_from(value) for column, value in values.items()))
        if (version := mapper.version_id_col) is not None:
            values[version] = version + 1
        # SQLAlchemy would make these anew for each execution, and the statement with them.
        made = (column for column in table.c if column not in values and is_made(column.onupdate))
        self._onupdates: dict[str, Any] = {}
        for number, column in enumerate(made):
            self._onupdates[f"{prefix}{number}"] = column.onupdate
            values[column] = sa.bindparam(f"{prefix}{number}", type_=column.type)
        keys = {f"{prefix}{number}key": key for number, key in enumerate(mapper.primary_key)}
        self._keys = tuple(keys)
        is_meant = [key == sa.bindparam(name, type_=key.type) for name, key in keys.items()]
        super().__init__(schema, sa.update(table).where(*is_meant, differs).values(values))

    def store(self, key: tuple[Any, ...], data: Mapping[str, Any]) -> Sequence[Any]:
        """Store the change, commit, and return the row; none if there is no such change."""
        values = dict(zip(self._keys, key, strict=True))
        values |= {bind: data[name] for name, bind in self._binds.items()}
        values |= {bind: made_by(default) for bind, default in self._onupdates.items()}
        return self._stored(values)


def update_of(schema: Schema, values: Mapping[str, Any]) -> Update | None:
    """Return how to change a record to these values, None if it takes the unit of work."""
    if takes_the_session(schema.opts.model, values, LISTENERS):
        return None
    return _update(schema, tuple(values))


@lru_cache(maxsize=512)
def _update(schema: Schema, names: tuple[str, ...]) -> Update | None:
    try:
        return Update(schema, names)
    except LookupError:
        return None


def _is_plain(column: Any, mapper: Any) -> bool:
    """Tell whether a column can be changed, and its values compared, by the statement alone."""
    return (
        column.table is mapper.local_table
        and not column.primary_key
        and column is not mapper.version_id_col
        and _is_compared(column.type)
    )


def _is_compared(kind: Any) -> bool:
    kind = kind._variant_mapping.get("postgresql", kind)  # noqa: SLF001 - no public way
    if isinstance(kind, sa.TypeDecorator) and not isinstance(kind, sa.Interval):
        return _is_compared(kind.load_dialect_impl(POSTGRESQL))
    return (
        isinstance(kind, COMPARED)
        and not isinstance(kind, (sa.CHAR, postgresql.CITEXT))
        and getattr(kind, "collation", None) is None
    )


def _takes_more_to_change(mapper: Any) -> bool:
    # SQLAlchemy's own generator counts.
    generator = mapper.version_id_generator
    is_counted = mapper.version_id_col is None or (generator and generator(1) == 2)
    return (
        not is_counted
        or is_part(mapper)
        or any(looks_at_others(column.onupdate) for column in mapper.local_table.c)
    )
