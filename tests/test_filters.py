"""The controls above a list: one for each filter, with the values of the URL."""

import enum

import pytest

from core import filters
from core.filters import controls, related_choices, shown
from core.pages import page_of
from core.testing import app_on_test_database
from tests.listed.models import Entry, Phase, Shelf


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    with app_on_test_database(tmp_path_factory.mktemp("filters"), ["tests.listed"]) as application:
        yield application


@pytest.fixture
def shelves(save):
    return [save(Shelf(name=name)) for name in ("Upper", "Lower")]


def controls_of(app, query=""):
    with app.test_request_context(f"/listed/?{query}"):
        page = page_of(Entry)
        return {control.name: control for control in controls(page, related_choices(page))}


@pytest.mark.usefixtures("isolated")
def test_each_kind_of_column_has_its_controls(app):
    found = {name: control.type for name, control in controls_of(app).items()}

    assert found == {
        "filter[name]": "text",
        "filter[whole][gte]": "number",
        "filter[whole][lte]": "number",
        "filter[price][gte]": "number",
        "filter[price][lte]": "number",
        "filter[ratio][gte]": "number",
        "filter[ratio][lte]": "number",
        "filter[day][gte]": "date",
        "filter[day][lte]": "date",
        "filter[moment]": "text",
        "filter[clock]": "text",
        "filter[flag]": "text",
        "filter[phase]": "text",
        "filter[token]": "text",
        "filter[shelf_id]": "number",
    }


@pytest.mark.usefixtures("isolated")
def test_a_control_is_named_after_its_column(app):
    found = controls_of(app)

    assert str(found["filter[name]"].label) == "Name"
    assert str(found["filter[shelf_id]"].label) == "Shelf"
    assert found["filter[price][gte]"].label == "Price from"
    assert found["filter[price][lte]"].label == "Price to"


@pytest.mark.usefixtures("isolated")
def test_a_boolean_and_an_enum_offer_their_values(app):
    found = controls_of(app)

    assert found["filter[flag]"].choices == [("true", "yes"), ("false", "no")]
    assert found["filter[phase]"].choices == [("new", "Brand new"), ("used", "Well used")]


def test_a_relation_offers_its_rows_by_name(app, shelves):
    upper, lower = shelves

    offered = controls_of(app)["filter[shelf_id]"].choices

    assert offered == ((str(lower.id), "Lower"), (str(upper.id), "Upper"))


def test_of_a_large_relation_the_number_is_typed(app, shelves, monkeypatch):
    monkeypatch.setattr(filters, "MOST_CHOICES", 1)

    control = controls_of(app)["filter[shelf_id]"]

    assert (control.choices, control.type) == ([], "number")


@pytest.mark.usefixtures("isolated")
def test_a_control_holds_what_the_url_asks_and_no_nonsense(app):
    found = controls_of(
        app, "filter[phase]=used&filter[price][gte]=1,5&filter[day][lte]=2026-01-01"
    )

    assert found["filter[phase]"].value == "used"
    assert found["filter[price][gte]"].value == ""
    assert found["filter[day][lte]"].value == "2026-01-01"


def test_the_form_shows_what_is_filtered(client, shelves):
    page = " ".join(client.get("/listed/?filter[phase]=used&q=x").text.split())

    assert '<details class="list-filters" open>' in page
    assert '<option value="used" selected>Well used</option>' in page
    assert '<label class="form-label" for="f-filter-price-gte">Price from</label>' in page


class Plain(enum.Enum):
    TWO_WORDS = 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"),
        (False, "no"),
        (None, "—"),
        (0, "0"),
        ("", ""),
        (Phase.NEW, "Brand new"),
        (Plain.TWO_WORDS, "Two words"),
    ],
)
def test_a_value_is_shown_in_words(app, value, text):
    with app.test_request_context():
        assert shown(value) == text
