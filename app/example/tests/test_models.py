"""The tables hold their rules themselves, whoever writes to them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from app.example.models import Category, Product, Status
from core.constraints import violation_of
from core.listing import Query
from services import db


def test_a_product_needs_no_more_than_name_sku_price_and_category(save, category):
    product = save(Product(name="Kite", sku="K", price=Decimal("9.90"), category_id=category.id))

    assert (product.stock, product.status, product.featured) == (0, Status.DRAFT, False)
    assert (product.description, product.released_on) == (None, None)
    assert product.version == 1


def test_a_product_comes_back_as_it_was_stored(make_product, category):
    product = make_product(
        price=Decimal("99999999.99"),
        status=Status.RETIRED,
        released_on=date(2024, 2, 29),
        featured=True,
        description="Ünïcode 🍵",
    )

    assert product.price == Decimal("99999999.99")
    assert product.status is Status.RETIRED
    assert product.released_on == date(2024, 2, 29)
    assert product.featured is True
    assert product.description == "Ünïcode 🍵"
    assert product.category.name == category.name


def test_times_are_aware_and_in_utc(make_product):
    product = make_product()

    assert product.created_at.tzinfo is UTC
    assert abs(datetime.now(UTC) - product.created_at) < timedelta(minutes=1)
    assert abs(product.updated_at - product.created_at) < timedelta(seconds=1)


def test_a_change_raises_the_version_and_the_time_of_the_last_change(app, make_product):
    product = make_product()

    with app.app_context():
        stored = db.session.get(Product, product.id)
        stored.stock = 13
        db.session.commit()

        assert stored.version == 2
        assert stored.updated_at > product.updated_at
        assert stored.created_at == product.created_at


@pytest.mark.parametrize(
    ("values", "kind", "errors"),
    [
        ({"sku": "TEA-1"}, "unique", {"sku": ["This value is already taken."]}),
        (
            {"category_id": 987654},
            "missing",
            {"category_id": ["This record does not exist or was deleted."]},
        ),
        ({"category_id": None}, "required", {"category_id": ["This value is required."]}),
        ({"price": Decimal("-0.01")}, "check", {"price": ["From 0 on."]}),
        ({"stock": -1}, "check", {"stock": ["From 0 on."]}),
    ],
    ids=["taken sku", "unknown category", "no category", "negative price", "negative stock"],
)
def test_a_broken_rule_names_its_column(app, make_product, category, values, kind, errors):
    make_product()
    other = {"name": "B", "sku": "B", "price": 1, "category_id": category.id, **values}

    with app.app_context():
        db.session.add(Product(**other))
        with pytest.raises(DBAPIError) as caught:
            db.session.commit()
        db.session.rollback()
        violation = violation_of(caught.value)

        assert (violation.kind, violation.errors) == (kind, errors)


def test_two_categories_never_share_a_name(app, category):
    with app.app_context():
        db.session.add(Category(name=category.name))
        with pytest.raises(DBAPIError):
            db.session.commit()
        db.session.rollback()

        assert db.session.scalars(select(Category.name)).all() == ["Tea"]


def test_a_category_with_products_stays(app, make_product, category):
    make_product()

    with app.app_context():
        db.session.delete(db.session.get(Category, category.id))
        with pytest.raises(DBAPIError) as caught:
            db.session.commit()
        db.session.rollback()

        assert violation_of(caught.value).kind == "in_use"


@pytest.fixture
def shelf(save, make_product, category):
    """Store three products, two of tea, and return the category of tea."""
    other = save(Category(name="Coffee"))
    for name, category_id in {"A": category.id, "B": other.id, "C": category.id}.items():
        make_product(name=name, sku=name, category_id=category_id)
    make_product(name="D", sku="D", status=Status.ACTIVE)
    return category


def test_in_category_narrows(app, shelf):
    with app.app_context():
        products = db.session.scalars(Product.in_category(shelf)).all()

        assert {str(product) for product in products} == {"A", "C", "D"}


def test_the_numbers_of_the_dashboard_count_all_products(app, shelf):
    with app.app_context():
        per_category = db.session.execute(Product.per_category()).all()
        per_status = db.session.execute(Product.per_status()).all()

        assert per_category == [("Tea", 3), ("Coffee", 1)]
        assert dict(per_status) == {Status.DRAFT: 3, Status.ACTIVE: 1}


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ((("id", True),), "DCBA"),
        ((("price", False),), "ABCD"),
        ((("price", True), ("id", True)), "DCBA"),
        ((("name", True),), "DCBA"),
    ],
    ids=["newest first", "equal: by key", "equal: newest first", "by name"],
)
def test_the_listing_orders(app, shelf, order, names):
    with app.app_context():
        rows = Product.listing.apply(select(Product), Query(order=order))

        assert "".join(map(str, db.session.scalars(rows))) == names
