"""What is wrong with a listed module, in a sentence: whose fault it is, and the remedy."""

import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import click
from sqlalchemy import ForeignKey, Table, inspect
from sqlalchemy.exc import NoReferencedColumnError, NoReferencedTableError
from sqlalchemy.orm import Mapper, configure_mappers

from core.listing import Listing

# SQLAlchemy's errors for a model with a column named metadata.
RESERVED_NAME = "'MappedColumn' object has no attribute 'tables'|Attribute name 'metadata'"
# SQLAlchemy's error for a relationship whose foreign key leads nowhere.
NO_JOIN = "Could not determine join condition"


class ModuleError(click.ClickException):
    """A listed module that cannot be used; the message names entry, cause and remedy."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the sentence, below the traceback if the module's own code failed."""
        if self.__cause__:
            traceback.print_exception(self.__cause__, file=file)
        super().show(file)


class ModelError(ModuleError):
    """A broken model, which breaks all others of the process: SQLAlchemy maps them together."""


def refusal(
    entry: str, cause: str, remedy: str, kind: type[ModuleError] = ModuleError
) -> ModuleError:
    """Return the error of a listed entry in one sentence."""
    return kind(f"INSTALLED_APPS lists {entry!r}{cause}: {remedy}.")


def import_failure(entries: Sequence[str], error: BaseException) -> ModuleError:
    """Return why the last entry cannot be imported; an earlier entry's model may be to blame."""
    entry = entries[-1]
    if failure := _key_failure(entries, error) or _mapping_failure(entries, error):
        return failure
    if clash := re.match(r"Table '(\w+)' is already defined", str(error)):
        return table_clash(entries, clash[1])
    if re.match(RESERVED_NAME, str(error)):
        cause = ", whose model names a column metadata, which SQLAlchemy keeps for itself"
        return refusal(entry, cause, "write other = mapped_column('metadata') or choose another")
    # One line is enough: the traceback shows the whole text.
    text = (str(error).strip() or "no message").splitlines()[0].rstrip(".:")
    cause = f", but importing it failed with {type(error).__name__}: {text}"
    remedy = f"mend {_place(entry, error)} or remove the entry"
    missing = str(error.name) if isinstance(error, ModuleNotFoundError) else entry
    if missing.partition(".")[0] != entry.partition(".")[0]:
        remedy = f"install that package (requirements-app.in, then make lock), {remedy}"
    return refusal(entry, cause, remedy)


def _place(entry: str, error: BaseException) -> str:
    """Return the last line of the module in the error's traceback, else the module's folder."""
    folder = entry.replace(".", "/")
    place = f"{folder}/"
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        # The line with the error never ran, so it is in no frame.
        frames.append((str(error.filename), error.lineno))
    for filename, line in frames:
        _, found, path = Path(filename).as_posix().rpartition(f"/{folder}/")
        place = f"{folder}/{path}, line {line}," if found else place
    return place


def table_clash(entries: Sequence[str], table: str) -> ModuleError:
    """Return the error of the last entry, whose table's name is taken; it suggests a free one."""
    *others, entry = entries
    models = ((one, model) for one in others for model in _models(one))
    owners = (repr(one) for one, model in models if getattr(model, "__tablename__", "") == table)
    place = next(owners, "this module or another")
    cause = f", whose table {table!r} exists already, in {place}"
    own = f"{entry.rpartition('.')[2]}_"
    example = f"{own}{table}" if not table.startswith(own) else f"{own}other"
    remedy = f"give it another __tablename__, for example {example!r}"
    return refusal(entry, cause, remedy, ModelError)


def check_foreign_keys(entries: Iterable[str], tables: Mapping[str, Table]) -> None:
    """Refuse a foreign key to no table, or to another base's, which no migration could order."""
    for entry, name, key in _foreign_keys(entries):
        if not (fault := _fault(key)):
            continue
        target, _, column = key.target_fullname.rpartition(".")
        cause = f", whose column {name} is a foreign key to {target!r}"
        remedy = "mend the name in ForeignKey(...)"
        if isinstance(fault, NoReferencedColumnError):
            cause += f", which has no column {column!r}"
        elif target in tables:
            cause += " of another declarative Base"
            remedy = "put both on the scaffold's base (from core.models import Base)"
        else:
            cause += ", a table that no listed module has"
            remedy = f"list the module of that table, or {remedy}"
        raise refusal(entry, cause, remedy, ModelError)


def _foreign_keys(entries: Iterable[str]) -> Iterator[tuple[str, str, ForeignKey]]:
    """Yield the foreign keys that each entry's models.py names, with the entry and Model.column."""
    for entry in entries:
        named = [(model.__name__, model.__table__) for model in _models(entry)]
        named += [(value.name, value) for value in values_of(f"{entry}.models", Table)]
        for name, table in named:
            for key in table.foreign_keys:
                yield entry, f"{name}.{key.parent.name}", key


def _key_failure(entries: Sequence[str], error: BaseException) -> ModuleError | None:
    """Blame a foreign key to a table that is not known yet, if that made the import fail."""
    table = error.table_name if isinstance(error, NoReferencedTableError) else None
    if table is None and NO_JOIN not in str(error):
        return None
    for entry, name, key in _foreign_keys(entries):
        fault = _fault(key)
        lost = fault.table_name if isinstance(fault, NoReferencedTableError) else None
        # If the error names no table, keys of earlier modules may only be waiting for a later one.
        is_told = f"relationship {name.partition('.')[0]}." in str(error) or entry == entries[-1]
        if lost and (lost == table or (table is None and is_told)):
            cause = (
                f", whose column {name} is a foreign key to {lost!r}, a table that neither it nor "
                "a module above it has"
            )
            remedy = "list the module of that table above, or mend the name in ForeignKey(...)"
            return refusal(entry, cause, remedy, ModelError)
    return None


def _fault(key: ForeignKey) -> NoReferencedTableError | NoReferencedColumnError | None:
    """Return why a foreign key leads nowhere so far."""
    try:
        # Reading the attribute makes SQLAlchemy look up the column.
        key.column  # noqa: B018
    except (NoReferencedTableError, NoReferencedColumnError) as error:
        return error
    return None


def check_mappers(entries: Iterable[str]) -> None:
    """Refuse a model with a broken relationship: at the first query all models would fail."""
    try:
        configure_mappers()
    except Exception as error:  # A relationship may be anybody's code.
        if failure := _mapping_failure(entries, error):
            raise failure from error


def _mapping_failure(entries: Iterable[str], error: BaseException) -> ModuleError | None:
    """Blame the module whose model is broken; the error appears wherever models are used first."""
    for entry in entries:
        # There is no public way to ask.
        if broken := [one for one in _models(entry) if one.__mapper__._configure_failed]:  # noqa: SLF001
            cause = f", whose model {broken[0].__name__} cannot be used ({error})"
            remedy = "mend its relationships and their foreign keys"
            if "Multiple classes found" in str(error):
                remedy = "write relationship(lambda: Name): another module has a model of that name"
            return refusal(entry, cause, remedy, ModelError)
    return None


def _models(entry: str) -> Iterator[Any]:
    """Yield the models that a module declares and its models.py, if imported, names."""
    for value in values_of(f"{entry}.models", type):
        if hasattr(value, "__mapper__") and value.__module__.startswith(f"{entry}."):
            yield value


def values_of(name: str, *kinds: type) -> list[Any]:
    """Return an imported file's values of these kinds; isinstance() is safe for a `current_app`."""
    values = getattr(sys.modules.get(name), "__dict__", {}).values()
    return [value for value in values if isinstance(value, kinds)]


def check_listings(entries: Iterable[str]) -> None:
    """Refuse a listing with a name that leads to no column, or to JSON: a request would fail."""
    for entry in entries:
        for model in _models(entry):
            listing = getattr(model, "listing", None)
            found = listing.unusable() if isinstance(listing, Listing) else ()
            for part, name, remedy in found:
                cause = (
                    f", whose model {model.__name__} names {name!r} in the {part} of its listing"
                )
                raise refusal(entry, cause, remedy)


def check_forms(entries: Iterable[str]) -> None:
    """Refuse a form in a forms.py that names a field its model lacks: its page would fail."""
    for entry in entries:
        for form in values_of(f"{entry}.forms", type):
            meta = getattr(form, "Meta", None)
            mapper = inspect(getattr(meta, "model", None), raiseerr=False)
            if not isinstance(mapper, Mapper):
                continue
            for name in getattr(meta, "fields", ()):
                if name not in mapper.attrs and not hasattr(form, name):
                    model = mapper.class_.__name__
                    cause = f", whose form {form.__name__} names {name!r}, which {model} lacks"
                    there_are = ", ".join(mapper.attrs.keys())
                    raise refusal(entry, cause, f"name what it has in Meta.fields: {there_are}")
