"""The JSON of the project: strict when it reads, exact decimals and ISO 8601 when it writes."""

import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import isinf
from typing import Any

import orjson
from flask import Response
from flask.json.provider import DefaultJSONProvider
from flask_babel.speaklater import LazyString

OUT_OF_RANGE = "A number is out of range."


def encode(obj: Any, default: Callable[[Any], Any]) -> bytes:
    """Write JSON in UTF-8 by orjson; what fits neither UTF-8 nor 64 bits, by json.dumps()."""
    try:
        return orjson.dumps(obj, default, orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError:
        return json.dumps(obj, default=default).encode()


class JSONProvider(DefaultJSONProvider):
    """Flask's provider, without NaN, duplicate keys or RFC 822 dates."""

    sort_keys = False

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Write JSON; options are those of json.dumps()."""
        return super().dumps(obj, **kwargs) if kwargs else encode(obj, self.default).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Read JSON (RFC 8259). Raises ValueError also for what the standard library lets pass."""
        # JSON in a body is UTF-8: the standard library would guess the encoding of bytes.
        text = s.decode("utf-8-sig") if isinstance(s, bytes) else s
        try:
            return DECODER.decode(text)
        except RecursionError:
            raise ValueError("The JSON is nested too deeply.") from None
        except ValueError as error:
            # Python's message for an integer of thousands of digits is about a setting of Python.
            if "set_int_max_str_digits" in str(error):
                raise ValueError(OUT_OF_RANGE) from None
            raise

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """Return an answer in JSON, as jsonify() does."""
        body = encode(self._prepare_response_obj(args, kwargs), self.default) + b"\n"
        return Response(body, mimetype=self.mimetype)

    @staticmethod
    def default(o: Any) -> Any:
        """Write what JSON has no type for."""
        if isinstance(o, datetime):
            return iso(o)
        if isinstance(o, date):
            return o.isoformat()
        if isinstance(o, timedelta):
            return o.total_seconds()
        if isinstance(o, Decimal):
            return format(o, "f")
        if isinstance(o, WrittenFloat):
            return float(o)
        if isinstance(o, LazyString):
            return str(o)
        return DefaultJSONProvider.default(o)


def iso(value: datetime) -> str:
    """Return an aware datetime in ISO 8601 with Z for UTC."""
    return value.isoformat().replace("+00:00", "Z")


class WrittenFloat(float):
    """A number of JSON with the text that was sent, from which an exact Decimal can be made."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> "WrittenFloat":
        number = super().__new__(cls, text)
        if isinf(number):
            raise ValueError(OUT_OF_RANGE)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("A key stands twice in an object of the JSON.")
    return values


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON.")


DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse, parse_float=WrittenFloat
)
