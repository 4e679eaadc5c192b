"""What a route takes out of a URL: nothing that no database takes, so that it is not found."""

from flask import Flask
from werkzeug.routing import IntegerConverter, UnicodeConverter, ValidationError

MAX_KEY = 2**63 - 1


def init_urls(app: Flask) -> None:
    """Replace the converters of <int:id> and <name>."""
    app.url_map.converters |= {
        "int": KeyConverter,
        "string": TextConverter,
        "default": TextConverter,
    }


class KeyConverter(IntegerConverter):
    """A whole number of at most 64 bits."""

    # Python's digits are those of all scripts.
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
