"""New records, typed into the real form, with every mistake that can be made in it."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from app.example.models import Category, Product, Status

from .page import CATEGORIES, PRODUCTS, refused, visit

NEW_PRODUCT = {"name": "Kite", "sku": "K-1", "price": "9.90"}


def test_create_stores_what_was_typed(client, category, rows):
    form = visit(client, f"{PRODUCTS}/new").form("Create")

    response = form.send(
        client,
        name="  Kite ",
        sku="K-1",
        description="Flies\r\nhigh",
        price="9.90",
        stock="7",
        status="active",
        released_on="2026-05-01",
        featured="y",
        category=str(category.id),
    )

    (stored,) = rows(select(Product))
    product = stored[0]
    assert (response.status_code, response.location) == (302, f"{PRODUCTS}/{product.id}")
    assert (product.name, product.sku, product.description) == ("Kite", "K-1", "Flies\r\nhigh")
    assert (product.price, product.stock) == (Decimal("9.90"), 7)
    assert (product.status, product.featured) == (Status.ACTIVE, True)
    assert (product.released_on, product.category_id) == (date(2026, 5, 1), category.id)
    assert visit(client, response.location).alerts == ["Kite was created."]


def test_an_untouched_form_carries_the_defaults(client, category):
    form = visit(client, f"{PRODUCTS}/new").form("Create")

    token, language = form.fields.pop("csrf_token"), form.fields.pop("_lang")

    assert (bool(token), language) == (True, "en")
    assert form.fields == {
        "name": "",
        "sku": "",
        "description": "",
        "price": "",
        "stock": "0",
        "status": "draft",
        "released_on": "",
        "category": "",
        "version": "",
    }


@pytest.mark.parametrize(
    ("typed", "errors"),
    [
        ({"name": ""}, {"name": "This field is required."}),
        ({"name": " \t "}, {"name": "This field is required."}),
        ({"name": "x" * 121}, {"name": "Field cannot be longer than 120 characters."}),
        ({"name": "a\x00b"}, {"name": "NUL characters are not allowed."}),
        ({"description": "\x00"}, {"description": "NUL characters are not allowed."}),
        ({"sku": "TEA-1"}, {"sku": "This value is already taken."}),
        ({"category": ""}, {"category": "This field is required."}),
        ({"category": "987654"}, {"category": "Not a valid choice."}),
        ({"category": "9" * 30}, {"category": "Not a valid choice."}),
        ({"stock": "-1"}, {"stock": "Number must be at least 0."}),
        ({"stock": str(2**31)}, {"stock": f"Number must be between {1 - 2**31} and {2**31 - 1}."}),
        ({"stock": "9" * 5000}, {"stock": "Not a valid integer value."}),
        ({"stock": "1.5"}, {"stock": "Not a valid integer value."}),
        ({"price": "-0.01"}, {"price": "Number must be at least 0."}),
        (
            {"price": "100000000"},
            {"price": "Number must be between -99999999.99 and 99999999.99."},
        ),
        ({"price": "9.999"}, {"price": "At most 2 decimal places."}),
        ({"price": "cheap"}, {"price": "Not a valid decimal value."}),
        ({"status": "sold"}, {"status": "Not a valid choice."}),
        ({"released_on": "31.12.2026"}, {"released_on": "Not a valid date value."}),
    ],
    ids=[
        "no name",
        "a blank name",
        "a name too long",
        "NUL in a name",
        "NUL in a description",
        "a taken sku",
        "no category",
        "an unknown category",
        "a category past 64 bits",
        "negative stock",
        "stock past 31 bits",
        "stock of 5,000 digits",
        "half a piece",
        "negative price",
        "price out of range",
        "a price of three places",
        "a price as a word",
        "an unknown status",
        "a date of another form",
    ],
)
def test_create_says_at_the_field_what_is_wrong(
    client, make_product, category, rows, typed, errors
):
    make_product()
    typed = {**NEW_PRODUCT, "category": str(category.id), **typed}

    page = refused(visit(client, f"{PRODUCTS}/new").form("Create").send(client, **typed))

    assert page.errors == errors
    kept = page.form("Create").fields
    choices = {"category", "status"} & set(errors)
    for name in typed.keys() - choices:
        assert kept[name] == typed[name].strip(), name
    assert rows(select(func.count()).select_from(Product)) == [(1,)]


@pytest.mark.parametrize("price", ["NaN", "Infinity", "-Infinity", "sNaN", "1e999999999", "1e-999"])
def test_a_price_is_a_finite_number(client, category, rows, price):
    typed = {**NEW_PRODUCT, "category": str(category.id), "price": price}

    page = refused(visit(client, f"{PRODUCTS}/new").form("Create").send(client, **typed))

    assert list(page.errors) == ["price"]
    assert page.form("Create").fields["price"] == price
    assert rows(select(Product.id)) == []


def test_several_errors_are_said_at_once(client, category):
    page = refused(visit(client, f"{PRODUCTS}/new").form("Create").send(client, stock="-5"))

    assert set(page.errors) == {"name", "sku", "price", "stock", "category"}


def test_an_error_is_tied_to_its_field(client, category):
    response = visit(client, f"{CATEGORIES}/new").form("Create").send(client, name="")

    assert 'aria-describedby="name-errors"' in response.text
    assert 'aria-invalid="true"' in response.text


def test_after_an_error_the_mended_form_is_stored(client, make_product, category, rows):
    make_product()
    typed = {**NEW_PRODUCT, "sku": "TEA-1", "category": str(category.id)}
    page = refused(visit(client, f"{PRODUCTS}/new").form("Create").send(client, **typed))

    response = page.form("Create").send(client, sku="TEA-2")

    assert response.status_code == 302
    assert rows(select(Product.name, Product.sku).order_by(Product.id)) == [
        ("Sencha", "TEA-1"),
        ("Kite", "TEA-2"),
    ]


def test_what_is_no_field_of_the_form_is_ignored(client, category, rows):
    typed = {**NEW_PRODUCT, "category": str(category.id), "id": "77", "created_at": "1999-01-01"}

    visit(client, f"{PRODUCTS}/new").form("Create").send(client, **typed)

    ((id, created_at),) = rows(select(Product.id, Product.created_at))
    assert id != 77
    assert created_at.year > 2000


def test_invalid_utf_8_does_not_stop_the_page(client, category):
    form = visit(client, f"{CATEGORIES}/new").form("Create")
    body = f"csrf_token={form.fields['csrf_token']}&name=%ff%fe%ed%a0%80"

    response = client.post(CATEGORIES, data=body, content_type="application/x-www-form-urlencoded")

    assert response.status_code == 302
    assert visit(client, response.location).heading


def test_what_was_typed_is_text_not_html(client, rows):
    name = "<script>alert('1')</script> & \"x\""
    response = visit(client, f"{CATEGORIES}/new").form("Create").send(client, name=name)

    page = visit(client, response.location)

    assert rows(select(Category.name)) == [(name,)]
    assert page.heading == name
    assert page.alerts == [f"{name} was created."]
    assert page.inline == []


def test_two_categories_may_not_share_a_name(client, category, rows):
    form = visit(client, f"{CATEGORIES}/new").form("Create")

    page = refused(form.send(client, name="Tea"))

    assert page.errors == {"name": "This value is already taken."}
    assert rows(select(Category.name)) == [("Tea",)]
