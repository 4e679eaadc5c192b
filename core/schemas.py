"""The schemas' base: fields derived from a model, with the limits of its columns."""

from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime
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


class Integer(fields.Integer):
    """A whole number; JSON does not tell 1.0 from 1."""

    def _validated(self, value: Any) -> int:
        whole = isinstance(value, float) and value.is_integer()
        return super()._validated(int(value) if whole else value)


class Boolean(fields.Boolean):
    """True or false; with `strict` off as texts, which is what a URL has."""

    def __init__(self, strict: bool = True, **kwargs: Any) -> None:
        super().__init__(truthy={True, "true"}, falsy={False, "false"}, **kwargs)
        self.strict = strict

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if self.strict and not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class ExactDecimal(fields.Decimal):
    """A decimal as a string; too many places are refused, not rounded away."""

    def __init__(self, places: int | None = None, **kwargs: Any) -> None:
        super().__init__(places, as_string=True, **kwargs)
        self.most_places = places

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        try:
            number = super()._deserialize(value, attr, data, **kwargs)
        except InvalidOperation:
            # Rounding to the places needs more digits than the decimal context has.
            raise self.make_error("invalid") from None
        if number != Decimal(str(value).strip()):
            raise ValidationError(f"At most {self.most_places} decimal places.")
        return number


class ISODateTime(fields.AwareDateTime):
    """An aware datetime in ISO 8601; without an offset it is taken as UTC."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="iso", default_timezone=UTC, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> datetime:
        moment: datetime = super()._deserialize(value, attr, data, **kwargs)
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            # In UTC it lies before the year 1 or after 9999.
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from None

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else iso(value)


class Converter(ModelConverter):
    """marshmallow-sqlalchemy's converter with limits for every type and defaults for a PUT."""

    SQLA_TYPE_MAPPING = {
        **ModelConverter.SQLA_TYPE_MAPPING,
        UTCDateTime: ISODateTime,
        sa.Boolean: Boolean,
        sa.Integer: Integer,
        sa.String: String,
        sa.Numeric: ExactDecimal,
    }

    def _add_column_kwargs(self, kwargs: dict[str, Any], column: Any) -> None:
        super()._add_column_kwargs(kwargs, column)
        kind = column.type
        limit: int | Decimal | None = None
        if isinstance(kind, sa.Enum):
            # One of plain texts has no members to tell apart by value or name.
            kwargs.update({"by_value": True} if kind.enum_class else {})
        elif isinstance(kind, sa.Integer):
            kwargs["strict"] = True
            limit = integer_limit(kind)
        elif isinstance(kind, sa.Numeric):
            limit = numeric_limit(kind)
        elif isinstance(kind, sa.String) and not getattr(column, "nullable", True):
            # A required text is not blank.
            kwargs["validate"].append(validate.Regexp(NOT_BLANK, error="This must not be blank."))
        if limit is not None:
            kwargs["validate"].append(validate.Range(min=-limit, max=limit))
        _add_default(kwargs, column)


def _add_default(kwargs: dict[str, Any], column: Any) -> None:
    """Give an absent optional field its column's value, so that PUT replaces all (RFC 9110)."""
    default = getattr(column, "default", None)
    if default is not None and default.is_scalar:
        kwargs["load_default"] = partial(deepcopy, default.arg)
    elif default is not None and default.is_callable:
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
        for name, value in self.load(data, partial=partial).items():
            setattr(record, name, value)
