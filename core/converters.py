"""wtforms-sqlalchemy's converters without their faults: one form field for each column type.

The stock converters lose enums, refuse unchecked boxes and know neither floats nor ranges on
SQLAlchemy 2.1. A method that replaces one of theirs keeps its name: the last in the alphabet wins.
"""

import json
import uuid
from collections.abc import Iterator
from contextlib import suppress
from copy import copy
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import starmap
from typing import Any

import marshmallow
import sqlalchemy as sa
from flask import current_app
from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from wtforms import DateField, Field, FloatField, Form, IntegerField, StringField, TimeField
from wtforms.fields import DateTimeLocalField, DecimalField, SelectField, TextAreaField

# The stubs are of WTForms 3.2, which had neither.
from wtforms.fields import Choice, enum_coerce  # type: ignore[attr-defined] # isort: skip
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

from core.filters import enum_choices
from core.i18n import from_local, local, read_decimal, write_decimal
from core.models import label_of
from core.schemas import (
    JSON,
    LARGEST_REAL,
    LONGEST,
    integer_limit,
    is_real,
    looks_at_others,
    numeric_limit,
)
from core.text import clean_text

BLANK = "—"
# The first is written: an edit must not cut the seconds off.
DATETIME_FORMATS = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"]


class _Choices:
    """Yields what WTForms 3.3 expects of choices, and refuses what is none of them in its words.

    To go when wtforms-sqlalchemy does it itself.
    """

    def pre_validate(self, form: Form) -> None:
        # Read first: that of many notes only then which of those that were sent do not exist.
        getattr(self, "data")  # noqa: B009
        try:
            super().pre_validate(form)  # type: ignore[misc]
        except ValidationError:
            raise ValidationError(self.gettext("Not a valid choice.")) from None  # type: ignore[attr-defined]

    def iter_choices(self) -> Iterator[Choice]:
        return starmap(_choice, super().iter_choices())  # type: ignore[misc]

    def _choices_generator(self, choices: Any) -> Iterator[Choice]:
        return starmap(_choice, super()._choices_generator(choices))  # type: ignore[misc]


def _choice(value: str, label: Any, *state: Any) -> Choice:
    return Choice(value, str(label), *state)


class EnumField(SelectField):
    """A choice; what is none of them is told as such."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(self.gettext("Not a valid choice.")) from None


class QuerySelectField(_Choices, stock.QuerySelectField):  # type: ignore[misc]
    """One related record; nothing is chosen until the user chooses."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        fixed = {"blank_text": BLANK, **kwargs, "allow_blank": True, "blank_value": ""}
        super().__init__(*args, **fixed)


class QuerySelectMultipleField(_Choices, stock.QuerySelectMultipleField):  # type: ignore[misc]
    """Any number of related records."""


def stripped(value: str | None) -> str | None:
    """Filter: a text as every database stores it, without surrounding space; None for nothing."""
    return (clean_text(value).strip() or None) if isinstance(value, str) else value


def parsed_uuid(value: Any) -> uuid.UUID | None:
    """Filter: a text as the UUID that its column takes."""
    try:
        return uuid.UUID(str(value)) if value else None
    except ValueError:
        raise ValueError(gettext("This is not a valid UUID.")) from None


def finite(form: Form, field: Field) -> None:
    """Stop at what is no number: one message says so, and a NaN crashes validators of ranges."""
    typed = field.raw_data or ()
    if field.process_errors and any(text.strip() for text in typed):
        raise StopValidation
    if any("_" in text for text in typed):
        # Python alone reads 1_000.
        kind = "integer" if isinstance(field, IntegerField) else "float"
        raise StopValidation(field.gettext(f"Not a valid {kind} value."))
    if field.data is not None and not Decimal(field.data).is_finite():
        raise StopValidation(gettext("Not a valid decimal value."))


class LocalDecimalField(DecimalField):
    """A decimal as the user's language writes it; too many places are refused, not rounded away."""

    widget = TextInput()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"render_kw": {"inputmode": "decimal"}, **kwargs})

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist:
            return
        self.data = None
        try:
            number = read_decimal(valuelist[0])
        except ValueError:
            raise ValueError(gettext("Not a valid decimal value.")) from None
        if self.places is not None and -int(number.as_tuple().exponent) > self.places:
            raise ValueError(gettext("At most %(places)s decimal places.", places=self.places))
        self.data = number

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        if self.data is None:
            return ""
        return write_decimal(self.data, self.places)


class _Written:
    """A day or a time, written in ISO 8601 to the second; parts of one stay while it does."""

    data: Any
    object_data: Any
    raw_data: Any

    def process_formdata(self, valuelist: list[Any]) -> None:
        super().process_formdata(valuelist)  # type: ignore[misc]
        if self.data is not None and self.data == _as_typed(self.object_data):
            self.data = self.object_data

    def _value(self) -> str:
        if self.raw_data or self.data is None:
            return str(super()._value())  # type: ignore[misc]
        # Not by strftime(): it writes the year 1 as 1.
        return str(_as_typed(self.data).isoformat())


def _as_typed(value: Any) -> Any:
    if isinstance(value, datetime):
        value = local(value).replace(tzinfo=None)
    return value.replace(microsecond=0) if hasattr(value, "microsecond") else value


class DayField(_Written, DateField):
    """A day of any year."""


class ClockField(_Written, TimeField):
    """A time of day."""


class WallField(_Written, DateTimeLocalField):
    """A day and a time of no zone."""


class MomentField(WallField):
    """A moment, shown and typed in the reader's zone; the data is aware, in UTC."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        super().process_formdata(valuelist)
        # One that was not changed is aware: the field is silent on an hour that comes twice.
        if not valuelist or self.data.tzinfo:
            return
        typed, self.data = self.data, None
        with suppress(ValueError):
            self.data = from_local(typed)
        # The clocks skip an hour in spring.
        if self.data is None or local(self.data).replace(tzinfo=None) != typed:
            self.data = None
            raise ValueError(self.gettext("Not a valid datetime value."))


class JSONField(TextAreaField):
    """Any JSON, as text."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist:
            return
        self.data = None
        try:
            if valuelist[0].strip():
                self.data = JSON().deserialize(current_app.json.loads(valuelist[0]))
        except (ValueError, marshmallow.ValidationError):
            raise ValueError(gettext("This is not valid JSON.")) from None

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else json.dumps(self.data, ensure_ascii=False, indent=2)


class SecondsField(LocalDecimalField):
    """A span of time, in seconds as in the API."""

    data: Any

    def process_formdata(self, valuelist: list[Any]) -> None:
        super().process_formdata(valuelist)
        if not valuelist:
            return
        most = int(LONGEST.total_seconds())
        # Here, as validators see a span, which is no number.
        NumberRange(-most, most)(Form(), self)
        self.data = timedelta(microseconds=int(self.data * 10**6))

    def _value(self) -> str:
        if self.raw_data or self.data is None:
            return super()._value()
        seconds = Decimal(self.data // timedelta(microseconds=1)) / 10**6
        return write_decimal(seconds.normalize())


class ModelConverter(StockConverter):  # type: ignore[misc]
    """The converter behind core.forms.ModelForm."""

    def convert(
        self, model: Any, mapper: Any, prop: Any, field_args: Any, db_session: Any = None
    ) -> Any:
        column = prop.columns[0] if getattr(prop, "columns", None) else None
        if column is not None and (not isinstance(column, sa.Column) or column.computed):
            return None
        default: Any = getattr(column, "default", None)
        is_called = default is not None and default.is_callable
        if is_called:
            # The stock converter would call it once, when the class is made.
            prop = copy(prop)
            prop.columns = [copy(column)]
            prop.columns[0].default = None
        field = super().convert(model, mapper, prop, field_args, db_session)
        if field is None:
            return None
        is_derived = looks_at_others(default)
        if is_called and not is_derived:
            field.kwargs["default"] = lambda: default.arg(None)
        if getattr(column, "server_default", None) is not None or is_derived:
            required = (DataRequired, InputRequired)
            others = [one for one in field.kwargs["validators"] if not isinstance(one, required)]
            field.kwargs["validators"] = [Optional(), *others]
        field.kwargs.setdefault("label", label_of(model, prop.key))
        return field

    @classmethod
    def _string_common(cls, column: Any, field_args: Any, **extra: Any) -> None:
        if not column.nullable:
            # In place of InputRequired, put last: it takes spaces, of which the filter leaves none.
            field_args["validators"][-1] = DataRequired()
        field_args["filters"] = [*field_args["filters"], stripped]
        super()._string_common(column, field_args)

    # Theirs is for bytes too, which no text field makes.
    @converts("Text")
    def conv_Text(self, **args: Any) -> Any:
        return super().conv_Text(**args)

    @converts("Boolean")
    def conv_Boolean(self, field_args: Any, **extra: Any) -> Any:
        # A browser sends nothing for an unchecked box: InputRequired, put last, would forbid False.
        field_args["validators"].pop()
        return super().conv_Boolean(field_args)

    @converts("UTCDateTime")
    def conv_UTCDateTime(self, field_args: Any, **extra: Any) -> Any:
        return MomentField(format=DATETIME_FORMATS, **field_args)

    @converts("DateTime")
    def conv_DateTime(self, field_args: Any, **extra: Any) -> Any:
        return WallField(format=DATETIME_FORMATS, **field_args)

    @converts("Date")
    def conv_Date(self, field_args: Any, **extra: Any) -> Any:
        return DayField(**field_args)

    @converts("Interval")
    def conv_Interval(self, field_args: Any, **extra: Any) -> Any:
        field_args["description"] = field_args["description"] or _l("In seconds.")
        return SecondsField(places=6, **field_args)

    @converts("JSON")
    def conv_JSON(self, field_args: Any, **extra: Any) -> Any:
        return JSONField(**field_args)

    @converts("Time")
    def conv_Time(self, field_args: Any, **extra: Any) -> Any:
        return ClockField(format=["%H:%M:%S", "%H:%M"], **field_args)

    @converts("Uuid", "sql.sqltypes.UUID")
    def conv_PGUuid(self, field_args: Any, **extra: Any) -> Any:
        field_args["filters"] = [*field_args["filters"], stripped, parsed_uuid]
        return StringField(**field_args)

    @converts("Enum")
    def conv_Enum(self, column: Any, field_args: Any, **extra: Any) -> Any:
        blank = [("", BLANK)] if column.nullable else []
        if not blank:
            # Of a select that offers nothing but values HTML does not let one be required.
            field_args["render_kw"] = {"required": False, **(field_args.get("render_kw") or {})}
        coerce = enum_coerce(column.type.enum_class) if column.type.enum_class else str
        return EnumField(
            # For each form anew: the labels are in its reader's language.
            choices=lambda: [*blank, *enum_choices(column.type)],
            coerce=lambda value: None if value in (None, "") else coerce(value),
            **field_args,
        )

    @converts("Integer")
    def handle_integer_types(self, column: Any, field_args: Any, **extra: Any) -> Any:
        _check_number(field_args, integer_limit(column.type))
        return super().handle_integer_types(column, field_args)

    @converts("Float", "Double")
    def conv_Float(self, column: Any, field_args: Any, **extra: Any) -> Any:
        _check_number(field_args, LARGEST_REAL if is_real(column.type) else None)
        return FloatField(**field_args)

    @converts("Numeric")
    def handle_decimal_types(self, column: Any, field_args: Any, **extra: Any) -> Any:
        _check_number(field_args, numeric_limit(column.type))
        return LocalDecimalField(places=column.type.scale, **field_args)

    @converts("MANYTOONE")
    def conv_ManyToOne(self, field_args: Any, **extra: Any) -> Any:
        required = InputRequired() if not field_args["allow_blank"] else Optional()
        field_args["validators"].insert(0, required)
        return QuerySelectField(**field_args)

    @converts("MANYTOMANY", "ONETOMANY")
    def conv_ManyToMany(self, field_args: Any, **extra: Any) -> Any:
        del field_args["allow_blank"]
        return QuerySelectMultipleField(**field_args)


def _check_number(field_args: Any, limit: float | Decimal | None) -> None:
    field_args["validators"].insert(0, finite)
    if limit is not None:
        field_args["validators"].append(NumberRange(min=-limit, max=limit))
