"""The fields of schemas: how JSON and URLs write a value of each type, and what they refuse."""

import json
import re
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from marshmallow import ValidationError, fields

from core.columns import DIGITS, real
from core.encoding import iso
from core.text import clean_text

# Patterns that JSON Schema reads, too (core/openapi/): space is what Python or JavaScript calls so.
NOT_NUL = r"^[^\x00]*$"
# Invisible characters up to U+FFFF: JavaScript and Python write those beyond it differently.
INVISIBLE = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0"
)
NOT_BLANK = rf"^[^\x00]*[^\x00\s\x1c-\x1f\x85{INVISIBLE}][^\x00]*$"

# Only these forms: Python would read more, such as other digits, spaces, underscores, ISO weeks.
WHOLE = r"-?[0-9]+"
NUMBER = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?"
DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?"
MOMENT = rf"{DAY}[Tt ]{CLOCK}([Zz]|[-+]([01][0-9]|2[0-3]):[0-5][0-9])?"
# JSON Schema has no format for a moment without a zone, so the pattern says which days exist.
LONG = "(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])"
SHORT = "(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9])"
WALL = rf"(?!0000)[0-9]{{4}}-({LONG}|{SHORT})[Tt ]{CLOCK}"
TOKEN = "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
# A + that is not written as %2B comes out of a URL as a space.
LOST_PLUS = re.compile(rf"{DAY}T{CLOCK} [0-9]{{2}}:[0-9]{{2}}")
# MariaDB stores no more levels of nesting; Python's own JSON ends near 1,000.
MOST_LEVELS = 31
# In a list in a body: at some 30 us an item, a longer one would keep a worker from other requests.
MOST_ITEMS = 10_000
TOO_MANY = f"At most {MOST_ITEMS} of them in one body."
# How JSON writes a NUL: two backslashes before it are one of the text itself.
NUL = re.compile(r"(?<!\\)(\\\\)*\\u0000")


class String(fields.String):
    """A text that every database stores."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return clean_text(text)
        except ValueError as error:
            raise ValidationError(str(error)) from None


class Binary(fields.String):
    """Bytes, as a text in base64 (RFC 4648)."""

    default_error_messages = {"base64": "Not valid base64."}
    form = "([0-9A-Za-z+/]{4})*([0-9A-Za-z+/]{2}==|[0-9A-Za-z+/]{3}=)?"

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        try:
            return b64decode(super()._deserialize(value, attr, data, **kwargs), validate=True)
        except ValueError:
            raise self.make_error("base64") from None

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else b64encode(value).decode()


class JSON(fields.Raw):
    """Any JSON that every database stores."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if _is_deep(value):
            raise ValidationError("This is nested too deeply.")
        try:
            clean_text(NUL.sub("\0", json.dumps(value, ensure_ascii=False)))
        except ValueError as error:
            raise ValidationError(str(error)) from None
        return value


class List(fields.List[Any]):
    """A list of values; they are counted before they are read."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, list) and len(value) > MOST_ITEMS:
            raise ValidationError(TOO_MANY)
        return super()._deserialize(value, attr, data, **kwargs)


def _is_deep(value: Any, left: int = MOST_LEVELS) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    parts = value.values() if isinstance(value, dict) else value
    return left == 0 or any(_is_deep(part, left - 1) for part in parts)


class Written(fields.Field[Any]):
    """A value whose text must match `form`; with `strict`, as for JSON numbers, no text is read."""

    form = ""
    strict = False

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        is_text = isinstance(value, str)
        if isinstance(value, bool) or (is_text and not self._is_read(value)):
            raise self.make_error("invalid", input=value, obj_type=getattr(self, "OBJ_TYPE", ""))
        return super()._deserialize(value, attr, data, **kwargs)

    def _is_read(self, text: str) -> bool:
        return not self.strict and re.fullmatch(self.form, text) is not None


class Integer(Written, fields.Integer):
    """A whole number; JSON does not tell 1.0 from 1."""

    form = WHOLE

    def _validated(self, value: Any) -> int:
        whole = isinstance(value, float) and value.is_integer()
        exact = Decimal(str(value)) if whole else Decimal()
        return super()._validated(int(exact) if whole and exact == int(exact) else value)


class Float(Written, fields.Float):
    """A number of JSON; with `strict` off, a text is read, too."""

    form, strict = NUMBER, True


class Real(Float):
    """A number for a column of type REAL."""

    def _validated(self, value: Any) -> float:
        return real(super()._validated(value))


class Interval(Written, fields.TimeDelta):
    """A span of time in seconds; with `strict` off, a text is read, too."""

    form, strict = NUMBER, True


class Date(Written, fields.Date):
    """A day: 2026-01-31."""

    form = DAY


class Time(Written, fields.Time):
    """A time of day: 09:30:00."""

    form = CLOCK


class UUID(Written, fields.UUID):
    """A UUID with its hyphens (RFC 9562)."""

    default_error_messages = {"invalid": "Not a valid UUID."}
    form = TOKEN


class TextUUID(UUID):
    """A UUID for a column whose values are texts."""

    def _validated(self, value: Any) -> Any:
        token = super()._validated(value)
        return token and str(token)


class Boolean(fields.Boolean):
    """True or false; with `strict` off also their texts, as in a URL."""

    def __init__(self, strict: bool = True, **kwargs: Any) -> None:
        super().__init__(truthy={True, "true"}, falsy={False, "false"}, **kwargs)
        self.strict = strict

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if self.strict and not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class ExactDecimal(Written, fields.Decimal):
    """A decimal as a string; too many places are refused, not rounded away."""

    form = NUMBER

    def __init__(self, places: int | None = None, **kwargs: Any) -> None:
        super().__init__(places, as_string=True, **kwargs)
        self.most_places = places

    def _format_num(self, value: Any) -> Decimal:
        number = Decimal(str(value))
        if self.places is None or not number.is_finite():
            return number
        return number.quantize(self.places, context=DIGITS)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        try:
            number = super()._deserialize(value, attr, data, **kwargs)
        except InvalidOperation:
            # Rounding to the places needs more digits than the decimal context has.
            raise self.make_error("invalid") from None
        if abs(number.adjusted()) > DIGITS.prec:
            # A few characters, such as 1e1000000, would be megabytes in each answer.
            raise self.make_error("invalid")
        if number != Decimal(str(value)):
            raise ValidationError(f"At most {self.most_places} decimal places.")
        return number


class ISODateTime(Written, fields.AwareDateTime):
    """An aware datetime in ISO 8601; without an offset it is taken as UTC."""

    form = MOMENT

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="iso", default_timezone=UTC, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> datetime:
        if isinstance(value, str) and LOST_PLUS.fullmatch(value):
            raise ValidationError("Not a valid datetime: in a URL write + as %2B, or use Z.")
        # RFC 3339 5.6: T and Z may be lower case, which Python does not read.
        text = value.upper() if isinstance(value, str) else value
        moment: datetime = super()._deserialize(text, attr, data, **kwargs)
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            # In UTC it lies before the year 1 or after 9999.
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from None

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        # SQLite and MariaDB keep it in UTC, without saying so.
        return None if value is None else iso(value if value.tzinfo else value.replace(tzinfo=UTC))


class WallDateTime(Written, fields.NaiveDateTime):
    """A day and a time of no zone: 2026-01-31T09:30:00."""

    default_error_messages = {"invalid": "Not a valid datetime without an offset."}
    form = WALL
