"""What alembic/env.py does: database, metadata of the modules, portable and safe revisions."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.util import CommandError
from flask import Flask, current_app
from sqlalchemy import Connection, MetaData
from sqlalchemy.sql.functions import now

from config import ConfigError
from core.base import UTCDateTime
from core.factory import create_app
from core.modules import ModuleError, installed_metadata
from services import db, log

LOCK_SECONDS = 5


def module_metadata() -> list[MetaData]:
    """Return the metadata of all models that INSTALLED_APPS brings."""
    with _app().app_context():
        return installed_metadata()


def migrate(context: Any, target_metadata: Sequence[MetaData]) -> None:
    """Run the command's revisions on the app's database, or write their SQL (--sql)."""
    with _app().app_context():
        metadata = list(dict.fromkeys([*installed_metadata(), *target_metadata]))
        options = _options(metadata)
        if context.is_offline_mode():
            url = db.engine.url.render_as_string(hide_password=False)
            _run(context, url=url, literal_binds=True, **options)
            return
        with db.engine.connect() as connection:
            _prepare(connection)
            _run(context, connection=connection, **options)
            _check_foreign_keys(connection)


_own_app: list[Flask] = []


def _app() -> Flask:
    """Return the application of this command, made once."""
    if not _own_app:
        try:
            _own_app.append(create_app())
        except (ConfigError, ModuleError) as error:
            # Alembic prints this one as a sentence.
            raise CommandError(str(error)) from error
    return _own_app[0]


def _run(context: Any, **options: Any) -> None:
    context.configure(**options)
    with context.begin_transaction():
        context.run_migrations()


def _options(metadata: list[MetaData]) -> dict[str, Any]:
    drops = _Drops(metadata, current_app.config["ALEMBIC_ALLOW_DROP"])
    return {
        "target_metadata": metadata,
        # On every engine, so that a revision made on one applies on SQLite too.
        "render_as_batch": True,
        "compare_type": True,
        "compare_server_default": _compare_default,
        "include_object": drops.include_object,
        "render_item": _render_item,
        "process_revision_directives": _warn_of_risks,
        "transaction_per_migration": True,
        # Our SQLite engine begins real transactions, so a failed revision leaves nothing behind.
        "transactional_ddl": None if db.engine.dialect.name != "sqlite" else True,
    }


def _prepare(connection: Connection) -> None:
    """Keep a migration from deleting child rows (SQLite) and from waiting for ever (the others)."""
    dialect = connection.dialect.name
    if dialect == "sqlite":
        # Batch mode replaces the table; with foreign keys on, the drop would cascade. The pragma
        # does nothing inside a transaction, hence the driver's connection.
        _driver(connection).execute("PRAGMA foreign_keys = OFF")
    elif dialect == "postgresql":
        connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_SECONDS}s'")
        connection.exec_driver_sql("SET statement_timeout = 0")
        connection.commit()
    else:
        connection.exec_driver_sql(f"SET lock_wait_timeout = {LOCK_SECONDS}")
        connection.commit()


def _check_foreign_keys(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    connection.rollback()
    _driver(connection).execute("PRAGMA foreign_keys = ON")
    if broken:
        tables = ", ".join(sorted({row[0] for row in broken}))
        raise CommandError(f"The migration left rows without their parents in: {tables}.")


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


class _Drops:
    """Leaves tables alone that no listed module declares, but for those in ALEMBIC_ALLOW_DROP."""

    def __init__(self, metadata: Iterable[MetaData], allowed: Iterable[str]) -> None:
        self.declared = {name for one in metadata for name in one.tables}
        self.allowed = set(allowed)

    def include_object(
        self, item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any
    ) -> bool:
        if kind != "table" or not reflected or compare_to is not None or name in self.allowed:
            return True
        log.warning(
            "Table %s belongs to no module of INSTALLED_APPS and is left alone; to drop it, run "
            "the command with ALEMBIC_ALLOW_DROP=%s.",
            name,
            name,
        )
        return False


def _compare_default(
    context: Any, reflected: Any, column: Any, inspected: Any, metadata: Any, rendered: Any
) -> bool | None:
    # PostgreSQL cannot compare json values; None leaves the rest to Alembic.
    return False if isinstance(column.type, sa.JSON) else None


def _render_item(kind: str, item: Any, context: AutogenContext) -> str | bool:
    """Write types and defaults so that a revision made on one engine applies on the others."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "server_default" and isinstance(item, sa.DefaultClause):
        return _portable_default(item.arg)
    return False


def _portable_default(default: Any) -> str | bool:
    if isinstance(default, sa.sql.elements.True_):
        return "sa.true()"
    if isinstance(default, sa.sql.elements.False_):
        return "sa.false()"
    if isinstance(default, now):
        return "sa.func.now()"
    return False


def _warn_of_risks(context: Any, revision: Any, directives: list[Any]) -> None:
    """Warn on the screen and in the file of what loses data or fails on a table with rows."""
    for script in directives:
        for warning in dict.fromkeys(_risks(script.upgrade_ops)):
            log.warning("%s", warning)
            script.imports.add(f"# WARNING: {warning}")


def _risks(operations: Any) -> Iterator[str]:
    for operation in operations.ops:
        if hasattr(operation, "ops"):
            yield from _risks(operation)
        elif isinstance(operation, ops.DropTableOp):
            yield f"Table {operation.table_name} is dropped with its rows."
        elif isinstance(operation, ops.DropColumnOp):
            yield (
                f"Column {operation.table_name}.{operation.column_name} is dropped with its "
                "values; for a rename write batch_op.alter_column(..., new_column_name=...)."
            )
        elif isinstance(operation, ops.AddColumnOp) and _lacks_value(operation.column):
            yield (
                f"Column {operation.table_name}.{operation.column.name} is NOT NULL without a "
                "server_default: a table that has rows refuses it."
            )
        elif isinstance(operation, ops.AlterColumnOp) and operation.modify_nullable is False:
            yield (
                f"Column {operation.table_name}.{operation.column_name} becomes NOT NULL: fill "
                "its NULLs in this revision first."
            )


def _lacks_value(column: sa.Column[Any]) -> bool:
    return not column.nullable and column.server_default is None
