"""Migrations in copies of the project: its own history, and what alembic/env.py promises."""

import ast
import hashlib
import re
import shutil
from datetime import date, datetime

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations, ops
from alembic.script import ScriptDirectory
from sqlalchemy import inspect
from sqlalchemy.dialects import postgresql

import core.comparison  # noqa: F401 - it teaches Alembic
from core.risks import risks
from tests.project import ENGINES, connected, count, empty_database, tables

CLEAN = "No new upgrade operations detected"
REVISE = "revision --autogenerate -m made"
WITHOUT_MARIADB = ENGINES[:2]

MODELS = """
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.models import Base


class Family(Base):
    __tablename__ = "people_family"
    __table_args__ = (sa.CheckConstraint("size > 0", "size_from_1"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(50), unique=True)
    town: Mapped[str | None] = mapped_column(sa.String(50), index=True)
    size: Mapped[int] = mapped_column(server_default="1")


class Person(Base):
    __tablename__ = "people_person"

    id: Mapped[int] = mapped_column(primary_key=True)
    family_id: Mapped[int] = mapped_column(sa.ForeignKey("people_family.id", ondelete="CASCADE"))
"""

OWN_BASE = """
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Boat(Base):
    __tablename__ = "boats_boat"

    id: Mapped[int] = mapped_column(primary_key=True)
"""

REVISION = """
import sqlalchemy as sa
from alembic import op

revision = {name!r}
down_revision = {after!r}


def upgrade():
    {upgrade}


def downgrade():
    pass
"""

TWO_TABLES = """for name in ("left_house", "left_other"):
        op.create_table(name, sa.Column("id", sa.Integer(), primary_key=True))
    op.create_table(
        "left_room",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("parent_id", sa.Integer(), sa.ForeignKey("left_house.id", name="fk_left")),
    )"""


def write_revision(project, name, upgrade, after=None):
    text = REVISION.format(name=name, after=after, upgrade=upgrade)
    return project.write(f"alembic/versions/{name}.py", text)


def file_of(project, revision):
    return next(file for file in project.revisions if revision in file.name)


def history(project):
    """Return the ids of the project's revisions, oldest first."""
    scripts = ScriptDirectory.from_config(Config(project.root / "alembic.ini"))
    return [script.revision for script in scripts.walk_revisions()][::-1]


def test_each_revision_applies_in_a_process_of_its_own(project, database_url):
    project = project.on(database_url)

    for revision in history(project):
        project.alembic("upgrade", revision)

    assert CLEAN in project.alembic("check")


def test_the_history_goes_up_down_and_up_again(project, database_url):
    project = project.on(database_url)
    project.alembic("upgrade", "head")
    made = tables(database_url)

    project.alembic("downgrade", "base")

    assert tables(database_url) == set()
    assert CLEAN in project.alembic_each("upgrade head", "check")
    assert tables(database_url) == made


@pytest.mark.postgresql
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_sql_of_an_upgrade_runs_on_postgresql(project, database_url):
    # Nobody listens there: writing the SQL needs no database.
    nowhere = project.on("postgresql://nobody@127.0.0.1:1/nothing")
    written = nowhere.run("alembic", "upgrade", "head", "--sql")

    with connected(database_url) as connection:
        connection.exec_driver_sql(written.stdout.replace("%", "%%"))

    assert CLEAN in project.on(database_url).alembic("check")


def test_an_upgrade_is_written_as_sql_without_a_database(scaffold):
    write_revision(scaffold, "two", TWO_TABLES)

    result = scaffold.on("postgresql://nobody@127.0.0.1:1/nothing").run(
        "alembic", "upgrade", "head", "--sql"
    )

    assert result.returncode == 0, result.stderr
    assert "CREATE TABLE alembic_version" in result.stdout
    assert "CREATE TABLE left_room" in result.stdout
    assert "INFO" not in result.stdout


def test_alembic_works_from_any_folder(scaffold, tmp_path, sqlite_url):
    write_revision(scaffold, "two", TWO_TABLES)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    result = scaffold.on(sqlite_url).run(
        "alembic", "-c", str(scaffold.root / "alembic.ini"), "upgrade", "head", cwd=elsewhere
    )

    assert result.returncode == 0, result.stderr
    assert list(elsewhere.iterdir()) == []
    assert tables(sqlite_url) == {"left_house", "left_room", "left_other"}


def test_a_relative_sqlite_file_is_the_same_from_any_folder(scaffold, tmp_path):
    project = scaffold.on("sqlite:///relative.db")

    project.run("alembic", "-c", str(project.root / "alembic.ini"), "upgrade", "head", cwd=tmp_path)

    assert (project.root / "instance/relative.db").exists()


def test_a_changed_parent_table_keeps_its_children_and_its_rules(scaffold, database_url):
    project = scaffold.on(database_url)
    project.add_module("people", MODELS)
    project.alembic_each(REVISE, "upgrade head")
    with connected(database_url) as connection:
        connection.exec_driver_sql("INSERT INTO people_family (id, name) VALUES (1, 'Ruiz')")
        connection.exec_driver_sql(
            "INSERT INTO people_person (id, family_id) VALUES (1, 1), (2, 1)"
        )
    project.replace(
        "app/people/models.py",
        "name: Mapped[str] = mapped_column(sa.String(50)",
        "name: Mapped[str] = mapped_column(sa.String(80)",
    )
    project.replace("app/people/models.py", "town: Mapped[str | None]", "city: Mapped[str | None]")

    output = project.alembic_each(REVISE, "upgrade head", "check")

    assert CLEAN in output
    assert count(database_url, "people_family") == 1
    assert count(database_url, "people_person") == 2
    with connected(database_url) as connection:
        family = inspect(connection)
        checks = {check["name"] for check in family.get_check_constraints("people_family")}
        assert checks == {"ck_people_family_size_from_1"}
        keys = family.get_foreign_keys("people_person")
        assert [key["options"]["ondelete"] for key in keys] == ["CASCADE"]


def test_a_rule_that_a_table_gets_later_is_in_the_revision(scaffold, database_url):
    project = scaffold.on(database_url)
    rule = '    __table_args__ = (sa.CheckConstraint("size > 0", "size_from_1"),)\n'
    project.add_module("people", MODELS.replace(rule, ""))
    project.alembic_each(REVISE, "upgrade head")
    project.add_module("people", MODELS.replace('"size > 0"', '"""size\n    > 0"""'))

    output = project.alembic_each(REVISE, "upgrade head", "check")

    assert CLEAN in output
    assert "before you apply it: SELECT * FROM people_family WHERE NOT (size > 0);" in output
    with connected(database_url) as connection:
        checks = inspect(connection).get_check_constraints("people_family")
        assert [check["name"] for check in checks] == ["ck_people_family_size_from_1"]


def test_a_rule_that_no_model_declares_is_left_alone(scaffold, database_url):
    project = scaffold.on(database_url)
    project.add_module("people", MODELS)
    project.alembic_each(REVISE, "upgrade head")
    rule = 'sa.CheckConstraint("size > 0", "size_from_1"),'
    project.add_module("people", MODELS.replace(rule, ""))

    assert CLEAN in project.alembic("check")


# MariaDB commits each change of the schema by itself.
@pytest.mark.parametrize("database_url", WITHOUT_MARIADB, indirect=True)
def test_a_revision_that_fails_leaves_nothing_behind(scaffold, database_url):
    project = scaffold.on(database_url)
    write_revision(project, "good", TWO_TABLES)
    write_revision(
        project,
        "bad",
        """op.create_table("half", sa.Column("id", sa.Integer(), primary_key=True))
    op.execute("INSERT INTO left_house (id) VALUES (1)")
    op.execute("INSERT INTO nowhere VALUES (1)")""",
        after="good",
    )

    project.alembic_fails("upgrade", "head")

    assert tables(database_url) == {"left_house", "left_room", "left_other"}
    assert count(database_url, "left_house") == 0
    current = project.alembic("current")
    assert "good" in current
    assert "good (head)" not in current


REQUIRED = """with op.batch_alter_table("left_house") as batch_op:
        batch_op.add_column(sa.Column("name", sa.String(9), nullable=False))"""


def test_a_required_column_without_values_is_refused_where_there_are_rows(scaffold, database_url):
    project = scaffold.on(database_url)
    write_revision(project, "good", TWO_TABLES)
    write_revision(project, "required", REQUIRED, after="good")
    project.alembic("upgrade", "good")
    with connected(database_url) as connection:
        connection.exec_driver_sql("INSERT INTO left_house (id) VALUES (1)")

    output = project.alembic_fails("upgrade", "head")

    with connected(database_url) as connection:
        assert [one["name"] for one in inspect(connection).get_columns("left_house")] == ["id"]
        is_mariadb = connection.dialect.name == "mariadb"
        connection.exec_driver_sql("DELETE FROM left_house")
    assert not is_mariadb or "FAILED: Column left_house.name is NOT NULL without" in output
    project.alembic("upgrade", "head")


RENAMED = """with op.batch_alter_table("left_room") as batch_op:
        batch_op.alter_column(
            "parent_id", new_column_name="house_id", existing_type=sa.Integer(), type_=sa.Integer()
        )
{}        {}"""
KEY = 'batch_op.create_foreign_key("fk_house", "left_other", ["house_id"], ["id"])'
UNIQUE = 'batch_op.create_unique_constraint("uq_house", ["house_id"])'
AGAIN = """    with op.batch_alter_table("left_room") as batch_op:
"""


@pytest.mark.parametrize(("rule", "name"), [(KEY, "fk_house"), (UNIQUE, "uq_house")])
def test_no_rule_over_a_new_name_is_lost_in_silence_on_sqlite(scaffold, sqlite_url, rule, name):
    project = scaffold.on(sqlite_url)
    write_revision(project, "good", TWO_TABLES)
    write_revision(project, "rename", RENAMED.format("", rule), after="good")

    output = project.alembic_fails("upgrade", "head")
    write_revision(project, "rename", RENAMED.format(AGAIN, rule), after="good")
    project.alembic("upgrade", "head")

    assert f"FAILED: {name} names a column by its new name" in output
    with connected(sqlite_url) as connection:
        there = inspect(connection)
        rules = [*there.get_foreign_keys("left_room"), *there.get_unique_constraints("left_room")]
    assert name in [one["name"] for one in rules]


LONG = f"uq_left_house_{'x' * 60}"
NAMED = f"""op.create_table(
        "left_house",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("code", sa.Integer()),
        sa.UniqueConstraint("code", name=op.f("{LONG}")),
    )"""


def test_a_long_name_of_a_revision_is_the_same_on_every_database(scaffold, database_url):
    project = scaffold.on(database_url)
    write_revision(project, "named", NAMED)

    project.alembic("upgrade", "head")

    with connected(database_url) as connection:
        (rule,) = inspect(connection).get_unique_constraints("left_house")
    assert rule["name"] == f"{LONG[:55]}_{hashlib.md5(LONG.encode()).hexdigest()[-4:]}"


VIEWED = """op.create_table("left_house", sa.Column("id", sa.Integer(), primary_key=True))
    op.execute("CREATE VIEW stock_now AS SELECT id FROM left_house")"""
STOCK = """
from sqlalchemy.orm import Mapped, mapped_column
from core.models import Base

class Now(Base):
    __tablename__ = "stock_now"
    id: Mapped[int] = mapped_column(primary_key=True)
"""


def test_a_model_of_a_view_is_no_table_to_make(scaffold, database_url):
    project = scaffold.on(database_url)
    project.add_module("stock", STOCK)
    write_revision(project, "viewed", VIEWED)

    output = project.alembic_each("upgrade head", "check")

    assert CLEAN in output


def test_a_revision_that_orphans_rows_is_undone_on_sqlite(scaffold, sqlite_url):
    project = scaffold.on(sqlite_url)
    write_revision(project, "good", TWO_TABLES)
    write_revision(
        project,
        "bad",
        """op.create_table("half", sa.Column("id", sa.Integer(), primary_key=True))
    op.execute("INSERT INTO left_room (id, parent_id) VALUES (1, 7)")""",
        after="good",
    )

    output = project.alembic_fails("upgrade", "head")

    assert "FAILED: After this revision rows of left_room would have no parent" in output
    assert "Traceback" not in output
    assert tables(sqlite_url) == {"left_house", "left_room", "left_other"}
    assert count(sqlite_url, "left_room") == 0


def test_a_revision_that_stands_on_one_that_went_is_refused_with_a_sentence(scaffold, sqlite_url):
    project = scaffold.on(sqlite_url)
    write_revision(project, "stays", "pass", after="went")

    output = project.alembic_fails("upgrade", "head")

    assert "FAILED: alembic/versions/ lacks the revision 'went', on which stays.py stands" in output
    assert "Traceback" not in output


def test_a_database_that_is_ahead_of_the_code_is_told_with_a_remedy(scaffold, sqlite_url):
    project = scaffold.on(sqlite_url)
    write_revision(project, "first", "pass", after=None)
    project.alembic("upgrade", "head")
    with connected(sqlite_url) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'ahead'")

    output = project.alembic_fails("upgrade", "head")

    assert "identified by 'ahead': if the database is at it, take the code that has it" in output
    assert "Traceback" not in output


def test_commands_that_two_heads_stop_tell_how_to_join_them(scaffold, sqlite_url):
    project = scaffold.on(sqlite_url)
    for name, after in (("first", None), ("mine", "first"), ("theirs", "first")):
        write_revision(project, name, "pass", after=after)

    for command in ("upgrade head", "check", REVISE):
        output = project.alembic_fails(*command.split())

        assert "has 2 last revisions, mine, theirs: join them with alembic merge" in output
        assert "Traceback" not in output

    assert CLEAN in project.alembic_each("merge -m join heads", "upgrade head", "check")


def test_tables_that_no_module_declares_are_dropped_only_by_name(scaffold, database_url):
    project = scaffold.on(database_url)
    write_revision(project, "two", TWO_TABLES)

    output = project.alembic_each("upgrade head", "check", f"{REVISE} --rev-id untouched")
    untouched = file_of(project, "untouched").read_text()
    allowed = project.having(ALEMBIC_ALLOW_DROP="left_house,left_room")
    allowed.alembic_each("upgrade head", f"{REVISE} --rev-id dropping", "upgrade head")
    dropping = file_of(project, "dropping").read_text()

    for name in ("left_house", "left_room", "left_other"):
        assert f"Table {name} belongs to no module of INSTALLED_APPS and is left alone" in output
    assert "op." not in untouched
    assert "# WARNING: Table left_room is dropped with its rows." in dropping
    assert tables(database_url) == {"left_other"}


def test_a_table_whose_model_has_another_name_is_to_be_renamed(scaffold, sqlite_url):
    project = scaffold.on(sqlite_url)
    project.add_module("boats", OWN_BASE)
    project.alembic_each(REVISE, "upgrade head")
    project.write("app/boats/models.py", OWN_BASE.replace("boats_boat", "ships_boat"))

    output = project.alembic_fails("check")

    assert "If it is called ships_boat now, rename it: docs/migrations.md." in output


SCHEMA = """
from sqlalchemy.orm import Mapped, mapped_column

from core.models import Base


class Order(Base):
    __tablename__ = "store_order"
    __table_args__ = {"schema": "store"}

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(index=True)
"""


@pytest.mark.parametrize("database_url", ENGINES[1:2], indirect=True)
def test_a_table_in_a_schema_changes_and_what_others_keep_is_left_alone(scaffold, database_url):
    project = scaffold.on(database_url)
    project.add_module("store", SCHEMA)
    with connected(database_url) as connection:
        connection.exec_driver_sql("CREATE SCHEMA store")
        connection.exec_driver_sql("CREATE SCHEMA other")
        connection.exec_driver_sql("CREATE TABLE other.theirs (id integer)")
    project.alembic_each(REVISE, "upgrade head", "check")
    more = "    more: Mapped[int | None]\n"
    project.write("app/store/models.py", SCHEMA + more)

    output = project.alembic_each(REVISE, "upgrade head", "check", "downgrade -1", "upgrade head")

    assert "theirs" not in output
    with connected(database_url) as connection:
        columns = inspect(connection).get_columns("store_order", schema="store")
    assert [column["name"] for column in columns] == ["id", "number", "more"]


def test_revision_warns_of_what_loses_data_or_fails(scaffold, sqlite_url):
    project = scaffold.on(sqlite_url)
    motto = (
        "    motto: Mapped[str | None] = mapped_column(sa.String(20), unique=True)\n"
        "    crest: Mapped[str | None] = mapped_column(sa.String(20), unique=True, index=True)\n"
    )
    project.add_module("people", MODELS.replace("    size:", f"{motto}    size:"))
    with connected(sqlite_url) as connection:
        connection.exec_driver_sql(
            "CREATE TABLE people_family (id INTEGER NOT NULL PRIMARY KEY, surname VARCHAR(50),"
            " town DATETIME, size INTEGER, motto VARCHAR(20))"
        )
    expected = [
        "people_family must have no two rows with the same motto",
        "Column people_family.name is NOT NULL without a server_default",
        "Column people_family.size becomes NOT NULL",
        "Column people_family.surname is dropped with its values",
        "Column people_family.town becomes another type",
    ]

    output = project.alembic("revision", "--autogenerate", "-m", "100% of 'it'\"s\" new")

    (file,) = project.revisions
    text = file.read_text(encoding="utf-8")
    ast.parse(text)
    for warning in expected:
        assert f"WARNING: {warning}" in output
        assert f"# WARNING: {warning}" in text
    # Nothing stands twice in a new column.
    assert ".crest" not in text


SIZES = """
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from core.models import Base


class Thing(Base):
    __tablename__ = "sizes_thing"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(80))
    note: Mapped[str] = mapped_column(sa.Text)
    price: Mapped[Decimal] = mapped_column(sa.Numeric(10, 4))
    views: Mapped[int] = mapped_column(sa.BigInteger)
    share: Mapped[float]
    fine: Mapped[str] = mapped_column(sa.String(20))
"""
NARROWER = {
    "sa.String(80)": "sa.String(20)",
    "sa.Text": "sa.String(30)",
    "sa.Numeric(10, 4)": "sa.Numeric(8, 2)",
    "sa.BigInteger": "sa.Integer",
    "Mapped[float]": "Mapped[int]",
    "sa.String(20)": "sa.String(40)",
}


def test_revision_tells_how_to_find_what_a_narrower_column_does_not_take(scaffold, database_url):
    project = scaffold.on(database_url)
    project.add_module("sizes", SIZES)
    project.alembic_each(REVISE, "upgrade head")
    narrower = re.compile("|".join(map(re.escape, NARROWER)))
    models = narrower.sub(lambda found: NARROWER[found[0]], SIZES)
    project.write("app/sizes/models.py", models)

    text = project.revision().read_text(encoding="utf-8")

    told = dict(re.findall(r"WARNING: Column sizes_thing\.(\w+) takes less .*: (SELECT .*);", text))
    assert set(told) == {"name", "note", "price", "views"}
    assert "WARNING: Column sizes_thing.share becomes another type" in text
    assert "sizes_thing.fine" not in text
    with connected(database_url) as connection:
        for row in ("'x', 'x', 1.25, 1", "'{0}', '{0}', 1.255, 3000000000"):
            connection.exec_driver_sql(
                "INSERT INTO sizes_thing (name, note, price, views, share, fine) "
                f"VALUES ({row.format('x' * 31)}, 0, '')"
            )
        for query in told.values():
            assert [row.id for row in connection.exec_driver_sql(query)] == [2]


UNSIZED = {"sa.Numeric(10, 4)": "sa.Numeric", "sa.String(80)": "sa.String"}


# MariaDB has no text without a length.
@pytest.mark.parametrize("database_url", WITHOUT_MARIADB, indirect=True)
def test_a_limit_that_a_column_loses_or_gets_is_in_the_revision(scaffold, database_url):
    project = scaffold.on(database_url)
    unsized = SIZES
    for before, after in UNSIZED.items():
        unsized = unsized.replace(before, after)
    project.add_module("sizes", SIZES)
    project.alembic_each(REVISE, "upgrade head")

    for models in (unsized, SIZES):
        project.write("app/sizes/models.py", models)
        output = project.alembic_each(REVISE, "upgrade head", "check")

        assert CLEAN in output
        with connected(database_url) as connection:
            columns = inspect(connection).get_columns("sizes_thing")
        kinds = {one["name"]: one["type"] for one in columns}
        sizes = (80, 10, 4) if models == SIZES else (None, None, None)
        assert (kinds["name"].length, kinds["price"].precision, kinds["price"].scale) == sizes


def test_modules_with_bases_of_their_own_share_the_history(scaffold, database_url):
    project = scaffold.on(database_url)
    project.add_module("people", MODELS)
    project.add_module("boats", OWN_BASE)
    project.install("app.people", "app.boats")

    output = project.alembic_each(REVISE, "upgrade head", "check")

    assert tables(database_url) == {"people_family", "people_person", "boats_boat"}
    assert CLEAN in output


def test_a_foreign_key_between_two_bases_is_refused_with_a_sentence(scaffold, sqlite_url):
    project = scaffold.on(sqlite_url)
    project.add_module("people", MODELS)
    key = '    family_id: Mapped[int] = mapped_column(ForeignKey("people_family.id"))\n'
    project.add_module("boats", OWN_BASE + key)
    project.install("app.people", "app.boats")

    output = project.alembic_fails("check")

    assert output.strip() == (
        "FAILED: INSTALLED_APPS lists 'app.boats', whose column Boat.family_id is a foreign key to "
        "'people_family' of another declarative Base: put both on the scaffold's base "
        "(from core.models import Base)."
    )


def test_an_unsafe_configuration_is_refused_with_a_sentence(scaffold, sqlite_url):
    output = scaffold.on(sqlite_url).having(APP_ENV="production").alembic_fails("current")

    assert output.startswith("FAILED: SECRET_KEY is missing: set it to ")
    assert len(output.strip().splitlines()) == 1


def test_without_modules_the_history_still_runs(project, database_url):
    project.install()
    project = project.on(database_url)

    assert CLEAN in project.alembic_each("upgrade head", "check")


def test_without_modules_and_revisions_a_first_revision_can_be_made(scaffold, sqlite_url):
    project = scaffold.on(sqlite_url)

    project.alembic_each("upgrade head", REVISE)

    assert not (project.root / "alembic/__init__.py").exists()
    assert CLEAN not in project.alembic_fails("check")


def test_the_library_is_imported_from_a_folder_that_has_one_of_its_name(scaffold):
    where = scaffold.python("-c", "import alembic.config; print(alembic.__file__)")

    assert "site-packages" in where


def test_a_clone_without_the_empty_folder_of_revisions_migrates(scaffold, sqlite_url):
    shutil.rmtree(scaffold.root / "alembic/versions", ignore_errors=True)

    assert CLEAN in scaffold.on(sqlite_url).alembic("check")


@pytest.mark.parametrize("engine", ENGINES)
def test_days_moments_and_texts_become_each_other_with_their_values(engine, tmp_path):
    with empty_database(engine, tmp_path) as url, connected(url) as connection:
        columns = [sa.Column("day", sa.Date), sa.Column("at", sa.DateTime)]
        columns += [sa.Column("word", sa.String(40)), sa.Column("old", sa.Date)]
        table = sa.Table("times", sa.MetaData(), *columns)
        table.create(connection)
        day, at = date(2026, 2, 3), datetime.fromisoformat("2026-02-03 04:05:06")
        connection.execute(table.insert().values(day=day, at=at, word="1990-05-04", old=day))

        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("times") as batch:
            pairs = [("day", sa.DateTime()), ("at", sa.Date()), ("word", sa.Date())]
            for name, kind in [*pairs, ("old", sa.String(40))]:
                using = {"postgresql_using": f"{name}::date"} if name == "word" else {}
                batch.alter_column(name, type_=kind, existing_type=table.c[name].type, **using)

        changed = sa.Table("times", sa.MetaData(), autoload_with=connection)
        found = connection.execute(sa.select(changed)).one()

    assert found == (datetime.fromisoformat("2026-02-03"), day, date(1990, 5, 4), "2026-02-03")


def test_a_warning_has_a_query_that_the_database_reads():
    shorter = {"existing_type": sa.String(9), "modify_type": sa.String(5)}
    rule = ops.CreateUniqueConstraintOp("uq", "user", ["key", "firstName"])
    changes = [rule, ops.AlterColumnOp("user", "order", **shorter)]

    text = " ".join(risks(changes, postgresql.dialect().identifier_preparer.quote))

    assert 'SELECT key, "firstName" FROM "user" WHERE key IS NOT NULL' in text
    assert 'SELECT * FROM "user" WHERE length("order") > 5;' in text
