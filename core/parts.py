"""Parts: the records that live and die with another, as the lines of an invoice do (delete-orphan).

A change of a part counts as one of its owner; a new part that replaces another takes over its row.
"""

from collections.abc import Hashable, Iterable, Iterator
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import MANYTOONE, ONETOMANY, RelationshipProperty, Session
from sqlalchemy.orm.attributes import has_parent
from sqlalchemy.orm.base import PASSIVE_MERGE, PASSIVE_NO_INITIALIZE

from core.columns import looks_at_others, made_by, server_value, set_value
from core.models import Versioned, raise_version

# For each unique rule, the attributes of a part, without those that hold the owner's key.
Rules = tuple[tuple[str, ...], ...]


@event.listens_for(Session, "before_flush")
def tend_parts(session: Any, context: Any, instances: Any) -> None:
    """Raise the versions of owners, and let new parts take over the rows of removed ones."""
    for record in session.dirty:
        state = sa.inspect(record)
        for owner in _owners(session, state):
            if session.is_modified(record):
                raise_version(owner)
        for prop, rules in _ruled(state.mapper):
            _keep_rows(state, prop, rules)


def _owners(session: Any, part: Any, below: tuple[Any, ...] = ()) -> Iterator[Any]:
    """Yield the Versioned owners whose version a change of this part raises, at any depth."""
    for prop, names in _owning(part.mapper):
        key = tuple(part.dict.get(name) for name in names)
        owner = session.identity_map.get(prop.parent.identity_key_from_primary_key(key))
        state = None if owner is None else sa.inspect(owner)
        if state is None or prop.key not in state.dict:
            continue
        if isinstance(owner, Versioned):
            yield owner
        elif state not in below:
            yield from _owners(session, state, (*below, state))


def _keep_rows(owner: Any, prop: Any, rules: Rules) -> None:
    """Turn a new part into an UPDATE of a removed one where a unique rule forbids to have both.

    SQLAlchemy inserts before it deletes, except for a new record with the key of a deleted one.
    """
    history = owner.get_history(prop.key, PASSIVE_NO_INITIALIZE)
    if history.added and history.deleted:
        # A part that has moved to another owner keeps its row.
        gone = (
            one for one in history.deleted if one and not has_parent(owner.class_, one, prop.key)
        )
        _pair(prop, rules, history.added, gone)


def _pair(prop: Any, rules: Rules, added: Iterable[Any], removed: Iterable[Any]) -> None:
    old_of = {key: old for old in removed for key in _keys(old, rules)}
    for new in filter(None, added):
        old = next((old_of[key] for key in _keys(new, rules) if key in old_of), None)
        if old is not None and not any(sa.inspect(new).mapper.primary_key_from_instance(new)):
            _take_row(prop, new, old)
            for key in _keys(old, rules):
                old_of.pop(key, None)


def _keys(part: Any, rules: Rules) -> Iterator[Hashable]:
    """Yield the values of each unique rule, which no other part of the same owner may have."""
    state = sa.inspect(part)
    for names in rules:
        values = tuple(_value(state, name) for name in names)
        # A rule with a NULL in it never clashes; a list cannot be looked up.
        if None not in values and all(isinstance(one, Hashable) for one in values):
            yield state.mapper, names, values


def _value(state: Any, name: str) -> Any:
    """Return a value as far as it is known: a related record or a default may provide it."""
    value = state.dict.get(name)
    relation: Any = None if value is not None else _relation(state.mapper, name)
    related = state.dict.get(relation.key) if relation is not None else None
    if related is not None:
        ((_, remote),) = relation.local_remote_pairs
        return getattr(related, relation.mapper.get_property_by_column(remote).key)
    default = state.mapper.columns[name].default
    is_by_default = state.key is None and name not in state.dict and _is_made(default)
    return made_by(default) if is_by_default and not default.is_clause_element else value


def _is_made(default: Any) -> bool:
    return default is not None and not default.is_sequence and not looks_at_others(default)


@lru_cache(maxsize=1024)
def _relation(mapper: Any, name: str) -> Any:
    """Return the relationship behind a foreign key of one column, or None."""
    found = (one for one in mapper.relationships if one.direction is MANYTOONE)
    column = mapper.columns[name]
    return next((one for one in found if one.local_columns == {column}), None)


def _take_row(prop: Any, new: Any, old: Any) -> None:
    """Give a new part the key of a removed one, and nothing else of its row."""
    state = sa.inspect(new)
    mapper = state.mapper
    for name, column in mapper.columns.items():
        if getattr(column, "primary_key", False):
            setattr(new, name, getattr(old, name))
        elif _is_unset(state, prop, name, column):
            if _is_made(column.default):
                set_value(new, name, made_by(column.default))
            elif column.nullable or isinstance(column.server_default, sa.DefaultClause):
                set_value(new, name, server_value(column.server_default))
    for within, rules in _ruled(mapper):
        if added := _members(state, within, PASSIVE_NO_INITIALIZE):
            # The old part's own parts would be deleted, so SQLAlchemy loads them in any case.
            _pair(within, rules, added, _members(sa.inspect(old), within, PASSIVE_MERGE))


def _members(state: Any, prop: Any, passive: Any) -> list[Any]:
    return [one for one in state.get_history(prop.key, passive).non_deleted() if one]


def _is_unset(state: Any, prop: Any, name: str, column: Any) -> bool:
    """Tell whether nobody has set a column that can be set, itself or by its relationship."""
    mapper = state.mapper
    if not isinstance(column, sa.Column) or column.computed is not None or name in state.dict:
        return False
    if column is mapper.version_id_col or column in prop.remote_side:
        return False
    relation = _relation(mapper, name)
    return relation is None or state.dict.get(relation.key) is None


def is_part(mapper: Any) -> bool:
    """Tell whether a change of such a record counts as one of its owner's."""
    return bool(_owning(mapper))


@lru_cache(maxsize=1024)
def _owning(mapper: Any) -> list[tuple[RelationshipProperty[Any], list[str]]]:
    """Return the relationships by which records of a model are parts of another.

    Each comes with the attributes of the part that hold the owner's key.
    """
    props = (
        (prop, dict(prop.local_remote_pairs))
        for owner in mapper.registry.mappers
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
    """Return the relationships to a model's parts that have unique rules, with these rules."""
    many = (one for one in mapper.relationships if one.direction is ONETOMANY)
    pairs = ((one, tuple(_unique(one))) for one in many if one.cascade.delete_orphan)
    return [(prop, rules) for prop, rules in pairs if rules]


def _unique(prop: Any) -> Iterator[tuple[str, ...]]:
    """Yield the attributes of each unique rule, without those that hold the owner's key."""
    table = prop.mapper.local_table
    names = {column: name for name, column in prop.mapper.columns.items()}
    for rule in (*table.constraints, *table.indexes):
        is_unique = isinstance(rule, sa.UniqueConstraint) or getattr(rule, "unique", False)
        columns = list(getattr(rule, "expressions", rule.columns))
        # An index of expressions compares other values than the attributes'.
        if is_unique and all(column in names for column in columns):
            yield tuple(names[column] for column in columns if column not in prop.remote_side)
