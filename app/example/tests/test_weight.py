"""What the first visit costs: bytes over the wire, requests, and text that jumps."""

import pytest

# The browser is a development requirement: the other tests run without it.
pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.browser

MOST_BYTES = 60 * 1024
MOST_REQUESTS = 8
APART = ("image", "font")
SHIFTS = """
  window.shifted = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) { window.shifted += entry.value; }
  }).observe({ type: "layout-shift", buffered: true });
"""
PAGES = ["/", "/example/", "/example/products", "/example/products/new", "/example/products/1"]


@pytest.mark.parametrize("url", PAGES)
@pytest.mark.parametrize("width", [360, 1280])
def test_a_first_visit_is_light_and_still(page, live_server, url, width):
    requests = {}
    page.on("requestfinished", lambda request: requests.update({request.url: request}))
    page.set_viewport_size({"width": width, "height": 800})
    page.add_init_script(SHIFTS)

    page.goto(url, wait_until="networkidle")

    sizes = {
        request.url.removeprefix(live_server.url): request.sizes()["responseBodySize"]
        for request in requests.values()
        if request.resource_type not in APART
    }
    assert len(sizes) >= 4
    assert all(path.startswith("/") for path in sizes)
    assert sum(sizes.values()) <= MOST_BYTES, sizes
    assert len(requests) <= MOST_REQUESTS
    assert page.evaluate("window.shifted") < 0.01


def test_what_is_text_is_compressed(page):
    encodings = {}
    page.on("response", lambda it: encodings.update({it.url: it.headers.get("content-encoding")}))

    page.goto("/example/products", wait_until="networkidle")

    texts = [value for url, value in encodings.items() if ".css" in url or "products" in url]
    assert texts == ["br"] * len(texts) or texts == ["gzip"] * len(texts)


def test_a_second_page_brings_its_own_text_only(page):
    page.goto("/example/products", wait_until="networkidle")
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    sizes = {}
    network.on("Network.loadingFinished", lambda event: sizes.update(_size(event)))

    page.goto("/example/categories", wait_until="networkidle")

    assert len(sizes) >= 4
    assert len([size for size in sizes.values() if size]) == 1
    assert sum(sizes.values()) < 8 * 1024


def _size(event):
    """Return what came over the wire; it is 0 for what the browser had already."""
    return {event["requestId"]: event["encodedDataLength"]}
