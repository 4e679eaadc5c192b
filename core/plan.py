"""The plan of a schema: one SELECT of just the columns it shows, one function that writes the rows.

dump() works out each field anew for every record; a plan asks the schema once. For the fields that
it knows, a plan writes what dump() writes; a schema with any other field has no plan.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import marshmallow
import sqlalchemy as sa
from marshmallow import fields
from marshmallow.decorators import POST_DUMP, PRE_DUMP
from marshmallow_sqlalchemy.fields import Nested

from core import fields as own
from core.base import UTCDateTime
from core.columns import key_names
from core.listing import once
from core.paging import Records
from core.reads import keep
from core.rows import Rows
from core.schemas import Schema
from services import db

# Fields whose value the encoder itself writes rightly, if the column's type is of this kind.
AS_IT_IS: dict[type, type] = {
    **dict.fromkeys((own.String, fields.String, fields.Email, fields.Url), sa.String),
    **dict.fromkeys((own.Integer, fields.Integer), sa.Integer),
    **dict.fromkeys((own.Boolean, fields.Boolean), sa.Boolean),
    **dict.fromkeys((own.Date, fields.Date), sa.Date),
    **dict.fromkeys((own.UUID, fields.UUID), sa.Uuid),
    own.ISODateTime: UTCDateTime,
}
# Fields that look at nothing but the value.
SIMPLE = {
    *AS_IT_IS,
    own.TextUUID,
    own.WallDateTime,
    own.ExactDecimal,
    fields.Decimal,
    own.Float,
    own.Real,
    fields.Float,
    fields.Enum,
    own.Time,
    fields.Time,
    own.Interval,
    fields.TimeDelta,
    fields.DateTime,
    fields.AwareDateTime,
    fields.NaiveDateTime,
    own.Binary,
    own.JSON,
    fields.Raw,
}
OVERRIDABLE = ("dump", "get_attribute", "_serialize", "_invoke_dump_processors")
# Schemas that nest each other would go on without an end.
MOST_JOINS = 10


class Plan(Rows):
    """Rows for a schema; write() makes of them what the schema's dump() makes of records.

    Raises LookupError for a schema with something that only its own dump() knows.
    """

    # Whether it reads a column_property as a column.
    has_expressions = True

    def __init__(
        self,
        schema: Any,
        shown: tuple[str, ...] | None,
        hidden: tuple[str, ...],
        entity: Any = None,
    ) -> None:
        super().__init__(schema.opts.model, entity)
        # The functions that the generated code calls, by the names it uses.
        self._names: dict[str, Any] = {}
        answer = self._object(schema, self.entity, False, shown)
        # A select needs a column, also where a schema shows nothing but constants.
        for attribute in hidden if self.columns or hidden else key_names(self.model):
            self.place(self.entity, attribute)
        row = "".join(f"c{place}, " for place in range(len(self.columns)))
        # Built of names and of literals that repr() wrote: no text of a request gets here.
        self.write: Callable[[Sequence[Any]], list[dict[str, Any]]] = eval(  # nosec B307
            f"lambda rows: [{answer} for {row} in rows]", self._names
        )
        self._by_key = keep(self._with_key(sa.select(self.model)))

    def write_one(self, row: Any) -> dict[str, Any]:
        """Return what the schema shows of a row."""
        return self.write([row])[0]

    def find(self, key: tuple[Any, ...], statement: Any = None) -> Sequence[Any]:
        """Return the row with this primary key, or nothing if `statement` does not find it."""
        check_key(self.model, key)
        by_key = self._by_key if statement is None else self._with_key(once(self.model, statement))
        return self.fetch(by_key, _key_values(key))

    def values(self, row: Any, names: Iterable[str]) -> tuple[Any, ...]:
        """Return the values of these attributes in a row."""
        return tuple(row[self.place(self.entity, name)] for name in names)

    def _with_key(self, statement: sa.Select[Any]) -> sa.Select[Any]:
        return self.select(statement.where(*_is_key(self.model)))

    def _object(
        self, schema: Any, entity: Any, is_outer: bool, shown: tuple[str, ...] | None = None
    ) -> str:
        """Return the expression that writes what a schema shows of an entity."""
        if _has_own_ways(schema) or len(self.joins) > MOST_JOINS:
            raise LookupError
        pairs = (
            f"{key_of(name, field)!r}: {self._value(name, field, entity, is_outer)}"
            for name, field in schema.dump_fields.items()
            if shown is None or name in shown
        )
        return "{" + ", ".join(pairs) + "}"

    def _value(self, name: str, field: Any, entity: Any, is_outer: bool) -> str:
        attribute = field.attribute or name
        if type(field) in (fields.Nested, Nested):
            return self._nested(field, attribute, entity, is_outer)
        column = sa.inspect(entity).mapper.columns[attribute]
        is_read = self.has_expressions or isinstance(column, sa.Column)
        if type(field) not in SIMPLE or not is_read:
            raise LookupError
        place = self.place(entity, attribute)
        table = getattr(column, "table", None)
        # An expression or a view, which has no key, may be a sum: some drivers make it a decimal.
        is_sum = not isinstance(table, sa.Table) or not table.primary_key
        return self._written(field, self.columns[place].type, f"c{place}", name, is_sum)

    def _nested(self, field: Any, attribute: str, entity: Any, is_outer: bool) -> str:
        if field.many or field.schema.many:
            raise LookupError
        related, is_outer = self.join(entity, attribute, is_outer)
        answer = self._object(field.schema, related, is_outer)
        if not is_outer:
            return answer
        key = self.place(related, key_names(related)[0])
        return f"(None if c{key} is None else {answer})"

    def _written(self, field: Any, column_type: Any, variable: str, name: str, is_sum: bool) -> str:
        """Return the expression for a value: itself, or what the field makes of it."""
        is_whole = not (is_sum and isinstance(column_type, sa.Integer))
        if is_whole and _is_as_it_is(field, column_type):
            return variable
        is_exact = isinstance(column_type, sa.Numeric) and column_type.asdecimal
        scales = (None, column_type.scale) if is_exact else ()
        if type(field) is own.ExactDecimal and field.most_places in scales:
            # str() takes a third of the time, and writes few numbers with an exponent.
            short = f"text if 'E' not in (text := str({variable})) else format({variable}, 'f')"
            return f"(None if {variable} is None else {short})"
        function = f"write{len(self._names)}"
        self._names[function] = field._serialize  # noqa: SLF001 - serialize() wants the record
        return f"{function}({variable}, {name!r}, None)"


class Dump(Records):
    """The stand-in for a Plan if a schema has none: whole records, written by its dump()."""

    def __init__(self, schema: Schema, shown: tuple[str, ...] | None) -> None:
        self.schema, self.shown = schema, shown

    def find(self, key: tuple[Any, ...], statement: Any = None) -> Sequence[Any]:
        """Return the record with a primary key, or nothing, as Plan.find()."""
        model: Any = self.schema.opts.model
        if statement is not None:
            return db.session.scalars(with_key(model, key, statement)).unique().all()
        check_key(model, key)
        record = db.session.get(model, key)
        return [] if record is None else [record]

    def write(self, records: Sequence[Any]) -> list[dict[str, Any]]:
        """Return what the schema shows of the records."""
        written: list[dict[str, Any]] = self.schema.dump(records, many=True)
        if self.shown is None:
            return written
        return [part_of(one, self.schema, self.shown) for one in written]

    def write_one(self, record: Any) -> dict[str, Any]:
        """Return what the schema shows of one record: its hooks may treat one unlike many."""
        written: dict[str, Any] = self.schema.dump(record, many=False)
        return written

    def values(self, record: Any, names: Iterable[str]) -> tuple[Any, ...]:
        """Return the values of these attributes of a record."""
        return tuple(getattr(record, name) for name in names)


@lru_cache(maxsize=512)
def plan_of(
    schema: Schema, shown: tuple[str, ...] | None = None, hidden: tuple[str, ...] = ()
) -> Plan | Dump:
    """Return how to read and write what a schema shows.

    `shown` limits the fields; `hidden` adds attributes to the rows, but not to the answer.
    """
    try:
        return Plan(schema, shown, hidden)
    except LookupError:
        return Dump(schema, shown)


def with_key(model: Any, key: tuple[Any, ...], statement: Any) -> Any:
    """Return the select of the record with a primary key, if `statement` finds it."""
    check_key(model, key)
    found: Any = sa.select(model) if statement is None else once(model, statement)
    pairs = zip(key_names(model), key, strict=True)
    return found.where(*(getattr(model, name) == part for name, part in pairs))


def check_key(model: Any, key: tuple[Any, ...]) -> None:
    """Raise LookupError for a key with another number of parts than the model's."""
    if len(key) != len(sa.inspect(model).primary_key):
        names = ", ".join(key_names(model))
        raise LookupError(
            f"The key of {model.__name__} is ({names}): {len(key)} values were given."
        )


def _is_key(model: Any) -> list[Any]:
    keys = enumerate(sa.inspect(model).primary_key)
    return [key == sa.bindparam(f"key_{number}") for number, key in keys]


def _key_values(key: tuple[Any, ...]) -> dict[str, Any]:
    return {f"key_{number}": part for number, part in enumerate(key)}


def key_of(name: str, field: Any) -> str:
    """Return the name of a field in the answer."""
    return name if field.data_key is None else str(field.data_key)


def part_of(answer: dict[str, Any], schema: Any, shown: tuple[str, ...]) -> dict[str, Any]:
    """Return the part of an answer that these fields of the schema make up."""
    keys = {key_of(name, schema.dump_fields[name]) for name in shown}
    return {key: value for key, value in answer.items() if key in keys}


def _has_own_ways(schema: Any) -> bool:
    """Tell whether a schema has hooks, or methods of its own in place of marshmallow's."""
    hooks = schema._hooks  # noqa: SLF001 - no public way
    return bool(hooks[PRE_DUMP] or hooks[POST_DUMP]) or any(
        getattr(type(schema), name) is not getattr(marshmallow.Schema, name) for name in OVERRIDABLE
    )


def _is_as_it_is(field: Any, column_type: Any) -> bool:
    kind = AS_IT_IS.get(type(field))
    return (
        kind is not None
        and isinstance(column_type, kind)
        and not isinstance(column_type, sa.Enum)
        and not getattr(field, "as_string", False)
        and getattr(field, "format", None) in (None, "iso", "iso8601")
    )
