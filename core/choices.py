"""Optional: a select that turns into a search if the related table is too large for a select."""

from collections.abc import Callable, Hashable, Iterator
from functools import cached_property
from typing import Any

import marshmallow
import sqlalchemy as sa
from flask import has_request_context, request
from flask_babel import gettext, ngettext
from wtforms.fields import SelectFieldBase
from wtforms.form import BaseForm
from wtforms.validators import ValidationError
from wtforms.widgets import Select

# The stubs are of WTForms 3.2, which had no Choice.
from wtforms.fields import Choice  # type: ignore[attr-defined] # isort: skip

from core.form_fields import SEARCH_BUTTON, asked_once, key_text, posted
from core.i18n import EMPTY
from core.listing import LONGEST_WORDS, text_of
from core.paging import options_of
from core.schemas import reader_of
from services import db

RESULTS = 20
# Results in sight at once; the others are scrolled to.
LINES = 8


class SearchSelectField(SelectFieldBase):
    """One related record of `model`: a select up to `above` rows, a search with results beyond.

    `statement` is a function that returns a select of the records that may be chosen. The search
    uses the model's `listing`. Without JavaScript its button sends the form, which comes back with
    the results and all that was typed; static/forms.js only saves that round trip.
    """

    widget = Select()

    def __init__(
        self,
        label: Any = None,
        validators: Any = None,
        *,
        model: Any,
        above: int = 200,
        statement: Callable[[], sa.Select[Any]] | None = None,
        **kw: Any,
    ) -> None:
        if len(sa.inspect(model).primary_key) > 1:
            raise TypeError(f"{model.__name__} has a key of several columns: use QuerySelectField.")
        super().__init__(label, validators, **kw)
        self.model = model
        self.above = above
        self.statement = statement

    @property
    def has_new_words(self) -> bool:
        """Tell whether the words typed were not searched for yet, as when Enter sends the form."""
        return bool(self.words) and self.words != self._posted("searched")

    @property
    def is_large(self) -> bool:
        """Tell whether the related table has more rows than a select should."""
        return len(self._first) > self.above

    @property
    def words(self) -> str:
        """Return what was searched for."""
        return self._posted("search")

    def _posted(self, part: str) -> str:
        # Not request.values, which lacks the form while an expired form is treated as a GET.
        name = f"{self.name}-{part}"
        asked = request.args.get(name, "") if has_request_context() else ""
        words = posted().get(name) or asked
        return words.replace("\x00", "").strip()[:LONGEST_WORDS]

    @property
    def results(self) -> str:
        """Return the sentence that says how many rows the search found, "" without a search."""
        if not self.words:
            return ""
        if len(self._found) == RESULTS:
            return str(gettext("The first %(num)s results: more words find fewer.", num=RESULTS))
        return str(ngettext("%(num)s result", "%(num)s results", len(self._found)))

    @property
    def choices_key(self) -> Hashable:
        """Return what the empty field offers (core/fragments.py)."""
        return tuple(self._first.items())

    @property
    def _first(self) -> dict[str, str]:
        limit = self.above + 1
        options: dict[str, str] = asked_once(
            (self.model, limit, self.statement), lambda: self._options(limit)
        )
        return options

    @cached_property
    def _found(self) -> dict[str, str]:
        return self._options(RESULTS, self.words) if self.words else {}

    def _options(self, limit: int, words: str = "") -> dict[str, str]:
        rows = self.statement() if self.statement else None
        return dict(options_of(self.model, limit, words, rows))

    def process_formdata(self, valuelist: list[Any]) -> None:
        if valuelist:
            self.data = self._record(valuelist[0])

    def _record(self, key: str) -> Any:
        try:
            value = reader_of(sa.inspect(self.model).primary_key[0]).deserialize(key)
        except marshmallow.ValidationError:
            return None
        # A key has other spellings, such as 01 for 1; only that of iter_choices() is taken.
        record = db.session.get(self.model, value) if str(value) == key else None
        return record if self._may_be_chosen(record) else None

    def _may_be_chosen(self, record: Any) -> bool:
        # The stored record stays valid, whatever `statement` offers today.
        if record is None or self.statement is None or record is self.object_data:
            return record is not None
        key = sa.inspect(self.model).primary_key[0]
        found = self.statement().with_only_columns(key).where(key == sa.inspect(record).identity[0])
        return db.session.scalar(found) is not None

    def pre_validate(self, form: BaseForm) -> None:
        if not hasattr(form, "searched") and posted().get(SEARCH_BUTTON) == self.name:
            # No ModelForm, so it cannot tell a search from a save: this error keeps it from saving.
            raise ValidationError(self.results or self.gettext("Not a valid choice."))
        is_unknown = self.raw_data and self.raw_data[0] and self.data is None
        if is_unknown and getattr(form, "searched", None) is None:
            raise ValidationError(self.gettext("Not a valid choice."))

    def __call__(self, **kwargs: Any) -> Any:
        if self.words and self.is_large:
            # In a closed select nobody would notice the results.
            kwargs.setdefault("size", min(len(list(self.iter_choices())), LINES))
        return super().__call__(**kwargs)

    def iter_choices(self) -> Iterator[Any]:
        key, options = self._chosen_key(), self._found if self.is_large else self._first
        if key and key not in options:
            options = {key: text_of(self.data), **options}
        yield Choice("", EMPTY, not key, {})
        for value, text in options.items():
            yield Choice(value, text, value == key, {})

    def _chosen_key(self) -> str:
        key = key_text(self.data)
        # Read again after the database refused the form: it may be this record that is gone.
        return "" if key and self.errors and self._record(key) is None else key
