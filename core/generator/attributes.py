"""What `flask generate` is told of a model, `name:type:option`, and the code that it becomes."""

import re
from dataclasses import dataclass
from importlib import import_module
from keyword import iskeyword
from typing import Any

import click
import sqlalchemy as sa

from core.forms import ModelForm
from core.models import Base, Timestamps, Versioned

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
OPTIONS = ("optional", "unique")
USAGE = {
    "string": "string:120, with the longest length",
    "enum": "enum:draft,active, with the members in small letters",
    "references": "references:app.clients.models.Client, with a model of a listed module",
}


class _Reserved(Timestamps, Versioned, ModelForm):
    """What an attribute cannot be called: models, forms and URLs mean something else by it."""

    id = listing = labels = metadata = registry = query = query_class = fields = csrf_token = None


@dataclass(frozen=True)
class Kind:
    """A type: how a model declares it, how a page shows it, and what a test types."""

    python: str = ""
    column: str = ""
    cell: str = "{}"
    typed: str = ""


KINDS = {
    "string": Kind("str", "String({})", typed="First"),
    "text": Kind("str", "Text", typed="Some words"),
    "integer": Kind("int", cell="{} | numberformat", typed="7"),
    "decimal": Kind("Decimal", "Numeric(10, 2)", "{} | numberformat", "9"),
    "money": Kind("Decimal", "Numeric(10, 2)", "money({})", "9"),
    "boolean": Kind("bool", cell='_("yes") if {} else _("no")', typed="true"),
    "date": Kind("date", cell="{} | dateformat", typed="2026-07-20"),
    "datetime": Kind("datetime", cell="{} | datetimeformat", typed="2026-07-20T09:30"),
    "enum": Kind(cell="{}.label"),
    "references": Kind(),
}


@dataclass(frozen=True)
class Attribute:
    """One attribute of a model. `detail` is the length of a string, the members, or a model."""

    name: str
    type: str
    detail: Any = None
    is_optional: bool = False
    is_unique: bool = False

    @property
    def column(self) -> str:
        return f"{self.name}_id" if self.type == "references" else self.name

    @property
    def label(self) -> str:
        return self.name.replace("_", " ").capitalize()

    @property
    def enum(self) -> str:
        """Return the name of the class of the members."""
        return "".join(part.capitalize() for part in self.name.split("_"))

    @property
    def default(self) -> str:
        """Return the code for what a new record has, if the type has something."""
        if self.is_optional:
            return ""
        member = f"{self.enum}.{self.detail[0].upper()}" if self.type == "enum" else ""
        return {"boolean": "False", "enum": member}.get(self.type, "")

    @property
    def declaration(self) -> str:
        """Return the line of the model that declares the column."""
        kind, arguments = KINDS[self.type], []
        python = kind.python or self.enum
        if self.type == "references":
            key = sa.inspect(self.detail).primary_key[0]
            python = key.type.python_type.__name__
            arguments = [f'ForeignKey("{key.table.name}.{key.name}")']
        elif kind.column:
            arguments = [kind.column.format(self.detail)]
        if self.is_unique:
            arguments.append("unique=True")
        elif self.type == "references":
            arguments.append("index=True")
        if self.default:
            arguments.append(f"default={self.default}")
        annotation = f"{self.column}: Mapped[{python}{' | None' if self.is_optional else ''}]"
        return annotation + (f" = mapped_column({', '.join(arguments)})" if arguments else "")

    def cell(self, record: str) -> str:
        """Return what a template shows."""
        value = f"{record}.{self.name}"
        shown = KINDS[self.type].cell.format(value)
        if not self.is_optional:
            return shown
        return f'{value} or "—"' if shown == value else f'{shown} if {value} is not none else "—"'

    @property
    def typed(self) -> str:
        """Return the code for what a test types into a form."""
        if self.type == "references":
            return f"str({self.name}.id)"
        return f'"{self.detail[0] if self.type == "enum" else KINDS[self.type].typed}"'

    @property
    def sent(self) -> str:
        """Return the code for what a test sends as JSON."""
        if self.type == "references":
            return f"{self.name}.id"
        return {"integer": "7", "boolean": "True", "datetime": '"2026-07-20T09:30:00Z"'}.get(
            self.type, self.typed
        )

    @property
    def validator(self) -> str:
        return "Optional" if self.is_optional else "InputRequired"

    @property
    def is_searched(self) -> bool:
        """Tell whether a form can search the related records when there are too many."""
        listing = getattr(self.detail, "listing", None)
        return self.type == "references" and bool(getattr(listing, "search", ()))


def read(text: str) -> Attribute:
    """Read `name:type` with its options. Raises click.BadParameter, with the remedy."""
    name, _, rest = text.partition(":")
    type_, *options = rest.split(":")
    if not NAME.fullmatch(name) or iskeyword(name) or hasattr(_Reserved, name):
        raise click.BadParameter(
            f"an attribute cannot be called {name!r}: choose another name, in small letters, "
            "digits and _."
        )
    if type_ not in KINDS:
        raise click.BadParameter(
            f"{text!r} has no type: write {name}:TYPE, one of {', '.join(KINDS)}."
        )
    details = [option for option in options if option not in OPTIONS]
    try:
        detail = _detail(type_, *details)
    except (TypeError, ValueError) as error:
        usage = f"{name}:{USAGE.get(type_, type_)}"
        raise click.BadParameter(
            f"{text!r}: write {usage}; {' and '.join(OPTIONS)} may follow."
        ) from error
    return Attribute(name, type_, detail, "optional" in options, "unique" in options)


def _detail(type_: str, given: str = "") -> Any:
    """Return the length of a string, the members of an enum, the model that is referred to.

    Raises ValueError for what the type does not take.
    """
    if type_ == "string":
        length = int(given or 200)
        if 0 < length < 10_000:
            return length
    elif type_ == "enum":
        members = given.split(",")
        if all(map(NAME.fullmatch, members)) and len({*members}) == len(members):
            return members
    elif type_ == "references":
        return _model(given)
    elif not given:
        return None
    raise ValueError(given)


def _model(path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(path) from error
    if isinstance(found, type) and issubclass(found, Base):
        return found
    raise ValueError(path)
