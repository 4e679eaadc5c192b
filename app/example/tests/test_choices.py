"""The category of a product: a select while there are few, a search box when there are many."""

import re

import pytest
from sqlalchemy import delete, func, insert, select

from app.example.forms import ProductForm
from app.example.models import Category, Product
from core.constraints import Violation
from services import db

from .page import PRODUCTS, Page, refused, visit

NEW_PRODUCT = {"name": "Kite", "sku": "K-1", "price": "9.90", "stock": "3"}


@pytest.fixture
def many(app, isolated):
    """Store more categories than a select should hold."""
    names = [f"Category {number:03}" for number in range(1, 240)]
    rows = [{"name": name, "version": 1} for name in [*names, "Ñandú", "Mate"]]
    with app.app_context():
        db.session.execute(insert(Category), rows)
        db.session.commit()


@pytest.fixture
def new(client):
    return visit(client, f"{PRODUCTS}/new").form("Create")


def _search(form, client, words, **typed):
    return refused(form.send(client, {"category-search": words}, button="Search", **typed))


def test_few_categories_are_a_select(client, save):
    for name in ("Tea", "Coffee"):
        save(Category(name=name))

    form = visit(client, f"{PRODUCTS}/new").form("Create")

    assert form.options["category"] == ["—", "Coffee", "Tea"]
    assert "category-search" not in form.fields


@pytest.mark.parametrize(("count", "is_large"), [(200, False), (201, True)])
def test_the_declared_size_is_where_the_select_ends(app, isolated, count, is_large):
    with app.test_request_context():
        rows = [{"name": f"C{number}", "version": 1} for number in range(count)]
        db.session.execute(insert(Category), rows)

        assert ProductForm().category.is_large is is_large


def test_many_categories_are_a_search_that_loads_none_of_them(client, many, new):
    assert new.fields["category-search"] == ""
    assert new.options["category"] == ["—"]


def test_a_search_brings_the_form_back_with_results_and_what_was_typed(client, many, new, rows):
    page = _search(new, client, "ÑANDÚ", **{**NEW_PRODUCT, "price": "cheap"}, featured="y")

    form = page.form("Create")
    assert "Ñandú" in form.options["category"]
    assert form.fields["category-search"] == "ÑANDÚ"
    assert {name: form.fields[name] for name in NEW_PRODUCT} == {**NEW_PRODUCT, "price": "cheap"}
    assert form.fields["featured"] == "y"
    # Nothing was sent to be saved, so nothing is wrong yet.
    assert (page.errors, page.alerts) == ({}, [])
    assert rows(select(func.count()).select_from(Product)) == [(0,)]


def test_words_that_were_not_searched_for_are_searched_not_saved(client, many, new, rows):
    ((mate,),) = rows(select(Category.id).where(Category.name == "Mate"))
    filled = {**NEW_PRODUCT, "category": str(mate)}

    # As the Enter key sends them without JavaScript: with the form's first button.
    page = refused(new.send(client, {**filled, "category-search": "category 23", "_enter": "1"}))
    saved = page.form("Create").send(client)

    assert page.form("Create").options["category"][1:3] == ["Mate", "Category 023"]
    assert (page.errors, page.form("Create").fields["category"]) == ({}, str(mate))
    assert saved.status_code == 302
    assert rows(select(Product.category_id)) == [(mate,)]


def test_words_that_were_not_searched_for_do_not_keep_the_button_from_saving(
    client, many, new, rows
):
    ((mate,),) = rows(select(Category.id).where(Category.name == "Mate"))
    filled = {**NEW_PRODUCT, "category": str(mate), "category-search": "category 23"}

    assert new.send(client, filled).status_code == 302
    assert rows(select(Product.category_id)) == [(mate,)]


def test_words_that_nothing_was_chosen_for_are_searched_by_any_button(client, many, new, rows):
    ((mate,),) = rows(select(Category.id).where(Category.name == "Mate"))
    new.send(client, {**NEW_PRODUCT, "category": str(mate)})
    ((number,),) = rows(select(Product.id))
    edit = visit(client, f"{PRODUCTS}/{number}/edit").form("Save")

    page = refused(edit.send(client, {"category-search": "category 23", "price": "9.50"}))
    saved = page.form("Save").send(client)

    assert "Category 023" in page.form("Save").options["category"]
    assert (page.errors, page.form("Save").fields["price"]) == ({}, "9.50")
    assert saved.status_code == 302
    assert rows(select(Product.category_id)) == [(mate,)]


def test_words_that_were_taken_out_again_do_not_keep_from_saving(client, many, new, rows):
    page = _search(new, client, "mate", **NEW_PRODUCT)
    ((mate,),) = rows(select(Category.id).where(Category.name == "Mate"))

    response = page.form("Create").send(client, {"category-search": ""}, category=str(mate))

    assert response.status_code == 302


@pytest.mark.parametrize(("words", "size"), [("mate", 2), ("category", 8)])
def test_results_are_in_sight_and_have_the_focus(client, many, new, words, size):
    text = new.send(client, {"category-search": words}, button="Search").text

    control, plain = (
        re.search(r'<select [^>]*id="category"[^>]*>', one)[0]
        for one in (text, client.get(f"{PRODUCTS}/new").text)
    )
    assert f'size="{size}"' in control
    assert "autofocus" in control
    assert "size=" not in plain


def test_a_result_is_chosen_and_saved(client, many, new, rows):
    page = _search(new, client, "mate", **NEW_PRODUCT)
    ((mate,),) = rows(select(Category.id).where(Category.name == "Mate"))

    response = page.form("Create").send(client, category=str(mate))

    assert response.status_code == 302
    assert rows(select(Product.name, Product.category_id)) == [("Kite", mate)]


def test_the_results_are_few_and_the_choice_stays_among_them(client, many, new, rows):
    ((mate,),) = rows(select(Category.id).where(Category.name == "Mate"))
    chosen = _search(new, client, "mate", category=str(mate)).form("Create")

    form = _search(chosen, client, "category", category=str(mate)).form("Create")

    assert form.options["category"] == [
        "—",
        "Mate",
        *(f"Category {number:03}" for number in range(1, 21)),
    ]
    assert form.fields["category"] == str(mate)


@pytest.mark.parametrize("words", ["nowhere", "", " ", "%", "\x00", "x" * 5000])
def test_a_search_without_a_match_finds_nothing(client, many, new, words):
    assert _search(new, client, words).form("Create").options["category"] == ["—"]


def test_an_error_elsewhere_keeps_the_choice(client, many, new, rows):
    ((mate,),) = rows(select(Category.id).where(Category.name == "Mate"))

    page = refused(new.send(client, {**NEW_PRODUCT, "sku": "", "category": str(mate)}))

    assert list(page.errors) == ["sku"]
    assert page.form("Create").fields["category"] == str(mate)


@pytest.mark.parametrize("id", ["987654", "9" * 30, "x", "-1", "²", "٣"])
def test_what_is_no_category_is_refused(client, many, new, rows, id):
    page = refused(new.send(client, {**NEW_PRODUCT, "category": id}))

    assert page.errors == {"category": "Not a valid choice."}
    assert rows(select(Product.id)) == []


def test_an_edit_knows_its_category_among_many(client, many, make_product, save, rows):
    own = save(Category(name="Own"))
    product = make_product(category_id=own.id)
    form = visit(client, f"{PRODUCTS}/{product.id}/edit").form("Save")

    page = _search(form, client, "category 239", name="Renamed")
    response = page.form("Save").send(client)

    assert form.options["category"] == ["—", "Own"]
    assert page.form("Save").options["category"] == ["—", "Own", "Category 239"]
    assert response.status_code == 302
    assert rows(select(Product.name, Product.category_id)) == [("Renamed", own.id)]


def test_the_list_filters_by_the_words_of_a_category_when_they_are_many(client, many, save):
    other = save(Category(name="Other tea"))
    save(Product(name="Sencha", sku="T-1", price=1, category_id=other.id))

    page = Page(client.get(PRODUCTS).text, PRODUCTS)
    shown = {
        words: visit(client, f"{PRODUCTS}?filter[category_id]={words}").rows[1:]
        for words in ("tea other", str(other.id), "mate")
    }

    assert "filter[category_id]" not in page.form("Apply").options
    assert page.form("Apply").fields["filter[category_id]"] == ""
    assert [len(rows) for rows in shown.values()] == [1, 1, 0]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", ""),
        ("nowhere", "0 results"),
        ("mate", "1 result"),
        ("category 01", "13 results"),
        ("category", "The first 20 results: more words find fewer."),
    ],
)
def test_a_search_says_how_many_it_found(client, many, new, words, sentence):
    answer = new.send(client, {"category-search": words}, button="Search")

    assert f'<p class="search-results" role="status">{sentence}</p>' in answer.text


def test_a_category_that_vanishes_while_it_is_saved_is_no_choice_any_more(app, save):
    tea, _ = (save(Category(name=name)) for name in ("Tea", "Coffee"))
    refusal = Violation("missing", ("category_id",), "It is gone.")

    with app.test_request_context():
        form = ProductForm()
        before = [choice.label for choice in form.category]
        db.session.execute(delete(Category).where(Category.id == tea.id))
        form.show_violation(refusal)

        assert len(before) == 3
        assert "Tea" not in str(form.category())
        assert form.category.errors == ["It is gone."]
