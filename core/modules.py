"""INSTALLED_APPS -> import -> models -> blueprints, and the errors of the module contract."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from flask import Blueprint, Flask, current_app
from sqlalchemy import MetaData, Table
from sqlalchemy.exc import InvalidRequestError

from services import db

# Files that a module may have and that register something when they are imported.
OPTIONAL_FILES = ("models", "cli")
# Blueprints that the factory registers after the modules'.
RESERVED = ("core", "bootstrap")


class ModuleError(RuntimeError):
    """A listed module that cannot be used; the message names entry, cause and remedy."""


@dataclass(frozen=True)
class Module:
    """One listed package: its entry, its blueprints, its models' metadata and its menu."""

    entry: str
    package: ModuleType
    blueprints: list[Blueprint]
    metadata: list[MetaData]

    @property
    def api_urls(self) -> list[str]:
        """Return the URLs of the module's API that need no argument."""
        names = {blueprint.name for blueprint in self.blueprints}
        names &= current_app.extensions["api_blueprints"]
        rules = current_app.url_map.iter_rules()
        owned = (r for r in rules if r.endpoint.partition(".")[0] in names and not r.arguments)
        return [rule.rule for rule in owned]

    @property
    def menu(self) -> list[tuple[str, str]]:
        """Return the module's MENU: pairs of an endpoint and the text of the link to it."""
        return list(getattr(self.package, "MENU", []))


def init_modules(app: Flask, entries: Sequence[str]) -> None:
    """Import each entry and register its blueprints. Raises ModuleError."""
    modules: list[Module] = []
    app.extensions["modules"] = modules
    for entry in entries:
        if entry in [module.entry for module in modules]:
            raise ModuleError(f"INSTALLED_APPS lists {entry!r} twice: remove one of the two.")
        module = _load(entry)
        _check_tables(module, modules)
        modules.append(module)
        _register(app, module)
    _check_foreign_keys(modules)
    _check_urls(app)


def installed_modules() -> list[Module]:
    """Return the current application's modules, in the order of INSTALLED_APPS."""
    modules: list[Module] = current_app.extensions["modules"]
    return modules


def installed_metadata() -> list[MetaData]:
    """Return the scaffold's metadata and those of the modules' own bases, each once."""
    own = (metadata for module in installed_modules() for metadata in module.metadata)
    return list(dict.fromkeys([db.metadata, *own]))


def _load(entry: str) -> Module:
    folder = entry.replace(".", "/")
    try:
        spec = find_spec(entry)
    except (ModuleNotFoundError, ValueError):
        spec = None
    if spec is None or not str(spec.origin).endswith("__init__.py"):
        raise ModuleError(
            f"INSTALLED_APPS lists {entry!r}, but there is no {folder}/__init__.py: "
            "create it or remove the entry."
        )
    try:
        package = import_module(entry)
        files = [_import_optional(f"{entry}.{name}") for name in OPTIONAL_FILES]
    except Exception as error:
        raise ModuleError(_import_failure(entry, folder, error)) from error
    blueprints = list(_blueprints(package))
    if not blueprints:
        raise ModuleError(
            f"INSTALLED_APPS lists {entry!r}, but {folder}/__init__.py makes no Blueprint: add "
            f"bp = Blueprint({folder.rpartition('/')[2]!r}, __name__) or remove the entry."
        )
    return Module(entry, package, blueprints, list(_metadata(files[0])))


def _import_optional(name: str) -> ModuleType | None:
    return import_module(name) if find_spec(name) else None


def _import_failure(entry: str, folder: str, error: Exception) -> str:
    clash = re.match(r"Table '(\w+)' is already defined", str(error))
    if isinstance(error, InvalidRequestError) and clash:
        return _table_clash(entry, clash[1])
    return (
        f"INSTALLED_APPS lists {entry!r}, but importing it failed with "
        f"{type(error).__name__}: {error}: mend {folder}/ or remove the entry."
    )


def _table_clash(entry: str, table: str) -> str:
    return (
        f"INSTALLED_APPS lists {entry!r}, whose table {table!r} exists in another module: give it "
        f"another __tablename__, for example {entry.rpartition('.')[2] + '_' + table!r}."
    )


def _blueprints(package: ModuleType) -> Iterator[Blueprint]:
    """Yield the package's own blueprints in the order they were made, nested ones left out."""
    own = [
        value
        for value in dict.fromkeys(v for v in vars(package).values() if isinstance(v, Blueprint))
        if f"{value.import_name}.".startswith(f"{package.__name__}.")
    ]
    nested = {id(child) for blueprint in own for child, _ in blueprint._blueprints}  # noqa: SLF001 - no public way
    yield from (blueprint for blueprint in own if id(blueprint) not in nested)


def _metadata(models: ModuleType | None) -> Iterator[MetaData]:
    """Yield what the classes and tables named in a module's models.py hang on."""
    for value in vars(models).values() if models else ():
        # Of these alone: a proxy such as current_app fails when it is asked for anything here.
        if isinstance(value, (type, Table)):
            metadata = getattr(value, "metadata", None)
            if isinstance(metadata, MetaData):
                yield metadata


def _check_tables(module: Module, others: Iterable[Module]) -> None:
    """Refuse a table name that two separate declarative bases share."""
    taken = {metadata: set(metadata.tables) for other in others for metadata in other.metadata}
    taken[db.metadata] = set(db.metadata.tables)
    for metadata in dict.fromkeys(module.metadata):
        for other, tables in taken.items():
            if other is not metadata and (clash := tables & set(metadata.tables)):
                raise ModuleError(_table_clash(module.entry, min(clash)))


def _register(app: Flask, module: Module) -> None:
    for blueprint in module.blueprints:
        if blueprint.name in app.blueprints or blueprint.name in RESERVED:
            other = getattr(app.blueprints.get(blueprint.name), "import_name", "the scaffold")
            raise ModuleError(
                f"INSTALLED_APPS lists {module.entry!r}, whose blueprint {blueprint.name!r} has "
                f"the name of the one in {other}: give it another name in Blueprint(...)."
            )
        app.register_blueprint(blueprint)
    for endpoint, text in module.menu:
        if endpoint not in app.view_functions:
            raise ModuleError(
                f"INSTALLED_APPS lists {module.entry!r}, whose MENU leads {text!r} to the endpoint "
                f"{endpoint!r}, which does not exist: name one of its own, such as "
                f"{module.blueprints[0].name + '.index'!r}."
            )


def _check_foreign_keys(modules: Iterable[Module]) -> None:
    """Refuse a foreign key between two bases: neither could be created or migrated in order."""
    tables = {
        table.fullname: (table, module)
        for module in modules
        for metadata in module.metadata
        for table in metadata.tables.values()
    }
    for table, module in tables.values():
        for key in table.foreign_keys:
            target = key.target_fullname.rpartition(".")[0]
            if target in tables and tables[target][0].metadata is not table.metadata:
                raise ModuleError(
                    f"INSTALLED_APPS lists {module.entry!r}, whose table {table.name!r} has a "
                    f"foreign key to {target!r} of another declarative Base: put both on the "
                    "scaffold's base (from core.models import Base)."
                )


def _check_urls(app: Flask) -> None:
    """Refuse a URL that two blueprints claim: the first would win in silence."""
    claims: dict[tuple[str | None, str, str], str] = {}
    for rule in app.url_map.iter_rules():
        owner = rule.endpoint.rpartition(".")[0]
        url = re.sub(r"<(?:([^:<>]+):)?[^<>]+>", r"<\1>", rule.rule)
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            other = claims.setdefault((rule.subdomain, url, method), owner)
            if other != owner:
                raise ModuleError(
                    f"INSTALLED_APPS lists modules whose blueprints {other!r} and {owner!r} both "
                    f"answer {method} {rule.rule}: give one of them another url_prefix."
                )
