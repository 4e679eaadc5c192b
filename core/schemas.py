"""The schemas' base: fields derived from a model, with the limits of its columns."""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

import marshmallow
import sqlalchemy as sa
from flask_marshmallow.sqla import SQLAlchemyAutoSchema
from marshmallow import RAISE, ValidationError, fields, validate
from marshmallow_sqlalchemy import ModelConverter

from core.base import UTCDateTime
from core.encoding import iso
from core.text import clean_text
from services import db

# The ranges of the SQL types, which SQLite does not enforce and Python does not have.
INTEGER_BITS: dict[type, int] = {sa.SmallInteger: 15, sa.BigInteger: 63, sa.Integer: 31}

# Patterns as JSON Schema reads them, too (core/openapi/). What is a space to either is one to both.
NOT_NUL = r"^[^\x00]*$"
NOT_BLANK = r"^[^\x00]*[^\x00\s\x1c-\x1f\x85\ufeff][^\x00]*$"

# Python alone reads more than these: other digits, spaces, underscores, weeks of a year.
WHOLE = r"-?[0-9]+"
NUMBER = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?"
DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?"
MOMENT = rf"{DAY}[Tt ]{CLOCK}([Zz]|[-+][0-9]{{2}}:[0-9]{{2}})?"
TOKEN = "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
BASE64 = "([0-9A-Za-z+/]{4})*([0-9A-Za-z+/]{2}==|[0-9A-Za-z+/]{3}=)?"
# A + that is not written as %2B comes out of a URL as a space.
LOST_PLUS = re.compile(rf"{DAY}T{CLOCK} [0-9]{{2}}:[0-9]{{2}}")
SMALLEST_REAL, LARGEST_REAL = 1.2e-38, 3.4e38
# Beyond it a number of JSON does not tell microseconds apart.
LONGEST = timedelta(seconds=2**32)
# Python's own JSON ends near 1,000, and sooner where more calls are open: when it is read again.
MOST_LEVELS = 100
NUL = re.compile(r"(?<!\\)(\\\\)*\\u0000")


def integer_limit(column_type: sa.Integer) -> int:
    """Return the largest value that the column takes."""
    bits = next(bits for kind, bits in INTEGER_BITS.items() if isinstance(column_type, kind))
    return (1 << bits) - 1


def numeric_limit(column_type: sa.Numeric[Any]) -> Decimal | None:
    """Return the largest value that the column takes, None if it has no precision."""
    if column_type.precision is None:
        return None
    scale = column_type.scale or 0
    return Decimal(10) ** (column_type.precision - scale) - Decimal(1).scaleb(-scale)


class String(fields.String):
    """A text that every database stores."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return clean_text(text)
        except ValueError as error:
            raise ValidationError(str(error)) from None


class Binary(fields.String):
    """Bytes, as a text in base64 (RFC 4648)."""

    default_error_messages = {"base64": "Not valid base64."}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        try:
            return b64decode(super()._deserialize(value, attr, data, **kwargs), validate=True)
        except ValueError:
            raise self.make_error("base64") from None

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else b64encode(value).decode()


class JSON(fields.Raw):
    """Any JSON that every database stores."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if _is_deep(value):
            raise ValidationError("This is nested too deeply.")
        try:
            clean_text(NUL.sub("\0", json.dumps(value, ensure_ascii=False)))
        except ValueError as error:
            raise ValidationError(str(error)) from None
        return value


def _is_deep(value: Any, left: int = MOST_LEVELS) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return left < 0 or any(_is_deep(part, left - 1) for part in parts)


class Written(fields.Field[Any]):
    """A value whose text has one form; with `strict` it is no text, as numbers of JSON are not."""

    form = ""
    strict = False

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        is_text = isinstance(value, str)
        if isinstance(value, bool) or (is_text and not self._is_read(value)):
            raise self.make_error("invalid", input=value, obj_type=getattr(self, "OBJ_TYPE", ""))
        return super()._deserialize(value, attr, data, **kwargs)

    def _is_read(self, text: str) -> bool:
        return not self.strict and re.fullmatch(self.form, text) is not None


class Integer(Written, fields.Integer):
    """A whole number; JSON does not tell 1.0 from 1."""

    form = WHOLE

    def _validated(self, value: Any) -> int:
        whole = isinstance(value, float) and value.is_integer()
        exact = Decimal(str(value)) if whole else Decimal()
        return super()._validated(int(exact) if whole and exact == int(exact) else value)


class Float(Written, fields.Float):
    """A number of JSON; with `strict` off as a text, too."""

    form, strict = NUMBER, True


class Real(Float):
    """A number for a REAL; one too small for it is nothing, as in Python one too small for it."""

    def _validated(self, value: Any) -> float:
        number = super()._validated(value)
        return number if abs(number) > SMALLEST_REAL else 0.0


class Interval(Written, fields.TimeDelta):
    """A span of time in seconds; with `strict` off as a text, too."""

    form, strict = NUMBER, True


class Date(Written, fields.Date):
    """A day: 2026-01-31."""

    form = DAY


class Time(Written, fields.Time):
    """A time of day: 09:30:00."""

    form = CLOCK


class UUID(Written, fields.UUID):
    """A UUID with its hyphens (RFC 9562)."""

    default_error_messages = {"invalid": "Not a valid UUID."}
    form = TOKEN


class Boolean(fields.Boolean):
    """True or false; with `strict` off as texts, which is what a URL has."""

    def __init__(self, strict: bool = True, **kwargs: Any) -> None:
        super().__init__(truthy={True, "true"}, falsy={False, "false"}, **kwargs)
        self.strict = strict

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if self.strict and not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class ExactDecimal(Written, fields.Decimal):
    """A decimal as a string; too many places are refused, not rounded away."""

    form = NUMBER

    def __init__(self, places: int | None = None, **kwargs: Any) -> None:
        super().__init__(places, as_string=True, **kwargs)
        self.most_places = places

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        try:
            number = super()._deserialize(value, attr, data, **kwargs)
        except InvalidOperation:
            # Rounding to the places needs more digits than the decimal context has.
            raise self.make_error("invalid") from None
        if number != Decimal(str(value)):
            raise ValidationError(f"At most {self.most_places} decimal places.")
        return number


class ISODateTime(Written, fields.AwareDateTime):
    """An aware datetime in ISO 8601; without an offset it is taken as UTC."""

    form = MOMENT

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="iso", default_timezone=UTC, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> datetime:
        if isinstance(value, str) and LOST_PLUS.fullmatch(value):
            raise ValidationError("Not a valid datetime: in a URL write + as %2B, or use Z.")
        moment: datetime = super()._deserialize(value, attr, data, **kwargs)
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            # In UTC it lies before the year 1 or after 9999.
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from None

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else iso(value)


def _enum(converter: Any, kind: sa.Enum) -> Any:
    """Return how to make the field of an enum: its members by their values, or plain texts."""
    members = kind.enum_class
    if members is None:
        return String
    are_whole = all(isinstance(member.value, int) for member in members)
    # In an enum of 1 and 2 Python finds True and 1.0, too.
    return partial(fields.Enum, enum=members, by_value=Integer(strict=True) if are_whole else True)


JSON_TYPES = [kind for kind in ModelConverter.SQLA_TYPE_MAPPING if issubclass(kind, sa.JSON)]


class Converter(ModelConverter):
    """marshmallow-sqlalchemy's converter with limits for every type and defaults for a PUT."""

    SQLA_TYPE_MAPPING = {
        **ModelConverter.SQLA_TYPE_MAPPING,
        **dict.fromkeys(JSON_TYPES, JSON),
        **dict.fromkeys((sa.LargeBinary, sa.BINARY, sa.VARBINARY), Binary),
        UTCDateTime: ISODateTime,
        sa.Boolean: Boolean,
        sa.Date: Date,
        sa.Enum: _enum,
        sa.Float: lambda _, kind: Real if is_real(kind) else Float,
        sa.Integer: Integer,
        sa.Interval: Interval,
        sa.Numeric: ExactDecimal,
        sa.String: String,
        sa.Time: Time,
        sa.Uuid: lambda _, kind: UUID if kind.as_uuid else String,
    }

    def _add_column_kwargs(self, kwargs: dict[str, Any], column: Any) -> None:
        super()._add_column_kwargs(kwargs, column)
        kind = column.type
        limit: Any = None
        if isinstance(kind, sa.Integer):
            kwargs["strict"] = True
            limit = integer_limit(kind)
        elif isinstance(kind, sa.Numeric):
            limit = numeric_limit(kind)
        elif is_real(kind):
            limit = LARGEST_REAL
        elif isinstance(kind, sa.Interval):
            limit = LONGEST
        elif _is_text(kind) and not getattr(column, "nullable", True):
            # A required text is not blank.
            kwargs["validate"].append(validate.Regexp(NOT_BLANK, error="This must not be blank."))
        if limit is not None:
            kwargs["validate"].append(validate.Range(min=-limit, max=limit))
        _add_default(kwargs, column)


def is_real(kind: Any) -> bool:
    """Tell whether a type is a float of single precision."""
    return isinstance(kind, sa.REAL) or (
        isinstance(kind, sa.Float) and kind.precision is not None and kind.precision <= 24
    )


def _is_text(kind: Any) -> bool:
    return isinstance(kind, sa.String) and not isinstance(kind, sa.Enum)


def looks_at_others(default: Any) -> bool:
    """Tell whether a default reads the other values, which only an INSERT knows."""
    # SQLAlchemy wraps a function that takes no context.
    return default is not None and default.is_callable and default.arg is default._given_arg  # noqa: SLF001


def _add_default(kwargs: dict[str, Any], column: Any) -> None:
    """Give an absent optional field its column's value, so that PUT replaces all (RFC 9110)."""
    default = getattr(column, "default", None)
    if default is not None and default.is_scalar:
        kwargs["load_default"] = partial(deepcopy, default.arg)
    elif default is not None and default.is_callable and not looks_at_others(default):
        kwargs["load_default"] = partial(default.arg, None)
    elif getattr(column, "nullable", False) and default is None and not column.server_default:
        kwargs["load_default"] = None


class Schema(SQLAlchemyAutoSchema):
    """The base of the modules' schemas; put `class Meta(Schema.Meta)` into each."""

    class Meta:
        model_converter = Converter
        # Without it a schema that was imported before the app exists keeps a stand-in session.
        sqla_session = db.session
        unknown = RAISE
        # What the database or the models set, no client may.
        dump_only = ("id", "created_at", "updated_at", "version")

    def load(self, data: Any, **kwargs: Any) -> Any:
        # marshmallow-sqlalchemy's own load reads a package's metadata from the disk at each call.
        return marshmallow.Schema.load(self, data, **kwargs)

    def fill(self, record: Any, data: Mapping[str, Any], partial: bool = False) -> None:
        """Set on the record what a body carries: all fields for a PUT, the named for a PATCH."""
        # Names, not True: records within this one are new, and whole.
        values = self.load(data, partial=tuple(self.fields) if partial else False)
        self._set(record, values if partial else self._server_defaults() | values)

    def new(self, values: Mapping[str, Any]) -> Any:
        """Return a new record with these values, by the names of attributes."""
        model: Any = self.opts.model
        try:
            return model(**values)
        except ValueError:
            # A constructor does not tell which value it was that a validator refused.
            self._set(sa.inspect(model).class_manager.new_instance(), values)
            raise

    def _set(self, record: Any, values: Mapping[str, Any]) -> None:
        """Set values; one that the model refuses (@validates) is told at its field."""
        for name, value in values.items():
            try:
                setattr(record, name, value)
            except ValueError as error:
                raise ValidationError(str(error), self._key_of(name)) from error

    def _key_of(self, attribute: str) -> str:
        pairs = self.load_fields.items()
        named = {field.attribute or name: field.data_key or name for name, field in pairs}
        return str(named.get(attribute, attribute))

    def _server_defaults(self) -> dict[str, Any]:
        """Return what the database gives to those fields whose default it alone has."""
        columns = sa.inspect(self.opts.model).columns
        names = {field.attribute or name for name, field in self.load_fields.items()}
        defaults = {name: columns[name].server_default for name in names if name in columns}
        return {
            name: sa.literal(default.arg) if isinstance(default.arg, str) else default.arg
            for name, default in defaults.items()
            if isinstance(default, sa.DefaultClause)
        }
