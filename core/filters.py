"""The controls above a list: one for each filter that the model's Listing declares."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext

from core.listing import ListPage
from core.models import label_of
from services import db

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
        if choices := _choices(page.listing.model, column):
            yield _control(page, f"filter[{name}]", label, choices=choices)
            continue
        kind = next((t for k, t in INPUT_TYPES.items() if isinstance(column.type, k)), "text")
        if kind == "text" or column.foreign_keys:
            yield _control(page, f"filter[{name}]", label, type=kind)
        else:
            low, high = gettext("%(label)s from", label=label), gettext("%(label)s to", label=label)
            yield _control(page, f"filter[{name}][gte]", low, type=kind)
            yield _control(page, f"filter[{name}][lte]", high, type=kind)


def _control(page: ListPage, name: str, label: str, **options: Any) -> Control:
    return Control(name, label, page.query.args.get(name, ""), **options)


def _choices(model: Any, column: sa.Column[Any]) -> list[tuple[str, str]]:
    if isinstance(column.type, sa.Boolean):
        return [("true", gettext("yes")), ("false", gettext("no"))]
    if isinstance(column.type, sa.Enum) and column.type.enum_class:
        return [(str(member.value), enum_label(member)) for member in column.type.enum_class]
    for relation in sa.inspect(model).relationships:
        if column in relation.local_columns and len(relation.local_columns) == 1:
            related = relation.mapper.class_
            rows = db.session.scalars(sa.select(related).limit(MOST_CHOICES + 1)).all()
            choices = [(str(sa.inspect(row).identity[0]), str(row)) for row in rows]
            return (
                sorted(choices, key=lambda choice: choice[1]) if len(rows) <= MOST_CHOICES else []
            )
    return []


def enum_label(member: enum.Enum) -> str:
    """Return the text for a member: its own `label`, or its name."""
    return str(getattr(member, "label", member.name.replace("_", " ").capitalize()))


def shown(value: Any) -> str:
    """Return the text for any value of a field."""
    if isinstance(value, bool):
        return str(gettext("yes") if value else gettext("no"))
    if isinstance(value, enum.Enum):
        return enum_label(value)
    return "—" if value is None else str(value)
