"""The command `flask generate`: writes a module whose code reads like that of the two demos."""

import subprocess  # nosec B404
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from flask.cli import with_appcontext
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from config import BASE_DIR
from core.generator.additions import home_of, link_to, merged, told_apart
from core.generator.attributes import SHORTEST_TITLE, Attribute, Spec, read, snake_case
from core.generator.names import check_names, plural_of
from core.generator.samples import Imports, sample

FILES = Path(__file__).parent / "files"
# The files for pages and for an API; each has a template whose name ends in .jinja.
SHARED = ("__init__.py", "models.py", "tests/__init__.py")
PAGES = ("forms.py", "routes.py", "tests/test_pages.py")
TEMPLATES = ("index.html", "show.html", "new.html", "edit.html")
API = ("schemas.py", "resources.py", "tests/test_api.py")


def _attributes(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> list[Attribute]:
    attributes = [read(text) for text in texts]
    first = attributes[0]
    if first.type != "string" or first.is_optional or first.detail < SHORTEST_TITLE:
        raise click.BadParameter(
            f"{texts[0]!r}: the first attribute names the record, so it is a string that is not "
            f"optional, of at least {SHORTEST_TITLE} letters, for example name:string."
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
    Options: a string's longest length, unique, optional. A module that is listed gets a further
    model: its code goes behind the code that is there.
    """
    folder = BASE_DIR / "app" / module
    plural = plural or plural_of(snake_case(model))
    spec = Spec(module, model, plural, attributes, pages=both or not api, api=both or api)
    home = home_of(spec) if folder.exists() else {}
    if home:
        spec = told_apart(spec)
    check_names(spec, home)
    texts = files(spec, home)
    if home:
        texts = merged(folder, spec, texts)
    _write(folder, texts, pretend)
    if pretend:
        return
    listing = "" if home else f'Add "app.{module}", to INSTALLED_APPS in settings.py. Then:\n\n'
    click.echo(
        f"\n{listing}"
        f'    alembic revision --autogenerate -m "{spec.plural if home else module}"\n'
        "    alembic upgrade head\n"
        f"    python -m pytest app/{module}\n"
        "    make translations\n\n"
        "Anybody may write into it until its blueprint has a guard (README, A login in front)."
    )
    if spec.pages and home and "__init__.py" not in texts:
        click.echo(f"\nFor the menu, in MENU of app/{module}/__init__.py: {link_to(spec)}")
    if not _format([folder / path for path in texts]):
        click.echo(
            f"\nFor `make check`, once `make lint` has installed it: ruff format app/{module} "
            f"&& ruff check --fix app/{module}"
        )


def _write(folder: Path, texts: dict[str, str], pretend: bool) -> None:
    for path, text in texts.items():
        plan, done = ("add to", "added to") if (folder / path).exists() else ("write", "wrote")
        if not pretend:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        click.echo(f"{f'would {plan}' if pretend else done} app/{folder.name}/{path}")


def files(spec: Spec, home: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Return the texts of a model's files, by their paths in the module.

    `home` has the values of an existing module for the templates.
    """
    environment, values = _environment(), {**_values(spec), **(home or {})}
    return {
        path: environment.get_template(f"{name}.jinja").render(values)
        for path, name in _paths(spec, is_new=not home).items()
    }


def _environment() -> Environment:
    """Return a Jinja environment that leaves alone the Jinja code within the generated pages."""
    return Environment(  # nosec B701 - it writes code, no page
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


def _paths(spec: Spec, is_new: bool) -> dict[str, str]:
    """Return the names of the templates, by the paths of their files in the module."""
    paths = {path: path for path in SHARED}
    if spec.pages:
        start = f"templates/{spec.module}/{spec.record}_"
        paths |= {path: path for path in PAGES}
        paths |= {f"{start}{name}": f"templates/{name}" for name in TEMPLATES}
    if spec.api:
        paths |= {path: path for path in API}
    if not is_new:
        del paths["__init__.py"]
        # The tests of a further model go into files of their own.
        start = f"tests/test_{spec.record}_"
        paths = {path.replace("tests/test_", start): name for path, name in paths.items()}
    return paths


def _values(spec: Spec) -> dict[str, Any]:
    """Return the values for the templates."""
    required = [one for one in spec.references if not one.is_optional]
    parents = {one.name: sample(one.detail, one.label) for one in required}
    words = spec.record.replace("_", " ")
    return {
        "spec": spec,
        "module": spec.module,
        "model": spec.model,
        "record": spec.record,
        "records": spec.plural,
        "a_record": f"{'an' if words[0] in 'aeiou' else 'a'} {words}",
        "words": words,
        "plural_words": spec.plural.replace("_", " "),
        "attributes": spec.attributes,
        "title": spec.attributes[0],
        "types": {one.type for one in spec.attributes},
        "parents": {name: code for name, (code, _) in parents.items()},
        "imports": _grouped(set().union(*(imports for _, imports in parents.values()))),
        # The list of the module's only model needs no name of its own.
        "at": "" if spec.module == spec.plural else f"/{spec.plural}",
        "api_name": f"{spec.module}_api" if spec.pages else spec.module,
        "bp": f"{spec.module}_bp",
        "prefix": f"/{spec.module}",
        "own_models": f"app.{spec.module}.models",
        "is_new": True,
    }


def _grouped(imports: Imports) -> dict[str, list[str]]:
    """Return the imported names by module, in alphabetical order."""
    modules = sorted({module for module, _ in imports})
    return {module: sorted(name for one, name in imports if one == module) for module in modules}


def _format(paths: Sequence[Path]) -> bool:
    """Break the lines that names have made too long, if `make lint` has installed formatters."""
    tools = (
        (".py", ["ruff", "check", "--quiet", "--fix", "--select", "I"]),
        (".py", ["ruff", "format", "--quiet"]),
        (".html", ["djlint", "--quiet", "--reformat"]),
    )
    there = [(ending, command) for ending, command in tools if find_spec(command[0])]
    for ending, command in there:
        if files := [str(path) for path in paths if path.suffix == ending]:
            line = [sys.executable, "-m", *command, *files]
            subprocess.run(line, check=False, capture_output=True, cwd=BASE_DIR)  # nosec B603
    return len(there) == len(tools)
