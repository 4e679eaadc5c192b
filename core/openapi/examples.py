"""Examples: a valid value for each schema of the document, made from its limits."""

import re
from collections.abc import Iterator
from decimal import Decimal
from math import inf
from typing import Any

FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T09:30:00Z",
    "email": "ana@example.com",
    "uri": "https://example.com/",
    "uuid": "6f1c2a52-9d3e-4b7a-8c15-0e2f4a6b8d90",
}
NUMBERS = ("12.50", "1.5", "0.5", "0.05", "1", "0", "-1")

Known = dict[str, Any]


class NoExampleError(ValueError):
    """A pattern that no guess matches: the field's metadata can give an example."""


def example(schema: Known, known: Known, name: str = "") -> Any:
    """Return a valid value; `known` are the schemas that others refer to.

    Raises NoExampleError for a pattern that is too hard: metadata={"example": ...} helps.
    """
    schema = whole(schema, known)
    if "example" in schema:
        return schema["example"]
    if "enum" in schema:
        if not schema["enum"]:
            raise NoExampleError(name)
        return schema["enum"][0]
    kind = schema.get("type", "string")
    kind = kind if isinstance(kind, str) else kind[0]
    if kind in ("object", "array"):
        return _several(schema, known, name)
    if kind == "string":
        return _text(schema, name)
    return True if kind == "boolean" else _number(schema, kind)


def resolved(one: Known, known: Known) -> Known:
    """Return a part of the document, or the component to which it refers."""
    found: Known = known[one["$ref"].rpartition("/")[2]] if "$ref" in one else one
    return found


def whole(one: Known, known: Known) -> Known:
    """Return a schema with what it refers to, and with the rules of all kinds of its values."""
    parts = [resolved(part, known) for part in one.get("anyOf", [one])]
    kinds = [part["type"] for part in parts if "type" in part]
    found = {key: value for part in (*parts, one) for key, value in part.items()}
    return found | ({"type": kinds} if len(kinds) > 1 else {})


def _several(schema: Known, known: Known, name: str) -> Any:
    if "items" in schema:
        number = max(min(1, schema.get("maxItems", 1)), schema.get("minItems", 0))
        return [example(schema["items"], known, name)] * number
    shown = schema.get("properties", {}).items()
    return {key: example(one, known, key) for key, one in shown}


def _number(schema: Known, kind: str) -> Any:
    above: Any = schema.get("exclusiveMinimum", -inf)
    below: Any = schema.get("exclusiveMaximum", inf)
    low, high = schema.get("minimum", above), schema.get("maximum", below)
    ends = [end for end in (low, high) if end not in (-inf, inf)]
    guesses = (1, *ends, *(end + 1 for end in ends), *(end - 1 for end in ends), sum(ends) / 2)
    number = next((n for n in guesses if low <= n <= high and above < n < below), 1)
    return int(number) if kind == "integer" else float(Decimal(str(number)))


def _text(schema: Known, name: str) -> str:
    if schema.get("format") in FORMATS:
        return FORMATS[schema["format"]]
    short, most = schema.get("minLength", 0), schema.get("maxLength", 100)
    parts = [schema, *schema.get("allOf", [])]
    patterns = [one["pattern"] for one in parts if "pattern" in one]
    for text in _guesses(name.replace("_", " ").capitalize() or "Text"):
        fitting = text.ljust(short, text[-1])[:most]
        if all(re.search(pattern, fitting) for pattern in patterns):
            return fitting
    raise NoExampleError(name)


def _guesses(word: str) -> Iterator[str]:
    # A lone number is an unlikely text, but it fits the pattern of a decimal.
    yield from (
        word,
        *NUMBERS,
        "09:30:00",
        "2026-01-31T09:30:00",
        word.lower(),
        word.upper(),
        "A",
        "a",
        "A1",
        "AB12",
    )
    for length in range(1, 21):
        yield from ("1234567890123456789012"[:length], "A" * length, "a" * length)
