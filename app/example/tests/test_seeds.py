"""The demo data: so many rows, the same each time, and never in the way of what is there."""

from decimal import Decimal

import pytest
from sqlalchemy import delete, func, select

from app.example.models import Category, Product, Status
from app.example.seeds import GOODS, seed
from services import db

# What no run may change, and what the demo's pages show.
FIELDS = [
    Product.name,
    Product.sku,
    Product.description,
    Product.price,
    Product.stock,
    Product.status,
    Product.released_on,
    Product.featured,
    Category.name,
]
EVERYTHING = select(*FIELDS).join(Product.category).order_by(Product.sku)
COUNTS = select(
    select(func.count()).select_from(Product).scalar_subquery(),
    select(func.count()).select_from(Category).scalar_subquery(),
)


@pytest.fixture
def load(app, isolated):
    """Run the seeds and commit, as `flask seed` does; return what they report."""

    def run(rows):
        with app.app_context():
            reported = list(seed(rows))
            db.session.commit()
        return reported

    return run


@pytest.mark.parametrize("count", [1, 45, 2500])
def test_seed_inserts_so_many_products_and_their_categories(load, rows, count):
    reported = load(count)

    assert rows(COUNTS) == [(count, len(GOODS))]
    assert reported[-1] == count
    assert reported == sorted(set(reported))


def test_a_second_run_adds_and_changes_nothing(load, rows):
    load(45)
    first = rows(select(*Product.__table__.columns).order_by(Product.id))

    load(45)

    assert rows(select(*Product.__table__.columns).order_by(Product.id)) == first
    assert rows(COUNTS) == [(45, len(GOODS))]


def test_a_larger_run_keeps_the_rows_of_a_smaller_one(load, rows):
    load(20)
    small = rows(EVERYTHING)

    load(30)

    assert rows(EVERYTHING)[:20] == small
    assert rows(COUNTS) == [(30, len(GOODS))]


def test_the_rows_are_the_same_in_every_database(app, load, rows):
    load(45)
    first = rows(EVERYTHING)
    with app.app_context():
        db.session.execute(delete(Product))
        db.session.execute(delete(Category))
        db.session.commit()

    load(45)

    assert rows(EVERYTHING) == first


def test_a_category_that_is_there_already_is_used(save, load, rows):
    own = save(Category(name="Toys"))

    load(45)

    assert rows(select(Category.id).where(Category.name == "Toys")) == [(own.id,)]
    assert rows(COUNTS) == [(45, len(GOODS))]


def test_the_products_are_plausible(load, rows):
    load(500)

    products = [row[0] for row in rows(select(Product))]

    assert {product.status for product in products} == set(Status)
    assert {product.featured for product in products} == {True, False}
    assert all(Decimal(2) <= product.price < Decimal(220) for product in products)
    assert all(0 <= product.stock < 250 for product in products)
    assert all(product.name for product in products)
    drafts = [product for product in products if product.status is Status.DRAFT]
    assert all(product.released_on is None for product in drafts)
