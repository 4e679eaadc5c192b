"""The controls above a list: one for each filter that the model's Listing declares."""

import enum
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext
from flask_sqlalchemy.model import Model
from marshmallow import ValidationError
from sqlalchemy.orm import MANYTOONE

from core.base import UTCDateTime
from core.columns import limits_of_column, value_type
from core.i18n import (
    EMPTY,
    from_local,
    local,
    read_decimal,
    write_date,
    write_decimal,
    write_moment,
    write_seconds,
)
from core.listing import Condition, Listing, listing_of, text_of
from core.models import label_of
from core.paging import ListPage, options_of
from core.text import clean_text

# Related rows in a select; for a larger table the user types words, or the key.
MOST_CHOICES = 200
INPUT_TYPES: dict[type, str] = {
    sa.Date: "date",
    sa.Time: "time",
    sa.DateTime: "datetime-local",
    UTCDateTime: "datetime-local",
    # A number input discards a value with a comma.
    sa.Numeric: "text",
    sa.Float: "number",
    sa.Integer: "number",
    sa.Interval: "number",
}

Related = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


@dataclass(frozen=True)
class Control:
    """An input of the filter form; one with `choices` is a select."""

    name: str
    label: Any
    value: str
    type: str = "text"
    inputmode: str = ""
    choices: Sequence[tuple[str, str]] = ()


def related_choices(page: ListPage) -> Related:
    """Return what each filter by a related record offers, as pairs of a key and its text."""
    found = []
    for name, model in _related(page.listing):
        choices = options_of(model, MOST_CHOICES + 1)
        if len(choices) > MOST_CHOICES:
            continue
        if page.statement is not None:
            choices = options_of(model, MOST_CHOICES, statement=_referred(page, name, model))
        found.append((name, tuple(choices)))
    return tuple(found)


def _referred(page: ListPage, name: str, model: Any) -> sa.Select[Any]:
    """Return the records that a narrowed list refers to: its reader may not know of others."""
    named: Any = page.statement
    named = named.with_only_columns(getattr(page.listing.model, name), maintain_column_froms=True)
    # A subquery, as the list may have joined the related table, too.
    keys = named.order_by(None).subquery()
    is_named = sa.exists().where(keys.c[0] == sa.inspect(model).primary_key[0])
    return sa.select(model).where(is_named)


@lru_cache(maxsize=512)
def _related(listing: Listing) -> list[tuple[str, Any]]:
    relations = sa.inspect(listing.model).relationships
    by_column = {
        frozenset(one.local_columns): one.mapper.class_
        for one in relations
        # A control offers primary keys, so these must be what the relationship refers to.
        if one.direction is MANYTOONE and all(column.primary_key for column in one.remote_side)
    }
    keys = ((name, frozenset([listing.column(name)])) for name in listing.filters)
    return [(name, by_column[key]) for name, key in keys if key in by_column]


def typed_condition(listing: Listing, name: str, operator: str, text: str) -> Condition:
    """Read a filter as people type it: times in their zone, decimals in their language.

    Related records may be named by words in them.
    """
    column = listing.column(name)
    # A column of texts may hold EMPTY itself. Choices are checked last: making them takes longest.
    is_none = text == EMPTY and operator == "eq"
    if is_none and (column.foreign_keys or choices_of(value_type(column.type))):
        return name, "null", True
    if isinstance(column.type, UTCDateTime) and operator != "null":
        typed = map(datetime.fromisoformat, text.split(","))
        text = ",".join(from_local(moment).isoformat() for moment in typed)
    if isinstance(value_type(column.type), sa.Numeric) and operator in ("eq", "gte", "lte"):
        text = f"{read_decimal(text):f}"
    try:
        return listing.condition(name, operator, text)
    except ValidationError:
        related = _searchable(listing, name)
        if operator != "eq" or related is None:
            raise
        keys = sa.select(sa.inspect(related).primary_key[0]).select_from(related)
        words = related.listing.query(clean_text(text))
        return name, "in", related.listing.narrow(keys, words)


def _searchable(listing: Listing, name: str) -> Any:
    """Return the related model behind a filter if it can be searched by words."""
    model = dict(_related(listing)).get(name)
    return model if model and listing_of(model).search else None


def controls(page: ListPage, related: Related) -> Iterator[Control]:
    """Yield the controls of a list with the values of its URL."""
    known = dict(related)
    for name in page.listing.filters:
        column = page.listing.column(name)
        label = label_of(page.listing.model, name)
        column_type = value_type(column.type)
        if isinstance(column_type, sa.Interval):
            label = gettext("%(label)s in seconds", label=label)
        choices = [*(known.get(name) or choices_of(column_type))]
        if choices and column.nullable:
            choices.append((EMPTY, gettext("no value")))
        is_sought = _searchable(page.listing, name) is not None
        looks: dict[str, Any] = {"type": "search"} if is_sought else _looks(column)
        if choices or column.foreign_keys or not isinstance(column_type, tuple(INPUT_TYPES)):
            yield _control(page, f"filter[{name}]", label, **looks, choices=choices)
        else:
            low, high = gettext("%(label)s from", label=label), gettext("%(label)s to", label=label)
            yield _control(page, f"filter[{name}][gte]", low, **looks)
            yield _control(page, f"filter[{name}][lte]", high, **looks)


def _looks(column: Any) -> dict[str, str]:
    """Return the type and the inputmode of the input for values of a column."""
    column_type = value_type(column.type)
    kind = next((one for base, one in INPUT_TYPES.items() if isinstance(column_type, base)), "text")
    least, _ = limits_of_column(column)
    # As in forms: the decimal keypad of an iPhone has no minus.
    has_keypad = isinstance(column_type, sa.Numeric) and least is not None and least >= 0
    return {"type": kind, "inputmode": "decimal" if has_keypad else ""}


def _control(
    page: ListPage, name: str, label: str, choices: Sequence[tuple[str, str]] = (), **options: Any
) -> Control:
    value = page.query.args.get(name, "")
    if choices and value and value not in dict(choices):
        # No row has this value, so it is not among the choices: the select shows it all the same.
        choices = [*choices, (value, value)]
    if value and options["type"] == "datetime-local":
        # A datetime-local input discards a value that has a zone, or no time.
        with suppress(ValueError):
            moment = datetime.fromisoformat(value)
            if moment.tzinfo or "T" not in value:
                value = local(moment).replace(tzinfo=None).isoformat()
    return Control(name, label, value, choices=choices, **options)


def choices_of(column_type: Any) -> list[tuple[str, str]]:
    """Return pairs of a value and its text, which are the same for an enum without a class."""
    if isinstance(column_type, sa.Boolean):
        return [("true", shown(True)), ("false", shown(False))]
    if not isinstance(column_type, sa.Enum):
        return []
    if column_type.enum_class is None:
        return [(value, value) for value in column_type.enums]
    return [(str(member.value), shown(member)) for member in column_type.enum_class]


def shown(value: Any) -> str:
    """Return the text for any value of a field; for an enum's member its `label`, or its name."""
    write = next((write for kind, write in WRITERS.items() if isinstance(value, kind)), str)
    return EMPTY if value is None else str(write(value))


def _several(values: Any) -> str:
    # Records of a relationship; any other list is the value of a column.
    if hasattr(values, "_sa_adapter"):
        return ", ".join(sorted(map(shown, values))) or EMPTY
    return json.dumps(values, ensure_ascii=False, default=shown)


# The first that fits counts: True is a number, too, and a datetime a date.
WRITERS: dict[type, Callable[[Any], Any]] = {
    bool: lambda value: gettext("yes") if value else gettext("no"),
    enum.Enum: lambda member: getattr(member, "label", member.name.replace("_", " ").capitalize()),
    datetime: write_moment,
    date: write_date,
    timedelta: write_seconds,
    Decimal: write_decimal,
    float: write_decimal,
    dict: partial(json.dumps, ensure_ascii=False, default=shown),
    Model: text_of,
    list: _several,
    set: _several,
}
