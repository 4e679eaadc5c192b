"""Forms derived from models: versions, conflicts and the database's rules at their fields."""

import threading
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar

import sqlalchemy as sa
from flask import g, has_request_context, request
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from marshmallow import ValidationError
from sqlalchemy import event
from sqlalchemy.orm import MANYTOONE
from sqlalchemy.orm.collections import InstrumentedList, InstrumentedSet
from werkzeug.datastructures import MultiDict
from wtforms import Field, FieldList, FileField, FormField, IntegerField
from wtforms.fields.core import UnboundField
from wtforms.form import FormMeta
from wtforms.validators import NumberRange, Optional
from wtforms.widgets import HiddenInput
from wtforms_sqlalchemy.orm import ModelConversionError

from core.columns import (
    attribute_of,
    limits_of,
    looks_at_others,
    server_value,
    set_value,
)
from core.constraints import MESSAGES, Violation
from core.converters import ModelConverter, finite
from core.filters import shown
from core.form_fields import SEARCH_BUTTON, answers, key_text, posted
from core.fragments import key_of_fields
from core.models import Versioned
from services import db

# The first button of a form, which the Enter key presses.
ENTER_BUTTON = "_enter"
# Sent, behind the form's prefix, by a page that shows what is stored beside what was typed.
CONFLICT_MARK = "_conflict"
CONFLICT = _l(
    "Someone else changed this record while you were editing it. What is stored now stands below "
    "your text where the two differ: save again to keep yours."
)
# Attributes of a form object, not of its class: no names for fields.
OWN = ("meta", "form_errors")

_wrap_formdata = FlaskForm.Meta.wrap_formdata


def _texts_alone(self: Any, form: Any, formdata: Any) -> Any:
    """Take no JSON, whose values may be of any type, and no files for fields of texts."""
    if formdata is not None and not isinstance(formdata, MultiDict):
        if request.is_json:
            return None
        if "expired" in g:
            # Posted, though the request is treated as a GET (core/expired.py).
            formdata, g.expired_shown = g.expired, True
    sent = _wrap_formdata(self, form, formdata)
    if not sent or not has_request_context() or not request.files:
        return sent
    texts = {field.name for field in form if not isinstance(field, FileField)}
    pairs = sent.items(multi=True)
    return MultiDict(
        (name, value) for name, value in pairs if isinstance(value, str) or name not in texts
    )


# For all forms, a login's too: validators and views expect the values to be texts.
FlaskForm.Meta.wrap_formdata = _texts_alone


class RefusedError(ValidationError):
    """Stops the commit of a record whose model refused a value of its form."""


class ModelFormMeta(FormMeta):
    """Derives the fields at the first use: at import, related models may not be there yet."""

    Meta: Any
    _lock: ClassVar[threading.RLock] = threading.RLock()

    def __init__(cls, name: str, bases: tuple[type, ...], names: dict[str, Any]) -> None:
        super().__init__(name, bases, names)
        if isinstance(names.get("meta"), type):
            raise TypeError(f"{name} has a class meta, which nobody reads: call it Meta.")

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if "_derived" in vars(cls):
            return super().__call__(*args, **kwargs)
        # The first form of a class builds lists that two threads must not build at once.
        with cls._lock:
            if "_derived" not in vars(cls) and cls.Meta.model is not None:
                _derive_fields(cls, cls.Meta)
            form: Any = super().__call__(*args, **kwargs)
            cls._derived = True
        return form


def _derive_fields(form_class: Any, meta: Any) -> None:
    """Make the fields that Meta names. Raises LookupError where it names none."""
    if not hasattr(meta, "fields"):
        raise LookupError(
            f'{form_class.__name__}.Meta has no fields: write fields = ("name", ...).'
        )
    for place, name in enumerate(meta.fields, -len(meta.fields)):
        # A field that the class or its base declares by hand wins, at its place in Meta.fields;
        # declared fields that Meta.fields does not name stand behind all these.
        field: Any = getattr(form_class, name, None)
        if not isinstance(field, UnboundField) or hasattr(field, "is_derived"):
            field = _derived(form_class.__name__, meta, name)
            field.is_derived = True
        field.creation_counter = place
        setattr(form_class, name, field)
    if issubclass(meta.model, Versioned):
        _, most = limits_of(sa.inspect(meta.model).version_id_col.type)
        limits = [Optional(), finite, NumberRange(1, most)]
        form_class.version = IntegerField("", widget=HiddenInput(), validators=limits)


def _derived(form: str, meta: Any, name: str) -> Any:
    """Return the field for an attribute of the model. Raises LookupError, with the remedy."""
    mapper, arguments = sa.inspect(meta.model), getattr(meta, "field_args", {})
    model = meta.model.__name__
    if name not in mapper.attrs:
        there_are = ", ".join(mapper.attrs.keys())
        raise LookupError(f"{form} names {name!r}, which {model} lacks; it has {there_are}.")
    if name in OWN or (name != "data" and hasattr(ModelForm, name)):
        raise LookupError(
            f"{form} names {name!r} of {model}, which is something else in every form: call the "
            f'attribute otherwise, as in {name}_ = mapped_column("{name}", ...).'
        )
    field, cause = None, None
    try:
        prop = mapper.attrs[name]
        field = ModelConverter().convert(meta.model, mapper, prop, arguments.get(name), db.session)
    except ModelConversionError as error:
        cause = error
    if field is None:
        raise LookupError(
            f"{form} has no field for {name!r} of {model}: declare one in the class. For a file it "
            "is a FileField that Meta.fields leaves out; the view stores its data.read()."
        ) from cause
    return field


class _Given:
    """A new record's values that were set: for any other, a field shows its default."""

    def __init__(self, record: Any) -> None:
        self._record = record

    def __getattr__(self, name: str) -> Any:
        if name in sa.inspect(self._record).unloaded:
            raise AttributeError(name)
        return getattr(self._record, name)


class ModelForm(FlaskForm, metaclass=ModelFormMeta):  # type: ignore[misc]
    """The base of the modules' forms.

    `class Meta` names the `model`, the `fields` in their order, and `field_args`, which go to the
    fields' constructors: {"price": {"label": "Price", "validators": [...]}}. Only the named fields
    can be set through the form. The version of a Versioned model travels in a hidden field.
    A view may set `focus_on` to the name of the field that gets the focus on the page.
    """

    focus_on: Any = None

    class Meta:
        model: Any = None
        fields: Sequence[str] = ()
        field_args: Mapping[str, Mapping[str, Any]] = {}

    def __init__(self, *args: Any, obj: Any = None, **kwargs: Any) -> None:
        is_new = getattr(sa.inspect(obj, raiseerr=False), "transient", False)
        super().__init__(*args, obj=_Given(obj) if is_new else obj, **kwargs)
        self.record = obj
        # Texts of what is stored now, by field name, after a conflict with another person's save.
        self.stored: dict[str, str] = {}
        is_kept = obj is not None and not is_new
        mark = f"{self._prefix}{CONFLICT_MARK}"
        if is_kept and self.is_submitted() and mark in posted():
            # The page of a conflict was sent for a search or another line, not to save it yet.
            self._show_stored()

    def validate(self, extra_validators: Any = None) -> bool:
        """Tell whether the form may be saved; a search in one of its fields never saves."""
        valid: bool = super().validate(extra_validators)
        if self.searched is None:
            return valid
        for field in _each(self):
            # The errors of a form within are those of its fields.
            if not isinstance(field, FormField):
                field.errors = ()
        return False

    @property
    def searched(self) -> str | None:
        """Return the name of the field that the form was sent to search in, by button or Enter.

        Any button searches if words were typed in a field and its choice was left as it was.
        """
        by_enter, is_sent = ENTER_BUTTON in posted(), self.is_submitted()
        typed = (field for field in _each(self) if getattr(field, "has_new_words", False))
        sought = (
            one.name for one in typed if by_enter or (is_sent and one.data is one.object_data)
        )
        return posted().get(SEARCH_BUTTON, next(sought, None))

    @property
    def cache_key(self) -> Hashable | None:
        """Return all that the fields of an empty form show, as a key to their rendered HTML.

        None for a form that shows what somebody typed or what is stored.
        """
        shown = [field for name, field in self._fields.items() if name != "csrf_token"]
        sent = self.is_submitted() or posted()
        key = None if self.record is not None or sent or self.focus_on else key_of_fields(shown)
        return key and (type(self), key)

    def populate_obj(self, obj: Any) -> None:
        """Set the fields on the record; the next flush fails if its version is not the form's.

        A value that the model refuses (SQLAlchemy's `@validates`) puts an error at its field, and
        makes the commit fail.
        """
        refused: dict[str, list[str]] = {}
        version = self._fields.get("version")
        if version is not None and version.data is not None and sa.inspect(obj).persistent:
            obj.expect_version(version.data)
        for name in self._shown():
            field = self._fields[name]
            try:
                _set(field, obj, name)
            except (ValueError, ValidationError) as error:
                field.errors = refused[name] = _messages(error)
        if refused:
            # The commit has to fail: inside database_rules() that brings the form back.
            event.listen(db.session(), "before_commit", partial(_refuse, refused), once=True)
            event.listen(db.session(), "after_rollback", lambda _: refused.clear(), once=True)

    def show_violation(self, violation: Violation) -> bool:
        """Put a broken rule of the database at its fields; False if no field is concerned."""
        # Read the choices again: one of them may be the record that is gone.
        answers().clear()
        # Columns of another record, stored by the same commit, may have the name of a field here.
        columns = violation.columns if violation.is_about(self.Meta.model) else ()
        names = {self._name_of(column) for column in columns} & set(self._fields)
        for name in names:
            self[name].errors = [*self[name].errors, violation.message]
        lines = (field for field in self._fields.values() if isinstance(field, FieldList))
        return bool(names) or any(_show_in_lines(field, violation) for field in lines)

    def show_conflict(self) -> None:
        """Show what is stored now beside what was typed, and let the next save replace it."""
        # For a deleted record this raises ObjectDeletedError, which core/errors.py answers.
        parts = [field for field in _each(self) if isinstance(field, FormField)]
        for form, record in ((self, self.record), *((one.form, one.object_data) for one in parts)):
            version = getattr(record, "version", None)
            if "version" in form and version is not None:
                form.version.data, form.version.raw_data = version, [str(version)]
        self._show_stored()

    def _shown(self) -> list[str]:
        """Return the names of the model's fields without those that the view removed (`del`)."""
        return [name for name in self.Meta.fields if name in self._fields]

    def _show_stored(self) -> None:
        if CONFLICT not in self.form_errors:
            self.form_errors.append(CONFLICT)
        for name in self._shown():
            if not hasattr(self.record, name):
                # An attribute that can only be written, such as a password, has nothing to show.
                continue
            stored, field = getattr(self.record, name), self._fields[name]
            if _differ(field, stored):
                self.stored[name] = shown(stored)

    def _name_of(self, column: str) -> str:
        """Return the name of the field for a column: its own, or that of its relationship."""
        name = attribute_of(self.Meta.model, column)
        if name in self:
            return name
        relations = sa.inspect(self.Meta.model).relationships
        keys = [
            one.key
            for one in relations
            if one.direction is MANYTOONE and column in {c.name for c in one.local_columns}
        ]
        return next((key for key in keys if key in self), column)


def _each(fields: Iterable[Field]) -> Iterator[Field]:
    """Yield fields and those within them."""
    for field in fields:
        yield field
        if isinstance(field, (FieldList, FormField)):
            yield from _each(field)


def _show_in_lines(lines: "FieldList[Any]", violation: Violation) -> bool:
    """Put a broken rule of the lines' table at its field; with several lines, at the whole list."""
    forms = [line.form for line in lines if isinstance(line, FormField)]
    model = forms[0].Meta.model if forms and isinstance(forms[0], ModelForm) else None
    if model is None or violation.table is None or not violation.is_about(model):
        return False
    if len(forms) == 1 and forms[0].show_violation(violation):
        return True
    names = map(forms[0]._name_of, violation.columns)  # noqa: SLF001 - of a form of this class
    labels = [str(forms[0][name].label.text) for name in names if name in forms[0]]
    told = f"{', '.join(labels)}: {violation.message}" if labels else violation.message
    lines.errors = [*lines.errors, told]
    return True


def _differ(field: Field, stored: Any) -> bool:
    """Tell whether what was typed differs from what the field would show of the stored value."""
    if isinstance(field, FieldList):
        # A column of JSON may be NULL.
        stored = stored or ()
        return len(field) != len(stored) or any(map(_differ, field, stored))
    if isinstance(field, FormField):
        # A new line is not the same as one that somebody else has added with the same texts.
        return key_text(field.object_data) != key_text(stored) or any(
            _differ(one, getattr(stored, one.short_name))
            for one in field
            if one.short_name != "version" and hasattr(stored, one.short_name)
        )
    if isinstance(stored, (InstrumentedList, InstrumentedSet)):
        # The order of related records means nothing.
        return bool(set(stored) ^ set(field.data))
    return bool(_as_shown(field, stored) != _as_shown(field, field.data))


def _as_shown(field: Field, value: Any) -> Any:
    # A value that a filter refuses may have been stored before there was the filter.
    with suppress(ValueError):
        for change in field.filters:
            value = change(value)
    # Browsers send each line end as two characters.
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def _messages(error: Exception) -> list[str]:
    # A ValidationError may have several messages.
    found = error.args[0] if error.args else MESSAGES["check"]
    return [str(message) for message in (found if isinstance(found, list) else [found])]


def _refuse(errors: dict[str, list[str]], session: Any) -> None:
    if errors:
        raise RefusedError(dict(errors))


def _set(field: Field, record: Any, name: str) -> None:
    """Set an attribute, unless the database fills it or its text is still as it was shown."""
    if field.data is None and _filled_by_database(record, name):
        default = server_value(sa.inspect(type(record)).columns[name].server_default)
        if default is not None and sa.inspect(record).persistent:
            # Cleared: it gets again what the database gives a new record.
            set_value(record, name, default)
        return
    stored = getattr(record, name, None)
    if isinstance(stored, InstrumentedSet):
        setattr(record, name, set(field.data))
    elif not isinstance(stored, str) or _differ(field, stored):
        field.populate_obj(record, name)


def _filled_by_database(record: Any, name: str) -> bool:
    column = sa.inspect(type(record)).columns.get(name)
    if column is None or column.nullable:
        return False
    return column.server_default is not None or looks_at_others(column.default)
