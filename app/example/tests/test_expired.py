"""A form that was left open too long: nothing is saved, and nothing that was typed is lost."""

import pytest
from sqlalchemy import select

from app.example.models import Category, Product

from .page import CATEGORIES, PRODUCTS, Page, visit

SENTENCE = "The form had expired, so nothing was saved yet. What you typed is here: send it again."


@pytest.fixture
def expire(app, monkeypatch):
    """Let the tokens of all open forms expire."""
    return lambda: monkeypatch.setitem(app.config, "WTF_CSRF_TIME_LIMIT", -1)


@pytest.fixture
def renew(app, monkeypatch):
    return lambda: monkeypatch.setitem(app.config, "WTF_CSRF_TIME_LIMIT", 3600)


def _expired(response):
    assert response.status_code == 400
    return Page(response.text)


def test_a_new_product_comes_back_as_it_was_typed(client, category, rows, expire, renew):
    typed = {
        "name": "Kite <b>",
        "sku": "K-1",
        "price": "9,90",
        "stock": "7",
        "status": "active",
        "released_on": "2026-05-01",
        "description": "Flies\nhigh",
        "featured": "y",
        "category": str(category.id),
    }
    form = visit(client, f"{PRODUCTS}/new").form("Create")
    expire()

    page = _expired(form.send(client, typed))
    before = rows(select(Product.id))
    renew()
    response = page.form("Create").send(client)

    again = page.form("Create").fields
    assert page.alerts == [SENTENCE]
    assert page.errors == {}
    assert {name: again[name] for name in typed} == typed
    assert before == []
    assert response.status_code == 302
    assert rows(select(Product.name)) == [("Kite <b>",)]


def test_an_edit_comes_back_and_still_guards_its_version(
    app, client, make_product, rows, expire, renew
):
    product = make_product()
    url = f"{PRODUCTS}/{product.id}/edit"
    mine = visit(client, url).form("Save")
    other = app.test_client()
    visit(other, url).form("Save").send(other, stock="40")
    expire()

    page = _expired(mine.send(client, stock="50"))
    renew()
    conflict = page.form("Save").send(client)

    assert page.alerts == [SENTENCE]
    assert page.form("Save").fields["stock"] == "50"
    assert page.form("Save").fields["version"] == "1"
    assert conflict.status_code == 422
    assert rows(select(Product.stock)) == [(40,)]


def test_a_lost_session_is_no_other_than_an_expired_form(app, client, rows):
    form = visit(client, f"{CATEGORIES}/new").form("Create")

    response = form.send(app.test_client(), name="Typed")

    page = _expired(response)
    assert "<title>Error: New category" in response.text
    assert page.alerts == [SENTENCE]
    assert page.form("Create").fields["name"] == "Typed"
    assert rows(select(Category.id)) == []


def test_it_is_said_in_the_readers_language(client, category, rows, expire):
    client.set_cookie("lang", "es")
    form = visit(client, f"{CATEGORIES}/{category.id}/edit").form("Guardar")
    expire()

    page = _expired(form.send(client, name="Té"))

    assert page.alerts[0].startswith("El formulario había caducado y aún no se guardó nada.")
    assert page.form("Guardar").fields["name"] == "Té"
    assert rows(select(Category.name)) == [("Tea",)]


@pytest.mark.parametrize("resource", [PRODUCTS, CATEGORIES])
@pytest.mark.parametrize(
    ("language", "heading", "button", "sentence"),
    [
        ("en", "That did not work", "Delete", "nothing was changed"),
        ("es", "No se pudo completar", "Eliminar", "no se cambió nada"),
    ],
)
def test_delete_with_an_expired_token_changes_nothing(
    client, save, make_product, rows, expire, resource, language, heading, button, sentence
):
    client.set_cookie("lang", language)
    id = make_product().id if resource == PRODUCTS else save(Category(name="Empty")).id
    form = visit(client, f"{resource}/{id}").form(button)
    before = rows(select(Product.id)), rows(select(Category.id))
    expire()

    response = form.send(client)

    assert _expired(response).heading == heading
    assert sentence in response.text
    assert (rows(select(Product.id)), rows(select(Category.id))) == before


def test_an_expired_edit_of_what_is_gone_is_404(client, category, expire):
    form = visit(client, f"{CATEGORIES}/{category.id}/edit").form("Save")
    visit(client, f"{CATEGORIES}/{category.id}").form("Delete").send(client)
    expire()

    assert form.send(client, name="Ghost").status_code == 404
