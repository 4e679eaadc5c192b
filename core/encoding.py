"""The JSON of the project: strict when it reads, exact decimals and ISO 8601 when it writes."""

import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import orjson
from flask import Response
from flask.json.provider import DefaultJSONProvider


def encode(obj: Any, default: Callable[[Any], Any]) -> bytes:
    """Write JSON in UTF-8, fast; what has no place in UTF-8 or in 64 bits, by json.dumps()."""
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
        try:
            return json.loads(s, object_pairs_hook=_unique, parse_constant=_refuse)
        except RecursionError:
            raise ValueError("The JSON is nested too deeply.") from None

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
        if isinstance(o, Decimal):
            return format(o, "f")
        return DefaultJSONProvider.default(o)


def iso(value: datetime) -> str:
    """Return an aware datetime in ISO 8601 with Z for UTC."""
    return value.isoformat().replace("+00:00", "Z")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("A key stands twice in an object of the JSON.")
    return values


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON.")
