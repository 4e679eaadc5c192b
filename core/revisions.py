"""What autogenerate writes: revisions in an order that works everywhere, which name their risks."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops
from alembic.util.sqla_compat import is_expression_index
from sqlalchemy.schema import conv, sort_tables_and_constraints

from core.base import NAMING_CONVENTION
from core.portable import make_portable, portable_check
from core.risks import risks
from core.schema_state import WARNING
from services import log

INDEX_OPS = (ops.CreateIndexOp, ops.DropIndexOp)


def complete_revision(context: Any, revision: Any, directives: list[Any]) -> None:
    """Make a revision portable; warn, on the screen and in it, of what loses data or may fail."""
    metadata = context.opts["target_metadata"]
    for script in directives:
        if context.dialect.name in ("mysql", "mariadb"):
            _tell_rules_from_indexes(script.upgrade_ops)
        _name_rules(script.upgrade_ops)
        _drop_checks_of_columns(script.upgrade_ops, metadata, context.connection)
        _put_in_order(script.upgrade_ops, metadata, context.connection)
        _lift_keys(script.upgrade_ops, metadata, context.connection)
        _part_circles(script.upgrade_ops)
        _leave_nullable_open(script.upgrade_ops)
        script.upgrade_ops.reverse_into(script.downgrade_ops)
        _part_circles(script.downgrade_ops)
        for change in _changes(script.downgrade_ops.ops):
            make_portable(change)
        for operations in (script.upgrade_ops, script.downgrade_ops):
            _open_circles(operations)
            _drop_whole_tables(operations)
            _part_expressions(operations)
            _describe_by_model(operations, metadata)
        quote = context.dialect.identifier_preparer.quote
        changes = list(_changes(script.upgrade_ops.ops))
        warnings = [*_left_out(script.upgrade_ops), *risks(changes, quote)]
        # Each in one line: the text of a rule may have several.
        for warning in dict.fromkeys(" ".join(one.split()) for one in warnings):
            log.warning("%s", warning)
            script.imports.add(f"{WARNING} {warning}")


def _tell_rules_from_indexes(operations: Any) -> None:
    """Drop a unique rule as a rule, though MariaDB reports an index: other engines have none."""
    for one in operations.ops:
        if isinstance(one, ops.ModifyTableOps):
            one.ops = [_as_rule(change) for change in one.ops]


def _as_rule(change: Any) -> Any:
    # The naming convention begins the name of a unique rule with uq_.
    if not isinstance(change, ops.DropIndexOp) or not str(change.index_name).startswith("uq_"):
        return change
    index: Any = change.to_index()
    rule = sa.UniqueConstraint(*index.columns, name=index.name)
    index.table.append_constraint(rule)
    return ops.DropConstraintOp.from_constraint(rule)


def _name_rules(operations: Any) -> None:
    """Name the unnamed rules of a module's own base: a later revision drops them by name."""
    for change in _changes(operations.ops):
        match change:
            case ops.CreateTableOp():
                for part in change.columns:
                    _name_rule(part, change.table_name)
            case ops.CreateUniqueConstraintOp(constraint_name=None):
                change.constraint_name = _conventional("uq", change.table_name, change.columns)
            case ops.CreateForeignKeyOp(constraint_name=None):
                names = change.source_table, change.local_cols, change.referent_table
                change.constraint_name = _conventional("fk", *names)


def _name_rule(part: Any, table: str) -> None:
    match part:
        case sa.UniqueConstraint(name=None):
            part.name = _conventional("uq", table, [column.name for column in part.columns])
        case sa.ForeignKeyConstraint(name=None):
            columns = [one.parent.name for one in part.elements]
            part.name = _conventional("fk", table, columns, _target(part).rpartition(".")[2])


def _conventional(kind: str, table: str, columns: Iterable[str], target: str = "") -> Any:
    names = {
        "table_name": table,
        "column_0_N_name": "_".join(columns),
        "referred_table_name": target,
    }
    return conv(NAMING_CONVENTION[kind] % names)


def _drop_checks_of_columns(
    operations: Any, metadata: list[sa.MetaData], connection: sa.Connection
) -> None:
    """Drop a check before a column that it names: SQLite and MariaDB do not do so by themselves."""
    declared = [table for one in metadata for table in one.tables.values()]
    kept = {(table.name, rule.name) for table in declared for rule in table.constraints}
    for one in operations.ops:
        changes = getattr(one, "ops", ())
        gone = [change.column_name for change in changes if isinstance(change, ops.DropColumnOp)]
        if gone:
            checks = _checks_on(sa.inspect(connection), one, gone)
            lost = [check for check in checks if (one.table_name, check.name) not in kept]
            one.ops[:0] = map(ops.DropConstraintOp.from_constraint, lost)


def _checks_on(there: Any, change: Any, columns: list[str]) -> Iterator[sa.CheckConstraint]:
    """Yield the checks of a table in the database whose text names one of the columns."""
    table = sa.Table(change.table_name, sa.MetaData(), schema=change.schema)
    words = re.compile(rf"(?i)\b(?:{'|'.join(map(re.escape, columns))})\b")
    for told in there.get_check_constraints(change.table_name, schema=change.schema):
        text = told["sqltext"]
        names = re.sub("'[^']*'", "", text)
        # MariaDB's own check of a JSON column has the column's name, and is dropped with it.
        if told["name"] and told["name"] not in columns and words.search(names):
            check = sa.CheckConstraint(portable_check(text), name=conv(told["name"]))
            table.append_constraint(check)
            yield check


def _put_in_order(operations: Any, metadata: list[sa.MetaData], connection: sa.Connection) -> None:
    """Change parents first, as they may get the rules that keys to them need; drop tables last.

    Foreign keys are dropped before all that, since a parent may lose the rule that they needed.
    Alembic orders tables by name. The sort is stable: an index stays behind its table.
    """
    declared = [table for one in metadata for table in one.tables.values()]
    # The last pair has no table, only the foreign keys of circles.
    *parents_first, _ = sort_tables_and_constraints(declared)  # type: ignore[no-untyped-call]
    children_first = reversed(sa.inspect(connection).get_sorted_table_and_fkc_names())
    gone = {one.table_name for one in operations.ops if isinstance(one, ops.DropTableOp)}
    order = [
        *(table.name for table, _ in parents_first),
        *(name for name, _ in children_first if name in gone),
    ]
    rank = {name: place for place, name in enumerate(order)}
    operations.ops.sort(key=lambda one: rank.get(getattr(one, "table_name", ""), len(rank)))
    _drop_keys_first(operations)
    for one in operations.ops:
        if isinstance(one, ops.ModifyTableOps):
            _make_indexes_first(one)
            _compute_last(one)
            _drop_computed_first(one)


def _make_indexes_first(table: Any) -> None:
    """Make new indexes before dropping others: MariaDB drops none that alone serves a key."""
    places = [n for n, one in enumerate(table.ops) if isinstance(one, INDEX_OPS)]
    changes = [table.ops[place] for place in places]
    gone = {one.index_name for one in changes if isinstance(one, ops.DropIndexOp)}
    made = [one for one in changes if isinstance(one, ops.CreateIndexOp)]
    # An index that changes keeps its name, so it is dropped before it is made.
    first = [one for one in made if one.index_name not in gone]
    last = [one for one in made if one.index_name in gone]
    drops = [one for one in changes if one not in made]
    for place, one in zip(places, [*first, *drops, *last], strict=True):
        table.ops[place] = one


def _compute_last(table: Any) -> None:
    """Add computed columns after changes of type: PostgreSQL refuses one in a column they read."""
    changes = [one for one in table.ops if isinstance(one, ops.AlterColumnOp)]
    added = [one for one in table.ops if isinstance(one, ops.AddColumnOp)]
    computed = [one for one in added if one.column.computed is not None]
    if changes and computed:
        rest = [one for one in table.ops if one not in computed]
        place = rest.index(changes[-1]) + 1
        table.ops = [*rest[:place], *computed, *rest[place:]]


def _drop_computed_first(table: Any) -> None:
    """Drop computed columns, and their indexes, before the columns that they read change or go."""
    drops = [one for one in table.ops if isinstance(one, ops.DropColumnOp)]
    computed = [one for one in drops if one.to_column().computed is not None]
    names = {one.column_name for one in computed}
    indexes = [one for one in table.ops if isinstance(one, ops.DropIndexOp)]
    theirs = [one for one in indexes if names & {c.name for c in one.to_index().columns}]
    first = [*theirs, *computed]
    table.ops = [*first, *(one for one in table.ops if one not in first)]


def _drop_keys_first(operations: Any) -> None:
    """Drop foreign keys to other tables of this revision before all other changes."""
    changed = {getattr(one, "table_name", "") for one in operations.ops}
    first = []
    for one in operations.ops:
        if isinstance(one, ops.ModifyTableOps):
            others = changed - {one.table_name}
            keys = [change for change in one.ops if _drops_key_to(others, change)]
            one.ops = [change for change in one.ops if change not in keys]
            first.append(ops.ModifyTableOps(one.table_name, keys, schema=one.schema))
    # A table from which only keys are dropped has no changes left.
    operations.ops = [one for one in (*first, *operations.ops) if getattr(one, "ops", True)]


def _drops_key_to(tables: set[str], change: Any) -> bool:
    if not isinstance(change, ops.DropConstraintOp) or change.constraint_type != "foreignkey":
        return False
    key: Any = change.to_constraint()
    return _target(key).rpartition(".")[2] in tables


def _lift_keys(operations: Any, metadata: list[sa.MetaData], connection: sa.Connection) -> None:
    """Drop foreign keys while a column of theirs changes its type, as MariaDB requires."""
    changes = list(_changes(operations.ops))
    changed = {
        (change.table_name, change.column_name)
        for change in changes
        if isinstance(change, ops.AlterColumnOp) and change.modify_type is not None
    }
    drops = [one for one in changes if isinstance(one, (ops.DropConstraintOp, ops.DropTableOp))]
    gone = {getattr(one, "constraint_name", one.table_name) for one in drops}
    there = sa.inspect(connection)
    # Keys of others, or in other schemas, could not be made again.
    ours = {table.name for one in metadata for table in one.tables.values()} - gone
    for table in sorted(ours.intersection(there.get_table_names()) if changed else ()):
        for key in there.get_foreign_keys(table):
            name, columns, target = key["name"], key["constrained_columns"], key["referred_table"]
            ends = {(table, column) for column in columns}
            ends |= {(target, column) for column in key["referred_columns"]}
            is_other = name in (None, *gone) or key["referred_schema"]
            if ends & changed and not is_other:
                names = name, table, target, columns, key["referred_columns"]
                make = ops.CreateForeignKeyOp(*names, **key["options"])
                drop = ops.DropConstraintOp(name, table, type_="foreignkey", _reverse=make)
                operations.ops.insert(0, ops.ModifyTableOps(table, [drop]))
                operations.ops.append(ops.ModifyTableOps(table, [make]))


def _part_circles(operations: Any) -> None:
    """Make a foreign key to a later table after both: Alembic fails on it, or forgets it."""
    tables = [one for one in operations.ops if isinstance(one, ops.CreateTableOp)]
    later = [one.to_table().fullname for one in tables]
    for made in tables:
        later.pop(0)
        late: list[Any] = [part for part in made.columns if _is_late(part, later)]
        made.columns = [part for part in made.columns if not _is_late(part, later)]
        keys: list[Any] = [ops.CreateForeignKeyOp.from_constraint(key) for key in late]
        if keys:
            operations.ops.append(ops.ModifyTableOps(made.table_name, keys, schema=made.schema))


def _is_late(part: Any, later: list[str]) -> bool:
    if not isinstance(part, sa.ForeignKeyConstraint):
        return False
    return bool(part.use_alter) or _target(part) in later


def _target(key: sa.ForeignKeyConstraint) -> str:
    """Return the table that a foreign key refers to."""
    target = key.elements[0].target_fullname.rpartition(".")[0]
    schema = key.table.metadata.schema
    return f"{schema}.{target}" if schema and "." not in target else target


def _open_circles(operations: Any) -> None:
    """Drop a foreign key to a table that is dropped earlier, before both; SQLite checks none."""
    gone: set[str] = set()
    keys: list[Any] = []
    for one in operations.ops:
        if isinstance(one, ops.DropTableOp):
            table = one.to_table()
            for key in table.foreign_key_constraints:
                if key.name and _target(key) in gone:
                    drop = ops.DropConstraintOp.from_constraint(key)
                    keys.append(ops.ModifyTableOps(one.table_name, [drop], schema=one.schema))
            gone.add(table.fullname)
    operations.ops[:0] = keys


def _leave_nullable_open(operations: Any) -> None:
    """Leave NULL open in computed columns, as their model does: MariaDB takes no NOT NULL there."""
    for change in _changes(operations.ops):
        for part in (*getattr(change, "columns", ()), getattr(change, "column", None)):
            if getattr(part, "computed", None) is not None:
                part.nullable = None


def _drop_whole_tables(operations: Any) -> None:
    """Leave a table's indexes to its DROP TABLE: MariaDB drops none that a foreign key needs."""
    gone = {one.table_name for one in operations.ops if isinstance(one, ops.DropTableOp)}
    operations.ops = [
        one
        for one in operations.ops
        if getattr(one, "table_name", "") not in gone
        or not all(map(_goes_with_its_table, _changes([one])))
    ]


def _goes_with_its_table(change: Any) -> bool:
    is_rule = isinstance(change, ops.DropConstraintOp) and change.constraint_type == "unique"
    return is_rule or isinstance(change, ops.DropIndexOp)


def _part_expressions(operations: Any) -> None:
    """Change indexes of expressions in a step of their own: SQLite's table copies have none."""
    parted = []
    for one in operations.ops:
        changes = getattr(one, "ops", [])
        apart = [
            change
            for change in changes
            if isinstance(change, INDEX_OPS) and is_expression_index(change.to_index())
        ]
        rest = [change for change in changes if change not in apart]
        if not apart or not rest:
            parted.append(one)
            continue
        first = [change for change in apart if isinstance(change, ops.DropIndexOp)]
        last = [change for change in apart if change not in first]
        steps = filter(None, (first, rest, last))
        parted += [ops.ModifyTableOps(one.table_name, step, schema=one.schema) for step in steps]
    operations.ops = parted


def _describe_by_model(operations: Any, metadata: list[sa.MetaData]) -> None:
    """Describe what a change keeps by the model: the database reports it in its own dialect."""
    tables = {name: table for one in metadata for name, table in one.tables.items()}
    for change in _changes(operations.ops):
        if isinstance(change, ops.AlterColumnOp):
            column = tables[change.table_name].columns[change.column_name]
            if change.modify_type is None:
                change.existing_type = column.type
            if change.modify_server_default is False:
                change.existing_server_default = column.server_default or False


def _changes(operations: Iterable[Any]) -> Iterator[Any]:
    for operation in operations:
        yield from getattr(operation, "ops", [operation])


def is_conditional(item: Any) -> bool:
    """Tell whether a rule or an index is for some databases alone (ddl_if)."""
    return getattr(item, "_ddl_if", None) is not None


def _left_out(operations: Any) -> Iterator[str]:
    """Take rules for one database (ddl_if) out of new tables, which are made on all; name them."""
    for change in _changes(operations.ops):
        parts: list[Any] = [*change.columns] if isinstance(change, ops.CreateTableOp) else []
        if left := [one for one in parts if is_conditional(one)]:
            change.columns = [one for one in parts if not is_conditional(one)]
            yield from (
                f"{part.name} of {change.table_name} is for one database alone (ddl_if): write it "
                "by hand, as docs/recipes.md does."
                for part in left
            )
