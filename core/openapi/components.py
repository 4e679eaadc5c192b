"""What a schema takes and answers, as JSON Schema: its fields with all their real limits."""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator
from copy import copy, deepcopy
from decimal import Decimal
from functools import partial
from itertools import count
from math import nextafter
from typing import Any

import sqlalchemy as sa
from apispec import APISpec
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import RAISE, fields, missing, validate
from sqlalchemy.orm import MANYTOONE

from core.fields import (
    JSON,
    MOST_ITEMS,
    NOT_BLANK,
    NOT_NUL,
    Binary,
    ExactDecimal,
    Interval,
    String,
    Time,
    WallDateTime,
)
from core.openapi.types import NAME

# How a field writes a date or a time unless it says otherwise.
ISO = (None, "iso", "iso8601")
TIMES = (fields.DateTime, fields.Date, fields.Time)
# A class, or a dot, that takes any character would take a NUL too, and so would a missing end.
TAKES_ANY = re.compile(r"(?<!\\)\.|\[\^|\\[SDW]|(?<!\$)\Z")

PAGE = {
    "meta": {"$ref": "#/components/schemas/PageMeta"},
    "links": {"$ref": "#/components/schemas/PageLinks"},
}


NUMERIC = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
# Rules that hold only for values of one kind.
RULES = {
    "string": {"format", "pattern", "allOf", "minLength", "maxLength"},
    "number": NUMERIC,
    "integer": {*NUMERIC, "format"},
}
# What a validator demands of a text, as a format of JSON Schema.
WRITTEN = {validate.Email: "email", validate.URL: "uri"}


class Converter(OpenAPIConverter):
    """apispec's converter of fields, with decimals as texts and patterns as JSON Schema reads them.

    What a client sends has a schema of its own, without the fields that only the server sets.
    Validators apply to what is sent; what is stored may be older than they are.
    """

    field_mapping = {
        **OpenAPIConverter.field_mapping,
        fields.URL: ("string", "uri"),
        fields.NaiveDateTime: ("string", None),
    }
    # Whether this describes what is sent, and if so, whether fields may be left out.
    sent = partial = False
    # The schemas around the one that is being described.
    around: tuple[Any, ...] = ()
    # Whether validators check the value: a value in a URL is checked, too.
    checked = True

    def describe(self, schema: Any, sent: bool = False, partial: bool = False) -> dict[str, Any]:
        """Return the JSON Schema of what a schema answers, or of what is sent to it."""
        self.sent, self.partial, self.checked = sent, partial, sent
        shown = schema.load_fields if sent else schema.dump_fields
        named = {field.data_key or name: field for name, field in shown.items()}
        described: dict[str, Any] = {
            "type": "object",
            "properties": {name: self.field2property(field) for name, field in named.items()},
        }
        if sent:
            described["additionalProperties"] = schema.unknown != RAISE
            required = [name for name, field in named.items() if field.required and not partial]
            described |= {"required": required} if required else {}
        return described

    def field2property(self, field: Any) -> dict[str, Any]:
        is_long = _is_long(field)
        if not self.checked:
            field = copy(field)
            # Keep the choices, which become a type in a generated client.
            field.validators = list(_of_kind(field, validate.OneOf))
        found = super().field2property(field)
        if is_long and "string" not in found["type"]:
            # Otherwise clients in typed languages would read 32 bits.
            found["format"] = "int64"
        if isinstance(field, fields.Enum) and "enum" in found:
            return {**found, **_told(field), NAME: _plain_name(field.enum.__name__)}
        return _each_kind(found)

    def nested2properties(self, field: Any, ret: Any) -> dict[str, Any]:
        if not isinstance(field, fields.Nested) or isinstance(field, fields.Pluck):
            return {}
        partial = self.partial
        # A nested record is new, so it is sent whole, also in a PATCH.
        inner = self._inner(field.schema)
        if "properties" in inner:
            inner[NAME] = self._name_within(field)
        if self.sent and field.unknown:
            inner["additionalProperties"] = field.unknown != RAISE
        self.partial = partial
        # The size of the body limits a list within a list: a fuzzer would multiply two limits.
        limits = {"maxItems": MOST_ITEMS} if not self.around else {}
        most = {**limits, **self.field2length(field)} if self.sent else {}
        is_list = field.many or field.schema.many
        return {"type": "array", "items": inner, **most} if is_list else inner

    def _name_within(self, field: Any) -> str:
        """Return the name of a nested record: BookAuthor; when sent, with Input after it."""
        words = re.split(r"[\W_]+", str(field.data_key or field.name))
        key = "".join(f"{word[:1].upper()}{word[1:]}" for word in words)
        return f"{class_name(field.root)}{_plain_name(key)}{'Input' * self.sent}"

    def _inner(self, schema: Any) -> dict[str, Any]:
        """Describe a schema within another; within itself it is only described as an object."""
        key = (type(schema), *schema.fields)
        if key in self.around:
            return {"type": "object"}
        around, self.around = self.around, (*self.around, key)
        inner = self.describe(schema, self.sent)
        self.around = around
        # A record that is answered has all fields of its model; a dictionary may lack some.
        if not self.sent and getattr(schema.opts, "model", None):
            inner["required"] = list(inner["properties"])
        return inner

    def field2type_and_format(self, field: Any, **kwargs: Any) -> dict[str, Any]:
        if isinstance(field, JSON):
            # No list of types: with one, generators of clients overlook the items.
            return {} if self._may_be_null(field) else {"not": {"type": "null"}}
        written = field.format if isinstance(field, TIMES) else None
        if written not in ISO:
            return {"type": "number" if str(written).startswith("timestamp") else "string"}
        found = super().field2type_and_format(field, **kwargs)
        if getattr(field, "as_string", False) or isinstance(field, fields.Decimal):
            # Answered as a text, so that no reader's float rounds it; clients may send either.
            return {"type": ["string", found["type"]] if self.sent else "string"}
        for kind, written in WRITTEN.items():
            if self.checked and any(_of_kind(field, kind)):
                return {**found, "format": written}
        return found

    def datetime2properties(self, field: Any, **kwargs: Any) -> dict[str, Any]:
        # apispec writes formats here that JSON Schema does not know.
        return {}

    def _may_be_null(self, field: Any) -> bool:
        return bool(field.allow_none or (not self.sent and _may_lack(field)))

    def field2nullable(self, field: Any, ret: Any) -> dict[str, Any]:
        if not self._may_be_null(field):
            return {}
        made: dict[str, Any] = {}
        if "type" in ret:
            kinds = ret["type"]
            made["type"] = [*([kinds] if isinstance(kinds, str) else kinds), "null"]
        if None not in ret.get("enum", [None]):
            made["enum"] = [*ret["enum"], None]
        return made

    def field2default(self, field: Any, **kwargs: Any) -> dict[str, Any]:
        default = field.load_default
        # A column's plain default is copied for each record (core/schemas.py).
        if isinstance(default, partial) and default.func is deepcopy:
            default = default()
        if not self.sent or self.partial or default is missing or callable(default):
            return {}
        value = field._serialize(default, None, None)  # noqa: SLF001 - needs no record
        # A default of null says nothing new; and generators make a field with a default required.
        return {} if value is None else {"default": value}

    def field2read_only(self, field: Any, **kwargs: Any) -> dict[str, Any]:
        return {}

    field2write_only = field2read_only

    def field2range(self, field: Any, ret: Any) -> dict[str, Any]:
        if not self.checked or ret.get("type") == "string":
            return {}
        if isinstance(field, Interval):
            limits = zip(("minimum", "maximum"), _limits(field), strict=True)
            return {name: one.total_seconds() for name, one in limits if one is not None}
        is_exact = isinstance(field, ExactDecimal)
        found = _number(field) if is_exact else super().field2range(field, ret=ret)
        for one in _of_kind(field, validate.Range):
            for name, is_taken in {"min": one.min_inclusive, "max": one.max_inclusive}.items():
                limit = getattr(one, name)
                if is_taken or limit is None:
                    continue
                if (_float(limit) if is_exact else limit) == found.get(f"{name}imum"):
                    found[f"exclusive{name.capitalize()}imum"] = found.pop(f"{name}imum")
        return found

    def field2length(self, field: Any, **kwargs: Any) -> dict[str, Any]:
        found = super().field2length(field, **kwargs)
        if isinstance(field, Binary):
            # Base64 writes three bytes as four characters.
            return {name: -(-number // 3) * 4 for name, number in found.items()}
        return found

    def field2pattern(self, field: Any, **kwargs: Any) -> dict[str, Any]:
        if "enum" in kwargs["ret"]:
            # The choices say it already, and generators take either an enum or a pattern.
            return {}
        if isinstance(field, ExactDecimal):
            return _decimal(field)
        if isinstance(field, (Binary, Time, WallDateTime)):
            encoding = {"contentEncoding": "base64"} if isinstance(field, Binary) else {}
            return {**encoding, "pattern": f"^{field.form}$"}
        regexes = (one.regex for one in _of_kind(field, validate.Regexp))
        # JSON Schema has no flags, neither beside a pattern nor within it.
        patterns = [_pattern(one) for one in regexes if one.flags == re.UNICODE]
        clean = (one for one in patterns if one == NOT_BLANK or not TAKES_ANY.search(one))
        if self.checked and isinstance(field, String) and not any(clean):
            patterns.append(NOT_NUL)
        if len(patterns) > 1:
            return {"allOf": [{"pattern": one} for one in patterns]}
        return {"pattern": patterns[0]} if patterns else {}

    def field2choices(self, field: Any, **kwargs: Any) -> dict[str, Any]:
        # apispec takes the choices for each value of a list for choices of the whole list.
        is_each = any(_of_kind(field, validate.ContainsOnly))
        found = {} if is_each else super().field2choices(field, **kwargs)
        return self._written(field, found["enum"]) if found else {}

    def list2properties(self, field: Any, **kwargs: Any) -> dict[str, Any]:
        found = super().list2properties(field, **kwargs)
        for one in _of_kind(field, validate.ContainsOnly):
            found["items"] = {**found["items"], **self._written(field.inner, one.choices)}
        return found

    def _written(self, field: Any, values: Any) -> dict[str, Any]:
        """Return the choices as a field answers them: 5 as 5.00."""
        if self.sent and isinstance(field, fields.Decimal):
            # If 5.00 may be sent, so may 5, which an enum of texts would refuse.
            return {}
        texts = (None if one is None else field._serialize(one, None, None) for one in values)  # noqa: SLF001
        return {"enum": list(texts)}

    def enum2properties(self, field: Any, **kwargs: Any) -> dict[str, Any]:
        found = super().enum2properties(field, **kwargs)
        if all(isinstance(one, str | None) for one in found.get("enum", [0])):
            found["type"] = "string"
        return found


def _may_lack(field: Any) -> bool:
    """Tell whether a field's column, or its relationship, may have no value."""
    model = getattr(getattr(field.parent, "opts", None), "model", None)
    if model is None:
        return False
    mapper, name = sa.inspect(model), field.attribute or field.name
    if name in mapper.columns:
        # Only the database knows whether an expression may be NULL.
        return bool(getattr(mapper.columns[name], "nullable", True))
    relation = mapper.relationships.get(name)
    if relation is None or relation.uselist or relation.innerjoin:
        return False
    is_owned = relation.direction is MANYTOONE
    return not is_owned or any(column.nullable for column in relation.local_columns)


def _is_long(field: Any) -> bool:
    return isinstance(field, fields.Integer) and (_limits(field)[1] or 0) >= 2**31


def _each_kind(found: dict[str, Any]) -> dict[str, Any]:
    """Return a schema of several kinds of values with each kind's rules beside that kind.

    Otherwise generators of clients would apply the rules of one kind to another.
    """
    kinds, choices = found.get("type", ""), found.get("enum", [])
    if isinstance(kinds, str) or (len({*kinds} - {"null"}) == 1 and None not in choices):
        return found
    rules = {kind: {n: found[n] for n in found if n in names} for kind, names in RULES.items()}
    if choices:
        rules[kinds[0]]["enum"] = [one for one in choices if one is not None]
    each = [{"type": kind, **rules.get(kind, {})} for kind in kinds]
    said = {"type", "enum"}.union(*RULES.values())
    return {"anyOf": each, **{name: one for name, one in found.items() if name not in said}}


def _told(field: Any) -> dict[str, list[str]]:
    """Return names for the members of an enum whose values are no names, for generators."""
    are_names = not field.by_value or all(isinstance(one.value, str) for one in field.enum)
    return {} if are_names else {"x-enum-varnames": [one.name for one in field.enum]}


def _of_kind(field: Any, kind: type) -> Iterator[Any]:
    return (one for one in field.validators if isinstance(one, kind))


def _pattern(regex: re.Pattern[str]) -> str:
    """Return a validator's pattern for JSON Schema: it searches anywhere, and has only ^ and $."""
    text = re.sub(r"^\\A", "^", re.sub(r"\\Z$", "$", regex.pattern))
    return text if text.startswith("^") else f"^(?:{text})"


def _limits(field: Any) -> tuple[Any, Any]:
    ranges = list(_of_kind(field, validate.Range))
    low = max((one.min for one in ranges if one.min is not None), default=None)
    high = min((one.max for one in ranges if one.max is not None), default=None)
    return low, high


def _number(field: Any) -> dict[str, Any]:
    """Return the limits of a decimal that is sent as a JSON number."""
    low, high = _limits(field)
    step = None if field.most_places is None else Decimal(1).scaleb(-field.most_places)
    found = {"minimum": low, "maximum": high, "multipleOf": step}
    return {name: _float(value) for name, value in found.items() if value is not None}


def _float(value: Any) -> float:
    """Return a limit as a JSON number that does not lie beyond it."""
    number = float(value)
    return nextafter(number, 0) if _size(repr(number)) > _size(value) else number


def _size(number: Any) -> Decimal:
    # abs() of a decimal would round it.
    return Decimal(number).copy_abs()


def _decimal(field: Any) -> dict[str, Any]:
    """Return the pattern of a decimal as text, and in words the range that digits cannot say."""
    low, high = _limits(field)
    sign = "" if low is not None and low >= 0 else "-?"
    whole, most, found = "(0|[1-9][0-9]*)", field.most_places, {}
    if low is not None and high is not None:
        digits = len(str(int(max(_size(low), _size(high)))))
        whole = "[0-9]" if digits == 1 else f"(0|[1-9][0-9]{{0,{digits - 1}}})"
        ends = (format(Decimal(str(end)), "f") for end in (low, high))
        found["description"] = "From {} to {}.".format(*ends)
    places = {None: r"(\.[0-9]+)?", 0: ""}.get(most, rf"(\.[0-9]{{1,{most}}})?")
    return {**found, "pattern": f"^{sign}{whole}{places}$"}


def _plain_name(name: str) -> str:
    """Return a name in the characters that OpenAPI allows for components: Canción as Cancion."""
    return re.sub(r"[^a-zA-Z0-9._-]", "", unicodedata.normalize("NFKD", name)) or "Schema"


def class_name(schema: Any) -> str:
    """Return a schema's name in the document: Book, for a BookSchema."""
    return _plain_name(type(schema).__name__.removesuffix("Schema"))


def _numbered(name: str, taken: Collection[str]) -> Iterator[str]:
    """Yield the name, then the name with a number, leaving out names that are taken."""
    names = (name if number == 1 else f"{name}{number}" for number in count(1))
    return (one for one in names if one not in taken)


class Components:
    """The document's schemas: what is answered, what is sent, and what a PATCH sends."""

    def __init__(self, spec: APISpec) -> None:
        self.spec = spec
        self.converter = Converter(spec.openapi_version, None, spec)
        self._names: dict[Any, str] = {}
        self._alike: dict[tuple[str, str], str] = {}
        self._kinds: dict[tuple[str, str], str] = {}

    @property
    def known(self) -> dict[str, Any]:
        """Return all schemas so far, by their names."""
        return self.spec.components.schemas

    def value_of(self, field: Any) -> dict[str, Any]:
        """Return the schema of a field in a URL, where all values are text and none is null."""
        self.converter.sent, self.converter.checked, field.allow_none = False, True, False
        return self.converter.field2property(field)

    def answered(self, schema: Any) -> dict[str, str]:
        """Return the reference to what is answered for one record."""
        return self._kept(schema, "", lambda: self.converter.describe(schema))

    def sent(self, schema: Any, partial: bool = False) -> dict[str, str]:
        """Return the reference to what is sent for one record."""
        kind = "Patch" if partial else "Input"
        return self._kept(schema, kind, lambda: self.converter.describe(schema, True, partial))

    def page(self, schema: Any) -> dict[str, str]:
        """Return the reference to a page of a list."""
        return self._whole(schema, "Page", {"data": self._listed(schema), **PAGE})

    def wrapped(self, schema: Any, many: bool) -> dict[str, str]:
        """Return the reference to the whole answer: one, or `many` without pages."""
        data = self._listed(schema) if many else self.answered(schema)
        return self._whole(schema, "List" if many else "Item", {"data": data})

    def _listed(self, schema: Any) -> dict[str, Any]:
        return {"type": "array", "items": self.answered(schema)}

    def _whole(self, schema: Any, kind: str, properties: dict[str, Any]) -> dict[str, str]:
        made = {"type": "object", "properties": properties, "required": list(properties)}
        return self._kept(schema, kind, lambda: made)

    def _kept(self, schema: Any, kind: str, make: Callable[[], dict[str, Any]]) -> dict[str, str]:
        own = self.name(schema)
        if (own, kind) not in self._kinds:
            # The wrapper of one Order is OrderItem, unless a schema has this name.
            taken = {*self.known, *self._alike.values()} if kind else ()
            name = self._kinds[own, kind] = next(_numbered(f"{own}{kind}", taken))
            self.spec.components.schema(name, make())
        return {"$ref": f"#/components/schemas/{self._kinds[own, kind]}"}

    def name(self, schema: Any) -> str:
        """Return the name of a schema's class, with a number if another schema has that name."""
        if schema not in self._names:
            name = class_name(schema)
            described = [self.converter.describe(schema, sent) for sent in (False, True)]
            first = next(_numbered(name, {*self.known, *self._alike.values()}))
            self._names[schema] = self._alike.setdefault((name, repr(described)), first)
        return self._names[schema]
