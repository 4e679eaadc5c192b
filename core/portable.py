"""What a database tells of its tables in words of its own, for a downgrade on any engine."""

import re
from typing import Any

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.dialects import mysql, postgresql, sqlite

# Of a moment; PostgreSQL tells of a zone.
WITHOUT_ZONE = (sa.DATETIME, sqlite.DATETIME, mysql.DATETIME)
# Of PostgreSQL's own types those that are no more than what the others have.
ON_ALL_ENGINES = (postgresql.BYTEA, postgresql.INTERVAL, postgresql.TIME)
QUOTED = "('(?:[^']|'')*')"
CAST = (
    r"::(?:character varying|double precision|[a-z_][a-z0-9_]*)(?:\([0-9, ]+\))?"
    r"(?: with(?:out)? time zone)?(?:\[\])?"
)
# How MariaDB quotes and PostgreSQL casts in the text of a check that it repeats; what stands within
# quotes is left alone.
OWN_WORDS = re.compile(rf"{QUOTED}|`|{CAST}")
# Of other texts a cast may be what they mean: only that of a literal, or to a text, goes.
LITERALS = re.compile(rf"{QUOTED}(?:{CAST})?|`|::(?:text|character varying)\b(?:\([0-9]+\))?")
ANY_OF = re.compile(r"= ANY \(\(?ARRAY\[([^\]]*)\]\)?\)")
# How the engines write the present moment, as a default.
NOW = re.compile(r"(?i)\(*(?:now\(\)|current_timestamp(?:\(\d*\))?|strftime\('[^']*', 'now'\))\)*")


def make_portable(change: Any) -> None:
    """Write in words of all engines what an operation gives back: types, defaults, rules."""
    if isinstance(change, ops.CreateIndexOp):
        # Of an expression Alembic has the text in a part of its own.
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
    """Return a type that a database tells, which may be its own, as all engines read it."""
    while isinstance(kind, sa.TypeDecorator):
        kind = kind.impl_instance
    if isinstance(kind, sa.DateTime):
        # A zone, which models have, SQLite and MariaDB do not tell.
        return sa.DateTime(timezone=getattr(kind, "timezone", False) or type(kind) in WITHOUT_ZONE)
    if isinstance(kind, sa.Double):
        # With a precision, which PostgreSQL tells, MariaDB refuses it.
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
    # MariaDB's LONGTEXT is none that SQLAlchemy finds.
    return sa.Text() if type(found) is sa.String and found.length is None else found
