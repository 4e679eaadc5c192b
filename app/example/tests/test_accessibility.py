"""What axe-core says of every page, in both colours, on phone and desktop, in both languages."""

import re

import pytest

# The browser and its checker are development requirements: the other tests run without them.
expect = pytest.importorskip("playwright.sync_api").expect
axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
pytestmark = pytest.mark.browser

PAGES = [
    "/",
    "/no-such-page",
    "/example/",
    "/example/products",
    "/example/products?page=2&per_page=10",
    "/example/products?filter[status]=active&q=e&sort=-price",
    "/example/products?q=nothing-like-it",
    "/example/products/1",
    "/example/products/1/edit",
    "/example/products/new",
    "/example/categories",
    "/example/categories/1",
    "/example/categories/1/edit",
    "/example/categories/new",
]
WORDS = {
    "en": {"create": "Create", "save": "Save", "name": "Name", "alert": "Someone else changed"},
    "es": {"create": "Crear", "save": "Guardar", "name": "Nombre", "alert": "Otra persona cambió"},
}


# Each width with each colour, each colour and each width in both languages.
READERS = {
    "phone-light-en": (360, "light", "en"),
    "phone-dark-es": (360, "dark", "es"),
    "desktop-light-es": (1280, "light", "es"),
    "desktop-dark-en": (1280, "dark", "en"),
}


@pytest.fixture(params=READERS.values(), ids=READERS)
def screen(request):
    return request.param


@pytest.fixture
def language(screen):
    return screen[2]


@pytest.fixture
def reader(page, live_server, screen):
    """A browser with this screen, these colours and this language."""
    width, colours, language = screen
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=colours)
    page.context.add_cookies([{"name": "lang", "value": language, "url": live_server.url}])
    return page


def violations(page):
    """Return what is wrong, one line each: rule, element, why."""
    result = axe.run(page).response
    assert "color-contrast" in {passed["id"] for passed in result["passes"]}
    return [
        f"{found['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
        for found in result["violations"]
        for node in found["nodes"]
    ]


def test_every_page_is_accessible(reader, screen):
    _, colours, language = screen
    found = {}

    for url in PAGES:
        reader.goto(url)
        assert reader.locator("html").get_attribute("lang") == language
        assert reader.locator("html").get_attribute("data-bs-theme") == colours
        # What is folded away is checked too.
        reader.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        found[url] = violations(reader)

    assert {url: lines for url, lines in found.items() if lines} == {}


def test_a_form_with_errors_is_accessible_and_its_first_error_has_the_focus(reader, language):
    words = WORDS[language]
    reader.goto("/example/products/new")
    reader.evaluate("document.querySelector('.record-form').noValidate = true")

    reader.get_by_role("button", name=words["create"]).click()

    expect(reader.locator("[aria-invalid=true]")).to_have_count(4)
    expect(reader.get_by_label(words["name"], exact=True)).to_be_focused()
    described = reader.get_by_label(words["name"], exact=True).get_attribute("aria-describedby")
    assert described == "name-errors"
    assert violations(reader) == []


def test_a_conflict_is_accessible(reader, browser, live_server, language):
    words = WORDS[language]
    reader.goto("/example/products/2/edit")
    with browser.new_context(base_url=live_server.url) as other:
        theirs = other.new_page()
        theirs.goto("/example/products/2/edit")
        stock = theirs.get_by_label("Stock")
        stock.fill(str(int(stock.input_value()) + 1))
        theirs.get_by_role("button", name="Save").click()
        expect(theirs.get_by_role("alert")).to_contain_text("was saved")

    reader.locator("#stock").fill("900000")
    reader.get_by_role("button", name=words["save"]).click()

    expect(reader.get_by_role("alert")).to_contain_text(words["alert"])
    expect(reader.locator("#stock")).to_have_accessible_description(re.compile("[0-9]+"))
    assert violations(reader) == []


def test_a_button_that_expired_is_accessible(reader):
    reader.goto("/example/products/3")
    reader.evaluate("document.querySelectorAll('[name=csrf_token]').forEach(one => one.value = '')")

    reader.locator(".confirm summary").click()
    reader.locator("main form button").click()

    expect(reader.locator("main .lead")).to_be_visible()
    assert violations(reader) == []


def test_a_form_that_expired_is_accessible_and_its_message_has_the_focus(reader, language):
    reader.goto("/example/categories/new")
    reader.evaluate("document.querySelectorAll('[name=csrf_token]').forEach(one => one.value = '')")

    reader.locator("#name").fill("Late")
    reader.get_by_role("button", name=WORDS[language]["create"]).click()

    expect(reader).to_have_title(re.compile("^Error: "))
    expect(reader.locator("[aria-live]:has([role=alert])")).to_be_focused()
    expect(reader.locator("#name")).to_have_value("Late")
    assert violations(reader) == []
