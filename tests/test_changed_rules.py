"""Rules and types that change while there are rows: what the engines do not by themselves."""

import pytest
import sqlalchemy as sa
from alembic.operations import ops

from core.base import UTCDateTime
from core.portable import generic, make_portable
from tests.project import ENGINES, connected

BEFORE = """
import enum
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from core.models import Base


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Code(sa.TypeDecorator[int]):
    impl = sa.Integer
    cache_ok = True


class Own(DeclarativeBase):
    pass


class Parent(Own):
    __tablename__ = "turn_parent"

    id: Mapped[int] = mapped_column(primary_key=True)


class Child(Own):
    __tablename__ = "turn_child"

    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int] = mapped_column(sa.ForeignKey("turn_parent.id"), unique=True)
    other_id: Mapped[int | None] = mapped_column(sa.ForeignKey("turn_parent.id"))
    third_id: Mapped[int | None]
    number: Mapped[int | None]


class Turn(Base):
    __tablename__ = "turn_turn"

    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int | None] = mapped_column(sa.CheckConstraint("amount > 0", "amount_positive"))
    moment: Mapped[datetime] = mapped_column(sa.DateTime)
    code: Mapped[int | None] = mapped_column(Code)
    is_ready: Mapped[bool] = mapped_column(server_default=sa.true())
    word: Mapped[str] = mapped_column(server_default="a")
    made: Mapped[datetime] = mapped_column(server_default=sa.func.now())
    single: Mapped[float | None] = mapped_column(sa.Float(24))
    known: Mapped[Colour | None] = mapped_column(
        sa.Enum(Colour, name="known", native_enum=False, create_constraint=True)
    )
"""
AFTER = (
    BEFORE.replace(
        'sa.ForeignKey("turn_parent.id"), unique=True', 'sa.ForeignKey("turn_parent.id")'
    )
    .replace('other_id: Mapped[int | None] = mapped_column(sa.ForeignKey("turn_parent.id"))', "")
    .replace(
        "third_id: Mapped[int | None]",
        'third_id: Mapped[int | None] = mapped_column(sa.ForeignKey("turn_parent.id"))',
    )
    .replace(
        "number: Mapped[int | None]", "number: Mapped[int | None] = mapped_column(unique=True)"
    )
    .replace("    amount:", "    # amount:")
    .replace("mapped_column(sa.DateTime)", "mapped_column(sa.DateTime(timezone=True))")
    .replace("impl = sa.Integer", "impl = sa.BigInteger")
    .replace("server_default=sa.true()", "server_default=sa.false()")
    .replace('server_default="a"', 'server_default="b"')
    .replace("mapped_column(server_default=sa.func.now())", "mapped_column()")
) + "    native: Mapped[Colour | None] = mapped_column(sa.Enum(Colour))\n"
ROWS = (
    "INSERT INTO turn_parent (id) VALUES (1)",
    "INSERT INTO turn_child (id, parent_id) VALUES (1, 1)",
    "INSERT INTO turn_turn (id, moment, amount) VALUES (1, '2026-01-02 03:04:05', 5)",
)


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_rules_and_types_change_there_and_back(scaffold, database_url):
    project = scaffold.on(database_url)
    project.add_module("turn", BEFORE)
    made = project.alembic_each(
        "revision --autogenerate -m made --rev-id made", "upgrade head", "check"
    )
    with connected(database_url) as connection:
        for row in ROWS:
            connection.exec_driver_sql(row)
    project.write("app/turn/models.py", AFTER)
    changed = project.alembic_each(
        "revision --autogenerate -m changed --rev-id changed", "upgrade head", "check"
    )
    back = project.alembic_each("downgrade made", "upgrade head", "check")

    assert all("No new upgrade operations" in output for output in (made, changed, back))
    with connected(database_url) as connection:
        there = sa.inspect(connection)
        names = {key["name"] for key in there.get_foreign_keys("turn_child")}
        rules = {rule["name"] for rule in there.get_unique_constraints("turn_child")}
    assert names == {"fk_turn_child_parent_id_turn_parent", "fk_turn_child_third_id_turn_parent"}
    assert rules == {"uq_turn_child_number"}


@pytest.mark.postgresql
def test_defaults_of_sqlite_are_given_back_by_postgresql(scaffold, sqlite_url, postgresql_url):
    project = scaffold.on(sqlite_url)
    project.add_module("turn", BEFORE)
    project.alembic_each("revision --autogenerate -m made --rev-id made", "upgrade head")
    # SQLite knows nothing of zones.
    project.write("app/turn/models.py", AFTER.replace("(timezone=True)", ""))
    project.alembic("revision", "--autogenerate", "-m", "changed")
    output = project.on(postgresql_url).alembic_each(
        "upgrade head", "check", "downgrade made", "upgrade head", "check"
    )

    assert output.count("No new upgrade operations") == 2


MAILS = """
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.models import Base


class Mail(Base):
    __tablename__ = "mails_mail"

    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str]
"""
INDEX = 'sa.Index("by_address", sa.func.lower(Mail.address), unique=True)\n'
TRIGGER = (
    "CREATE TRIGGER short AFTER INSERT ON mails_mail BEGIN"
    " UPDATE mails_mail SET address = trim(address); END"
)


def test_an_index_of_an_expression_is_made_and_kept_on_sqlite(scaffold, sqlite_url):
    project = scaffold.on(sqlite_url).having(PYTHONWARNINGS="")
    project.add_module("mails", MAILS)
    project.alembic_each("revision --autogenerate -m made", "upgrade head")
    project.write("app/mails/models.py", f"{MAILS}\n\n{INDEX}")
    project.alembic_each("revision --autogenerate -m index", "upgrade head")
    with connected(sqlite_url) as connection:
        connection.exec_driver_sql(TRIGGER)
    longer = MAILS.replace("address: Mapped[str]", "address: Mapped[str | None]")
    both = INDEX + INDEX.replace("address", "upper", 1).replace("lower", "upper")
    project.write("app/mails/models.py", f"{longer}\n\n{both}")

    output = project.alembic_each(
        "revision --autogenerate -m longer", "upgrade head", "check", "downgrade -1", "upgrade head"
    )

    assert "No new upgrade operations" in output
    with connected(sqlite_url) as connection:
        rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master").all()
    texts = {row.name: row.sql for row in rows}
    assert "lower(address)" in texts["by_address"]
    assert "upper(address)" in texts["by_upper"]
    assert texts["short"] == TRIGGER


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_a_unique_index_goes_whatever_it_is_called(scaffold, database_url):
    project = scaffold.on(database_url).having(PYTHONWARNINGS="")
    index = 'sa.Index("uq_mails_mail_address", Mail.address, unique=True)\n'
    project.add_module("mails", f"{MAILS}\n\n{index}")
    project.alembic_each("revision --autogenerate -m made", "upgrade head")
    project.write("app/mails/models.py", MAILS)

    output = project.alembic_each(
        "revision --autogenerate -m gone", "upgrade head", "check", "downgrade -1"
    )

    assert "No new upgrade operations" in output


LETTERS = """
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.models import Base


class Letter(Base):
    __tablename__ = "letters_letter"
    __table_args__ = (
        sa.Index("newest", sa.desc("year"), "town"),
        # Its collation is none of the column's.
        sa.CheckConstraint("text <> 'x' COLLATE NOCASE", "text_not_x"),
        sa.Index("sent", "year", sqlite_where=sa.text("year > 0")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    town: Mapped[str] = mapped_column(sa.String(20, collation="NOCASE"))
    year: Mapped[int]
    text: Mapped[str] = mapped_column(sa.String(20))
"""
VIEW = "CREATE VIEW towns AS SELECT town FROM letters_letter"


def test_a_table_that_is_copied_on_sqlite_stays_as_it_was(scaffold, sqlite_url):
    project = scaffold.on(sqlite_url).having(PYTHONWARNINGS="")
    project.add_module("letters", LETTERS)
    project.alembic_each("revision --autogenerate -m made", "upgrade head", "check")
    with connected(sqlite_url) as connection:
        connection.exec_driver_sql(VIEW)
        connection.exec_driver_sql("INSERT INTO letters_letter VALUES (7, 'Lugo', 1, '')")
        connection.exec_driver_sql("DELETE FROM letters_letter")
        before = schema(connection)
    project.write("app/letters/models.py", LETTERS.replace("sa.String(20))", "sa.String(40))"))

    project.alembic_each("revision --autogenerate -m longer", "upgrade head", "check")

    with connected(sqlite_url) as connection:
        expected = before["letters_letter"].replace("text VARCHAR(20)", "text VARCHAR(40)")
        copied = expected.replace("letters_letter", '"letters_letter"', 1)
        assert schema(connection) == before | {"letters_letter": copied}
        connection.exec_driver_sql(
            "INSERT INTO letters_letter (town, year, text) VALUES ('a', 1, '')"
        )
        row = connection.exec_driver_sql("SELECT id FROM letters_letter WHERE town = 'A'")
        assert row.scalar_one() == 8


def schema(connection):
    rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {row.name: row.sql for row in rows}


@pytest.mark.parametrize(
    ("told", "given_back"),
    [
        ("'red'::order_status", "'red'"),
        ("'[1,10)'::int4range", "'[1,10)'"),
        ("'it''s::x'::character varying(9)", "'it''s::x'"),
        ("now()", "now()"),
        ("(strftime('%Y-%m-%d %H:%M:%f000', 'now'))", "now()"),
        ("current_timestamp(6)", "now()"),
        ("(now() + '7 days'::interval)", "(now() + '7 days')"),
        ("((a)::double precision / b)", "((a)::double precision / b)"),
        ("lower((`mail`)::text)", "lower((mail))"),
    ],
)
def test_a_default_is_given_back_in_words_of_all_engines(told, given_back):
    column = sa.Column("c", sa.String, server_default=sa.text(told))

    make_portable(ops.AddColumnOp("t", column))

    assert str(column.server_default.arg) == given_back


def test_a_type_of_a_type_of_a_type_is_its_innermost():
    class Outer(sa.TypeDecorator):
        impl = UTCDateTime
        cache_ok = True

    assert isinstance(generic(Outer()), sa.DateTime)
