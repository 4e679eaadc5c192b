"""INSTALLED_APPS -> import -> models -> blueprints, and the errors of the module contract."""

import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import click
from flask import Blueprint, Flask, current_app
from sqlalchemy import ForeignKey, MetaData, Table
from sqlalchemy.exc import NoReferencedColumnError, NoReferencedTableError
from sqlalchemy.orm import configure_mappers

from core.listing import Listing
from services import db

# Files that a module may have and that register something when they are imported.
OPTIONAL_FILES = ("models", "cli")
# Blueprints that the factory registers after the modules'.
RESERVED = ("core", "bootstrap")
# What a model with a column named metadata fails with.
RESERVED_NAME = "'MappedColumn' object has no attribute 'tables'|Attribute name 'metadata'"
# How a relationship fails whose foreign key leads nowhere.
NO_JOIN = "Could not determine join condition"


class ModuleError(click.ClickException):
    """A listed module that cannot be used; the message names entry, cause and remedy."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentence, below the traceback if the module's own code failed."""
        if self.__cause__:
            traceback.print_exception(self.__cause__, file=file)
        super().show(file)


class ModelError(ModuleError):
    """A model that is broken, and with it all others of the process: they know of each other."""


def _refusal(
    entry: str, cause: str, remedy: str, kind: type[ModuleError] = ModuleError
) -> ModuleError:
    return kind(f"INSTALLED_APPS lists {entry!r}{cause}: {remedy}.")


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
        names &= current_app.extensions["api_blueprints"].keys()
        rules = current_app.url_map.iter_rules()
        owned = (r for r in rules if r.endpoint.partition(".")[0] in names and not r.arguments)
        return [rule.rule for rule in owned]

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
            raise _refusal(entry, " twice", "remove one of the two")
        module = _load(entry, modules)
        _check_tables(module, tables)
        modules.append(module)
        _register(app, module)
    _check_foreign_keys(modules, tables)
    _check_mappers(modules)
    _check_listings(modules)
    _check_urls(app)


def installed_modules() -> list[Module]:
    """Return the current application's modules, in the order of INSTALLED_APPS."""
    modules: list[Module] = current_app.extensions["modules"]
    return modules


def installed_metadata() -> list[MetaData]:
    """Return the scaffold's metadata and those of the modules' own bases, each once."""
    own = (metadata for module in installed_modules() for metadata in module.metadata)
    return list(dict.fromkeys([db.metadata, *own]))


def _load(entry: str, earlier: Iterable[Module]) -> Module:
    folder = entry.replace(".", "/")
    if not all(part.isidentifier() and not iskeyword(part) for part in entry.split(".")):
        cause = ", which is no name that Python can import"
        remedy = "rename it, by letters, digits and _ that begin with a letter and are no keyword"
        raise _refusal(entry, cause, remedy)
    if not _is_package(entry):
        cause = f", but there is no {folder}/__init__.py"
        raise _refusal(entry, cause, "create it or remove the entry")
    try:
        package = import_module(entry)
        files = [import_optional(f"{entry}.{name}") for name in OPTIONAL_FILES]
    except (Exception, SystemExit) as error:
        entries = [*(module.entry for module in earlier), entry]
        failure = _key_failure(entries, error) or _mapping_failure(entries, error)
        raise failure or _import_failure(entry, folder, error) from error
    blueprints = _blueprints(package)
    if not blueprints:
        bp = f"bp = Blueprint({folder.rpartition('/')[2]!r}, __name__)"
        cause = f", but {folder}/__init__.py makes no Blueprint"
        raise _refusal(entry, cause, f"add {bp} or remove the entry")
    return Module(entry, package, blueprints, _metadata(files[0]))


def _is_package(entry: str) -> bool:
    try:
        spec = find_spec(entry)
    except (ModuleNotFoundError, ValueError):
        return False
    return spec is not None and str(spec.origin).endswith("__init__.py")


def import_optional(name: str) -> ModuleType | None:
    """Import a file that a module need not have."""
    return import_module(name) if find_spec(name) else None


def _import_failure(entry: str, folder: str, error: BaseException) -> ModuleError:
    if clash := re.match(r"Table '(\w+)' is already defined", str(error)):
        return _table_clash(entry, clash[1])
    if re.match(RESERVED_NAME, str(error)):
        cause = ", whose model names a column metadata, which SQLAlchemy keeps for itself"
        return _refusal(entry, cause, "write other = mapped_column('metadata') or choose another")
    # The whole text stands in the traceback.
    text = (str(error).strip() or "no message").splitlines()[0].rstrip(".:")
    cause = f", but importing it failed with {type(error).__name__}: {text}"
    remedy = f"mend {_place(folder, error)} or remove the entry"
    missing = str(error.name) if isinstance(error, ModuleNotFoundError) else entry
    if missing.partition(".")[0] != entry.partition(".")[0]:
        remedy = f"install that package (requirements-app.in, then make lock), {remedy}"
    return _refusal(entry, cause, remedy)


def _place(folder: str, error: BaseException) -> str:
    """Return the last line of the module that the error came through, else its folder."""
    place = f"{folder}/"
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        # Its own line never ran.
        frames.append((str(error.filename), error.lineno))
    for filename, line in frames:
        _, found, path = Path(filename).as_posix().rpartition(f"/{folder}/")
        place = f"{folder}/{path}, line {line}," if found else place
    return place


def _table_clash(entry: str, table: str) -> ModuleError:
    cause = f", whose table {table!r} exists already, in this module or another"
    own = f"{entry.rpartition('.')[2]}_"
    example = f"{own}{table}" if not table.startswith(own) else f"{own}other"
    return _refusal(entry, cause, f"give it another __tablename__, for example {example!r}")


def _blueprints(package: ModuleType) -> list[Blueprint]:
    """Return the package's own blueprints in the order they were made, nested ones left out."""
    named = dict.fromkeys(value for value in vars(package).values() if isinstance(value, Blueprint))
    own = [bp for bp in named if f"{bp.import_name}.".startswith(f"{package.__name__}.")]
    nested = [child for parent in own for child, _ in parent._blueprints]  # noqa: SLF001 - no public way
    return [blueprint for blueprint in own if blueprint not in nested]


def _metadata(models: ModuleType | None) -> list[MetaData]:
    """Return what the classes and tables named in a module's models.py hang on."""
    # Of these alone: a proxy such as current_app fails when it is asked for anything here.
    named = vars(models).values() if models else ()
    found = [
        getattr(value, "metadata", None) for value in named if isinstance(value, (type, Table))
    ]
    return list(dict.fromkeys(metadata for metadata in found if isinstance(metadata, MetaData)))


def _check_tables(module: Module, tables: dict[str, Table]) -> None:
    """Refuse a table name that two separate declarative bases share; add the rest to `tables`."""
    for table in [*module.tables, *db.metadata.tables.values()]:
        if tables.setdefault(table.fullname, table) is not table:
            raise _table_clash(module.entry, table.name)


def _register(app: Flask, module: Module) -> None:
    for blueprint in module.blueprints:
        if blueprint.name in app.blueprints or blueprint.name in RESERVED:
            other = getattr(app.blueprints.get(blueprint.name), "import_name", "the scaffold")
            cause = f", whose blueprint {blueprint.name!r} has the name of the one in {other}"
            raise _refusal(module.entry, cause, "give it another name in Blueprint(...)")
        try:
            app.register_blueprint(blueprint)
        except AssertionError as error:
            if "overwriting an existing endpoint" not in str(error):
                raise
            cause = f", whose blueprint {blueprint.name!r} cannot be registered ({error})"
            remedy = "mend it: no two of its views have one name"
            raise _refusal(module.entry, cause, remedy) from error
    _check_menu(app, module)


def _check_menu(app: Flask, module: Module) -> None:
    """Refuse a MENU with an entry that leads nowhere: each page has it, those of errors too."""
    try:
        menu = dict(module.menu)
    except (TypeError, ValueError):
        cause = ", whose MENU is no list of pairs of an endpoint and a text"
        remedy = 'write it as MENU = [("notes.note_index", "Notes")]'
        raise _refusal(module.entry, cause, remedy) from None
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
            raise _refusal(module.entry, cause, f"name one of its own ({own})" if own else missing)


def _check_foreign_keys(modules: Iterable[Module], tables: Mapping[str, Table]) -> None:
    """Refuse a foreign key to no table, or to another base's: no migration could order them."""
    for entry, name, key in _foreign_keys(module.entry for module in modules):
        target, _, column = key.target_fullname.rpartition(".")
        cause = f", whose column {name} is a foreign key to {target!r}"
        try:
            # SQLAlchemy looks for it now.
            key.column  # noqa: B018
        except NoReferencedColumnError:
            cause += f", which has no column {column!r}"
            remedy = "mend the name in ForeignKey(...)"
            raise _refusal(entry, cause, remedy, ModelError) from None
        except NoReferencedTableError:
            if target in tables:
                cause += " of another declarative Base"
                remedy = "put both on the scaffold's base (from core.models import Base)"
            else:
                cause += ", a table that no listed module has"
                remedy = "list the module of that table, or mend the name in ForeignKey(...)"
            raise _refusal(entry, cause, remedy, ModelError) from None


def _foreign_keys(entries: Iterable[str]) -> Iterator[tuple[str, str, ForeignKey]]:
    """Yield the foreign keys that each entry's models.py names, with the entry and Model.column."""
    for entry in entries:
        models = f"{entry}.models"
        named = [(model.__name__, model.__table__) for model in _models(models)]
        named += [(value.name, value) for value in _values(models) if isinstance(value, Table)]
        for name, table in named:
            for key in table.foreign_keys:
                yield entry, f"{name}.{key.parent.name}", key


def _key_failure(entries: Sequence[str], error: BaseException) -> ModuleError | None:
    """Blame a foreign key to no table for what it makes fail before all tables are known."""
    table = error.table_name if isinstance(error, NoReferencedTableError) else None
    if table is None and NO_JOIN not in str(error):
        return None
    for entry, name, key in _foreign_keys(entries):
        lost = _lost_table(key)
        # Where no table is told, keys of modules above may wait for one below.
        is_told = f"relationship {name.partition('.')[0]}." in str(error) or entry == entries[-1]
        if lost and (lost == table or (table is None and is_told)):
            cause = (
                f", whose column {name} is a foreign key to {lost!r}, a table that neither it nor "
                "a module above it has"
            )
            remedy = "list the module of that table above, or mend the name in ForeignKey(...)"
            return _refusal(entry, cause, remedy, ModelError)
    return None


def _lost_table(key: ForeignKey) -> str | None:
    """Return the table that a foreign key names and no module has so far."""
    try:
        # SQLAlchemy looks for it now.
        key.column  # noqa: B018
    except NoReferencedTableError as error:
        return error.table_name
    except NoReferencedColumnError:
        pass
    return None


def _check_mappers(modules: Iterable[Module]) -> None:
    """Refuse a model with a broken relationship: at the first query all models would fail."""
    try:
        configure_mappers()
    except Exception as error:  # A relationship may be anybody's code.
        if failure := _mapping_failure([module.entry for module in modules], error):
            raise failure from error


def _mapping_failure(entries: Iterable[str], error: BaseException) -> ModuleError | None:
    """Blame the module whose model is broken: it shows where models are first used, anywhere."""
    for entry in entries:
        models = _models(f"{entry}.models")
        # There is no public way to ask.
        if broken := [one for one in models if one.__mapper__._configure_failed]:  # noqa: SLF001
            cause = f", whose model {broken[0].__name__} cannot be used ({error})"
            remedy = "mend its relationships and their foreign keys"
            if "Multiple classes found" in str(error):
                remedy = "write relationship(lambda: Name): another module has a model of that name"
            return _refusal(entry, cause, remedy, ModelError)
    return None


def _models(name: str) -> Iterator[Any]:
    """Yield the models that a models.py names, if it is imported, and its module declares."""
    for value in _values(name):
        is_model = isinstance(value, type) and hasattr(value, "__mapper__")
        if is_model and value.__module__.startswith(name.removesuffix("models")):
            yield value


def _values(name: str) -> list[Any]:
    return list(getattr(sys.modules.get(name), "__dict__", {}).values())


def _check_listings(modules: Iterable[Module]) -> None:
    """Refuse a listing with a name that leads to no column, or to JSON: a request would fail."""
    for module in modules:
        for model in _models(f"{module.entry}.models"):
            listing = getattr(model, "listing", None)
            found = listing.unusable() if isinstance(listing, Listing) else ()
            for part, name, remedy in found:
                cause = (
                    f", whose model {model.__name__} names {name!r} in the {part} of its listing"
                )
                raise _refusal(module.entry, cause, remedy)


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
