"""What alembic/env.py does: the database, the metadata of the modules, safe migrations."""

import logging
import re
import traceback
from collections.abc import Sequence
from functools import cache, partial
from typing import Any

from alembic.util import CommandError
from flask import Flask, current_app
from sqlalchemy import Connection, MetaData, Table, inspect
from sqlalchemy.exc import SQLAlchemyError

from config import ConfigError
from core.comparison import render_item
from core.database import check_connection, is_not_allowed, reason, remedy
from core.factory import create_app
from core.module_errors import ModuleError
from core.modules import installed_metadata, installed_tables
from core.revisions import complete_revision, is_conditional
from core.schema_state import heads_of
from services import db, log

LOCK_SECONDS = 5
# Alembic prints its errors; in the log they would be on the screen a second time.
logging.getLogger("alembic.util.messaging").disabled = True


def module_metadata() -> list[MetaData]:
    """Return the metadata of all models that INSTALLED_APPS brings."""
    with _app().app_context():
        return installed_metadata()


def migrate(context: Any, target_metadata: Sequence[MetaData]) -> None:
    """Run the command's revisions on the app's database, or write their SQL (--sql)."""
    with _app().app_context():
        try:
            heads = heads_of(context.script)
        except LookupError as error:
            raise CommandError(str(error)) from error
        metadata = list(dict.fromkeys([*installed_metadata(), *target_metadata]))
        if context.is_offline_mode():
            url = db.engine.url.render_as_string(hide_password=False)
            _run(context, metadata, url=url, literal_binds=True)
            return
        try:
            check_connection()
            with db.engine.connect() as connection:
                _prepare(connection)
                _run(context, metadata, connection=connection)
        except ConfigError as error:
            raise CommandError(str(error)) from error
        except CommandError as error:
            raise _with_remedy(error, heads) from None
        except SQLAlchemyError as error:
            if not is_not_allowed(error):
                raise
            raise CommandError(f"{reason(error)}: {remedy(error)}.") from error


def _with_remedy(error: CommandError, heads: Sequence[str]) -> CommandError:
    """Return Alembic's refusal with what to do about it added, where that is known."""
    text = str(error).rstrip(".")
    if "Can't locate revision" in text:
        return CommandError(
            f"{text}: if the database is at it, take the code that has it, or bring its file back "
            "from git into alembic/versions/."
        )
    # Alembic's own words are only that the database is not up to date, or that it wants one head.
    if len(heads) > 1 and re.search("head|up to date", text):
        return CommandError(
            f"{text}. alembic/versions/ has {len(heads)} last revisions, {', '.join(heads)}: "
            'join them with alembic merge -m "join" heads, then alembic upgrade head.'
        )
    return error


@cache
def _app() -> Flask:
    """Return this command's application, without a time limit: a back-fill may run for long."""
    try:
        return create_app({"DB_STATEMENT_TIMEOUT_MS": 0})
    except (ConfigError, ModuleError) as error:
        if error.__cause__:
            traceback.print_exception(error.__cause__)
        # Alembic prints this one as a sentence.
        raise CommandError(str(error)) from error


def _run(context: Any, metadata: list[MetaData], **where: Any) -> None:
    schemas = {table.schema for one in metadata for table in one.tables.values()} | {None}
    context.configure(
        target_metadata=metadata,
        # On every engine, so that a revision made on one applies on SQLite too.
        render_as_batch=True,
        compare_type=True,
        compare_server_default=True,
        # Checks are compared by name, because the engines repeat their text in words of their own.
        autogenerate_plugins=["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
        include_schemas=len(schemas) > 1,
        # Only the schemas that models name: the tables in all others belong to somebody else.
        include_name=lambda name, kind, parents: kind != "schema" or name in schemas,
        include_object=partial(_include_object, where.get("connection")),
        render_item=render_item,
        process_revision_directives=complete_revision,
        on_version_apply=_check_foreign_keys,
        transaction_per_migration=True,
        # Our SQLite engine begins real transactions, so a failed revision leaves nothing behind.
        transactional_ddl=True if db.engine.dialect.name == "sqlite" else None,
        **where,
    )
    with context.begin_transaction():
        context.run_migrations()


def _include_object(
    connection: Any, item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any
) -> bool:
    """Leave alone the tables that no listed module declares, except those in ALEMBIC_ALLOW_DROP.

    Also leave alone indexes for one engine's searches, which revisions make by hand and no model
    declares, and checks: MariaDB adds some for JSON, and older ones have no name in their model.
    """
    if is_conditional(item):
        # A revision would make it on every database, though it is meant for one.
        return False
    if kind == "check_constraint" and not reflected:
        # The check of a type, as of an enum's members, is made by the type, under its own name.
        return not item._type_bound  # noqa: SLF001
    if kind == "table" and not reflected and compare_to is None:
        # A model may stand for a view, which a revision makes by hand.
        return not _is_there(connection, item)
    if not reflected or compare_to is not None:
        return True
    if kind == "check_constraint":
        return False
    if kind == "index":
        return not item.dialect_kwargs.get("postgresql_ops")
    if kind != "table" or name in current_app.config["ALEMBIC_ALLOW_DROP"]:
        return True
    log.warning(
        "Table %s belongs to no module of INSTALLED_APPS and is left alone; to drop it, run "
        "the command with ALEMBIC_ALLOW_DROP=%s.%s",
        name,
        name,
        _renamed(connection, item),
    )
    return False


def _renamed(connection: Any, table: Table) -> str:
    """Return what to do if this table without a model is a model's table under an old name."""
    same = [one for one in installed_tables() if _names(one) == _names(table)]
    alike = [one.name for one in same if not _is_there(connection, one)]
    names = " or ".join(alike)
    return f" If it is called {names} now, rename it: docs/migrations.md." if alike else ""


def _is_there(connection: Any, table: Table) -> bool:
    """Tell whether the database has a table, or a view, of this name."""
    return bool(inspect(connection).has_table(table.name, schema=table.schema))


def _names(table: Table) -> set[str]:
    return {column.name for column in table.columns}


def _prepare(connection: Connection) -> None:
    """Keep a migration from deleting child rows (SQLite) and from waiting for ever (the others)."""
    dialect = connection.dialect.name
    if dialect == "sqlite":
        # Batch mode replaces the table; with foreign keys on, the drop would cascade. The pragma
        # does nothing inside a transaction, hence the driver's connection.
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA foreign_keys = OFF")
        return
    setting = f"lock_timeout = '{LOCK_SECONDS}s'"
    if dialect != "postgresql":
        setting = f"lock_wait_timeout = {LOCK_SECONDS}"
    connection.exec_driver_sql(f"SET {setting}")
    connection.commit()


def _check_foreign_keys(ctx: Any, **step: Any) -> None:
    """Undo a revision that leaves rows without parents: with keys off, SQLite does not check."""
    if ctx.as_sql or ctx.dialect.name != "sqlite":
        return
    if broken := ctx.connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall():
        tables = ", ".join(sorted({row[0] for row in broken}))
        raise CommandError(
            f"After this revision rows of {tables} would have no parent, so it was undone: "
            "let it mend or delete those rows."
        )
