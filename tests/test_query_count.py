"""A list costs the same few queries whatever its length, and one that does not fails its tests."""

import time

import pytest
from sqlalchemy import text

from core.factory import create_app
from core.query_count import MOST_REPEATS
from core.testing import scratch_database
from services import db
from tests.conftest import INSTALLED_APPS
from tests.sample.models import Box, Thing

INDEX = "/sample/things"
ONE_BY_ONE = "/sample/things/one-by-one"
MOST_QUERIES = 3
N_PLUS_1 = "more than 5 times, most likely for each row of a list"

MODELS = """
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.listing import Listing
from core.models import Base


class Shop(Base):
    __tablename__ = "market_shop"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Order(Base):
    __tablename__ = "market_order"
    listing = Listing(sort=("id",))
    id: Mapped[int] = mapped_column(primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("market_shop.id"))
    shop: Mapped[Shop] = relationship()
"""
ROUTES = """
from flask import Blueprint, render_template

from core.pages import page_of

bp = Blueprint("market", __name__, url_prefix="/market", template_folder="templates")

from .models import Order


@bp.get("/orders")
def order_index():
    return render_template("market/index.html", page=page_of(Order))
"""
TEST = """
from app.market.models import Order, Shop


def test_the_orders_are_listed(client, save):
    for number in range(8):
        save(Order(shop=Shop(name=f"Shop {number}")))

    assert "Shop 7" in client.get("/market/orders").text
"""


def fill(boxes, things_in_each):
    for number in range(boxes):
        things = range(number * things_in_each, (number + 1) * things_in_each)
        box = Box(name=f"Box {number:04}")
        db.session.add(box)
        db.session.add_all(Thing(name="Key", code=f"T{n}", price=1, box=box) for n in things)
    db.session.commit()


@pytest.fixture
def ten_boxes(app, isolated):
    with app.app_context():
        fill(10, 1)


@pytest.mark.parametrize(("boxes", "things_in_each"), [(1, 10), (10, 1), (10, 100), (300, 3)])
def test_a_list_takes_three_queries_at_any_length(app, client, queries, boxes, things_in_each):
    with app.app_context():
        fill(boxes, things_in_each)

    with queries() as seen:
        answer = client.get(INDEX)

    assert answer.status_code == 200
    # The rows with their boxes, how many there are if a page does not hold them, the boxes to
    # filter by.
    assert len(seen) == MOST_QUERIES - (boxes * things_in_each <= 20), seen


def test_statements_of_transactions_are_no_queries(app, isolated, queries):
    with app.app_context(), queries() as seen:
        db.session.add(Box(name="Drawer"))
        db.session.commit()

    assert [statement.split()[0] for statement in seen] == ["INSERT"]


def test_what_runs_outside_of_the_block_is_not_collected(client, queries):
    with queries() as seen:
        pass
    client.get(INDEX)

    assert seen == []


@pytest.mark.usefixtures("ten_boxes")
def test_a_list_that_asks_for_each_row_fails_with_query_and_remedy(client):
    with pytest.raises(pytest.fail.Exception, match=N_PLUS_1) as failure:
        client.get(ONE_BY_ONE)

    message = str(failure.value)
    assert message.startswith(f"GET {ONE_BY_ONE} runs one query")
    assert 'relationship(lazy="joined")' in message
    assert "FROM sample_box" in message


def test_few_repetitions_are_let_pass(app, client, queries):
    with app.app_context():
        fill(MOST_REPEATS, 1)

    with queries() as seen:
        answer = client.get(ONE_BY_ONE)

    assert answer.status_code == 200
    assert len(seen) > MOST_QUERIES


@pytest.mark.usefixtures("ten_boxes")
@pytest.mark.repeats_queries
def test_the_marker_lets_a_request_repeat_a_query(client, queries):
    with queries() as seen:
        client.get(ONE_BY_ONE)

    assert len(seen) >= 10


@pytest.mark.usefixtures("ten_boxes")
def test_each_request_has_a_count_of_its_own(client):
    answers = [client.get(INDEX) for _ in range(MOST_REPEATS + 1)]

    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.structure
def test_a_module_with_n_plus_1_fails_its_suite_until_it_joins(scaffold):
    scaffold.add_module("market", MODELS)
    scaffold.write("app/market/__init__.py", ROUTES)
    scaffold.write(
        "app/market/templates/market/index.html",
        "{% for order in page %}{{ order.shop.name }}{% endfor %}",
    )
    scaffold.write("app/market/tests/__init__.py", "")
    scaffold.write("app/market/tests/test_orders.py", TEST)

    failed = scaffold.run("python", "-m", "pytest", "-q", "app/market")
    scaffold.replace("app/market/models.py", "relationship()", 'relationship(lazy="joined")')
    passed = scaffold.run("python", "-m", "pytest", "-q", "app/market")

    assert failed.returncode == 1
    assert "Failed: GET /market/orders runs one query" in failed.stdout
    assert "1 failed" in failed.stdout
    assert passed.returncode == 0, passed.stdout
    assert "1 passed" in passed.stdout


MILLION = """
INSERT INTO sample_thing
  (name, code, price, amount, size, active, box_id, created_at, updated_at, version)
SELECT 'Thing ' || n, 'T' || n, n % 1000, 0, 'small', false, 1, now(), now(), 1
FROM generate_series(11, 1000000) AS n
"""


@pytest.fixture
def crowded(postgresql_url, tmp_path):
    """An application with ten rows on a PostgreSQL database of its own."""
    with scratch_database(tmp_path, "million", postgresql_url) as url:
        application = create_app({"APP_ENV": "testing", "DATABASE_URL": url}, INSTALLED_APPS)
        with application.app_context():
            db.create_all()
            fill(1, 10)
        yield application
        with application.app_context():
            db.engine.dispose()


def measured(application, queries):
    """Return the number of queries of an index page, and the shortest of ten times in ms."""
    client, times = application.test_client(), []
    with queries() as seen:
        client.get(INDEX)
    for _ in range(10):
        start = time.perf_counter()
        assert client.get(INDEX).status_code == 200
        times.append((time.perf_counter() - start) * 1000)
    return len(seen), min(times)


@pytest.mark.slow
@pytest.mark.postgresql
def test_a_page_of_a_million_rows_costs_what_a_page_of_ten_costs(crowded, queries, capsys):
    few = measured(crowded, queries)
    with crowded.app_context():
        db.session.execute(text(MILLION))
        db.session.commit()
        db.session.execute(text("ANALYZE sample_thing"))

    many = measured(crowded, queries)

    with capsys.disabled():
        # The figures are what it is run for.
        print(f"\n10 rows: {few[1]:.1f} ms; 1,000,000 rows: {many[1]:.1f} ms")  # noqa: T201
    # Ten rows fit on the page, which needs no count of them.
    assert (few[0], many[0]) == (MOST_QUERIES - 1, MOST_QUERIES)
    # No promise of a speed: a page that reads the whole table takes hundreds of times as long.
    assert many[1] < 30 * few[1]
