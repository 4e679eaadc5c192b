"""Form fields for columns and relationships, where WTForms has none or one with faults."""

import json
import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import starmap
from typing import Any

import marshmallow
import sqlalchemy as sa
from flask import current_app, has_request_context, request
from flask_babel import gettext
from werkzeug.datastructures import MultiDict
from wtforms import DateField, Form, TimeField
from wtforms.fields import (
    DateTimeLocalField,
    DecimalField,
    FieldList,
    FloatField,
    SelectField,
    StringField,
    TextAreaField,
)

# The stubs are of WTForms 3.2, which had no Choice.
from wtforms.fields import Choice  # type: ignore[attr-defined] # isort: skip
from wtforms.utils import unset_value
from wtforms.validators import NumberRange, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget, Select, TextArea, TextInput
from wtforms_sqlalchemy import fields as stock

from core.columns import LONGEST
from core.fields import JSON
from core.filters import MOST_CHOICES
from core.i18n import EMPTY, from_local, local, read_decimal, write_decimal, write_seconds

# The button that searches in a field (core/choices.py) instead of saving the form.
SEARCH_BUTTON = "_search"
ANSWERS = "andamio.choices"


def posted() -> MultiDict[str, str]:
    """Return what was posted: nothing outside of a request, where a command fills in a form."""
    return request.form if has_request_context() else MultiDict()


def answers() -> dict[Hashable, Any]:
    """Return what asked_once() keeps; clear it to have the choices read again."""
    # Not in g, which several requests share if they run in one context.
    return request.environ.setdefault(ANSWERS, {}) if has_request_context() else {}


def asked_once(key: Hashable, ask: Callable[[], Any]) -> Any:
    """Return what ask() returns, called once a request: lines of a form have the same choices."""
    kept = answers()
    if key not in kept:
        kept[key] = ask()
    return kept[key]


class _Choices:
    """Yields choices as WTForms 3.3 expects them, and refuses other values in its words.

    It can go when wtforms-sqlalchemy does this itself.
    """

    def pre_validate(self, form: Form) -> None:
        # Read `data` first: a field of many records notes only then which sent keys do not exist.
        getattr(self, "data")  # noqa: B009
        try:
            super().pre_validate(form)  # type: ignore[misc]
        except ValidationError:
            raise ValidationError(self.gettext("Not a valid choice.")) from None  # type: ignore[attr-defined]

    def _get_object_list(self) -> Any:
        # The field's own copy would outlive the choices that answers() has forgotten.
        self._object_list = None
        key = self.query_factory, self.query  # type: ignore[attr-defined]
        return asked_once(key, super()._get_object_list)  # type: ignore[misc]

    def iter_choices(self) -> Iterator[Choice]:
        return starmap(_choice, super().iter_choices())  # type: ignore[misc]

    def _choices_generator(self, choices: Any) -> Iterator[Choice]:
        return starmap(_choice, super()._choices_generator(choices))  # type: ignore[misc]


def _choice(value: str, label: Any, *state: Any) -> Choice:
    return Choice(value, str(label), *state)


class EnumField(SelectField):
    """A select; it refuses a value that is no choice in the same words as _Choices.

    What its callable `choices` returns must be the same for all readers of a language.
    """

    # The stubs have neither.
    _choices_stale: bool
    _choices_callable: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._offer = self._choices_callable

    @property
    def choices_key(self) -> Hashable:
        """Return a key of the choices (core/fragments.py); None if a view may have changed them."""
        # Choices are stale until a view reads them, and perhaps changes the list.
        is_own = self._choices_stale and self._choices_callable is self._offer
        return self._offer if is_own else None

    def process_formdata(self, valuelist: list[Any]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(self.gettext("Not a valid choice.")) from None


class QuerySelectField(_Choices, stock.QuerySelectField):  # type: ignore[misc]
    """One related record; nothing is chosen until the user chooses."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        fixed = {"blank_text": EMPTY, **kwargs, "allow_blank": True, "blank_value": ""}
        super().__init__(*args, **fixed)


class _Box(CheckboxInput):
    # Without `required`: a browser would want each box of the field to be ticked.
    validation_attrs = ["disabled"]


class QuerySelectMultipleField(_Choices, stock.QuerySelectMultipleField):  # type: ignore[misc]
    """Any number of related records: a box each, as one click in a select unselects all others.

    Beyond MOST_CHOICES it is a select, which costs a fifth of the boxes.
    """

    boxes = ListWidget(prefix_label=False)
    widget: Any = boxes
    option_widget = _Box()

    def process(self, *args: Any, **kwargs: Any) -> None:
        super().process(*args, **kwargs)
        is_known = self.query_factory or self.query
        if self.widget is self.boxes and is_known and len(self._get_object_list()) > MOST_CHOICES:
            self.widget = Select(multiple=True)


class _LocalNumber:
    """A number in a text input: a number input discards a value with a comma."""

    widget: Any = TextInput()
    flags: Any

    def __init__(self, *args: Any, render_kw: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, render_kw=render_kw, **kwargs)  # type: ignore[call-arg]
        # The decimal keypad of an iPhone has no minus.
        if self.flags.min is not None and self.flags.min >= 0:
            self.render_kw = {"inputmode": "decimal", **(render_kw or {})}


class LocalDecimalField(_LocalNumber, DecimalField):
    """A decimal as the user's language writes it; too many places are refused, not rounded away."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist:
            return
        self.data = None
        try:
            number = read_decimal(valuelist[0])
        except ValueError:
            raise ValueError(gettext("Not a valid decimal value.")) from None
        if self.places is not None and -int(number.as_tuple().exponent) > self.places:
            if self.places == 0:
                raise ValueError(self.gettext("Not a valid integer value."))
            raise ValueError(gettext("At most %(places)s decimal places.", places=self.places))
        self.data = number

    def _value(self) -> str:
        if self.raw_data or self.data is None:
            return str(super()._value())  # type: ignore[misc]
        return write_decimal(self.data, self.places)


class LocalFloatField(_LocalNumber, FloatField):
    """A float as the user's language writes it, or with an exponent."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist:
            return
        text = valuelist[0]
        # A point alone is a decimal point in every language: so browsers and programs write it.
        if "," in text or text.count(".") != 1:
            with suppress(ValueError):
                text = str(read_decimal(text))
        super().process_formdata([text.replace(",", ".")])

    def _value(self) -> str:
        if self.raw_data or self.data is None:
            return str(super()._value())  # type: ignore[misc]
        return write_decimal(self.data)


class LinesField(FieldList):  # type: ignore[type-arg]
    """The records that are a record's own, a form each, told apart by their keys.

    WTForms would tell them apart by their places, which change as soon as somebody else removes or
    moves one.
    """

    # The keys of the lines that the page showed first; it sends them back even for removed lines.
    keys_shown: Sequence[str] = ()
    _is_read = False

    def process(self, formdata: Any, data: Any = unset_value, extra_filters: Any = None) -> None:
        self._is_read = False
        stored = [] if data is unset_value else list(data or ())
        shown = ["", *map(key_text, stored)]
        self.keys_shown = formdata.getlist(f"{self.name}-_shown") if formdata else shown
        if self.max_entries:
            # An API may store more: WTForms would fail to show them, and forget the rest in a save.
            self.max_entries = max(self.max_entries, len(stored))
        super().process(formdata, data, extra_filters)
        self._is_read = True

    def populate_obj(self, obj: Any, name: str) -> None:
        """Set the lines; keep those that somebody else has added since the page was shown."""
        unseen = [one for one in getattr(obj, name) if self.keys_shown and self._is_unseen(one)]
        super().populate_obj(obj, name)
        getattr(obj, name).extend(unseen)

    def drop_removed(self, box: str = "remove") -> None:
        """Drop the lines whose box is ticked, and new ones that nobody has filled in."""
        self.entries = [
            line for line in self.entries if not (line.form[box].data or self._is_blank(line))
        ]

    def _is_blank(self, line: Any) -> bool:
        if self.key_of(line):
            return False
        empty = line.form_class(formdata=None, obj=line.object_data)
        return all(_is_untouched(field, empty[field.short_name]) for field in line.form)

    def _compact_indices(self) -> None:
        # Lines keep their numbers while they are read: fields look up what was sent by them.
        if self._is_read:
            super()._compact_indices()  # type: ignore[misc]

    def _extract_indices(self, prefix: str, formdata: Any) -> Any:
        # WTForms takes characters for digits that int() does not read.
        start = re.escape(prefix + self._separator)  # type: ignore[attr-defined]
        end = re.escape(self._field_separator)  # type: ignore[attr-defined]
        places = re.compile(rf"{start}([0-9]{{1,9}})({end}|\Z)")
        return (int(found[1]) for found in map(places.match, formdata) if found)

    def _is_unseen(self, record: Any) -> bool:
        return key_text(record) not in self.keys_shown

    def _add_entry(self, formdata: Any = None, data: Any = unset_value, index: Any = None) -> Any:
        key = formdata.get(f"{self.name}-{index}-_key") if formdata else None
        if key is not None:
            found = (one for one in self.object_data or () if key_text(one) == key)
            data = next(found, unset_value) if key else unset_value
        return super()._add_entry(formdata, data, index)  # type: ignore[misc]

    def key_of(self, entry: Any) -> str:
        """Return what a page sends back as the `_key` of a line; "" for a new line."""
        return key_text(entry.object_data)


def _is_untouched(field: Any, empty: Any) -> bool:
    """Tell whether a field holds nothing, or what it shows by default."""
    if getattr(field, "words", "") or posted().get(SEARCH_BUTTON) == field.name:
        # Somebody searches in it.
        return False
    sent = getattr(field, "raw_data", None) or ()
    if not any(sent):
        return True
    if isinstance(empty, SelectField) and empty.data is None:
        # If nobody chooses, a browser sends the first choice.
        first: Any = next(iter(empty.iter_choices()), None)
        return first is not None and sent == [str(first.value)]
    return not field.process_errors and field.data == empty.data


def key_text(record: Any) -> str:
    """Return a stored record's key as a page carries it, "" for one that is not stored."""
    state = sa.inspect(record, raiseerr=False)
    return ",".join(map(str, getattr(state, "identity", None) or ()))


class LineField(StringField):
    """A text of one line; a text of several, stored by a program, keeps them in a text area."""

    def process_data(self, value: Any) -> None:
        super().process_data(value)
        if type(self.widget) is TextInput and isinstance(value, str) and "\n" in value:
            self.widget = TextArea()

    def process_formdata(self, valuelist: list[Any]) -> None:
        # Browsers send each line end as two characters.
        super().process_formdata([text.replace("\r\n", "\n") for text in valuelist])


class _Written:
    """A day or a time, in ISO 8601 to the second; left unchanged, it keeps its microseconds."""

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
        # Not by strftime(), which writes the year 0001 as 1.
        return str(_as_typed(self.data).isoformat())


def _as_typed(value: Any) -> Any:
    if isinstance(value, datetime):
        value = local(value).replace(tzinfo=None)
    return value.replace(microsecond=0) if hasattr(value, "microsecond") else value


class DayField(_Written, DateField):
    """A day of any year."""


class _Clock(_Written):
    """A time to the second; with its default step a browser refuses all but the stored seconds."""

    formats: list[str]

    def __init__(
        self, label: Any = None, validators: Any = None, *args: Any, **kwargs: Any
    ) -> None:
        kwargs["render_kw"] = {"step": "any", **(kwargs.get("render_kw") or {})}
        if not args:
            kwargs.setdefault("format", self.formats)
        super().__init__(label, validators, *args, **kwargs)  # type: ignore[call-arg]


class ClockField(_Clock, TimeField):
    """A time of day."""

    formats = ["%H:%M:%S", "%H:%M"]


class WallField(_Clock, DateTimeLocalField):
    """A day and a time of no zone."""

    formats = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"]


class MomentField(WallField):
    """A moment, shown and typed in the reader's zone; the data is aware, in UTC."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        super().process_formdata(valuelist)
        # An unchanged moment is aware, and stays: as text, an hour that comes twice is ambiguous.
        if not valuelist or self.data.tzinfo:
            return
        typed, self.data = self.data, None
        try:
            moment = from_local(typed)
        except ValueError:
            raise ValueError(self.gettext("Not a valid datetime value.")) from None
        if local(moment).replace(tzinfo=None) != typed:
            raise ValueError(gettext("The clocks skip this time: choose an hour earlier or later."))
        self.data = moment


class JSONField(TextAreaField):
    """Any JSON, as text."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        if not valuelist:
            return
        self.data = None
        try:
            if valuelist[0].strip():
                self.data = JSON(allow_none=True).deserialize(current_app.json.loads(valuelist[0]))
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
        # Checked here: the field's validators get a timedelta, which is no number.
        number = self.data
        try:
            NumberRange(-most, most)(Form(), self)
        finally:
            self.data = None
        self.data = timedelta(microseconds=int(number * 10**6))

    def _value(self) -> str:
        if self.raw_data or self.data is None:
            return super()._value()
        return write_seconds(self.data)
