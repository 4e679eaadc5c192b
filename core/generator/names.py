"""The names of what `flask generate` writes: those that clash are refused, with the remedy."""

import builtins
import re
from collections import Counter
from collections.abc import Iterator
from keyword import iskeyword

import click
from flask import current_app

from core.generator.attributes import NAME, Attribute
from core.setting import setting
from services import db

CLASS_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
# What the generated code calls otherwise, beside what every template knows.
TAKEN = {"bp", "db", "flash", "form", "icon", "loop", "page", "redirect", "row"}
TAKEN_IN_API = {"api", "body", "create", "item"}
CLASSES = (
    "Api Base Decimal ForeignKey Listing Mapped ModelForm Numeric Resource Response Schema "
    "SearchSelectField String Text Timestamps Versioned"
)
# PostgreSQL cuts longer names off.
LONGEST_TABLE = 63


def plural_of(name: str) -> str:
    """Return the plural of an English word."""
    if re.search("[^aeiou]y$", name):
        return f"{name[:-1]}ies"
    return f"{name}es" if re.search("(s|x|z|ch|sh)$", name) else f"{name}s"


def check_names(
    module: str,
    model: str,
    record: str,
    plural: str,
    attributes: list[Attribute],
    faces: dict[str, bool],
) -> None:
    """Raise click.ClickException for a name that something else has, or that Python cannot take."""
    problems = (
        *_misspelt(module, model, record, plural),
        *_taken_by_others(module, record, plural, faces),
        *_taken_in_the_code(model, record, attributes, faces),
    )
    for problem in problems:
        raise click.ClickException(problem)


def _misspelt(module: str, model: str, record: str, plural: str) -> Iterator[str]:
    if not CLASS_NAME.fullmatch(model):
        yield f"{model!r} is no name for a model: begin with a capital letter, as in Order."
    for name in (module, record, plural):
        if not NAME.fullmatch(name) or iskeyword(name) or hasattr(builtins, name):
            yield (
                f"Python code cannot use the name {name!r} here: choose another, of the letters a "
                "to z without accents, digits and _."
            )
    if record == plural:
        yield f"{record!r} needs another word for many: add --plural."


def _taken_by_others(
    module: str, record: str, plural: str, faces: dict[str, bool]
) -> Iterator[str]:
    if module in current_app.blueprints:
        yield f"A blueprint is called {module!r}: choose another name."
    table = f"{module}_{record}"
    if table in db.metadata.tables:
        yield f"A table is called {table}: choose another name."
    if len(table) > LONGEST_TABLE:
        yield f"The table's name {table} is longer than {LONGEST_TABLE}: choose shorter ones."
    url = f"{setting('API_PREFIX')}/{plural}"
    if faces["api"] and url in {rule.rule for rule in current_app.url_map.iter_rules()}:
        yield f"{url} is taken: choose another name, or another --plural."


def _taken_in_the_code(
    model: str, record: str, attributes: list[Attribute], faces: dict[str, bool]
) -> Iterator[str]:
    with current_app.test_request_context():
        known: dict[str, object] = {}
        current_app.update_template_context(known)
    taken = {
        *known,
        *current_app.jinja_env.globals,
        *TAKEN,
        *(TAKEN_IN_API if faces["api"] else ()),
    }
    if record in taken:
        yield f"The generated code calls something else {record}: choose another name than {model}."
    related = {one.detail for one in attributes if one.type == "references"}
    enums = [one.enum for one in attributes if one.type == "enum"]
    names = Counter([model, *enums, *(one.__name__ for one in related), *CLASSES.split()])
    for name in [name for name, times in names.items() if times > 1]:
        yield f"Two classes in the generated code would be called {name}: choose other names."
