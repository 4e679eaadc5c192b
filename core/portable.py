"""Rewrites a database's own words for its tables, so that a downgrade works on any engine."""

import re
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.dialects import mysql, postgresql, sqlite

# Reflected types of a moment; only PostgreSQL reports whether there is a zone.
WITHOUT_ZONE = (sa.DATETIME, sqlite.DATETIME, mysql.DATETIME)
# PostgreSQL's own types that mean no more than those of the other engines.
ON_ALL_ENGINES = (postgresql.BYTEA, postgresql.INTERVAL, postgresql.TIME)
QUOTED = "('(?:[^']|'')*')"
CAST = (
    r"::(?:character varying|double precision|[a-z_][a-z0-9_]*)(?:\([0-9, ]+\))?"
    r"(?: with(?:out)? time zone)?(?:\[\])?"
)
# What MariaDB quotes and PostgreSQL casts when it repeats the text of a check; what stands within
# single quotes is left alone.
OWN_WORDS = re.compile(rf"{QUOTED}|`|{CAST}")
# Other texts may rely on a cast: only the cast of a literal, or one to a text, is removed.
LITERALS = re.compile(rf"{QUOTED}(?:{CAST})?|`|::(?:text|character varying)\b(?:\([0-9]+\))?")
ANY_OF = re.compile(r"= ANY \(\(?ARRAY\[([^\]]*)\]\)?\)")
# How the engines write the present moment, as a default.
NOW = re.compile(r"(?i)\(*(?:now\(\)|current_timestamp(?:\(\d*\))?|strftime\('[^']*', 'now'\))\)*")


def make_portable(change: Any) -> None:
    """Rewrite the types, defaults and rules that an operation restores in words of all engines."""
    if isinstance(change, ops.CreateIndexOp):
        # Alembic keeps the text of an expression in an object of its own.
        texts = [getattr(getattr(part, "text", None), "text", None) for part in change.columns]
        pairs = zip(texts, change.columns, strict=True)
        change.columns = [sa.text(_expression(text)) if text else part for text, part in pairs]
    elif isinstance(change, ops.AlterColumnOp):
        kind = change.modify_type = change.modify_type and generic(change.modify_type)
        kind = kind or generic(change.existing_type)
        change.modify_server_default = _default(change.modify_server_default, kind)
    else:
        for part in (*getattr(change, "columns", ()), getattr(change, "column", None)):
            _make_part_portable(part)


def _make_part_portable(part: Any) -> None:
    if isinstance(part, sa.Column):
        part.type = generic(part.type)
        part.server_default = _default(part.server_default, part.type)
        if part.computed is not None:
            part.computed.sqltext = sa.text(_expression(str(part.computed.sqltext)))
    elif isinstance(part, sa.CheckConstraint):
        part.sqltext = sa.text(portable_check(str(part.sqltext)))


def _default(default: Any, kind: Any) -> Any:
    if not isinstance(default, sa.DefaultClause) or not isinstance(default.arg, sa.TextClause):
        return default
    text = default.arg.text
    if NOW.fullmatch(text):
        return sa.DefaultClause(sa.func.now())
    if isinstance(kind, sa.Boolean) and text.strip("()'") in ("0", "1"):
        return sa.DefaultClause(sa.true() if "1" in text else sa.false())
    return sa.DefaultClause(sa.text(_expression(text)))


def _expression(told: str) -> str:
    return LITERALS.sub(lambda found: found[1] or "", told)


def portable_check(told: str) -> str:
    """Return the text of a check without an engine's own words."""
    text = OWN_WORDS.sub(lambda found: found[1] or "", told)
    return ANY_OF.sub(r"IN (\1)", text)


def generic(kind: Any) -> Any:
    """Return a type that a database reports, perhaps its own, as one that all engines have."""
    while isinstance(kind, sa.TypeDecorator):
        kind = kind.impl_instance
    if isinstance(kind, sa.DateTime):
        # The models' types have a zone, which SQLite and MariaDB do not report.
        return sa.DateTime(timezone=getattr(kind, "timezone", False) or type(kind) in WITHOUT_ZONE)
    if isinstance(kind, sa.Double):
        # Without the precision that PostgreSQL reports: MariaDB refuses it.
        return sa.Double()
    if isinstance(kind, mysql.TINYINT):
        return sa.Boolean() if kind.display_width == 1 else sa.SmallInteger()
    is_of_postgresql = type(kind).__module__.startswith("sqlalchemy.dialects.postgresql")
    if is_of_postgresql and not isinstance(kind, ON_ALL_ENGINES):
        return kind
    if isinstance(kind, (sa.CHAR, sa.REAL)):
        return kind
    try:
        found = kind.as_generic()
    except NotImplementedError:
        return kind
    # For MariaDB's LONGTEXT, SQLAlchemy finds only a String without a length.
    return sa.Text() if type(found) is sa.String and found.length is None else found
