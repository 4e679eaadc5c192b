"""The command `flask generate`: writes a module whose code reads as that of the demo's two."""

import builtins
import re
import subprocess  # nosec B404
import sys
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from config import BASE_DIR
from core.generator.attributes import NAME, Attribute, read
from core.generator.samples import Imports, sample
from services import db

FILES = Path(__file__).parent / "files"
CLASS_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
# What the generated code calls otherwise.
TAKEN = {"app", "bp", "db", "flash", "form", "icon", "page", "redirect", "row", "typed", "url"}
TAKEN_IN_API = {"api", "body", "client", "collection", "create", "created", "item", "sent"}
# The files of each face; each is a template whose name ends in .jinja.
SHARED = ("__init__.py", "models.py", "tests/__init__.py")
PAGES = ("forms.py", "routes.py", "tests/test_pages.py")
TEMPLATES = ("index.html", "show.html", "new.html", "edit.html")
API = ("schemas.py", "resources.py", "tests/test_api.py")


def _attributes(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> list[Attribute]:
    attributes = [read(text) for text in texts]
    first = attributes[0]
    if first.type != "string" or first.is_optional:
        raise click.BadParameter(
            f"{texts[0]!r}: the first attribute names the record, so it is a string that is not "
            "optional, for example name:string."
        )
    names = [name for one in attributes for name in {one.name, one.column}]
    if twice := {name for name in names if names.count(name) > 1}:
        raise click.BadParameter(f"{', '.join(sorted(twice))}: named twice; leave one out.")
    return attributes


@click.command(epilog="Example: flask generate shop Article name:string:80:unique price:money")
@click.argument("module")
@click.argument("model")
@click.argument("attributes", nargs=-1, required=True, callback=_attributes)
@click.option("--plural", help="The plural of the model, in small letters, if it is irregular.")
@click.option("--api", is_flag=True, help="Write a REST API in place of pages.")
@click.option("--both", is_flag=True, help="Write pages and a REST API.")
@click.option("--pretend", is_flag=True, help="Name the files, write none.")
@with_appcontext
def generate(
    module: str,
    model: str,
    attributes: list[Attribute],
    plural: str | None,
    api: bool,
    both: bool,
    pretend: bool,
) -> None:
    """Write app/MODULE with one MODEL: pages or an API, and tests.

    An attribute is name:type with options, the first one a string. Types: string, text, integer,
    decimal, money, boolean, date, datetime, enum:one,two, references:app.clients.models.Client.
    Options: a string's longest length, unique, optional.
    """
    folder = BASE_DIR / "app" / module
    record = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", model).lower()
    plural = plural or _plural(record)
    faces = {"pages": both or not api, "api": both or api}
    _check(module, record, plural)
    if not CLASS_NAME.fullmatch(model) or record in TAKEN | (
        TAKEN_IN_API if faces["api"] else set()
    ):
        raise click.ClickException(
            f"A model cannot be called {model!r} here: choose another name that begins with a "
            "capital letter, such as Order."
        )
    written = files(module, model, record, plural, attributes, faces)
    for path, text in written.items():
        click.echo(
            f"{'would write' if pretend else 'wrote'} {(folder / path).relative_to(BASE_DIR)}"
        )
        if not pretend:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    if not pretend:
        _format(folder)
        click.echo(
            f'\nAdd "app.{module}", to INSTALLED_APPS in settings.py. Then:\n\n'
            f'    alembic revision --autogenerate -m "{module}"\n'
            "    alembic upgrade head\n"
            f"    python -m pytest app/{module}\n"
            "    make translations\n"
        )


def _check(module: str, record: str, plural: str) -> None:
    """Refuse names that clash or that Python cannot take. Raises click.ClickException."""
    for name in (module, record, plural):
        if not NAME.fullmatch(name) or iskeyword(name) or hasattr(builtins, name):
            raise click.ClickException(
                f"Python code cannot use the name {name!r} here: choose another, in small letters, "
                "digits and _."
            )
    if record == plural:
        raise click.ClickException(f"{record!r} needs another word for many: add --plural.")
    if (BASE_DIR / "app" / module).exists():
        raise click.ClickException(f"app/{module} exists: choose another name, or delete it first.")
    if module in current_app.blueprints:
        raise click.ClickException(f"A blueprint is called {module!r}: choose another name.")
    if f"{module}_{record}" in db.metadata.tables:
        raise click.ClickException(f"A table is called {module}_{record}: choose another name.")


def _plural(name: str) -> str:
    if re.search("[^aeiou]y$", name):
        return f"{name[:-1]}ies"
    return f"{name}es" if re.search("(s|x|z|ch|sh)$", name) else f"{name}s"


def files(
    module: str,
    model: str,
    record: str,
    plural: str,
    attributes: list[Attribute],
    faces: dict[str, bool],
) -> dict[str, str]:
    """Return the texts of the files of a module, by their paths in it."""
    environment = Environment(  # nosec B701 - it writes code, no page
        extensions=["jinja2.ext.do"],
        loader=FileSystemLoader(FILES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[[",
        variable_end_string="]]",
        comment_start_string="[#",
        comment_end_string="#]",
        autoescape=False,
    )
    related = [one for one in attributes if one.type == "references"]
    required = [one for one in related if not one.is_optional]
    parents = {one.name: sample(one.detail, one.label) for one in required}
    values: dict[str, Any] = {
        "module": module,
        "model": model,
        "record": record,
        "records": plural,
        "a_record": f"{'an' if record[0] in 'aeiou' else 'a'} {_words(record)}",
        "words": _words(record),
        "plural_words": _words(plural),
        "attributes": attributes,
        "title": attributes[0],
        "references": related,
        "enums": [one for one in attributes if one.type == "enum"],
        "types": {one.type for one in attributes},
        "parents": {name: code for name, (code, _) in parents.items()},
        "imports": _grouped(set().union(*(imports for _, imports in parents.values()))),
        # The list of the module's only model needs no name of its own.
        "at": "" if module == plural else f"/{plural}",
        "api_name": f"{module}_api" if faces["pages"] else module,
        **faces,
    }
    paths = {path: path for path in SHARED}
    if faces["pages"]:
        paths |= {path: path for path in PAGES}
        paths |= {f"templates/{module}/{record}_{name}": f"templates/{name}" for name in TEMPLATES}
    if faces["api"]:
        paths |= {path: path for path in API}
    return {
        path: environment.get_template(f"{name}.jinja").render(values)
        for path, name in paths.items()
    }


def _grouped(imports: Imports) -> dict[str, list[str]]:
    """Return the names that are imported of each module, in the order of the alphabet."""
    modules = sorted({module for module, _ in imports})
    return {module: sorted(name for one, name in imports if one == module) for module in modules}


def _words(name: str) -> str:
    return name.replace("_", " ")


def _format(folder: Path) -> None:
    """Let the formatters of `make lint` break lines that long names have made too long."""
    for tool, *arguments in (["ruff", "format", "--quiet"], ["djlint", "--quiet", "--reformat"]):
        if find_spec(tool):
            command = [sys.executable, "-m", tool, *arguments, str(folder)]
            subprocess.run(command, check=False, capture_output=True, cwd=BASE_DIR)  # nosec B603
