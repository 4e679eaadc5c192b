"""wtforms-sqlalchemy's converters without their faults: one form field for each column type.

The stock converters lose enums, refuse unchecked boxes and know neither floats nor ranges on
SQLAlchemy 2.1. A method that replaces one of theirs keeps its name: the last in the alphabet wins.
"""

import uuid
from collections.abc import Iterator
from datetime import UTC
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from babel.numbers import get_decimal_symbol
from flask_babel import get_locale, gettext
from wtforms import Field, FloatField, Form, StringField, TextAreaField, TimeField
from wtforms.fields import BooleanField, DateTimeLocalField, DecimalField, IntegerField, SelectField

# The stubs are of WTForms 3.2, which had none of the three.
from wtforms.fields import Choice, SelectChoice, enum_coerce  # type: ignore[attr-defined] # isort: skip
from wtforms.validators import (
    DataRequired,
    InputRequired,
    NumberRange,
    Optional,
    StopValidation,
    ValidationError,
)
from wtforms.widgets import TextInput
from wtforms_sqlalchemy import fields as stock
from wtforms_sqlalchemy.orm import ModelConverter as StockConverter
from wtforms_sqlalchemy.orm import converts

from core.filters import enum_label
from core.i18n import read_decimal
from core.models import label_of
from core.schemas import integer_limit, numeric_limit
from core.text import clean_text
from services import db

BLANK = "—"


class _Choices:
    """Yields what WTForms 3.3 expects of choices; to go when wtforms-sqlalchemy does it itself."""

    def iter_choices(self) -> Iterator[Choice]:
        for value, label, selected, render_kw in super().iter_choices():  # type: ignore[misc]
            yield Choice(value, str(label), selected, render_kw)

    def _choices_generator(self, choices: Any) -> Iterator[Choice]:
        for value, label, selected, render_kw in super()._choices_generator(choices):  # type: ignore[misc]
            yield Choice(value, str(label), selected, render_kw)


class QuerySelectField(_Choices, stock.QuerySelectField):  # type: ignore[misc]
    """One related record; nothing is chosen until the user chooses."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        fixed = {"blank_text": BLANK, **kwargs, "allow_blank": True, "blank_value": ""}
        super().__init__(*args, **fixed)


class QuerySelectMultipleField(_Choices, stock.QuerySelectMultipleField):  # type: ignore[misc]
    """Any number of related records."""


class UTCDateTimeField(DateTimeLocalField):
    """The browser's date and time field, taken as UTC."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        super().process_formdata(valuelist)
        if self.data is not None:
            self.data = self.data.replace(tzinfo=UTC)


def stripped(value: str | None) -> str | None:
    """Filter: without surrounding white space, None for nothing."""
    return (value.strip() or None) if isinstance(value, str) else value


def parsed_uuid(value: Any) -> uuid.UUID | None:
    """Filter: a text as the UUID that its column takes."""
    try:
        return uuid.UUID(str(value)) if value else None
    except ValueError:
        raise ValueError("This is not a valid UUID.") from None


def storable(form: Form, field: Field) -> None:
    """Validate that a text is one every database stores."""
    try:
        clean_text(field.data or "")
    except ValueError as error:
        raise ValidationError(str(error)) from None


def finite(form: Form, field: Field) -> None:
    """Stop at what is no number: one message says so, and a NaN crashes validators of ranges."""
    if field.process_errors and any(text.strip() for text in field.raw_data or ()):
        raise StopValidation
    if field.data is not None and not Decimal(field.data).is_finite():
        raise StopValidation(gettext("Not a valid decimal value."))


class LocalDecimalField(DecimalField):
    """A decimal as the user's language writes it."""

    widget = TextInput()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"render_kw": {"inputmode": "decimal"}, **kwargs})

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist:
            return
        try:
            self.data = read_decimal(valuelist[0])
        except ValueError:
            self.data = None
            raise ValueError(gettext("Not a valid decimal value.")) from None

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        if self.data is None:
            return ""
        # Babel would round to six places, and fail at the digits of a NUMERIC(38, 10).
        text = f"{self.data:.{self.places}f}" if self.places else f"{self.data:f}"
        return text.replace(".", get_decimal_symbol(get_locale()))


class Places:
    """Validates that a decimal has at most so many places: none is rounded away in silence."""

    def __init__(self, places: int) -> None:
        self.places = places

    def __call__(self, form: Form, field: Field) -> None:
        exponent = field.data.as_tuple().exponent if field.data is not None else 0
        if not isinstance(exponent, int) or -exponent > self.places:
            raise ValidationError(gettext("At most %(places)s decimal places.", places=self.places))


class ModelConverter(StockConverter):  # type: ignore[misc]
    """The converter behind core.forms.ModelForm."""

    def convert(
        self, model: Any, mapper: Any, prop: Any, field_args: Any, db_session: Any = None
    ) -> Any:
        column = prop.columns[0] if getattr(prop, "columns", None) else None
        if column is not None and (not isinstance(column, sa.Column) or column.computed):
            return None
        field = super().convert(model, mapper, prop, field_args, db_session)
        if field is None:
            return None
        default = getattr(column, "default", None)
        if default is not None and default.is_callable:
            # The stock converter calls it once, when the class is made.
            field.kwargs["default"] = lambda: default.arg(None)
        if getattr(column, "server_default", None) is not None:
            _instead_of_required(field.kwargs, Optional())
        field.kwargs.setdefault("label", label_of(model, prop.key))
        return field

    @converts("String")
    def conv_String(self, column: Any, field_args: Any, **extra: Any) -> Any:
        self._text(column, field_args)
        return StringField(**field_args)

    @converts("Text")
    def conv_Text(self, column: Any, field_args: Any, **extra: Any) -> Any:
        self._text(column, field_args)
        return TextAreaField(**field_args)

    def _text(self, column: Any, field_args: Any) -> None:
        self._string_common(column=column, field_args=field_args)
        # The input may be spaces, of which the filter leaves nothing.
        _instead_of_required(field_args, DataRequired())
        field_args["validators"].append(storable)
        field_args["filters"] = [*field_args["filters"], stripped]

    @converts("Boolean")
    def conv_Boolean(self, field_args: Any, **extra: Any) -> Any:
        # A browser sends nothing for an unchecked box: "required" would forbid False.
        _instead_of_required(field_args)
        return BooleanField(**field_args)

    @converts("UTCDateTime")
    def conv_UTCDateTime(self, field_args: Any, **extra: Any) -> Any:
        return UTCDateTimeField(format=DATETIME_FORMATS, **field_args)

    @converts("DateTime")
    def conv_DateTime(self, field_args: Any, **extra: Any) -> Any:
        return DateTimeLocalField(format=DATETIME_FORMATS, **field_args)

    @converts("Time")
    def conv_Time(self, field_args: Any, **extra: Any) -> Any:
        return TimeField(format=["%H:%M:%S", "%H:%M"], **field_args)

    @converts("Uuid", "sql.sqltypes.UUID")
    def conv_PGUuid(self, field_args: Any, **extra: Any) -> Any:
        field_args["filters"] = [*field_args["filters"], stripped, parsed_uuid]
        return StringField(**field_args)

    @converts("Enum")
    def conv_Enum(self, column: Any, field_args: Any, **extra: Any) -> Any:
        members = column.type.enum_class
        blank = [SelectChoice("", BLANK)] if column.nullable else []
        coerce = enum_coerce(members) if members else str

        def choices() -> list[Any]:
            # For each form anew: the labels are in its reader's language.
            if members is None:
                return [*blank, *(SelectChoice(value) for value in column.type.enums)]
            return [*blank, *(SelectChoice(str(m.value), enum_label(m)) for m in members)]

        return SelectField(choices=choices, coerce=_or_none(coerce), **field_args)

    @converts("Integer")
    def handle_integer_types(self, column: Any, field_args: Any, **extra: Any) -> Any:
        limit = integer_limit(column.type)
        field_args["validators"].insert(0, finite)
        field_args["validators"].append(NumberRange(min=-limit, max=limit))
        return IntegerField(**field_args)

    @converts("Float", "Double")
    def conv_Float(self, field_args: Any, **extra: Any) -> Any:
        field_args["validators"].insert(0, finite)
        return FloatField(**field_args)

    @converts("Numeric")
    def handle_decimal_types(self, column: Any, field_args: Any, **extra: Any) -> Any:
        limit = numeric_limit(column.type)
        field_args["validators"].insert(0, finite)
        if limit is not None:
            field_args["validators"].append(NumberRange(min=-limit, max=limit))
        if column.type.scale is not None:
            field_args["validators"].append(Places(column.type.scale))
        return LocalDecimalField(places=column.type.scale, **field_args)

    @converts("MANYTOONE")
    def conv_ManyToOne(self, prop: Any, field_args: Any, **extra: Any) -> Any:
        required = not field_args.pop("allow_blank")
        field_args["validators"].insert(0, InputRequired() if required else Optional())
        field_args["query_factory"] = _all_of(prop.mapper.class_)
        return QuerySelectField(**field_args)

    @converts("MANYTOMANY", "ONETOMANY")
    def conv_ManyToMany(self, prop: Any, field_args: Any, **extra: Any) -> Any:
        field_args.pop("allow_blank")
        field_args["query_factory"] = _all_of(prop.mapper.class_)
        return QuerySelectMultipleField(**field_args)


# The first is written: an edit must not cut the seconds off.
DATETIME_FORMATS = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"]


def _instead_of_required(field_args: Any, *others: Any) -> None:
    required = (DataRequired, InputRequired)
    field_args["validators"] = [
        validator
        for stock_validator in field_args["validators"]
        for validator in (others if isinstance(stock_validator, required) else [stock_validator])
    ]


def _all_of(model: Any) -> Any:
    return lambda: db.session.scalars(sa.select(model))


def _or_none(coerce: Any) -> Any:
    return lambda value: None if value in (None, "") else coerce(value)
