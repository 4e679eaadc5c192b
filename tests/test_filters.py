"""The controls above a list: one for each filter, with the values of the URL."""

import enum
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html import unescape
from types import SimpleNamespace

import pytest
from sqlalchemy import select

import settings
from core import filters
from core.filters import controls, related_choices, shown
from core.listing import Listing
from core.pages import page_of
from core.testing import app_on_test_database
from tests.listed.models import Entry, Phase, Shelf
from tests.reading import Reader
from tests.sample.models import Specimen


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filters")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "TIMEZONE", "America/Bogota")
        with app_on_test_database(folder, ["tests.listed"]) as application:
            yield application


NOTHING = ("—", "no value")


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
        "filter[price][gte]": "text",
        "filter[price][lte]": "text",
        "filter[ratio][gte]": "number",
        "filter[ratio][lte]": "number",
        "filter[day][gte]": "date",
        "filter[day][lte]": "date",
        "filter[moment][gte]": "datetime-local",
        "filter[moment][lte]": "datetime-local",
        "filter[clock][gte]": "time",
        "filter[clock][lte]": "time",
        "filter[flag]": "text",
        "filter[phase]": "text",
        "filter[token]": "text",
        "filter[shelf_id]": "search",
    }


@pytest.mark.parametrize(
    ("language", "typed", "names"),
    [
        ("es", "1.500", ["Desk"]),
        ("es", "1.500,50", []),
        ("es", "12,5", ["Desk", "Lamp"]),
        ("en", "1,500", ["Desk"]),
        ("en", "1.500", ["Desk", "Lamp", "Pen"]),
        ("en", "12,5", ["Desk", "Lamp"]),
    ],
)
def test_decimals_are_typed_as_in_forms(client, save, language, typed, names):
    for name, price in (("Desk", 1500), ("Lamp", 20), ("Pen", 2)):
        save(Entry(name=name, price=Decimal(price)))

    url = f"/listed/?sort=name&filter[price][gte]={typed}"
    page = client.get(url, headers={"Accept-Language": language}).text

    assert re.findall(r"<td>(Desk|Lamp|Pen)</td>", page) == names
    assert Reader(page).tag("input", id="f-filter-price-gte")["value"] == typed


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

    assert found["filter[flag]"].choices == [("true", "yes"), ("false", "no"), NOTHING]
    assert found["filter[phase]"].choices == [("new", "Brand new"), ("used", "Well used"), NOTHING]


def test_a_relation_offers_its_rows_by_name(app, shelves):
    upper, lower = shelves

    offered = controls_of(app)["filter[shelf_id]"].choices

    assert offered == [(str(lower.id), "Lower"), (str(upper.id), "Upper"), NOTHING]


@pytest.mark.usefixtures("shelves")
def test_a_narrowed_list_offers_what_its_rows_refer_to(app, save):
    for name in ("mine", "theirs"):
        save(Entry(name=name, shelf=Shelf(name=name)))
    rows = select(Entry).where(Entry.name == "mine")

    for statement in (rows, rows.join(Entry.shelf), rows.order_by(Entry.name).distinct()):
        with app.test_request_context("/listed/"):
            page = page_of(Entry, statement)
            found = {one.name: one.choices for one in controls(page, related_choices(page))}

        assert [text for _, text in found["filter[shelf_id]"]] == ["mine", "no value"]


def test_a_filter_that_no_row_meets_is_seen_in_its_select(app, save):
    save(Shelf(name="Upper"))

    control = controls_of(app, "filter[shelf_id]=99999")["filter[shelf_id]"]

    assert control.choices[-1] == ("99999", control.value) == ("99999", "99999")


@pytest.mark.parametrize(
    ("name", "value"),
    [("shelf", "Upper"), ("phase", Phase.NEW), ("flag", False)],
)
def test_rows_without_a_value_are_found(client, save, name, value):
    save(Entry(name="with", **{name: Shelf(name=value) if name == "shelf" else value}))
    save(Entry(name="without"))

    column = "shelf_id" if name == "shelf" else name
    page = " ".join(client.get(f"/listed/?filter[{column}]=—").text.split())

    assert '<option value="—" selected>no value</option>' in page
    assert re.findall(r"<td>(with\w*)</td>", page) == ["without"]


@pytest.mark.usefixtures("shelves")
def test_a_key_offers_no_records_that_refer_to_it(app):
    with app.test_request_context("/listed/shelves"):
        page = page_of(Shelf)
        found = {one.name: one.choices for one in controls(page, related_choices(page))}

    assert found == {"filter[id][gte]": (), "filter[id][lte]": ()}


def test_of_a_large_relation_words_are_typed(app, shelves, monkeypatch):
    monkeypatch.setattr(filters, "MOST_CHOICES", 1)

    control = controls_of(app)["filter[shelf_id]"]

    assert (control.choices, control.type) == ([], "search")


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("upper", ["a"]),
        ("PP", ["a"]),
        ("{upper}", ["a"]),
        ("per shelf", ["a"]),
        ("er", ["a", "b"]),
        ("nowhere", []),
        ("9" * 30, []),
    ],
)
def test_a_relation_is_filtered_by_its_words_or_its_number(client, save, typed, names):
    upper, lower = save(Shelf(name="Upper shelf")), save(Shelf(name="Lower"))
    save(Entry(name="a", shelf_id=upper.id))
    save(Entry(name="b", shelf_id=lower.id))
    save(Entry(name="c"))

    query = {"filter[shelf_id]": typed.format(upper=upper.id)}
    answer = client.get("/listed/", query_string=query)

    assert re.findall(r"<td>([abc])</td>", answer.text) == names
    assert "was left out" not in answer.text


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("filter[moment][gte]=2026-01-01T10:00", ["b", "c"]),
        ("filter[moment][gte]=2026-01-01T10:00:01", ["c"]),
        ("filter[moment][lte]=2026-01-01T09:59", ["a"]),
        ("filter[moment]=2026-01-01T10:00", ["b"]),
        ("filter[moment]=2026-01-01T15:00Z", ["b"]),
        ("filter[moment][in]=2026-01-01T10:00,2026-01-02", ["b", "c"]),
    ],
)
def test_a_time_is_typed_in_the_zone_of_the_product(app, client, save, monkeypatch, query, names):
    monkeypatch.setattr(app.extensions["babel"], "default_timezone", "America/Bogota")
    for name, moment in (
        ("a", datetime(2026, 1, 1, 10, tzinfo=UTC)),
        ("b", datetime(2026, 1, 1, 15, tzinfo=UTC)),
        ("c", datetime(2026, 1, 2, 5, tzinfo=UTC)),
    ):
        save(Entry(name=name, moment=moment))

    answer = client.get(f"/listed/?{query}")

    assert re.findall(r"<td>([abc])</td>", answer.text) == names
    typed = query.partition("=")[2]
    assert f'value="{typed}"' in answer.text or "][" not in query or "[in]" in query


@pytest.mark.parametrize(
    ("query", "left_out"),
    [
        ("filter[price][gte]=cheap", "Price"),
        ("filter[moment][gte]=9999-12-31T23:59", "Moment"),
        ("filter[moment][gte]=2024-09-08T00:00", None),
        ("filter[moment][gte]=soon&filter[day]=x&q=a", "Moment, Day"),
        ("filter[shelf_id]=%00", "Shelf"),
        ("filter[password]=x&sort=password&page=x", None),
        ("filter[price][gte]=", None),
    ],
)
def test_a_filter_that_makes_no_sense_is_told(client, query, left_out):
    answer = client.get(f"/listed/?{query}")

    alerts = re.findall(r"left out: ([^<]+?)\s*</div>", answer.text)
    assert answer.status_code == 200
    assert alerts == ([left_out] if left_out else [])


@pytest.mark.usefixtures("isolated")
def test_a_control_holds_what_the_url_asks_and_no_nonsense(app):
    found = controls_of(
        app, "filter[phase]=used&filter[price][gte]=1_5&filter[day][lte]=2026-01-01"
    )

    assert found["filter[phase]"].value == "used"
    assert found["filter[price][gte]"].value == ""
    assert found["filter[day][lte]"].value == "2026-01-01"


@pytest.mark.usefixtures("isolated")
@pytest.mark.parametrize(
    ("asked", "shown_there"),
    [
        ("2026-01-01T10:00:00Z", "2026-01-01T05:00:00"),
        ("2026-01-01", "2026-01-01T00:00:00"),
        ("2026-01-01T10:00", "2026-01-01T10:00"),
    ],
)
def test_a_moment_of_a_url_is_written_as_a_browser_takes_it(app, asked, shown_there):
    control = controls_of(app, f"filter[moment][gte]={asked}")["filter[moment][gte]"]

    assert control.value == shown_there


def test_the_form_shows_what_is_filtered(client, shelves):
    page = " ".join(client.get("/listed/?filter[phase]=used&q=x").text.split())

    assert '<details class="list-filters" open>' in page
    assert '<option value="used" selected>Well used</option>' in page
    assert '<label class="form-label" for="f-filter-price-gte">Price from</label>' in page


class Plain(enum.Enum):
    TWO_WORDS = 2


def test_what_a_view_reads_itself_is_kept_by_links_and_form(client, save):
    for number in range(3):
        save(Entry(name=f"Pen {number}"))
    own = "/listed/kept?tab=a%26%22b"

    page = client.get(f"{own}&other=1&q=pen&per_page=1&page=2&filter[name]=").text
    found = client.get(f"{own}&q=nothing").text

    links = [unescape(one) for one in re.findall(r'href="(/listed/kept[^"]*)"', page)]
    assert {f"{own}&q=pen&per_page=1&page={number}" for number in (1, 3)} <= set(links)
    assert own in links
    assert all(one.startswith(own) and "other" not in one for one in links)
    assert '<input type="hidden" name="tab" value="a&amp;&#34;b">' in page
    assert f'href="{own}">Show all</a>' in found
    assert 'name="of"' not in page


def test_all_values_of_what_a_view_reads_are_kept_and_none_of_a_list_twice(client, save):
    save(Entry(name="Pen"))

    page = client.get("/listed/kept?tab=a&tab=b&q=pen").text

    links = [unescape(one) for one in re.findall(r'href="(/listed/kept[^"]*)"', page)]
    assert all(one.startswith("/listed/kept?tab=a&tab=b") for one in links)
    assert any(one.endswith("?tab=a&tab=b&q=pen&sort=-name") for one in links)
    assert all(one.count("q=") <= 1 for one in links)
    assert re.findall(r'name="tab" value="(.)"', page) == ["a", "b"]
    assert page.count('name="q"') == 1


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
        (Decimal("1234.50"), "1234,50"),
        (date(2026, 3, 14), "14 mar 2026"),
        (datetime(2026, 3, 14, 12, tzinfo=UTC), "14 mar 2026, 7:00:00"),
        (datetime.fromisoformat("2026-03-14T12:00"), "14 mar 2026, 12:00:00"),
        (datetime(1, 1, 1, tzinfo=UTC), "1 ene 1, 0:00:00"),
        (1.5, "1,5"),
        (timedelta(minutes=1, microseconds=500_000), "60,5"),
        (["b", 1], '["b", 1]'),
        ([date(2026, 3, 14)], '["14 mar 2026"]'),
    ],
)
def test_a_value_is_shown_in_words(app, monkeypatch, value, text):
    monkeypatch.setattr(app.extensions["babel"], "default_timezone", "America/Bogota")
    language = {} if isinstance(value, (bool, type(None), enum.Enum)) else {"Accept-Language": "es"}
    with app.test_request_context(headers=language):
        assert shown(value) == text


def test_a_span_of_time_names_its_unit(app):
    listing = Listing(filters=("span",), default="id", model=Specimen)
    page = SimpleNamespace(listing=listing, query=SimpleNamespace(args={}))

    with app.test_request_context():
        labels = [control.label for control in controls(page, ())]

    assert labels == ["Span in seconds from", "Span in seconds to"]
