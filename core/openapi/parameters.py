"""The parameters of an operation: those of its URL, of a list's query, and its headers."""

import re
from collections.abc import Iterator
from typing import Any

from werkzeug.routing import IntegerConverter, Rule, UnicodeConverter, UUIDConverter

from core.fields import NOT_NUL
from core.listing import COUNTS, MAX_OFFSET, Listing
from core.openapi.components import TAKES_ANY, Components, class_name
from core.openapi.types import NAME
from core.plan import key_of
from core.setting import setting
from core.urls import MAX_KEY, DateConverter

VARIABLE = re.compile(r"<(?:[^>]*:)?(\w+)>")
OPERATORS = {"": "", "[gte]": " at least", "[lte]": " at most"}
IF_MATCH = (
    "The ETag of the state that you change: the answer is 412 if it has changed since. "
    "Tags that a proxy marked as weak or compressed match, too."
)
IF_NONE_MATCH = "The ETag of what you have: the answer is 304 if it is still the same."


def path_of(rule: Rule) -> str:
    """Return the rule's URL as OpenAPI writes it."""
    return VARIABLE.sub(r"{\1}", rule.rule)


def path_parameters(rule: Rule) -> Iterator[dict[str, Any]]:
    """Yield the variables of the URL with the limits of their converters."""
    for name in VARIABLE.findall(rule.rule):
        schema = _converted(rule._converters[name])  # noqa: SLF001 - no public way
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _converted(converter: Any) -> dict[str, Any]:
    if isinstance(converter, IntegerConverter):
        low, high = converter.min or 0, converter.max or MAX_KEY
        return {"type": "integer", "minimum": low, "maximum": high, "format": "int64"}
    if isinstance(converter, UUIDConverter):
        return {"type": "string", "format": "uuid"}
    if isinstance(converter, DateConverter):
        pattern = f"^{converter.regex}$"
        return {"type": "string", "format": converter.format, "pattern": pattern}
    if isinstance(converter, UnicodeConverter):
        # The converter's own pattern only limits the length.
        return {"type": "string", "pattern": r"^[^/\x00]+$"}
    return {"type": "string", "pattern": f"^{converter.regex}$"}


def header(name: str, text: str, required: bool = False) -> dict[str, Any]:
    """Return a header that a client may send."""
    said = {"required": required, "schema": {"type": "string"}, "description": text}
    return {"name": name, "in": "header", **said}


CONDITIONS = (
    header("If-Match", "The answer is 412 unless this is the ETag of what is there."),
    header("If-None-Match", IF_NONE_MATCH),
)


def fields_parameter(schema: Any) -> dict[str, Any]:
    """Return the parameter that limits the fields of the answer."""
    text = "Only these fields, in the answer's own order; by default all."
    keys = [key_of(name, field) for name, field in schema.dump_fields.items()]
    several = _several({"enum": keys, NAME: f"{class_name(schema)}Field"})
    return _query("fields", several, text, explode=False)


def list_parameters(listing: Listing, schema: Any, made: Components) -> Iterator[dict[str, Any]]:
    """Yield what the URL of a list may ask for (core/listing.py)."""
    most, usual = setting("MAX_PER_PAGE"), setting("PER_PAGE")
    page = {"type": "integer", "minimum": 1, "maximum": MAX_OFFSET, "default": 1}
    text = f"The page; at most {MAX_OFFSET} rows are skipped, deeper ones are read by cursor."
    yield _query("page", page, text)
    size = {"type": "integer", "minimum": 1, "maximum": most, "default": usual}
    yield _query("per_page", size, "Rows on a page.")
    text = "`next_cursor` of an answer: the page behind it. It has its own order, so leave `sort`."
    yield _query("cursor", {"type": "string", "minLength": 1}, text)
    text = "How rows are counted; by default exactly up to 10,000, and then not to the end."
    yield _query("count", {"type": "string", "enum": list(COUNTS)}, text)
    yield fields_parameter(schema)
    if listing.search:
        places = " or ".join(listing.search)
        text = f"Words, all of which are in {places}; 200 characters count."
        yield _query("q", {"type": "string", "pattern": NOT_NUL}, text)
    if listing.sort:
        names = [f"{sign}{name}" for name in listing.sort for sign in ("", "-")]
        text = f"The order, no field twice; a - in front turns it. By default {listing.default}."
        told = [f"{name}{end}" for name in listing.sort for end in ("", "_desc")]
        one = {"enum": names, "x-enum-varnames": told, NAME: f"{class_name(schema)}Sort"}
        once = {**_several(one), "uniqueItems": True}
        yield _query("sort", once, text, explode=False)
    for name in listing.filters:
        yield from _filters(listing, name, made)


def _filters(listing: Listing, name: str, made: Components) -> Iterator[dict[str, Any]]:
    field = listing.reader(name)
    value = made.value_of(field)
    for operator, words in OPERATORS.items():
        if not operator or listing.is_ordered(name):
            yield _query(f"filter[{name}]{operator}", value, f"Rows whose {name} is{words} this.")
    text = f"Rows whose {name} is one of these."
    yield _query(f"filter[{name}][in]", _several(_one_of_several(value)), text, explode=False)
    text = f"Rows without {name}, or, if false, with one."
    yield _query(f"filter[{name}][null]", {"type": "boolean"}, text)


def _one_of_several(value: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one value among several: a free text must have no comma."""
    is_text = value.get("type") == "string" and not {"format", "enum"} & value.keys()
    is_text &= bool(TAKES_ANY.search(value.get("pattern", "")))
    return {**value, "allOf": [{"pattern": "^[^,]+$"}]} if is_text else value


def _several(items: dict[str, Any]) -> dict[str, Any]:
    if "enum" in items:
        items = {"type": "string", **items}
    return {"type": "array", "items": items, "minItems": 1}


def _query(name: str, schema: Any, text: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": text, **more}
