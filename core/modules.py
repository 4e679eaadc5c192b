"""INSTALLED_APPS -> import -> models -> blueprints, and the rules that modules keep."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from keyword import iskeyword
from types import ModuleType

from flask import Blueprint, Flask, current_app
from sqlalchemy import MetaData, Table
from werkzeug.routing import Rule

from core.module_errors import (
    ModuleError,
    check_foreign_keys,
    check_forms,
    check_listings,
    check_mappers,
    import_failure,
    refusal,
    table_clash,
    values_of,
)
from services import db

# Files that a module may have and that register something when they are imported.
OPTIONAL_FILES = ("models", "cli")
# Names of the blueprints that the factory registers after the modules'.
RESERVED = ("core", "bootstrap")


@dataclass(frozen=True)
class Module:
    """One listed package: its entry, its blueprints, its models' metadata and its menu."""

    entry: str
    package: ModuleType
    blueprints: list[Blueprint]
    metadata: list[MetaData]

    @property
    def api_urls(self) -> list[str]:
        """Return the URLs of the module's API that can be opened: by a GET, without an argument."""
        apis = current_app.extensions["api_blueprints"]
        owned = (rule for rule in self.rules if rule.endpoint.partition(".")[0] in apis)
        return [r.rule for r in owned if not r.arguments and "GET" in (r.methods or ())]

    @property
    def rules(self) -> list[Rule]:
        """Return the rules of the module's URLs, those of nested blueprints too."""
        names = {blueprint.name for blueprint in self.blueprints}
        rules = current_app.url_map.iter_rules()
        return [rule for rule in rules if rule.endpoint.partition(".")[0] in names]

    @property
    def menu(self) -> list[tuple[str, str]]:
        """Return the module's MENU: pairs of an endpoint and the text of the link to it."""
        return list(getattr(self.package, "MENU", []))

    @property
    def tables(self) -> list[Table]:
        """Return the tables of all bases that the module's models.py names."""
        return [table for metadata in self.metadata for table in metadata.tables.values()]


def init_modules(app: Flask, entries: Sequence[str]) -> None:
    """Import each entry and register its blueprints. Raises ModuleError."""
    modules: list[Module] = []
    tables: dict[str, Table] = {}
    app.extensions["modules"] = modules
    for entry in entries:
        if entry in [module.entry for module in modules]:
            raise refusal(entry, " twice", "remove one of the two")
        modules.append(_load(entry, modules))
        _check_tables(modules, tables)
        _register(app, modules[-1])
    check_foreign_keys(entries, tables)
    check_mappers(entries)
    check_listings(entries)
    check_forms(entries)
    _check_urls(app)


def installed_modules() -> list[Module]:
    """Return the current application's modules, in the order of INSTALLED_APPS."""
    modules: list[Module] = current_app.extensions["modules"]
    return modules


def installed_metadata() -> list[MetaData]:
    """Return the scaffold's metadata and those of the modules' own bases, each once."""
    own = (metadata for module in installed_modules() for metadata in module.metadata)
    return list(dict.fromkeys([db.metadata, *own]))


def installed_tables() -> list[Table]:
    """Return the tables of all installed_metadata()."""
    return [table for metadata in installed_metadata() for table in metadata.tables.values()]


def _load(entry: str, earlier: Iterable[Module]) -> Module:
    folder = entry.replace(".", "/")
    if not all(part.isidentifier() and not iskeyword(part) for part in entry.split(".")):
        cause = ", which is no name that Python can import"
        remedy = "rename it, by letters, digits and _ that begin with a letter and are no keyword"
        raise refusal(entry, cause, remedy)
    if not _is_package(entry):
        cause = f", but there is no {folder}/__init__.py"
        remedy = "create it or remove the entry"
        # Without a comma, Python joins two neighbouring entries into one text.
        if entry.count("app.") > 1:
            remedy = f"write a comma between the two entries, or {remedy}"
        raise refusal(entry, cause, remedy)
    try:
        package = import_module(entry)
        for name in OPTIONAL_FILES:
            import_optional(f"{entry}.{name}")
    except (Exception, SystemExit) as error:
        entries = [*(module.entry for module in earlier), entry]
        raise import_failure(entries, error) from error
    blueprints = _blueprints(package)
    if not blueprints:
        bp = f"bp = Blueprint({folder.rpartition('/')[2]!r}, __name__)"
        cause = f", but {folder}/__init__.py makes no Blueprint"
        raise refusal(entry, cause, f"add {bp} or remove the entry")
    return Module(entry, package, blueprints, _metadata(entry))


def _is_package(entry: str) -> bool:
    try:
        spec = find_spec(entry)
    except (ModuleNotFoundError, ValueError):
        return False
    return spec is not None and str(spec.origin).endswith("__init__.py")


def import_optional(name: str) -> ModuleType | None:
    """Import a file that a module need not have."""
    return import_module(name) if find_spec(name) else None


def _blueprints(package: ModuleType) -> list[Blueprint]:
    """Return the package's own blueprints in the order they were made, nested ones left out."""
    named = dict.fromkeys(value for value in vars(package).values() if isinstance(value, Blueprint))
    own = [bp for bp in named if f"{bp.import_name}.".startswith(f"{package.__name__}.")]
    nested = [child for parent in own for child, _ in parent._blueprints]  # noqa: SLF001 - no public way
    return [blueprint for blueprint in own if blueprint not in nested]


def _metadata(entry: str) -> list[MetaData]:
    """Return the metadata of the classes and tables that a module's models.py names."""
    named = values_of(f"{entry}.models", type, Table)
    found = [getattr(value, "metadata", None) for value in named]
    return list(dict.fromkeys(metadata for metadata in found if isinstance(metadata, MetaData)))


def _check_tables(modules: Sequence[Module], tables: dict[str, Table]) -> None:
    """Refuse a table of the last module if another base has its name; add others to `tables`."""
    for table in [*modules[-1].tables, *db.metadata.tables.values()]:
        if tables.setdefault(table.fullname, table) is not table:
            raise table_clash([module.entry for module in modules], table.name)


def _register(app: Flask, module: Module) -> None:
    for blueprint in module.blueprints:
        if blueprint.name in app.blueprints or blueprint.name in RESERVED:
            other = getattr(app.blueprints.get(blueprint.name), "import_name", "the scaffold")
            cause = f", whose blueprint {blueprint.name!r} has the name of the one in {other}"
            raise refusal(module.entry, cause, "give it another name in Blueprint(...)")
        try:
            app.register_blueprint(blueprint)
        except AssertionError as error:
            if "overwriting an existing endpoint" not in str(error):
                raise
            cause = f", whose blueprint {blueprint.name!r} cannot be registered ({error})"
            remedy = "mend it: no two of its views have one name"
            raise refusal(module.entry, cause, remedy) from error
    _check_menu(app, module)


def _check_menu(app: Flask, module: Module) -> None:
    """Refuse a MENU entry that leads nowhere: every page shows the menu, error pages too."""
    try:
        menu = dict(module.menu)
    except (TypeError, ValueError):
        cause = ", whose MENU is no list of pairs of an endpoint and a text"
        remedy = 'write it as MENU = [("notes.note_index", "Notes")]'
        raise refusal(module.entry, cause, remedy) from None
    rules = [r for r in app.url_map.iter_rules() if r.arguments <= (r.defaults or {}).keys()]
    targets = [rule.endpoint for rule in rules if "GET" in (rule.methods or ())]
    for endpoint, text in menu.items():
        if endpoint not in targets:
            fault = "needs arguments or takes no GET"
            fault = fault if endpoint in app.view_functions else "does not exist"
            cause = f", whose MENU leads {str(text)!r} to the endpoint {endpoint!r}, which {fault}"
            prefixes = tuple(f"{blueprint.name}." for blueprint in module.blueprints)
            own = ", ".join(repr(name) for name in targets if name.startswith(prefixes))
            missing = "write a page, or import its file (from . import routes) in __init__.py"
            raise refusal(module.entry, cause, f"name one of its own ({own})" if own else missing)


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
