"""A further model in an existing module: its code is appended to that of the others."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from itertools import takewhile
from pathlib import Path
from typing import Any

import click
from flask import Blueprint, current_app

from core.generator.attributes import Spec
from core.modules import installed_modules

# A name that a file imports, and the name it has there (`as`), if that is another.
Name = tuple[str, str | None]


def home_of(spec: Spec) -> dict[str, Any]:
    """Return a module's values for the templates. Raises click.ClickException if it lacks one."""
    name = f"app.{spec.module}"
    package = next((one.package for one in installed_modules() if one.entry == name), None)
    if package is None:
        raise click.ClickException(
            f'app/{spec.module} exists and is not listed: add "{name}", to INSTALLED_APPS in '
            "settings.py, and a further model can be added to it; or choose another name."
        )
    values: dict[str, Any] = {"is_new": False, "at": f"/{spec.plural}"}
    if spec.pages:
        apis = current_app.extensions["api_blueprints"]
        of_pages = [
            (variable, one)
            for variable, one in vars(package).items()
            if isinstance(one, Blueprint) and one.name not in apis
        ]
        if len(of_pages) != 1 or not hasattr(package, "routes"):
            raise click.ClickException(
                f"{name} has no routes.py with one blueprint for pages: add --api, or choose "
                "another name."
            )
        variable, blueprint = of_pages[0]
        values |= {"bp": variable, "prefix": blueprint.url_prefix or ""}
    if spec.api:
        api = getattr(getattr(package, "resources", None), "api", None)
        if api is None:
            raise click.ClickException(
                f"{name} has no resources.py with an `api`: leave out --api and --both, or choose "
                "another name."
            )
        values["api_name"] = api.blueprint.name
    return values


def told_apart(spec: Spec) -> Spec:
    """Return the spec with enum names that the module does not have yet."""
    taken = getattr(import_module(f"app.{spec.module}"), "models", None)
    attributes = [
        replace(one, owner=spec.model) if hasattr(taken, one.enum) else one
        for one in spec.attributes
    ]
    return replace(spec, attributes=attributes)


def link_to(spec: Spec) -> str:
    """Return the code of the menu entry that links to a model's pages."""
    text = spec.plural.replace("_", " ").capitalize()
    return f'("{spec.module}.{spec.record}_index", _l("{text}"))'


def merged(folder: Path, spec: Spec, texts: Mapping[str, str]) -> dict[str, str]:
    """Return the new texts of the files that a further model changes in its module.

    Raises click.ClickException rather than overwrite anything.
    """
    changed = {}
    for path, text in texts.items():
        file, shown = folder / path, f"app/{spec.module}/{path}"
        is_code = path.endswith(".py")
        if file.with_suffix("").is_dir() or (file.exists() and not is_code):
            raise click.ClickException(f"{shown} has its place taken: choose another name.")
        if not file.exists():
            changed[path] = text
        elif text:
            changed[path] = joined(shown, file.read_text(encoding="utf-8"), text)
    if spec.pages:
        text = (folder / "__init__.py").read_text(encoding="utf-8")
        linked = with_link(text, link_to(spec))
        changed |= {} if linked is None else {"__init__.py": linked}
    return changed


def joined(path: str, old: str, new: str) -> str:
    """Return a file's old text with the definitions of a new text appended.

    Raises click.ClickException for a name that would have two meanings.
    """
    there, added = ast.parse(old), ast.parse(new)
    meant = _bound(there)
    if twice := {
        name for name, origin in _bound(added).items() if meant.get(name, origin) != origin
    }:
        raise click.ClickException(
            f"{path} has {min(twice)} already: choose another name for the model or attribute."
        )
    lines, head, more = old.rstrip().splitlines(), _head(there), []
    for module, names in _imports(_head(added)).items():
        known = _imports(there.body).get(module, ())
        fresh = [name for name in names if name not in known]
        line = next((one.lineno - 1 for one in head if _is_one_line(one, module, lines)), None)
        if fresh and line is not None:
            lines[line] = _statement(module, [*_imports(head)[module], *fresh])
        elif fresh:
            more.append(_statement(module, fresh))
    end, start = (one[-1].end_lineno if one else 0 for one in (head, _head(added)))
    return "\n".join([*lines[:end], *more, *lines[end:], *new.splitlines()[start:]]) + "\n"


def with_link(text: str, link: str) -> str | None:
    """Return a module's __init__.py with one more link in its MENU, or None without such a list."""
    for one in ast.parse(text).body:
        if not isinstance(one, ast.Assign) or ast.unparse(one.targets[0]) != "MENU":
            continue
        if isinstance(one.value, ast.List) and one.value.elts:
            last: Any = one.value.elts[-1]
            lines = text.encode().splitlines(keepends=True)
            line, end = lines[last.end_lineno - 1], last.end_col_offset
            lines[last.end_lineno - 1] = line[:end] + f", {link}".encode() + line[end:]
            return b"".join(lines).decode()
    return None


def _bound(tree: ast.Module) -> dict[str, object]:
    """Return the names in a file, each with its origin; a definition's origin equals no other."""
    imported = {
        asname or name.partition(".")[0]: (module, name)
        for module, names in _imports(tree.body).items()
        for name, asname in names
    }
    return {**imported, **{name: object() for name in _defined(tree)}}


def _defined(tree: ast.Module) -> Iterator[str]:
    for one in tree.body:
        if isinstance(one, (ast.ClassDef, ast.FunctionDef)):
            yield one.name
        elif isinstance(one, ast.Assign):
            yield from (target.id for target in one.targets if isinstance(target, ast.Name))


def _head(tree: ast.Module) -> list[ast.stmt]:
    """Return the statements above the code: the docstring and the imports."""
    kinds = (ast.Expr, ast.Import, ast.ImportFrom)
    return [*takewhile(lambda one: isinstance(one, kinds), tree.body)]


def _imports(statements: list[ast.stmt]) -> dict[str, list[Name]]:
    """Return the imported names by module, with those of `import` statements under ""."""
    found: dict[str, list[Name]] = {}
    for one in statements:
        if isinstance(one, (ast.Import, ast.ImportFrom)):
            module = ast.unparse(one).split()[1] if isinstance(one, ast.ImportFrom) else ""
            found.setdefault(module, []).extend((name.name, name.asname) for name in one.names)
    return found


def _is_one_line(statement: ast.stmt, module: str, lines: list[str]) -> bool:
    """Tell whether this imports from the module in one line, which can be replaced."""
    is_from = isinstance(statement, ast.ImportFrom) and module in _imports([statement])
    is_short = statement.lineno == statement.end_lineno
    return is_from and is_short and "#" not in lines[statement.lineno - 1]


def _statement(module: str, names: list[Name]) -> str:
    """Return an import with its names in the linter's order: classes first."""
    ordered = sorted({*names}, key=lambda name: (name[0][0].islower(), name[0].lower()))
    texts = ", ".join(name if own is None else f"{name} as {own}" for name, own in ordered)
    return f"from {module} import {texts}" if module else f"import {texts}"
