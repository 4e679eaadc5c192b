"""Optional: a select that turns into a search where the related table is too large for one."""

from collections.abc import Iterable
from typing import Any

from flask import request
from wtforms import Form

from core.converters import QuerySelectField
from core.forms import SEARCH_BUTTON
from core.listing import Query
from services import db

RESULTS = 20


class SearchSelectField(QuerySelectField):
    """One related record of `model`: a select up to `above` rows, beyond it a search with results.

    The search uses the model's `listing`. Without JavaScript its button sends the form, which comes
    back with the results and all that was typed; static/search-select.js only saves the journey.
    """

    def __init__(self, *args: Any, model: Any, above: int = 200, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.model = model
        self.above = above

    @property
    def is_large(self) -> bool:
        """Tell whether the related table has more rows than a select should."""
        return len(self._first_rows()) > self.above

    @property
    def words(self) -> str:
        """Return what was searched for."""
        words = request.form.get(f"{self.name}-search", "")
        return words.replace("\x00", "").strip()[:200]

    def _first_rows(self) -> list[Any]:
        if not hasattr(self, "_rows"):
            rows = self.model.listing.apply(None, self._query(""))
            self._rows = list(db.session.scalars(rows.limit(self.above + 1)))
        return self._rows

    def _query(self, words: str) -> Query:
        listing = self.model.listing
        return Query(words=tuple(words.split()), order=listing.default_order)

    def _get_object_list(self) -> list[tuple[str, Any]]:
        if self._object_list is None:  # type: ignore[has-type]
            rows = self._results() if self.is_large else self._first_rows()
            self._object_list = [(str(self.get_pk(row)), row) for row in rows]
        return self._object_list

    def _results(self) -> Iterable[Any]:
        chosen = self._data if self._formdata is None else self._chosen(self._formdata)
        found = []
        if self.words:
            rows = self.model.listing.apply(None, self._query(self.words))
            found = list(db.session.scalars(rows.limit(RESULTS)))
        return dict.fromkeys([*([chosen] if chosen else []), *found])

    def _chosen(self, key: str) -> Any:
        number = int(key) if key.isdecimal() and len(key) < 19 else 0
        return db.session.get(self.model, number)

    def pre_validate(self, form: Form) -> None:
        if SEARCH_BUTTON not in request.form:
            super().pre_validate(form)
