"""The pages in Spanish, and the choices of language and colours, which last."""

import re
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from app.example.models import Product, Status
from core.setting import setting

from .page import CATEGORIES, PRODUCTS, Page, refused, visit

# A product may keep the demo for a while.
by_its_button = pytest.mark.xfail(
    len(setting("LANGUAGES")) == 1, reason="Of one language there is no choice."
)


@pytest.fixture
def spanish(client):
    """A browser that asks for Spanish."""
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "es-CO,es;q=0.9,en;q=0.5"
    return client


def _text(response):
    return re.sub(r"[\s\xa0]+", " ", re.sub(r"<[^>]+>", " ", response.text))


def test_the_list_speaks_spanish(spanish, make_product):
    make_product(price=Decimal("1234.50"), stock=1234, status=Status.RETIRED)

    page = visit(spanish, PRODUCTS)

    assert (page.language, page.heading) == ("es", "Productos")
    assert page.rows == [
        ["Nombre", "SKU", "Categoría", "Precio", "Existencias", "Estado"],
        ["Sencha", "TEA-1", "Tea", "1.234,50 US$", "1.234", "Retirado"],
    ]
    options = page.form("Aplicar").options
    assert options["filter[status]"] == ["cualquiera", "Borrador", "Activo", "Retirado"]
    assert options["filter[featured]"] == ["cualquiera", "sí", "no"]


def test_a_product_shows_its_fields_in_spanish(spanish, make_product):
    product = make_product(
        price=Decimal("12345.50"), released_on=date(2026, 1, 31), featured=True, stock=54321
    )

    text = _text(spanish.get(f"{PRODUCTS}/{product.id}"))

    for part in (
        "Precio 12.345,50 US$",
        "Existencias 54.321",
        "Estado Borrador",
        "Fecha de lanzamiento 31 ene 2026",
        "Destacado sí",
        "Todos los productos",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("12,50", "12.50"),
        ("12.50", "12.50"),
        ("1.234,50", "1234.50"),
        (" 7 ", "7.00"),
        ("0,5", "0.50"),
    ],
)
def test_a_price_is_taken_as_it_is_written_in_spanish(spanish, category, rows, typed, stored):
    form = visit(spanish, f"{PRODUCTS}/new").form("Crear")

    response = form.send(spanish, name="Té", sku="T", price=typed, category=str(category.id))

    assert response.status_code == 302
    assert visit(spanish, response.location).alerts == ["Se creó Té."]
    assert rows(select(Product.price)) == [(Decimal(stored),)]


def test_an_edit_shows_the_decimal_comma_and_saves_it_unchanged(spanish, make_product, rows):
    product = make_product(price=Decimal("12345.50"))
    form = visit(spanish, f"{PRODUCTS}/{product.id}/edit").form("Guardar")
    before = rows(select(*Product.__table__.columns))

    form.send(spanish)

    assert form.fields["price"] == "12345,50"
    assert rows(select(*Product.__table__.columns)) == before


def test_the_errors_of_a_form_are_spanish(spanish, make_product, category):
    make_product()
    form = visit(spanish, f"{PRODUCTS}/new").form("Crear")
    typed = {"name": "x" * 121, "sku": "TEA-1", "price": "barato", "stock": "-1"}

    page = refused(form.send(spanish, typed))
    taken = refused(
        form.send(spanish, {**typed, "name": "x", "price": "1", "stock": "1"}, category=category.id)
    )

    assert page.errors == {
        "name": "El campo no puede tener más de 120 caracteres.",
        "price": "No es un número decimal válido.",
        "stock": "El número debe ser como mínimo 0.",
        "category": "Este campo es obligatorio.",
    }
    assert taken.errors == {"sku": "Este valor ya está en uso."}


def test_the_errors_of_the_site_are_spanish(spanish):
    page = Page(spanish.get("/example/nada").text)

    assert (page.language, page.heading) == ("es", "No encontrado")


def test_the_file_has_spanish_heads_and_plain_numbers(spanish, make_product):
    make_product()

    lines = spanish.get(f"{PRODUCTS}.csv").text.splitlines()

    assert lines[0].lstrip("\ufeff").startswith("Nombre,SKU,Categoría,Precio,")
    assert lines[1] == "Sencha,TEA-1,Tea,7.50,12,draft,"


def test_the_dashboard_speaks_spanish(spanish, make_product):
    make_product()

    page = visit(spanish, "/example/")

    assert page.rows == [
        ["Categoría", "Productos"],
        ["Tea", "1"],
        ["Estado", "Productos"],
        ["Borrador", "1"],
    ]


@by_its_button
def test_the_language_that_was_chosen_wins_over_the_browsers_and_lasts(client):
    page = visit(client, f"{CATEGORIES}?q=x")

    response = page.form("Español").send(client, button="Español")
    cookie = client.get_cookie("lang")

    assert page.language == "en"
    assert response.status_code == 302
    assert response.location == f"{CATEGORIES}?q=x"
    assert (cookie.value, cookie.max_age, cookie.http_only) == ("es", 365 * 24 * 3600, True)
    english = {"Accept-Language": "en"}
    assert Page(client.get("/", headers=english).text).language == "es"
    back = visit(client, CATEGORIES)
    back.form("English").send(client, button="English")
    assert visit(client, CATEGORIES).language == "en"


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("es", "es"),
        ("es-MX", "es"),
        ("de, es;q=0.5", "es"),
        ("en-GB, es;q=0.5", "en"),
        ("de", "en"),
        ("", "en"),
        ("*", "en"),
        ("\x7f;q=x,,,", "en"),
    ],
)
def test_without_a_choice_the_browser_decides(client, asked, language):
    response = client.get(CATEGORIES, headers={"Accept-Language": asked})

    assert Page(response.text).language == language


def test_the_theme_that_was_chosen_lasts(client):
    themes = []
    for button in ("Light colours", "Dark colours", "Automatic colours"):
        page = visit(client, PRODUCTS)
        response = page.form(button).send(client, button=button)
        themes.append((page.theme, response.location))

    assert themes == [("auto", PRODUCTS), ("light", PRODUCTS), ("dark", PRODUCTS)]
    assert visit(client, PRODUCTS).theme == "auto"
    assert client.get_cookie("theme").max_age == 365 * 24 * 3600


@pytest.mark.parametrize(("name", "value"), [("lang", "fr"), ("theme", "pink"), ("lang", "../en")])
def test_a_forged_choice_is_ignored(client, name, value):
    client.set_cookie(name, value)

    page = visit(client, PRODUCTS)

    assert (page.language, page.theme) == ("en", "auto")


@by_its_button
def test_a_choice_leads_to_no_other_site(client):
    form = visit(client, PRODUCTS).form("Español")

    for target in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x"):
        assert form.send(client, {"next": target}, button="Español").location == "/"
