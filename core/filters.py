"""The controls above a list: one for each filter that the model's Listing declares."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext

from core.models import label_of
from core.paging import ListPage, options_of

# Related rows in a select; of a larger table the user types the number.
MOST_CHOICES = 200
INPUT_TYPES: dict[type, str] = {
    sa.Date: "date",
    sa.Numeric: "number",
    sa.Float: "number",
    sa.Integer: "number",
}


@dataclass(frozen=True)
class Control:
    """An input of the filter form; one with `choices` is a select."""

    name: str
    label: Any
    value: str
    type: str = "text"
    choices: list[tuple[str, str]] = field(default_factory=list)


def controls(page: ListPage) -> Iterator[Control]:
    """Yield the controls of a list with the values of its URL."""
    for name in page.listing.filters:
        column = page.listing.column(name)
        label = label_of(page.listing.model, name)
        choices = _choices(page.listing.model, column)
        kind = next((t for k, t in INPUT_TYPES.items() if isinstance(column.type, k)), "text")
        if choices or column.foreign_keys or kind == "text":
            yield _control(page, f"filter[{name}]", label, type=kind, choices=choices)
        else:
            low, high = gettext("%(label)s from", label=label), gettext("%(label)s to", label=label)
            yield _control(page, f"filter[{name}][gte]", low, type=kind)
            yield _control(page, f"filter[{name}][lte]", high, type=kind)


def _control(page: ListPage, name: str, label: str, **options: Any) -> Control:
    return Control(name, label, page.query.args.get(name, ""), **options)


def _choices(model: Any, column: sa.Column[Any]) -> list[tuple[str, str]]:
    if isinstance(column.type, sa.Boolean):
        return [("true", shown(True)), ("false", shown(False))]
    if isinstance(column.type, sa.Enum):
        return enum_choices(column.type)
    for relation in sa.inspect(model).relationships:
        if relation.local_columns == {column}:
            choices = options_of(relation.mapper.class_, MOST_CHOICES + 1)
            return sorted(choices, key=itemgetter(1)) if len(choices) <= MOST_CHOICES else []
    return []


def enum_choices(column_type: sa.Enum) -> list[tuple[str, str]]:
    """Return pairs of a value and its text; of an enum without a class each value is its text."""
    if column_type.enum_class is None:
        return [(value, value) for value in column_type.enums]
    return [(str(member.value), shown(member)) for member in column_type.enum_class]


def shown(value: Any) -> str:
    """Return the text for any value of a field; a member of an enum has a `label`, or its name."""
    if isinstance(value, bool):
        return str(gettext("yes") if value else gettext("no"))
    if isinstance(value, enum.Enum):
        return str(getattr(value, "label", value.name.replace("_", " ").capitalize()))
    return "—" if value is None else str(value)
