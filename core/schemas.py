"""The schemas' base: fields derived from a model, with the limits of its columns."""

from collections.abc import Mapping
from contextlib import nullcontext
from copy import deepcopy
from functools import lru_cache, partial
from typing import Any

import marshmallow
import sqlalchemy as sa
from flask_marshmallow.sqla import SQLAlchemyAutoSchema, SQLAlchemyAutoSchemaOpts
from marshmallow import INCLUDE, RAISE, ValidationError, fields, validate
from marshmallow_sqlalchemy import ModelConversionError, ModelConverter
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import CompositeProperty, RelationshipProperty, object_session
from werkzeug.exceptions import BadRequest

from core.base import UTCDateTime
from core.columns import (
    attribute_of,
    decimal_places,
    is_real,
    limits_of_column,
    looks_at_others,
    may_be_blank,
    server_value,
    set_value,
    value_type,
)
from core.fields import (
    JSON,
    MOST_ITEMS,
    NOT_BLANK,
    TOO_MANY,
    UUID,
    Binary,
    Boolean,
    Date,
    ExactDecimal,
    Float,
    Integer,
    Interval,
    ISODateTime,
    List,
    Real,
    String,
    TextUUID,
    Time,
    WallDateTime,
)
from services import db


def _enum(converter: Any, kind: sa.Enum) -> Any:
    """Return what makes the field of an enum: its members by their values, or plain texts."""
    members = kind.enum_class
    if members is None:
        return String
    are_whole = all(isinstance(member.value, int) for member in members)
    # Python finds True and 1.0, too, among the values 1 and 2 of an enum.
    return partial(fields.Enum, enum=members, by_value=Integer(strict=True) if are_whole else True)


def _uuid(converter: Any, kind: sa.Uuid[Any]) -> Any:
    return UUID if kind.as_uuid else TextUUID


def _array(converter: Any, kind: sa.ARRAY[Any]) -> Any:
    """Return what makes the list of an array, whose values have the limits of their type."""
    inner = converter.column2field(sa.Column(kind.item_type), allow_none=False)
    inner.load_default = marshmallow.missing
    for _ in range((kind.dimensions or 1) - 1):
        inner = List(inner)
    return partial(List, inner)


# The URL of a record holds its key: a record whose key has a slash could not be asked for.
IN_URL = r"^(?!\.{1,2}$)[^/]+$"
NOT_IN_URL = "It stands in a URL, so it has no slash and is neither . nor .. alone."
READ_ONLY = "This field is read-only."
TIMES = ("created_at", "updated_at")
# What the database or the models set, clients may not.
READ_ONLY_FIELDS = ("id", *TIMES, "version")
# Values of these types differ from those of the fields that marshmallow-sqlalchemy gives them.
WITHOUT_FIELD = (postgresql.BIT, postgresql.HSTORE, postgresql.MONEY)
JSON_TYPES = [kind for kind in ModelConverter.SQLA_TYPE_MAPPING if issubclass(kind, sa.JSON)]


class Converter(ModelConverter):
    """marshmallow-sqlalchemy's converter with limits for every type and defaults for a PUT."""

    SQLA_TYPE_MAPPING = {
        **{k: v for k, v in ModelConverter.SQLA_TYPE_MAPPING.items() if k not in WITHOUT_FIELD},
        **dict.fromkeys(JSON_TYPES, JSON),
        **dict.fromkeys((sa.LargeBinary, sa.BINARY, sa.VARBINARY), Binary),
        UTCDateTime: ISODateTime,
        sa.Boolean: Boolean,
        **dict.fromkeys((sa.ARRAY, postgresql.ARRAY), _array),
        **dict.fromkeys((sa.Uuid, postgresql.UUID), _uuid),
        sa.Date: Date,
        sa.DateTime: lambda _, kind: ISODateTime if kind.timezone else WallDateTime,
        sa.Enum: _enum,
        sa.Float: lambda _, kind: Real if is_real(kind) else Float,
        sa.Integer: Integer,
        sa.Interval: Interval,
        sa.Numeric: ExactDecimal,
        sa.String: String,
        sa.Time: Time,
    }

    def property2field(self, prop: Any, **kwargs: Any) -> Any:
        # A composite is several columns as one value; those columns have the fields.
        if isinstance(prop, CompositeProperty):
            return None
        try:
            field: Any = super().property2field(prop, **kwargs)
        except ModelConversionError as error:
            for column in getattr(prop, "columns", ()):
                for key in column.foreign_keys:
                    # It has its target's type: if that table is lost, SQLAlchemy's error names it.
                    key.column  # noqa: B018
            raise ModelConversionError(
                f"{prop} has a type that no field is known for: leave it out by Meta.exclude, or "
                "declare a field"
            ) from error
        if isinstance(prop, RelationshipProperty):
            # Read from a body, a key that no record has would make a new record.
            field.dump_only = True
        return field

    def _get_field_kwargs_for_property(self, prop: Any) -> dict[str, Any]:
        kwargs = super()._get_field_kwargs_for_property(prop)
        sets_itself = any(_sets_itself(one, prop.parent) for one in getattr(prop, "columns", ()))
        if sets_itself or prop.key in TIMES:
            kwargs["dump_only"] = True
        own, *inherited = getattr(prop, "columns", ()) or (sa.null(),)
        for column in filter(_names_records, inherited):
            # A joined subclass's key refers to its parent's key, and has the same limits.
            if _is_text(own.type):
                kwargs["validate"].append(validate.Regexp(IN_URL, error=NOT_IN_URL))
            elif isinstance(column.type, sa.Integer) and not _sets_itself(column, prop.parent):
                kwargs["validate"].append(validate.Range(min=0))
        return kwargs

    def _get_field_class_for_data_type(self, data_type: Any) -> Any:
        return super()._get_field_class_for_data_type(value_type(data_type))

    def _add_column_kwargs(self, kwargs: dict[str, Any], column: Any) -> None:
        super()._add_column_kwargs(kwargs, column)
        kind = value_type(column.type)
        low, high = limits_of_column(column)
        is_key = _names_records(column)
        if is_key and isinstance(kind, sa.Integer):
            # The URL of a record holds its key, and has no minus.
            low = 0
        if (low, high) != (None, None):
            kwargs["validate"].append(validate.Range(min=low, max=high))
        if isinstance(kind, sa.Integer):
            kwargs["strict"] = True
        elif isinstance(kind, sa.Numeric):
            kwargs["places"] = decimal_places(kind)
        elif isinstance(kind, sa.Float):
            # For a Float with asdecimal the stock converter sets them.
            kwargs.pop("places", None)
        elif _is_text(kind) and not getattr(column, "nullable", True) and not may_be_blank(column):
            # A required text must not be blank, unless the column's default is.
            kwargs["validate"].append(validate.Regexp(NOT_BLANK, error="This must not be blank."))
        if is_key and _is_text(kind):
            kwargs["validate"].append(validate.Regexp(IN_URL, error=NOT_IN_URL))
        _add_default(kwargs, column)


def _names_records(column: Any) -> bool:
    """Tell whether a column is a key that the client chooses, and so ends the record's URL."""
    return bool(getattr(column, "primary_key", False)) and not column.foreign_keys


def _sets_itself(column: Any, mapper: Any) -> bool:
    """Tell whether the database or SQLAlchemy chooses a column's value."""
    if column is mapper.version_id_col or column is mapper.polymorphic_on:
        return True
    table = getattr(column, "table", None)
    is_counted = isinstance(table, sa.Table) and column is table.autoincrement_column
    return is_counted or getattr(column, "computed", None) is not None


def _has_twins(values: list[Any]) -> bool:
    """Tell whether two of several records have the same key, as far as the keys are known."""
    states = filter(None, (sa.inspect(value, raiseerr=False) for value in values))
    keys = [tuple(one.mapper.primary_key_from_instance(one.obj())) for one in states]
    known = [key for key in keys if any(part is not None for part in key)]
    return len(set(known)) < len(known)


def _is_text(kind: Any) -> bool:
    return isinstance(kind, sa.String) and not isinstance(kind, sa.Enum)


def _add_default(kwargs: dict[str, Any], column: Any) -> None:
    """Give an absent optional field its column's value, so that PUT replaces all (RFC 9110)."""
    default = getattr(column, "default", None)
    if getattr(column, "onupdate", None) or getattr(column, "server_onupdate", None):
        # If the body lacks the field, the column's onupdate sets it.
        return
    if getattr(column, "primary_key", False):
        # A new record gets it from its column; a PUT would give an existing record another key.
        return
    if default is not None and default.is_scalar:
        kwargs["load_default"] = partial(deepcopy, default.arg)
    elif default is not None and default.is_callable and not looks_at_others(default):
        kwargs["load_default"] = partial(default.arg, None)
    elif getattr(column, "nullable", False) and default is None and not column.server_default:
        kwargs["load_default"] = None


@lru_cache(maxsize=1024)
def reader_of(column: Any, is_stored: bool = False) -> Any:
    """Return the field that reads a column's value from a text; it is made once."""
    reader: Any = Converter().column2field(column)
    # In the field of an enum of numbers, an inner field reads them.
    getattr(reader, "field", reader).strict = reader.strict = False
    if is_stored:
        # A stored value was let in by other rules, or before there were any.
        reader.allow_none, reader.validators = True, []
    return reader


class _Meta:
    model_converter = Converter
    # Without this, a schema imported before the app exists keeps a stand-in session.
    sqla_session = db.session
    unknown = RAISE
    dump_only = READ_ONLY_FIELDS


class _Options(SQLAlchemyAutoSchemaOpts):
    """The options in a `class Meta`, even without our base; its dump_only is added to ours.

    With an empty dump_only, clients may set all that the schema declares.
    """

    dump_only: Any

    def __init__(self, meta: Any, *args: Any, **kwargs: Any) -> None:
        whole = meta if issubclass(meta, _Meta) else type("Meta", (meta, _Meta), {})
        super().__init__(whole, *args, **kwargs)  # type: ignore[no-untyped-call]
        if self.dump_only:
            self.dump_only = {*self.dump_only, *_Meta.dump_only}


class Schema(SQLAlchemyAutoSchema):
    """The base of the modules' schemas; put `class Meta(Schema.Meta)` into each."""

    OPTIONS_CLASS = _Options
    opts: Any

    class Meta(_Meta):
        pass

    def __init__(self, **options: Any) -> None:
        for name in self.opts.fields:
            if name not in self._declared_fields:
                raise LookupError(self._lacks(name))
        super().__init__(**options)  # type: ignore[no-untyped-call]
        name = type(self).__name__
        if self.opts.load_instance or options.get("load_instance"):
            raise LookupError(f"{name} has load_instance: take it out, create() makes the record.")
        if self.opts.model is not None and self.unknown == INCLUDE:
            raise LookupError(
                f"{name} has unknown = INCLUDE, by which a client could set any attribute of the "
                "model: declare the fields, or say EXCLUDE."
            )

    def _lacks(self, name: str) -> str:
        """Say why a name in Meta.fields has no field, and what to do."""
        model, schema = self.opts.model, type(self).__name__
        if model is None:
            return f"{schema} names fields and no model: add model = ... to its class Meta."
        attributes = sa.inspect(model).attrs
        if name not in attributes and hasattr(model, name):
            return (
                f"{schema} has no field for {name!r} of {model.__name__}, which is no column: "
                f"declare one, {name} = fields.String(dump_only=True)."
            )
        if name not in attributes:
            there_are = ", ".join(attributes.keys())
            return f"{schema} names {name!r}, which {model.__name__} lacks; it has {there_are}."
        remedy = "add include_fk = True to its class Meta"
        if name in sa.inspect(model).relationships:
            remedy = f"declare it, {name} = fields.Nested(...)"
        return f"{schema} has no field for {name!r} of {model.__name__}: {remedy}."

    def load(self, data: Any, *, many: bool | None = None, **kwargs: Any) -> Any:
        many = self.many if many is None else many
        if isinstance(data, list if many else dict) and len(data) > MOST_ITEMS:
            # Reading an item takes a thousand times longer than sending it.
            raise ValidationError(TOO_MANY)
        # marshmallow-sqlalchemy's own load reads a package's metadata from the disk at each call.
        try:
            return marshmallow.Schema.load(self, data, many=many, **kwargs)
        except RecursionError:
            # Records nest records of their own kind; the JSON itself was not too deep.
            raise BadRequest("The body is nested too deeply.") from None

    def handle_error(self, error: ValidationError, data: Any, *, many: bool, **kwargs: Any) -> None:
        """Tell apart read-only and unknown fields, which marshmallow both reports as unknown."""
        unknown, shown = [self.error_messages["unknown"]], self.dump_fields.items()
        fixed = {field.data_key or name for name, field in shown if name not in self.load_fields}
        for told in error.messages_dict.values() if many else [error.messages_dict]:
            for key in fixed & told.keys() if isinstance(told, dict) else ():
                told[key] = [READ_ONLY] if told[key] == unknown else told[key]

    def fill(self, record: Any, data: Mapping[str, Any], partial: bool = False) -> None:
        """Set on the record what a body carries: all fields for a PUT, only its own for a PATCH."""
        self.assign(record, self.changes(data, partial))

    def changes(self, data: Mapping[str, Any], partial: bool = False) -> dict[str, Any]:
        """Return the values that fill() sets, by attribute. Raises ValidationError."""
        # Names, not True: records nested in this one are new, so they must be whole.
        values = self.load(data, partial=tuple(self.fields) if partial else False)
        if not isinstance(values, dict):
            name = type(self).__name__
            raise TypeError(f"{name} makes records (post_load): a change needs one without that.")
        defaults = {} if partial else self._server_defaults()
        return {name: defaults[name] for name in defaults.keys() - values.keys()} | values

    def assign(self, record: Any, values: Mapping[str, Any]) -> None:
        """Set the values of changes() on the record."""
        # Setting a collection loads it, and an autoflush then would write half of the record.
        session = object_session(record)
        with session.no_autoflush if session else nullcontext():
            self._set(record, values)

    def new(self, values: Mapping[str, Any]) -> Any:
        """Return a new record with these values, by the names of attributes."""
        model: Any = self.opts.model
        try:
            return model(**values)
        except ValueError:
            # The constructor does not tell which value a validator refused.
            self._set(sa.inspect(model).class_manager.new_instance(), values)
            raise

    def _set(self, record: Any, values: Mapping[str, Any]) -> None:
        """Set values; if the model refuses one (@validates), the error is reported at its field."""
        for name, value in values.items():
            if isinstance(value, list) and _has_twins(value):
                # SQLAlchemy would make one row of the two.
                raise ValidationError("A key stands twice.", self._keys().get(name, name))
            try:
                set_value(record, name, value)
            except ValueError as error:
                raise ValidationError(str(error), self._keys().get(name, name)) from error

    def _keys(self) -> dict[str, str]:
        """Return the attributes' names in bodies; of two fields for one, the loaded field's."""
        pairs = [*self.fields.items(), *self.load_fields.items()]
        return {field.attribute or name: str(field.data_key or name) for name, field in pairs}

    def key_of_column(self, column: str) -> str | None:
        """Return the name of a table's column in bodies, or None if they do not have it."""
        return self._keys().get(attribute_of(self.opts.model, column))

    def _server_defaults(self) -> dict[str, Any]:
        """Return the values of those fields whose default only the database sets."""
        columns = sa.inspect(self.opts.model).columns
        names = {field.attribute or name for name, field in self.load_fields.items()}
        defaults = {}
        for name, column in ((name, columns[name]) for name in names if name in columns):
            own: Any = getattr(column, "default", None)
            if getattr(column, "primary_key", False):
                continue
            if own is not None and own.is_clause_element:
                defaults[name] = own.arg
            elif isinstance(column.server_default, sa.DefaultClause):
                defaults[name] = server_value(column.server_default)
        return defaults
