"""A change stored and read again by one statement, where this gives the same as the unit of work.

With the session it takes five round trips: read the record, change it, commit, and read it with
what belongs to it. The session still does what core/inserts.py leaves to it, changes a record that
it holds already, and sets values that PostgreSQL and Python compare differently.
"""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from marshmallow.decorators import POST_LOAD, PRE_LOAD, VALIDATES, VALIDATES_SCHEMA
from sqlalchemy.dialects import postgresql

from core.base import UTCDateTime
from core.columns import is_real, looks_at_others
from core.inserts import Stored, stored_by, takes_more_than_a_row, takes_the_session
from core.parts import is_part
from core.plan import check_key
from core.reads import current_session
from core.schemas import Schema

LISTENERS = attrgetter("before_update", "after_update")
HOOKS = (PRE_LOAD, POST_LOAD, VALIDATES, VALIDATES_SCHEMA)
# Types whose values PostgreSQL finds equal if Python does.
COMPARED = (
    sa.String,
    sa.Integer,
    sa.Numeric,
    sa.Float,
    sa.Boolean,
    sa.Date,
    sa.DateTime,
    UTCDateTime,
    sa.Time,
    sa.Interval,
    sa.Uuid,
    sa.LargeBinary,
)


class Update(Stored):
    """The row of a record after these attributes got other values; none if it had them already.

    None, too, if the record has a version and another change came in the same moment.
    """

    def __init__(self, schema: Schema, names: tuple[str, ...]) -> None:
        mapper = sa.inspect(schema.opts.model)
        if takes_more_than_a_row(mapper) or _takes_more_to_change(mapper) or _judges(schema):
            raise LookupError
        table = mapper.local_table
        columns = {name: mapper.columns[name] for name in names}
        if not columns or not all(_is_plain(column, mapper) for column in columns.values()):
            raise LookupError
        values = self._bind(table, columns, "onupdate")
        differs = sa.or_(*(one.is_distinct_from(values[one]) for one in columns.values()))
        keys = {f"{self._prefix}{number}key": key for number, key in enumerate(mapper.primary_key)}
        self._keys = tuple(keys)
        key_of = {key: sa.bindparam(name, type_=key.type) for name, key in keys.items()}
        where = [key == value for key, value in key_of.items()]
        self.version = mapper.version_id_col
        if self.version is not None:
            values[self.version] = self.version + 1
            # An UPDATE that waits for another sees its row anew, but subqueries as they were.
            seen = table.alias("seen")
            is_it = (seen.c[key.key] == value for key, value in key_of.items())
            version = sa.select(seen.c[self.version.key]).where(*is_it).scalar_subquery()
            where.append(self.version == version)
        super().__init__(schema, sa.update(table).where(*where, differs).values(values))
        if self.version is None and self.joins:
            # Without a version, the joins could show related records as they were before the wait.
            raise LookupError

    def store(self, key: tuple[Any, ...], data: Mapping[str, Any]) -> Sequence[Any]:
        """Store the change, commit, and return the row; no row if nothing was changed."""
        return self._stored(dict(zip(self._keys, key, strict=True)) | self._given(data))


def update_of(schema: Schema, key: tuple[Any, ...], values: Mapping[str, Any]) -> Update | None:
    """Return the statement that sets these values, or None if it takes the unit of work."""
    model: Any = schema.opts.model
    check_key(model, key)
    identity = sa.inspect(model).identity_key_from_primary_key(key)
    if identity in current_session().identity_map or takes_the_session(model, values, LISTENERS):
        return None
    update: Update | None = stored_by(Update, schema, tuple(values))
    return update


def _is_plain(column: Any, mapper: Any) -> bool:
    """Tell whether a column can be changed, and its values compared, by the statement alone."""
    return (
        column.table is mapper.local_table
        and not column.primary_key
        and column is not mapper.version_id_col
        and column.onupdate is None
        and column.server_onupdate is None
        and _is_compared(column.type)
    )


def _is_compared(kind: Any) -> bool:
    kind = kind._variant_mapping.get("postgresql", kind)  # noqa: SLF001 - no public way
    is_known = type(kind) is UTCDateTime or type(kind).__module__.startswith("sqlalchemy.")
    return (
        is_known
        and isinstance(kind, COMPARED)
        and not isinstance(kind, (sa.CHAR, sa.NCHAR, postgresql.CITEXT))
        and getattr(kind, "as_uuid", True)
        and not is_real(kind)
        and getattr(kind, "collation", None) is None
    )


def _judges(schema: Schema) -> bool:
    """Tell whether a schema has hooks, which may judge a change by what is stored."""
    hooks = (one for hook in HOOKS for one in schema._hooks[hook])  # noqa: SLF001 - no public way
    # Every schema has marshmallow-sqlalchemy's hook, which makes nothing here.
    return any(name != "make_instance" for name, *_ in hooks)


def _takes_more_to_change(mapper: Any) -> bool:
    # Only a version that SQLAlchemy's own generator counts, by 1, can be raised here.
    generator = mapper.version_id_generator
    is_counted = mapper.version_id_col is None or (generator and generator(1) == 2)
    return (
        not is_counted
        or is_part(mapper)
        or not all(one.passive_updates for one in mapper.relationships)
        or any(looks_at_others(column.onupdate) for column in mapper.local_table.c)
    )
