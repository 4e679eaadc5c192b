"""wtforms-sqlalchemy's converters without their faults: one form field for each column type.

The stock converters lose enums, refuse unchecked boxes and know neither floats nor ranges on
SQLAlchemy 2.1. A method that replaces one of theirs keeps its name: of two, the last by name wins.
"""

import re
import uuid
from collections.abc import Callable, Iterable
from copy import copy
from decimal import Decimal
from functools import partial
from operator import attrgetter
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from wtforms import DecimalField, Field, Form, IntegerField, StringField

# The stubs are of WTForms 3.2, which had no enum_coerce.
from wtforms.fields import enum_coerce  # type: ignore[attr-defined] # isort: skip
from wtforms.validators import DataRequired, InputRequired, NumberRange, Optional, StopValidation
from wtforms_sqlalchemy.orm import ModelConverter as StockConverter
from wtforms_sqlalchemy.orm import converts

from core.columns import (
    decimal_places,
    is_real,
    limits_of_column,
    looks_at_others,
    may_be_blank,
    real,
    value_type,
)
from core.fields import NOT_BLANK
from core.filters import choices_of
from core.form_fields import (
    ClockField,
    DayField,
    EnumField,
    JSONField,
    LineField,
    LocalDecimalField,
    LocalFloatField,
    MomentField,
    QuerySelectField,
    QuerySelectMultipleField,
    SecondsField,
    WallField,
)
from core.i18n import EMPTY, write_decimal
from core.listing import text_of
from core.models import label_of
from core.text import clean_text, sort_key

# More than any column has, and few enough for a float (up to 1e308).
MOST_DIGITS = 300
# The types whose field takes no arguments but those of all fields.
FIELDS: dict[str, Callable[..., Any]] = {
    "Date": DayField,
    "DateTime": WallField,
    "JSON": JSONField,
    "Time": ClockField,
    "UTCDateTime": MomentField,
}


def stripped(value: str | None) -> str | None:
    """Filter: a text as every database stores it, without surrounding space; None for a blank."""
    if not isinstance(value, str):
        return value
    text = clean_text(value).strip()
    return text if re.match(NOT_BLANK, text) else None


def parsed_uuid(value: Any) -> uuid.UUID | None:
    """Filter: a text as the UUID that its column takes."""
    try:
        return uuid.UUID(str(value)) if value else None
    except ValueError:
        raise ValueError(gettext("This is not a valid UUID.")) from None


def finite(form: Form, field: Field) -> None:
    """Stop at what is no number: one message is enough, and range validators crash at a NaN."""
    typed = field.raw_data or ()
    if field.process_errors and any(text.strip() for text in typed):
        raise StopValidation
    if any("_" in text or len(text) > MOST_DIGITS for text in typed):
        # Only Python reads 1_000, and range validators fail at what is too large for a float.
        kinds = (IntegerField, "integer"), (DecimalField, "decimal"), (Field, "float")
        kind = next(kind for one, kind in kinds if isinstance(field, one))
        raise StopValidation(field.gettext(f"Not a valid {kind} value."))
    if field.data is not None and not Decimal(field.data).is_finite():
        raise StopValidation(gettext("Not a valid decimal value."))


class ModelConverter(StockConverter):  # type: ignore[misc]
    """The converter behind core.forms.ModelForm."""

    def __init__(self) -> None:
        super().__init__()
        self.converters |= {name: partial(_made, field) for name, field in FIELDS.items()}

    def convert(
        self, model: Any, mapper: Any, prop: Any, field_args: Any, db_session: Any = None
    ) -> Any:
        column = prop.columns[0] if getattr(prop, "columns", None) else None
        if column is not None and (not isinstance(column, sa.Column) or column.computed):
            return None
        default: Any = getattr(column, "default", None)
        is_called = default is not None and default.is_callable
        if column is not None:
            prop = copy(prop)
            prop.columns = [copy(column)]
            # The stock converter knows no types of modules, and would call a default only once.
            prop.columns[0].type = value_type(column.type)
            prop.columns[0].default = None if is_called else default
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
        filters: list[Callable[[Any], Any]] = [stripped]
        if not column.nullable and may_be_blank(column):
            field_args["validators"].pop()
            filters.append(lambda text: text or "")
        elif not column.nullable:
            # Replaces InputRequired, which stands last: it accepts spaces, which the filter strips.
            field_args["validators"][-1] = DataRequired()
        field_args["filters"] = [*field_args["filters"], *filters]
        super()._string_common(column, field_args)

    @converts("String")
    def conv_String(self, column: Any, field_args: Any, **extra: Any) -> Any:
        self._string_common(column, field_args)
        return LineField(**field_args)

    # The stock method also converts columns of bytes, but no text field returns bytes.
    @converts("Text")
    def conv_Text(self, **args: Any) -> Any:
        return super().conv_Text(**args)

    @converts("Boolean")
    def conv_Boolean(self, column: Any, field_args: Any, **extra: Any) -> Any:
        if column.nullable:
            # A checkbox has two states: what nobody has answered yet would be saved as a no.
            return _choice(column, _read_answer, field_args)
        # Browsers send nothing for an unchecked box: InputRequired, which is last, would refuse it.
        field_args["validators"].pop()
        return super().conv_Boolean(field_args)

    @converts("Interval")
    def conv_Interval(self, field_args: Any, **extra: Any) -> Any:
        field_args["description"] = field_args["description"] or _l("In seconds.")
        return SecondsField(places=6, **field_args)

    @converts("Uuid", "sql.sqltypes.UUID")
    def conv_PGUuid(self, column: Any, field_args: Any, **extra: Any) -> Any:
        field_args["filters"] = [*field_args["filters"], stripped, parsed_uuid]
        if not column.type.as_uuid:
            # Without as_uuid the column holds texts.
            field_args["filters"].append(lambda token: token and str(token))
        return StringField(**field_args)

    @converts("Enum")
    def conv_Enum(self, column: Any, field_args: Any, **extra: Any) -> Any:
        if not column.nullable:
            # HTML allows `required` only on a select whose first option is empty: none is here.
            told = {"required": False, "aria_required": "true"}
            field_args["render_kw"] = {**told, **(field_args.get("render_kw") or {})}
        coerce = enum_coerce(column.type.enum_class) if column.type.enum_class else str
        return _choice(column, coerce, field_args)

    @converts("Integer")
    def handle_integer_types(self, column: Any, field_args: Any, **extra: Any) -> Any:
        _check_number(field_args, column)
        return super().handle_integer_types(column, field_args)

    @converts("Float", "Double")
    def conv_Float(self, column: Any, field_args: Any, **extra: Any) -> Any:
        _check_number(field_args, column)
        if is_real(column.type):
            field_args["filters"] = [*field_args["filters"], lambda number: number and real(number)]
        return LocalFloatField(**field_args)

    @converts("Numeric")
    def handle_decimal_types(self, column: Any, field_args: Any, **extra: Any) -> Any:
        _check_number(field_args, column)
        return LocalDecimalField(places=decimal_places(column.type), **field_args)

    @converts("MANYTOONE")
    def conv_ManyToOne(self, field_args: Any, **extra: Any) -> Any:
        required = InputRequired() if not field_args["allow_blank"] else Optional()
        field_args["validators"].insert(0, required)
        return QuerySelectField(**_in_order(**field_args))

    @converts("MANYTOMANY", "ONETOMANY")
    def conv_ManyToMany(self, field_args: Any, **extra: Any) -> Any:
        del field_args["allow_blank"]
        return QuerySelectMultipleField(**_in_order(**field_args))


def _made(field: Callable[..., Any], field_args: Any, **extra: Any) -> Any:
    return field(**field_args)


def _choice(column: Any, coerce: Callable[[Any], Any], field_args: Any) -> Any:
    blank = [("", EMPTY)] if column.nullable else []
    return EnumField(
        # Called for each form: the labels are in its reader's language.
        choices=lambda: [*blank, *choices_of(column.type)],
        coerce=lambda value: None if value in (None, "") else coerce(value),
        **field_args,
    )


def _read_answer(value: Any) -> bool:
    if isinstance(value, str) and value not in ("true", "false"):
        raise ValueError(value)
    return bool(value) and value != "false"


def _in_order(query_factory: Callable[[], Iterable[Any]], **field_args: Any) -> dict[str, Any]:
    """Sort related records by their text, as people look for them; the stock query does not."""
    text: Callable[[Any], str] = field_args.setdefault("get_label", text_of)
    if isinstance(text, str):
        # WTForms also takes the name of an attribute.
        text = attrgetter(text)
    ordered = partial(sorted, key=lambda record: sort_key(text(record)))
    field_args["query_factory"] = lambda: ordered(query_factory())
    return field_args


class _Limit(Decimal):
    """A limit that messages show as the reader's language writes it."""

    def __str__(self) -> str:
        return write_decimal(self)


def _check_number(field_args: Any, column: Any) -> None:
    # Before the form's own validators: of two ranges, browsers are told the later one.
    low, high = (
        _Limit(limit) if isinstance(limit, Decimal) else limit for limit in limits_of_column(column)
    )
    limits = [NumberRange(min=low, max=high)] if (low, high) != (None, None) else []
    field_args["validators"][:0] = [finite, *limits]
