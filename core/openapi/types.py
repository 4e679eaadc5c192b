"""Turns enums and nested records into components: a generated client has one type for each."""

from itertools import count
from typing import Any

# The keys that move into the component; others (default, description) stay with the field.
SHAPE = ("type", "enum", "x-enum-varnames", "properties", "required", "additionalProperties")
# The key for the name of a part as a type, until name_types() makes a component of it.
NAME = "x-andamio-type"

Known = dict[str, Any]


def name_types(made: Known) -> None:
    """Make a component of each part of the document that has a NAME, and refer to it instead."""
    known = made["components"]["schemas"]
    made["paths"] = _named(made["paths"], known)
    for name, schema in [*known.items()]:
        known[name] = _named(schema, known)


def _named(part: Any, known: Known) -> Any:
    if isinstance(part, list):
        return [_named(one, known) for one in part]
    if not isinstance(part, dict):
        return part
    part = {key: _named(one, known) for key, one in part.items()}
    if not isinstance(part.get(NAME), str):
        return part
    name = part.pop(NAME)
    shape = {key: part.pop(key) for key in SHAPE if key in part}
    kinds, choices = shape.get("type", ""), shape.get("enum", ())
    is_nullable = "null" in kinds or None in choices
    if isinstance(kinds, list):
        shape["type"] = next(kind for kind in kinds if kind != "null")
    if is_nullable and choices:
        shape["enum"] = [one for one in choices if one is not None]
    names = (name if number == 1 else f"{name}{number}" for number in count(1))
    name = next(one for one in names if known.setdefault(one, shape) == shape)
    reference = {"$ref": f"#/components/schemas/{name}"}
    said = {"anyOf": [reference, {"type": "null"}]} if is_nullable else reference
    return {**said, **part}
