"""Parts: the records that live and die with another, as the lines of an invoice do (delete-orphan).

A change of a part is one of its owner, and a part that takes the place of another takes its row.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import ONETOMANY, RelationshipProperty, Session
from sqlalchemy.orm.attributes import has_parent

from core.columns import looks_at_others, made_by
from core.models import Versioned, raise_version

Rules = tuple[tuple[str, ...], ...]


@event.listens_for(Session, "before_flush")
def tend_parts(session: Any, context: Any, instances: Any) -> None:
    """Raise the versions of owners, and find rows for new parts."""
    for record in session.dirty:
        state = sa.inspect(record)
        for prop, names in _owning(state.mapper):
            _raise_owner(session, state, prop, names)
        for prop, rules in _ruled(state.mapper):
            _keep_rows(state, prop, rules)


def _raise_owner(session: Any, part: Any, prop: Any, names: list[str]) -> None:
    """Count a change of a part as one of its owner."""
    key = tuple(part.dict.get(name) for name in names)
    owner = session.identity_map.get(prop.parent.identity_key_from_primary_key(key))
    is_its_own = owner is not None and prop.key in sa.inspect(owner).dict
    if is_its_own and session.is_modified(part.obj()):
        raise_version(owner)


def _keep_rows(owner: Any, prop: Any, rules: Rules) -> None:
    """Let a new part be an UPDATE of a removed one where both may not stand side by side.

    SQLAlchemy inserts before it deletes, but for a new record with the key of a deleted one.
    """
    history = owner.attrs[prop.key].history
    gone = filter(None, history.deleted)
    # One that another record has now is none of them.
    removed = [one for one in gone if not has_parent(owner.class_, one, prop.key)]
    for new in filter(None, history.added if removed else ()):
        old = next((one for one in removed if _is_in_place_of(new, one, rules)), None)
        if old is not None:
            _take_row(new, old)
            removed.remove(old)


def _is_in_place_of(new: Any, old: Any, rules: Rules) -> bool:
    state = sa.inspect(new)
    if type(new) is not type(old) or any(state.mapper.primary_key_from_instance(new)):
        return False
    return any(_values(new, names) == _values(old, names) for names in rules)


def _values(part: Any, names: tuple[str, ...]) -> list[Any]:
    values = [getattr(part, name) for name in names]
    # With a NULL in it nothing equals anything.
    return [object()] if None in values else values


def _take_row(new: Any, old: Any) -> None:
    state = sa.inspect(new)
    mapper = state.mapper
    key = mapper.primary_key_from_instance(old)
    for column, value in zip(mapper.primary_key, key, strict=True):
        setattr(new, mapper.get_property_by_column(column).key, value)
    # Nothing of the old one stays where nothing was said of the new one.
    for name, column in mapper.columns.items():
        if name in state.dict or column is mapper.version_id_col or column.foreign_keys:
            continue
        if column.default is not None and not looks_at_others(column.default):
            setattr(new, name, made_by(column.default))
        elif column.nullable and not column.server_default:
            setattr(new, name, None)


@lru_cache(maxsize=1024)
def _owning(mapper: Any) -> list[tuple[RelationshipProperty[Any], list[str]]]:
    """Return the relationships by which records of a model are parts of a Versioned one.

    With each stand the attributes of the part that hold the owner's key.
    """
    props = (
        (prop, dict(prop.local_remote_pairs))
        for owner in mapper.registry.mappers
        if issubclass(owner.class_, Versioned)
        for prop in owner.relationships
        if prop.cascade.delete_orphan and mapper.isa(prop.mapper) and prop.secondary is None
    )
    return [
        (prop, [mapper.get_property_by_column(remote[key]).key for key in prop.parent.primary_key])
        for prop, remote in props
        if remote.keys() >= set(prop.parent.primary_key)
    ]


@lru_cache(maxsize=1024)
def _ruled(mapper: Any) -> list[tuple[RelationshipProperty[Any], Rules]]:
    """Return the relationships to a model's parts, and what of two of these must not be equal."""
    props = ((one, one.mapper.local_table) for one in mapper.relationships if _has_parts(one))
    pairs = ((one, tuple(_unique(one, table))) for one, table in props)
    return [(prop, rules) for prop, rules in pairs if rules]


def _has_parts(prop: Any) -> bool:
    return prop.cascade.delete_orphan and prop.secondary is None and prop.direction is ONETOMANY


def _unique(prop: Any, table: Any) -> Iterator[tuple[str, ...]]:
    """Yield the attributes of each unique rule, without those that hold the owner's key."""
    rules = (*table.constraints, *table.indexes)
    for rule in rules:
        if isinstance(rule, sa.UniqueConstraint) or getattr(rule, "unique", False):
            yield tuple(
                prop.mapper.get_property_by_column(column).key
                for column in rule.columns
                if column not in prop.remote_side
            )
