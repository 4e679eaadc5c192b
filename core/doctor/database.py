"""Checks of the database: it answers, holds any text, and has the tables that the models expect."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import Connection, Enum, String, cast, select, text
from sqlalchemy.exc import SQLAlchemyError

from core.database import is_not_allowed, reason, remedy
from core.doctor.finding import Finding, fail, ok, warn
from core.modules import installed_tables
from core.schema_state import (
    WARNING,
    alembic_config,
    alembic_part,
    current_revisions,
    heads_of,
    revisions,
)
from services import db

ENCODINGS = {
    "sqlite": ("PRAGMA encoding", "UTF-8", "copy the data into a new file"),
    "postgresql": ("SHOW server_encoding", "UTF8", "create it again with ENCODING 'UTF8'"),
    "mysql": (
        "SELECT @@character_set_database",
        "utf8mb4",
        "ALTER DATABASE ... CHARACTER SET utf8mb4, before its tables are made",
    ),
}
ENCODINGS["mariadb"] = ENCODINGS["mysql"]
# These find a standby, or a server whose disk is full.
READ_ONLY = {
    "postgresql": "SHOW transaction_read_only",
    **dict.fromkeys(("mysql", "mariadb"), "SELECT @@read_only"),
}
RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
LACKING = """
SELECT name, one FROM unnest(CAST(:tables AS text[])) name, unnest(CAST(:rights AS text[])) one
WHERE to_regclass(name) IS NOT NULL AND NOT has_table_privilege(to_regclass(name)::oid, one)
"""
# Rows per table: looking through all of a large one would take long.
LOOKED_AT = 100_000
ENUM_REMEDY = "give these rows another by a revision (docs/migrations.md), or bring the member back"


def examine(app: Flask) -> Iterator[Finding]:
    """Connect, then look at encoding, migrations and models."""
    url = db.engine.url.render_as_string(hide_password=True)
    if _is_missing_file():
        # Connecting would create it.
        command = "flask setup (in production: alembic upgrade head)"
        yield fail("database", f"{url} does not exist yet", command)
        return
    try:
        with db.engine.connect() as connection:
            yield ok("database", f"{url} answers")
            yield from _encoding(connection)
            yield from _rights(connection)
            migrations = list(_migrations(connection))
    except SQLAlchemyError as error:
        if is_not_allowed(error):
            yield fail("rights", reason(error), remedy(error))
        else:
            yield fail("database", f"{url}: {reason(error)}", remedy(error))
        return
    yield from migrations
    # Alembic compares only at head; and with a broken module, env.py does not start.
    if migrations[0].status == "ok" and not app.extensions.get("troubles"):
        try:
            yield from _models()
        except SQLAlchemyError as error:
            yield fail("models", reason(error), "repeat it: somebody uses a table, or ended this")
        yield from _members()


def _is_missing_file() -> bool:
    name = db.engine.url.database
    in_memory = not name or name == ":memory:" or name.startswith("file:")
    return db.engine.dialect.name == "sqlite" and not in_memory and not Path(str(name)).exists()


def _encoding(connection: Connection) -> Iterator[Finding]:
    if connection.dialect.name not in ENCODINGS:
        return
    query, wanted, command = ENCODINGS[connection.dialect.name]
    found = connection.scalar(text(query))
    if found == wanted:
        yield ok("encoding", found)
    else:
        yield fail("encoding", f"the database stores {found}, not {wanted}", command)


def _rights(connection: Connection) -> Iterator[Finding]:
    """Ask whether anybody may write, and PostgreSQL also what the role may do with the tables."""
    name = connection.dialect.name
    if name in READ_ONLY and str(connection.scalar(text(READ_ONLY[name]))) in ("on", "1"):
        advice = "name the primary server, or let this one write (default_transaction_read_only)"
        yield fail("rights", "the database only reads", advice)
    if name != "postgresql":
        return
    write = connection.dialect.identifier_preparer.format_table
    tables = list(map(write, installed_tables()))
    lacking = connection.execute(text(LACKING), {"tables": tables, "rights": list(RIGHTS)}).all()
    for right in RIGHTS:
        if lost := [table for table, one in lacking if one == right]:
            more = f" and {len(lost) - 3} more" if lost[3:] else ""
            what = f"the role may not {right} {', '.join(lost[:3])}{more}"
            # A role that only reads, or never deletes, may be intended.
            found = fail if right == "SELECT" else warn
            yield found("rights", what, f"GRANT {right} ON ... TO the role (docs/migrations.md)")


def _migrations(connection: Connection) -> Iterator[Finding]:
    current = current_revisions(connection)
    try:
        scripts = revisions()
        heads = heads_of(scripts)
        known = {script.revision for script in scripts.walk_revisions()}
    except Exception as error:
        yield fail("migrations", f"{type(error).__name__}: {error}", "mend alembic/versions/")
        return
    if len(heads) > 1:
        yield fail("migrations", f"{len(heads)} heads: {', '.join(heads)}", "alembic merge heads")
    elif unknown := current - known:
        advice = "take the code that has it, or bring its file back from git"
        yield fail("migrations", f"alembic/versions/ lacks the database's {min(unknown)}", advice)
    elif set(heads) != current:
        text = (
            f"pending: the database is at {', '.join(sorted(current)) or 'none'}, not at {heads[0]}"
        )
        yield fail("migrations", text, "alembic upgrade head")
        yield from _warned(scripts, current)
    else:
        yield ok("migrations", f"at head ({', '.join(heads) or 'no revisions'})")


def _warned(scripts: Any, current: set[str]) -> Iterator[Finding]:
    """Name the pending revisions that warn of what they lose or may fail at."""
    applied = {one.revision for one in scripts.iterate_revisions(tuple(current), "base")}
    for script in scripts.walk_revisions():
        path = Path(script.path)
        if script.revision not in applied and WARNING in path.read_text(encoding="utf-8"):
            advice = "deal with it before alembic upgrade head, then delete the line"
            yield warn("migrations", f"{path.name} has a line {WARNING}", advice)


def _models() -> Iterator[Finding]:
    """Let `alembic check` compare the models with the database, as env.py says."""
    try:
        alembic_part("command").check(alembic_config(stdout=io.StringIO()))
    except alembic_part("util").exc.AutogenerateDiffsDetected as error:
        commands = 'alembic revision --autogenerate -m "..." and alembic upgrade head'
        yield fail("models", f"{len(error.diffs)} differences from the migrations", commands)
    except alembic_part("util").CommandError as error:
        yield fail("models", str(error), "mend alembic/env.py or what it names")
    else:
        yield ok("models", "as the migrations made them")


def _members() -> Iterator[Finding]:
    """Look for rows whose value is no member of their enum: reading such a row fails."""
    columns: list[Any] = [column for table in installed_tables() for column in table.columns]
    for column in (one for one in columns if isinstance(one.type, Enum)):
        # Cast to text, because PostgreSQL's own enums compare only with their members.
        rows = select(cast(column, String).label("stored")).limit(LOOKED_AT)
        stored = rows.subquery().c.stored
        query = select(stored).where(stored.not_in(column.type.enums)).limit(1)
        try:
            with db.engine.connect() as connection:
                lost = connection.scalar(query)
        except SQLAlchemyError:
            continue  # The comparison above has reported the missing column.
        if lost is not None:
            sentence = f"{column} holds {lost!r}, which is no member of its enum"
            yield fail("models", sentence, ENUM_REMEDY)
