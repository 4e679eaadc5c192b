"""A person's way through the pages in a real Chromium, on a production server of its own."""

import re

import pytest

from core.testing import errors_of

from .page import delete

# The browser is a development requirement: the other tests run without it.
expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser

PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 800}
LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen" * 2


@pytest.fixture(params=[PHONE, DESKTOP], ids=["phone", "desktop"])
def screen(request, page):
    """Give the browser window this size."""
    page.set_viewport_size(request.param)
    return page


def _fits(page):
    """Tell whether nothing sticks out on the right."""
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_product_is_created_mended_edited_and_deleted(screen):
    page = screen
    sku = f"WALK-{page.viewport_size['width']}"

    page.goto("/")
    assert _fits(page)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Products").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Products")
    taken = page.locator("tbody tr").nth(3).locator("td").nth(1).text_content()
    assert _fits(page)

    page.get_by_role("link", name="New product").click()
    page.get_by_label("Name").fill(f"Walking stick {sku}")
    page.get_by_label("SKU").fill(taken)
    page.get_by_label("Description").fill("Ash wood.")
    page.get_by_label("Price").fill("24.90")
    page.get_by_label("Stock").fill("7")
    page.get_by_label("Status").select_option("Active")
    page.get_by_label("Released on").fill("2026-03-14")
    page.get_by_label("Featured").check()
    page.get_by_label("Category").select_option("Travel")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_label("SKU")).to_have_accessible_description(
        re.compile("This value is already taken")
    )
    expect(page.get_by_label("Name")).to_have_value(f"Walking stick {sku}")
    expect(page.get_by_label("Featured")).to_be_checked()
    assert _fits(page)

    page.get_by_label("SKU").fill(sku)
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("alert")).to_have_text(f"Walking stick {sku} was created.")
    expect(page.locator("dd")).to_contain_text(
        [sku, "Travel", "Ash wood.", "$24.90", "7", "Active", "Mar 14, 2026", "yes"]
    )
    assert _fits(page)

    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_label("Category")).to_have_value(re.compile("[0-9]+"))
    page.get_by_label("Price").fill("19.50")
    page.get_by_label("Featured").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_have_text(f"Walking stick {sku} was saved.")
    expect(page.locator("dd")).to_contain_text(["$19.50", "no"])

    delete(page)
    expect(page).to_have_url(re.compile("/example/products$"))
    expect(page.get_by_role("alert")).to_have_text(f"Walking stick {sku} was deleted.")
    expect(page.get_by_role("link", name=f"Walking stick {sku}")).to_have_count(0)


def test_the_browser_itself_asks_for_what_is_required(page):
    page.goto("/example/products/new")

    page.get_by_role("button", name="Create").click()

    expect(page.get_by_label("Name")).to_be_focused()
    expect(page).to_have_url(re.compile("/example/products/new$"))


def test_the_pages_of_a_list_are_turned(screen):
    page = screen
    page.goto("/example/products")
    first = page.locator("tbody a").all_text_contents()

    page.get_by_role("link", name="Next").click()

    expect(page.get_by_role("navigation", name="Pages").locator(".active")).to_have_text("2")
    assert page.locator("tbody a").all_text_contents() != first
    page.get_by_role("link", name="Previous").click()
    expect(page).to_have_url(re.compile("page=1$"))
    assert page.locator("tbody a").all_text_contents() == first


@pytest.mark.parametrize("width", [320, 360])
@pytest.mark.parametrize(
    "url",
    [
        "/",
        "/no-such-page",
        "/example/",
        "/example/products?filter[status]=active&q=e&sort=-price",
        "/example/products?q=nothing-like-it",
        "/example/products",
        "/example/products?page=2&per_page=5",
        "/example/products/1",
        "/example/products/1/edit",
        "/example/products/new",
        "/example/categories",
        "/example/categories/1",
        "/example/categories/new",
    ],
)
def test_nothing_sticks_out_on_a_small_phone(page, width, url):
    page.set_viewport_size({"width": width, "height": 640})

    page.goto(url)

    assert _fits(page)


def test_a_long_word_does_not_widen_the_page(page):
    page.set_viewport_size(PHONE)
    page.goto("/example/categories/new")
    page.get_by_label("Name").fill(LONG[:80])

    page.get_by_role("button", name="Create").click()

    expect(page.get_by_role("heading", level=1)).to_have_text(LONG[:80])
    assert _fits(page)
    page.goto("/example/categories")
    assert _fits(page)
    page.goto("/example/products/new")
    assert _fits(page)
    page.goto("/example/categories")
    page.get_by_role("link", name=LONG[:80]).click()
    delete(page)
    expect(page.get_by_role("alert")).to_contain_text("was deleted")
    assert _fits(page)


def test_a_name_of_the_other_direction_turns_no_sentence_around(page):
    name = "שלום \u202e12"
    page.goto("/example/categories/new")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Create").click()

    flash = page.get_by_role("alert")
    expect(flash).to_have_text(f"\u2068{name}\u2069 was created.")
    assert flash.evaluate(IN_ORDER, " was created.")
    assert page.title().startswith(f"\u2068{name}\u2069 ·")
    page.locator(".confirm summary").click()
    assert page.locator(".confirm p").evaluate(IN_ORDER, " for good?")
    page.get_by_role("button", name="Delete").click()
    expect(flash).to_contain_text("was deleted")


# Whether the end of a text is written from the left to the right.
IN_ORDER = """(one, end) => {
  const text = [...one.childNodes].find((part) => part.data?.includes(end));
  const range = document.createRange(), start = text.data.indexOf(end);
  const lefts = [...end].map((_, place) => {
    range.setStart(text, start + place);
    range.setEnd(text, start + place + 1);
    return range.getBoundingClientRect().left;
  });
  return lefts.every((left, place) => place === 0 || left > lefts[place - 1]);
}"""


def test_the_keyboard_reaches_the_content_past_the_menu(page):
    page.goto("/example/products")

    page.keyboard.press("Tab")

    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#_content")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="New product")).to_be_focused()


def test_a_form_is_filled_in_and_sent_with_the_keyboard_alone(page):
    page.goto("/example/categories/new")
    page.get_by_label("Name").focus()

    page.keyboard.type("By keyboard")
    page.keyboard.press("Enter")

    expect(page.get_by_role("alert")).to_have_text("By keyboard was created.")
    page.locator(".confirm summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Delete")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("By keyboard was deleted.")


def test_a_button_that_is_clicked_twice_saves_once(page):
    sent = []

    def keep_waiting(route):
        sent.append(route)

    page.goto("/example/categories/new")
    page.get_by_label("Name").fill("Clicked twice")
    place = page.get_by_role("button", name="Create").bounding_box()
    page.route("**/example/categories", keep_waiting)

    with page.expect_request("**/example/categories"):
        page.mouse.click(place["x"] + 5, place["y"] + 5)
    page.mouse.click(place["x"] + 5, place["y"] + 5)
    sent[0].continue_()

    expect(page.get_by_role("alert")).to_have_text("Clicked twice was created.")
    assert len(sent) == 1
    delete(page)


def test_an_open_question_does_not_lie_above_what_has_the_focus(page):
    page.set_viewport_size(PHONE)
    page.goto("/example/products/1")
    page.locator(".confirm summary").focus()
    page.keyboard.press("Enter")
    question = page.locator(".confirm form")

    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Delete")).to_be_focused()
    expect(question).to_be_visible()
    page.keyboard.press("Tab")

    expect(page.get_by_role("link", name="All products")).to_be_focused()
    expect(question).to_be_hidden()
    page.keyboard.press("Shift+Tab")
    expect(question).to_be_visible()


def test_a_question_is_taken_back_by_its_button_or_escape(page):
    page.goto("/example/products/1")
    summary, question = page.locator(".confirm summary"), page.locator(".confirm form")
    expect(summary).to_have_accessible_name("Delete…")
    before = page.get_by_role("link", name="All products").bounding_box()

    summary.click()

    expect(summary).to_have_accessible_name("Cancel")
    assert page.get_by_role("link", name="All products").bounding_box() == before
    summary.click()
    expect(question).to_be_hidden()
    summary.click()
    page.get_by_role("button", name="Delete").focus()
    page.keyboard.press("Escape")
    expect(question).to_be_hidden()
    expect(summary).to_be_focused()
    expect(summary).to_have_accessible_name("Delete…")


def test_a_list_is_searched_filtered_and_sorted_by_its_controls(screen):
    page = screen
    page.goto("/example/products")

    page.get_by_role("searchbox", name="Search").fill("LAMP")
    page.keyboard.press("Enter")
    page.get_by_text("Filters").click()
    page.get_by_label("Status").select_option("Active")
    page.get_by_label("Price from").fill("10")
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("columnheader", name="Price").get_by_role("link").click()
    page.get_by_role("columnheader", name="Price").get_by_role("link").click()

    expect(page.get_by_role("columnheader", name="Price")).to_have_attribute(
        "aria-sort", "descending"
    )
    expect(page.get_by_role("searchbox", name="Search")).to_have_value("LAMP")
    expect(page.get_by_label("Status")).to_have_value("active")
    cells = page.locator("tbody td.number:nth-child(4)").all_inner_texts()
    prices = [float(text.lstrip("$")) for text in cells]
    assert prices
    assert prices == sorted(prices, reverse=True)
    assert all("lamp" in name.lower() for name in page.locator("tbody a").all_inner_texts())
    assert _fits(page)
    page.reload()
    assert page.locator("tbody tr").count() == len(prices)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    assert len(download.value.path().read_text().splitlines()) == len(prices) + 1


def test_language_and_colours_are_switched_and_stay(page):
    page.emulate_media(color_scheme="dark")
    page.goto("/example/products?q=lamp")
    html = page.locator("html")
    expect(html).to_have_attribute("data-bs-theme", "dark")

    page.get_by_role("button", name="Light colours").click()
    expect(html).to_have_attribute("data-bs-theme", "light")
    page.get_by_role("button", name="Español").click()

    expect(page).to_have_url(re.compile(r"products\?q=lamp$"))
    expect(html).to_have_attribute("lang", "es")
    page.get_by_role("link", name="Categorías").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Categorías")
    expect(html).to_have_attribute("data-bs-theme", "light")


def test_a_file_that_is_missing_is_an_error_and_an_error_page_is_none(browser, live_server):
    with browser.new_context(base_url=live_server.url) as context:
        page = context.new_page()
        errors = errors_of(page)
        page.goto("/no-such-page")
        page.wait_for_load_state("networkidle")
        before = list(errors)

        page.evaluate("document.body.append(Object.assign(new Image(), {src: '/gone.png'}))")
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(200)

    assert before == []
    assert errors == [f"{live_server.url}/gone.png"]


def test_a_page_is_printed_dark_on_white_whatever_its_colours(page):
    page.emulate_media(color_scheme="dark")
    page.goto("/example/products")
    on_screen = page.evaluate(COLOURS)

    page.emulate_media(media="print", color_scheme="dark")

    assert on_screen == ["rgb(226, 234, 237)", "rgb(17, 24, 27)"]
    assert page.evaluate(COLOURS) == ["rgb(27, 42, 48)", "rgb(255, 255, 255)"]
    expect(page.get_by_role("link", name="Download as CSV")).to_be_hidden()
    expect(page.get_by_role("table")).to_be_visible()
    expect(page.get_by_text("Page 1 of 3", exact=True)).to_be_visible()


def test_a_printed_list_has_all_its_columns(page):
    # A sheet of A4 without its margins.
    page.set_viewport_size({"width": 718, "height": 1000})
    page.emulate_media(media="print")

    page.goto("/example/products")

    table = page.get_by_role("region", name="Products")
    expect(page.get_by_role("columnheader", name="SKU")).to_be_visible()
    assert table.evaluate("one => getComputedStyle(one).overflowX") == "visible"
    assert _fits(page)


def test_a_narrow_list_shows_all_its_columns_to_who_asks_for_them(page):
    # So is 1280 px at 200 % (WCAG 2.2, 1.4.4).
    page.set_viewport_size({"width": 640, "height": 800})
    page.goto("/example/products")
    expect(page.get_by_role("columnheader", name="SKU")).to_be_hidden()

    page.get_by_label("Show all columns").check()

    expect(page.get_by_role("columnheader", name="SKU")).to_be_visible()
    assert _fits(page)
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(page.get_by_label("Show all columns")).to_be_hidden()


@pytest.mark.parametrize("media", ["screen", "print"])
def test_the_names_in_a_list_of_many_columns_have_room(page, media):
    page.set_viewport_size({"width": 768, "height": 1000})
    page.emulate_media(media=media)

    page.goto("/example/products")

    assert page.locator("tbody td").first.bounding_box()["width"] >= 180
    table = page.get_by_role("region", name="Products")
    assert table.evaluate("one => one.scrollWidth <= one.clientWidth")


def test_a_ticked_box_is_drawn_by_the_browser_in_the_readers_own_colours(page):
    page.goto("/example/products/new")
    box = page.get_by_label("Featured")
    expect(box).to_have_css("appearance", "none")

    # Bootstrap's tick is a white picture, on what is white then, too.
    page.emulate_media(forced_colors="active", color_scheme="light")

    expect(box).to_have_css("appearance", "auto")


def test_a_long_word_leaves_the_other_columns_in_sight(page):
    page.set_viewport_size(PHONE)
    page.goto("/example/products")
    page.locator("tbody a").first.evaluate("(one, word) => one.textContent = word", LONG)

    fits = page.get_by_role("region", name="Products").evaluate(
        "one => one.scrollWidth <= one.clientWidth"
    )

    assert fits


COLOURS = """["color", "backgroundColor"].map(
  (name) => getComputedStyle(document.body)[name])"""


def test_nothing_comes_from_another_server(page, live_server):
    requested = []
    page.on("request", lambda request: requested.append(request.url))

    page.goto("/example/products/new")
    page.wait_for_load_state("networkidle")

    assert len(requested) >= 3
    assert [url for url in requested if not url.startswith((live_server.url, "data:"))] == []
