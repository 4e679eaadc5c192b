"""What a route takes from a URL: a value that no database can hold is not found (404)."""

from datetime import date, datetime
from typing import Any
from urllib.parse import quote

from flask import Flask, current_app, request
from werkzeug.routing import BaseConverter, IntegerConverter, UnicodeConverter, ValidationError

from core.encoding import JSONProvider
from core.fields import CLOCK, DAY

MAX_KEY = 2**63 - 1


def request_path() -> str:
    """Return the path of the request as it is written in a URL, with # and ? quoted."""
    return quote(f"{request.root_path}{request.path}")


def resource_at_hand() -> Any:
    """Return the class of the view that answers the request, None for a function or no view."""
    view = current_app.view_functions.get(str(request.endpoint))
    return getattr(view, "view_class", None)


def init_urls(app: Flask) -> None:
    """Replace the converters of <int:id> and <name>, and add <date:day> and <moment:at>."""
    app.url_map.converters |= {
        "date": DateConverter,
        "moment": MomentConverter,
        "int": KeyConverter,
        "string": TextConverter,
        "default": TextConverter,
    }


class KeyConverter(IntegerConverter):
    """A whole number of at most 64 bits."""

    # Python's \d would match the digits of all scripts.
    regex = "[0-9]+"

    def to_python(self, value: str) -> int:
        number: int = super().to_python(value)
        if number > MAX_KEY:
            raise ValidationError
        return number


class TextConverter(UnicodeConverter):
    """A text without NUL."""

    def to_python(self, value: str) -> str:
        if "\0" in value:
            raise ValidationError
        return str(super().to_python(value))


class DateConverter(BaseConverter):
    """A day, written as 2026-01-31 (RFC 3339, full-date)."""

    regex = DAY
    format = "date"
    kind: type[date] = date

    def to_python(self, value: str) -> date:
        try:
            moment = self.kind.fromisoformat(value)
        except ValueError:
            raise ValidationError from None
        if self.to_url(moment) != value:
            # Another spelling of the day is refused: one record has one URL.
            raise ValidationError
        return moment

    def to_url(self, value: Any) -> str:
        return str(JSONProvider.default(value))


class MomentConverter(DateConverter):
    """A moment, written in UTC as 2026-01-31T09:30:00Z (RFC 3339, date-time)."""

    regex = rf"{DAY}T{CLOCK}Z"
    format = "date-time"
    kind = datetime
