"""Checks the names of what `flask generate` writes: refuses those that clash, with the remedy."""

import builtins
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from keyword import iskeyword
from typing import Any

import click
from flask import current_app

from core.base import LONGEST_NAME
from core.generator.attributes import NAME, Spec
from core.setting import setting
from services import db

CLASS_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
# Other names in the generated code, beside those that every template knows.
TAKEN = {"bp", "db", "flash", "form", "icon", "loop", "page", "redirect", "row"}
TAKEN_IN_API = {"api", "body", "create", "delete", "item", "update"}
CLASSES = (
    "Api Base Decimal ForeignKey Listing Mapped ModelForm Numeric Resource Response Schema "
    "SearchSelectField String Text Timestamps Versioned"
)
# Folders of app/ with another meaning: anybody may read what lies in static/.
FOLDERS = {"static", "templates", "translations", "tests"}


def plural_of(name: str) -> str:
    """Return the plural of an English word."""
    if re.search("[^aeiou]y$", name):
        return f"{name[:-1]}ies"
    return f"{name}es" if re.search("(s|x|z|ch|sh)$", name) else f"{name}s"


def check_names(spec: Spec, home: Mapping[str, Any]) -> None:
    """Raise click.ClickException for a name that is taken, or that Python code cannot use."""
    for problem in (*_misspelt(spec), *_taken_by_others(spec, home), *_taken_in_the_code(spec)):
        raise click.ClickException(problem)


def _misspelt(spec: Spec) -> Iterator[str]:
    if not CLASS_NAME.fullmatch(spec.model):
        yield (
            f"{spec.model!r} is no name for a model: begin with a capital letter, as in Order, and "
            "take letters without accents, and digits."
        )
    for name in (spec.module, spec.record, spec.plural):
        if not NAME.fullmatch(name) or iskeyword(name) or hasattr(builtins, name):
            yield (
                f"Python code cannot use the name {name!r} here: choose another, of the letters a "
                "to z without accents, digits and _."
            )
    if spec.module in FOLDERS:
        yield f"app/{spec.module}/ is for what is no module: choose another name than it."
    if spec.record == spec.plural:
        yield f"{spec.record!r} needs another word for many, as --plural {spec.record}_list."


def _taken_by_others(spec: Spec, home: Mapping[str, Any]) -> Iterator[str]:
    if not home and spec.module in current_app.blueprints:
        yield f"A blueprint is called {spec.module!r}: choose another name."
    table = f"{spec.module}_{spec.record}"
    if table in db.metadata.tables:
        yield f"A table is called {table}: choose another name."
    if len(table) > LONGEST_NAME:
        yield f"The table's name {table} is longer than {LONGEST_NAME}: choose shorter ones."
    urls = [f"{setting('API_PREFIX')}/{spec.plural}"] * spec.api
    if home and spec.pages:
        urls.append(f"{home['prefix']}/{spec.plural}")
    for url in {rule.rule for rule in current_app.url_map.iter_rules()} & {*urls}:
        yield f"{url} is taken: choose another name, or another --plural."


def _taken_in_the_code(spec: Spec) -> Iterator[str]:
    with current_app.test_request_context():
        known: dict[str, object] = {}
        current_app.update_template_context(known)
    taken = {*known, *current_app.jinja_env.globals, *TAKEN, *(TAKEN_IN_API if spec.api else ())}
    if spec.record in taken:
        yield (
            f"The generated code calls something else {spec.record}: choose another name than "
            f"{spec.model}."
        )
    related = {one.detail for one in spec.references}
    enums = [one.enum for one in spec.enums]
    names = Counter([spec.model, *enums, *(one.__name__ for one in related), *CLASSES.split()])
    for name in [name for name, times in names.items() if times > 1]:
        yield f"Two classes in the generated code would be called {name}: choose other names."
