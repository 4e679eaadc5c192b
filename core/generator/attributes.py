"""The attributes of a model for `flask generate`, `name:type:option`, and the code they become."""

import re
from dataclasses import dataclass
from importlib import import_module
from keyword import iskeyword
from typing import Any

import click
import sqlalchemy as sa
from babel.numbers import get_currency_precision

from core.forms import OWN, ModelForm
from core.listing import listing_of
from core.models import Base, Timestamps, Versioned
from core.setting import setting

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
# PostgreSQL cuts names off after 63 characters, and a foreign key's column ends with _id.
LONGEST_NAME = 60
# What an enum's column (core/base.py) allows, and what the names typed in generated tests need.
LONGEST_MEMBER, SHORTEST_TITLE = 32, 6
OPTIONS = ("optional", "unique")
USAGE = {
    "string": "string:120, with the longest length",
    "enum": "enum:draft,active, with members of up to 32 letters from a to z, all small or all "
    "capital, digits and _",
    "references": (
        "references:app.clients.models.Client, with a model of a listed module on the scaffold's "
        "Base, whose key is a whole number called id; what refers to itself is made by hand "
        "(docs/recipes.md, A tree)"
    ),
}


class _Reserved(Timestamps, Versioned, ModelForm):
    """Names that an attribute cannot have: models, forms and URLs use them for something else."""

    id = listing = labels = metadata = registry = query = query_class = fields = csrf_token = None
    # Names that the class of the model still uses below the attribute.
    bool = date = datetime = int = str = relationship = mapped_column = None
    # A model's constructor takes attributes by name, beside its own `self`.
    self = None


@dataclass(frozen=True)
class Kind:
    """A type: how a model declares it, how a page shows it, and what a test types."""

    python: str = ""
    column: str = ""
    cell: str = "{}"
    typed: str = ""
    other: str = ""


KINDS = {
    "string": Kind("str", "String({})", typed="First", other="Other"),
    "text": Kind("str", "Text", typed="Some words"),
    # Without a format, because it may be a year or the number of an invoice.
    "integer": Kind("int", typed="7", other="8"),
    "decimal": Kind("Decimal", "Numeric(12, 2)", "{} | numberformat", "9", "8"),
    "money": Kind("Decimal", "Numeric(12, {})", "money({})", "9", "8"),
    "boolean": Kind("bool", cell='_("yes") if {} else _("no")', typed="true"),
    "date": Kind("date", "", "{} | dateformat", "2026-07-20", "2026-07-21"),
    "datetime": Kind("datetime", "", "{} | datetimeformat", "2026-07-20T09:30", "2026-07-21T09:30"),
    "enum": Kind(cell="{}.label"),
    "references": Kind(),
}


@dataclass(frozen=True)
class Attribute:
    """One attribute of a model.

    `detail` is the length of a string, the decimal places of an amount, the members of an enum, or
    the model of a reference. An enum's class name begins with the name of its `owner`.
    """

    name: str
    type: str
    detail: Any = None
    is_optional: bool = False
    is_unique: bool = False
    owner: str = ""

    @property
    def column(self) -> str:
        return f"{self.name}_id" if self.type == "references" else self.name

    @property
    def label(self) -> str:
        return self.name.replace("_", " ").capitalize()

    @property
    def enum(self) -> str:
        """Return the name of the enum class."""
        return self.owner + "".join(part.capitalize() for part in self.name.split("_"))

    @property
    def labels(self) -> str:
        """Return the name of the dictionary with the labels of the enum's members."""
        return "_".join(filter(None, (snake_case(self.owner), self.name, "labels"))).upper()

    @property
    def default(self) -> str:
        """Return the code for a new record's value, if the type has a default."""
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
            python = "int"
            arguments = [f'ForeignKey("{self.detail.__table__.fullname}.id")']
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
        """Return the expression by which a template shows the attribute."""
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
        if self.type == "enum":
            return f'"{self.detail[0]}"'
        return f'"{self._cut(KINDS[self.type].typed)}"'

    @property
    def sent(self) -> str:
        """Return the code for what a test sends as JSON."""
        if self.type == "references":
            return f"{self.name}.id"
        return _as_json(self.type, self.typed)

    @property
    def other(self) -> str:
        """Return the code for a second value, unlike the typed one, if the type has one."""
        text = self._cut(KINDS[self.type].other)
        return f'"{text}"' if text else ""

    @property
    def other_sent(self) -> str:
        return _as_json(self.type, self.other)

    def _cut(self, text: str) -> str:
        """Return a text cut to the length of this attribute, if it is a string."""
        return text[: self.detail] if self.type == "string" else text

    @property
    def validator(self) -> str:
        return "Optional" if self.is_optional else "InputRequired"

    @property
    def is_searched(self) -> bool:
        """Tell whether a form can search the related records when there are too many to list."""
        return self.type == "references" and bool(listing_of(self.detail).search)


def _as_json(type_: str, code: str) -> str:
    """Return the code of a text as the code of its value in JSON."""
    text = code.strip('"')
    return {"integer": text, "boolean": text.capitalize(), "datetime": f'"{text}:00Z"'}.get(
        type_, code
    )


def read(text: str) -> Attribute:
    """Read `name:type` with its options. Raises click.BadParameter, with the remedy."""
    name, _, rest = text.partition(":")
    type_, *options = rest.split(":")
    if name in OWN or hasattr(_Reserved, name):
        raise click.BadParameter(
            f"an attribute cannot be called {name!r}, which has a meaning of its own in a model or "
            "a form: choose another name."
        )
    if len(name) > LONGEST_NAME:
        raise click.BadParameter(
            f"{name[:20]}... is longer than {LONGEST_NAME} letters, and databases cut names off: "
            "choose a shorter one."
        )
    if not NAME.fullmatch(name) or iskeyword(name):
        raise click.BadParameter(
            f"an attribute cannot be called {name!r}: choose another name, of the letters a to z "
            "without accents, digits and _."
        )
    if type_ not in KINDS:
        raise click.BadParameter(
            f"{text!r} has no type: write {name}:TYPE, one of {', '.join(KINDS)}."
        )
    if type_ == "text" and "unique" in options:
        raise click.BadParameter(
            f"{text!r}: an index takes no text of any length; write {name}:string:200:unique."
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
    """Return the length of a string, the places of money, the members of an enum, or the model.

    Raises ValueError for a detail that the type does not take.
    """
    if type_ == "string":
        length = int(given or 200)
        if 0 < length < 10_000:
            return length
    elif type_ == "enum":
        members = given.split(",")
        if all(map(_is_member, members)) and len({*map(str.upper, members)}) == len(members):
            return members
    elif type_ == "references":
        return _model(given)
    elif not given:
        return get_currency_precision(setting("CURRENCY")) if type_ == "money" else None
    raise ValueError(given)


def _is_member(text: str) -> bool:
    """Tell whether a text can be a member of an enum: in small letters, or in capitals as USD."""
    is_name = text in (text.lower(), text.upper()) and NAME.fullmatch(text.lower()) is not None
    return is_name and len(text) <= LONGEST_MEMBER


def _model(path: str) -> Any:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(path) from error
    if isinstance(found, type) and issubclass(found, Base) and found is not Base:
        mapper = sa.inspect(found, raiseerr=False)
        keys = [(key.name, type(key.type)) for key in mapper.primary_key] if mapper else []
        if len(keys) == 1 and keys[0][0] == "id" and issubclass(keys[0][1], sa.Integer):
            return found
    raise ValueError(path)


@dataclass(frozen=True)
class Spec:
    """What to write: a module with one model, as pages, as an API, or both."""

    module: str
    model: str
    plural: str
    attributes: list[Attribute]
    pages: bool = True
    api: bool = False

    @property
    def record(self) -> str:
        """Return the name of one record in the code: purchase_order for PurchaseOrder."""
        return snake_case(self.model)

    @property
    def references(self) -> list[Attribute]:
        return [one for one in self.attributes if one.type == "references"]

    @property
    def enums(self) -> list[Attribute]:
        return [one for one in self.attributes if one.type == "enum"]

    @property
    def uniques(self) -> list[Attribute]:
        """Return the unique attributes, if a test can break the rule of each of them alone."""
        uniques = [one for one in self.attributes if one.is_unique]
        return uniques if all(one.other for one in uniques) else []


def snake_case(name: str) -> str:
    """Return purchase_order for PurchaseOrder."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
