"""In development the home page and the error pages name the commands that mend the database."""

import logging
import re

import pytest
from sqlalchemy import text

from core.errors import PAGES
from services import db
from tests.project import connected
from tests.sample.models import Box

THING = {"name": "Key", "code": "K", "price": "1", "amount": "0", "size": "small"}
THINGS = "/sample/things"
REMEDY = (
    "The database lacks a table or a column that the models declare: run `alembic upgrade head`. "
    'For a new or changed model run `alembic revision --autogenerate -m "..."` first.'
)
REMEDIO = "ejecute `alembic upgrade head`"


@pytest.fixture
def client(database_url, make_app):
    """The sample in development, as `python run.py` builds it, on a database without its tables."""
    application = make_app(["tests.sample"], APP_ENV="development", DATABASE_URL=database_url)
    assert application.debug
    return application.test_client()


def drop_column(client):
    with client.application.app_context():
        db.create_all()
        db.session.execute(text("ALTER TABLE sample_thing DROP COLUMN note"))
        db.session.commit()


def texts(answer):
    return answer.text.replace("&#34;", '"').replace("&#39;", "'")


@pytest.fixture(params=["table", "column"])
def lacking(request, client):
    """A client of a database that lacks a table, or a column."""
    if request.param == "column":
        drop_column(client)
    return client


def test_a_page_names_the_commands(lacking, caplog):
    answer = lacking.get(THINGS)

    assert (answer.status_code, answer.mimetype) == (500, "text/html")
    assert REMEDY in texts(answer)
    assert '<main id="_content"' in answer.text
    assert "sample_thing" not in answer.text
    [record] = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert record.getMessage().startswith("migrations are missing: ")
    assert "sample_thing" in str(record.exc_info[1])


def test_a_page_names_the_commands_in_spanish(client):
    answer = client.get(THINGS, headers={"Accept-Language": "es"})

    assert answer.status_code == 500
    assert REMEDIO in texts(answer)


def test_a_problem_names_the_commands_in_english(lacking):
    answer = lacking.get("/outside/things", headers={"Accept-Language": "es"})

    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
    assert answer.json["detail"] == REMEDY


def test_a_commit_that_fails_for_it_names_the_commands(client):
    drop_column(client)
    client.application.config["WTF_CSRF_ENABLED"] = False
    with client.application.app_context():
        db.session.add(Box(name="Drawer"))
        db.session.commit()

    answer = client.post(THINGS, data={**THING, "box": "1"})

    assert answer.status_code == 500
    assert REMEDY in texts(answer)


def test_another_fault_of_the_program_still_reaches_the_debugger(client):
    with pytest.raises(RuntimeError, match="hunter2"):
        client.get("/sample/faults/crash")


def test_production_says_nothing_of_it(database_url, make_app, production):
    application = make_app(["tests.sample"], **production, DATABASE_URL=database_url)

    page, problem = (application.test_client().get(url) for url in (THINGS, "/outside/things"))

    assert (page.status_code, problem.status_code) == (500, 500)
    assert str(PAGES[500][1]) in page.text
    assert "alembic" not in page.text + problem.text


MODELS = """
from sqlalchemy.orm import Mapped, mapped_column

from core.models import Base


class Order(Base):
    __tablename__ = "market_order"
    id: Mapped[int] = mapped_column(primary_key=True)
"""


def state_on(page):
    return " ".join(re.search(r'role="status">(.*?)</p>', page, re.DOTALL)[1].split())


def test_the_home_page_knows_what_to_do_next_from_model_to_table(scaffold, sqlite_url):
    scaffold.add_module("market", MODELS)
    project = scaffold.on(sqlite_url)

    states = [state_on(project.get("/"))]
    project.revision()
    states.append(state_on(project.get("/")))
    project.alembic("upgrade", "head")
    with connected(sqlite_url) as connection:
        connection.exec_driver_sql("CREATE VIEW broken AS SELECT gone FROM market_order")
    states.append(state_on(project.get("/")))
    project.write("app/market/models.py", f"{MODELS}    price: Mapped[int]\n")
    states.append(state_on(project.get("/")))

    lacks = "No migration makes these tables or columns yet: {}. Run `alembic revision"
    assert states[0].startswith(lacks.format("market_order"))
    assert states[1] == "Migrations have not run yet: run `alembic upgrade head`."
    assert states[2].startswith("The database answers, all migrations have run")
    assert states[3].startswith(lacks.format("market_order.price"))


def test_a_revision_that_cannot_be_read_is_no_crash_of_the_home_page(scaffold, sqlite_url):
    scaffold.write("alembic/versions/0001_broken.py", "revision = ")

    page = scaffold.on(sqlite_url).get("/")

    assert state_on(page) == "The migrations cannot be read: run `alembic heads`."


def test_the_home_page_says_when_the_database_does_not_answer(make_app, tmp_path):
    url = f"sqlite:///{tmp_path.as_posix()}"
    application = make_app(["tests.sample"], APP_ENV="development", DATABASE_URL=url)

    page = application.test_client().get("/").text

    assert state_on(page) == "The database does not answer: see DATABASE_URL."


def test_production_says_nothing_of_the_database_on_the_home_page(make_app, production, sqlite_url):
    application = make_app(["tests.sample"], **production, DATABASE_URL=sqlite_url)

    page = application.test_client().get("/")

    assert page.status_code == 200
    assert 'role="status"' not in page.text
