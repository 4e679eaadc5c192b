"""`flask setup` and `flask seed`: what they do, do not do twice, and refuse."""

import os
import stat

import pytest
from dotenv import dotenv_values
from sqlalchemy import func, select

from config import VARIABLES, parse_url
from core.seeding import insert_missing
from services import db
from tests.kinds.models import Careful
from tests.project import connected, count, tables
from tests.sample.models import Box

MODULE = "from flask import Blueprint\n\nbp = Blueprint('shop', __name__)\n"
MODELS = """
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column
from core.models import Base

class Item(Base):
    __tablename__ = "shop_item"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
"""
SEEDS = """
from core.seeding import insert_missing
from .models import Item

def seed(rows):
    yield from insert_missing(Item, "name", ({"name": f"Item {n}"} for n in range(rows)))
"""
REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

def upgrade():
    op.create_table(
        "shop_item",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(40), unique=True, nullable=False),
    )

def downgrade():
    op.drop_table("shop_item")
"""


def test_rows_pass_the_validators_of_their_model(make_app):
    with make_app(["tests.kinds"], DATABASE_URL="sqlite://").app_context():
        Careful.__table__.create(db.engine)
        for _ in range(2):
            assert [*insert_missing(Careful, "name", [{"name": "one"}])] == [1]
        assert db.session.scalars(select(Careful.name)).all() == ["ONE"]
        rows = [{"name": name} for name in ("two", "one", "three", "two")]
        assert [*insert_missing(Careful, "name", rows)] == [4]
        assert db.session.scalars(select(Careful.name)).all() == ["ONE", "TWO", "THREE"]
        with pytest.raises(ValueError, match="shouts already"):
            list(insert_missing(Careful, "name", [{"name": "two!"}]))


@pytest.fixture
def shop(scaffold):
    """A clone with one module that has a table and demo data."""
    scaffold.write("app/shop/__init__.py", MODULE)
    scaffold.write("app/shop/models.py", MODELS)
    scaffold.write("app/shop/seeds.py", SEEDS)
    scaffold.write("alembic/versions/0001.py", REVISION)
    scaffold.install("app.shop")
    return scaffold


def flask(project, *arguments):
    result = project.run("flask", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def test_setup_prepares_a_clone(shop):
    flask(shop, "setup")

    env = shop.root / ".env"
    database = f"sqlite:///{shop.root}/instance/app.db"
    assert set(dotenv_values(env)) == {"APP_ENV", "SECRET_KEY"}
    assert len(dotenv_values(env)["SECRET_KEY"]) == 64
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    assert tables(database) == {"shop_item"}
    assert count(database, "shop_item") == 60


def test_setup_again_changes_nothing(shop):
    flask(shop, "setup")
    database = f"sqlite:///{shop.root}/instance/app.db"
    with connected(database) as connection:
        connection.exec_driver_sql("DELETE FROM shop_item WHERE id > 1")
    before = (shop.root / ".env").read_text()

    flask(shop, "setup")

    assert (shop.root / ".env").read_text() == before
    assert count(database, "shop_item") == 1


def test_setup_without_the_revision_of_a_module_says_so_in_english_and_goes_on(shop):
    (shop.root / "alembic/versions/0001.py").unlink()
    settings = (shop.root / "settings.py").read_text()
    shop.write("settings.py", f'{settings}LANGUAGES = ["es", "en"]\n')

    said = flask(shop, "setup")

    assert "No demo data: The database lacks a table" in said
    assert not (shop.root / "instance/seeded").exists()


def test_setup_never_writes_over_an_env_file(shop):
    shop.write(".env", "SECRET_KEY=mine\n")

    flask(shop, "setup")

    assert (shop.root / ".env").read_text() == "SECRET_KEY=mine\n"


def test_setup_never_seeds_beside_rows_of_somebody(shop, sqlite_url):
    project = shop.on(sqlite_url)
    project.alembic("upgrade", "head")
    with connected(sqlite_url) as connection:
        connection.exec_driver_sql("INSERT INTO shop_item (name) VALUES ('Mine')")

    flask(project, "setup")

    assert count(sqlite_url, "shop_item") == 1


def test_setup_refuses_production(make_app, production):
    result = make_app(**production).test_cli_runner().invoke(args=["setup"])

    assert result.exit_code == 1
    assert result.output == (
        "Error: flask setup is for development: in production set the environment's variables "
        "and run `alembic upgrade head`.\n"
    )


def names(app):
    with app.app_context():
        return db.session.scalars(select(Box.name).order_by(Box.id)).all()


@pytest.fixture
def sample(make_app):
    application = make_app(["tests.sample"])
    with application.app_context():
        db.create_all()
    return application


def test_seed_loads_the_rows_that_are_asked_for(sample):
    result = sample.test_cli_runner().invoke(args=["seed", "--rows", "5"])

    assert result.exit_code == 0, result.output
    assert names(sample) == [f"Box {number}" for number in range(1, 6)]


def test_seed_again_adds_nothing_and_more_rows_add_the_rest(sample):
    counts = []
    for rows in ("3", "3", "5"):
        sample.test_cli_runner().invoke(args=["seed", "--rows", rows])
        counts.append(len(names(sample)))

    assert counts == [3, 3, 5]


@pytest.mark.parametrize("rows", ["0", "-1", "many"])
def test_seed_refuses_what_is_no_number_of_rows(sample, rows):
    result = sample.test_cli_runner().invoke(args=["seed", "--rows", rows])

    assert result.exit_code == 2
    assert "Invalid value for '--rows'" in result.output


def test_seed_without_tables_says_what_makes_them(make_app):
    result = make_app(["tests.sample"]).test_cli_runner().invoke(args=["seed"])

    assert result.exit_code == 1
    assert "run `alembic upgrade head`" in result.output.splitlines()[-1]
    assert isinstance(result.exception, SystemExit)


def test_seed_refuses_production(make_app, production):
    result = make_app(**production).test_cli_runner().invoke(args=["seed"])

    assert result.exit_code == 1
    assert result.output == ("Error: This is production: add --force to put demo data into it.\n")


def test_seed_fills_production_when_it_is_forced(make_app, production):
    application = make_app(["tests.sample"], **production)
    with application.app_context():
        db.create_all()

    result = application.test_cli_runner().invoke(args=["seed", "--rows", "2", "--force"])

    assert result.exit_code == 0, result.output
    with application.app_context():
        assert db.session.scalar(select(func.count()).select_from(Box)) == 2


def test_a_clone_without_modules_is_set_up_too(scaffold):
    output = flask(scaffold, "setup")

    assert "Wrote .env with a secret of its own." in output
    assert set(dotenv_values(scaffold.root / ".env")) <= set(VARIABLES)


COMMANDS = [("flask", "setup"), ("flask", "seed"), ("alembic", "upgrade", "head")]


def refused(project, command):
    """Return the sentence with which a command refuses its database."""
    result = project.run(*command)
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    assert "hidden-word" not in result.stderr + result.stdout
    # Alembic writes its sentence on stdout.
    return (result.stderr or result.stdout).strip().splitlines()[-1]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_database_that_is_away_is_one_sentence(shop, command):
    said = refused(shop.on("postgresql://shop:hidden-word@127.0.0.1:1/shop"), command)

    assert "DATABASE_URL cannot be used (postgresql+psycopg2://shop:***@127.0.0.1:1/shop: " in said
    assert said.endswith("): start the server or mend DATABASE_URL.")


COUNTING = """

@bp.cli.command("count")
def count():
    from services import db
    from sqlalchemy import text

    db.session.scalar(text("SELECT 1"))
"""


def test_a_command_of_a_module_tells_a_database_that_is_away(shop):
    init = (shop.root / "app/shop/__init__.py").read_text(encoding="utf-8")
    shop.write("app/shop/__init__.py", init + COUNTING)

    away = shop.on("postgresql://shop:hidden-word@127.0.0.1:1/shop")
    said = refused(away, ("flask", "shop", "count"))

    assert said.endswith("): start the server or mend DATABASE_URL.")


@pytest.mark.postgresql
@pytest.mark.parametrize("command", COMMANDS)
def test_a_database_that_does_not_exist_is_one_sentence(shop, command, postgresql_url):
    url = parse_url("DATABASE_URL", postgresql_url).set(database="nowhere_test")

    said = refused(shop.on(url.render_as_string(hide_password=False)), command)

    assert said.endswith("): create it (createdb nowhere_test) or mend DATABASE_URL.")


@pytest.mark.mariadb
def test_a_database_that_does_not_exist_on_mariadb_is_one_sentence(shop):
    if not (server := os.environ.get("TEST_MARIADB_URL", "")):
        pytest.skip("TEST_MARIADB_URL is not set")
    url = parse_url("TEST_MARIADB_URL", server).set(database="nowhere_test")

    said = refused(shop.on(url.render_as_string(hide_password=False)), COMMANDS[0])

    create = "CREATE DATABASE nowhere_test CHARACTER SET utf8mb4"
    assert said.endswith(f"): create it ({create}) or mend DATABASE_URL.")
