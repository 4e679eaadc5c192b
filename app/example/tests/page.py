"""Reads a page as its user does: headings, messages, rows of tables, forms to fill in and send."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

PRODUCTS = "/example/products"
CATEGORIES = "/example/categories"
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}


@dataclass
class PageForm:
    """A form with what a browser would send of it, hidden fields included."""

    action: str
    method: str = "get"
    fields: dict[str, str] = field(default_factory=dict)
    # The texts of its buttons, and what each of them adds to the fields.
    buttons: dict[str, dict[str, str]] = field(default_factory=dict)
    # The texts of what each select offers.
    options: dict[str, list[str]] = field(default_factory=dict)

    def send(
        self, client: Any, typed: dict[str, str] | None = None, button: str = "", **more: str | None
    ) -> Any:
        """Send the form as the user filled it in; None unchecks a box."""
        data = self.fields | (typed or {}) | more | self.buttons.get(button, {})
        data = {name: value for name, value in data.items() if value is not None}
        if self.method == "post":
            return client.post(self.action, data=data)
        return client.get(self.action, query_string=data)


class Page(HTMLParser):
    """What one page shows: `heading`, `alerts`, `rows`, `links`, `errors` by field, `forms`.

    `sorted_by` has the columns with an aria-sort, `language` and `theme` are those of <html>.
    """

    def __init__(self, html: str, url: str = "") -> None:
        super().__init__()
        self.url = url
        self.heading, self.alerts, self.rows, self.links = "", [], [], []
        self.language, self.theme, self.sorted_by = "", "", {}
        self.errors: dict[str, str] = {}
        self.forms: list[PageForm] = []
        # Code inside the HTML, which the Content-Security-Policy forbids.
        self.inline: list[str] = []
        self._open: list[tuple[str, dict[str, str], list[str]]] = []
        self.feed(html)

    def form(self, button: str) -> PageForm:
        """Return the form that has this button."""
        return next(form for form in self.forms if button in form.buttons)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        attrs = {name: value or "" for name, value in attributes}
        self._note_inline(tag, attrs)
        if tag == "html":
            self.language, self.theme = attrs["lang"], attrs["data-theme"]
        elif tag == "form":
            self.forms.append(PageForm(attrs.get("action", self.url), attrs["method"]))
        elif tag == "input" and (attrs.get("type") != "checkbox" or "checked" in attrs):
            self.forms[-1].fields[attrs["name"]] = attrs.get("value", "")
        elif tag == "option" and ("selected" in attrs or self._select not in self.forms[-1].fields):
            self.forms[-1].fields[self._select] = attrs["value"]
        elif tag == "tr":
            self.rows.append([])
        elif tag == "a":
            self.links.append(attrs["href"])
        if tag not in VOID:
            self._open.append((tag, attrs, []))

    def handle_data(self, data: str) -> None:
        for _, _, texts in self._open:
            texts.append(data)

    def handle_endtag(self, tag: str) -> None:
        name, attrs, texts = self._open.pop()
        assert name == tag, f"<{name}> is closed by </{tag}>"
        text = " ".join("".join(texts).split())
        if tag == "textarea":
            self.forms[-1].fields[attrs["name"]] = re.sub(r"^\r?\n", "", "".join(texts))
        elif tag == "button" and any(name == "form" for name, *_ in self._open):
            sent = {attrs["name"]: attrs["value"]} if "name" in attrs else {}
            self.forms[-1].buttons.setdefault(text, sent)
        elif tag == "option":
            self.forms[-1].options.setdefault(self._select, []).append(text)
        elif tag in ("td", "th"):
            self._end_cell(attrs, text)
        elif tag == "h1":
            self.heading = text
        elif "alert" in attrs.get("class", "").split():
            self.alerts.append(text)
        elif attrs.get("id", "").endswith("-errors"):
            self.errors[attrs["id"].removesuffix("-errors")] = text

    def _end_cell(self, attrs: dict[str, str], text: str) -> None:
        self.rows[-1].append(text)
        if "aria-sort" in attrs:
            self.sorted_by[text] = attrs["aria-sort"]

    @property
    def _select(self) -> str:
        return next(attrs["name"] for tag, attrs, _ in reversed(self._open) if tag == "select")

    def _note_inline(self, tag: str, attrs: dict[str, str]) -> None:
        events = [name for name in attrs if name.startswith("on") or name == "style"]
        code = tag == "style" or (tag == "script" and "src" not in attrs)
        if events or code or attrs.get("href", "").lower().startswith("javascript:"):
            self.inline.append(self.get_starttag_text() or tag)


def visit(client: Any, url: str) -> Page:
    """Open a page that is there."""
    response = client.get(url)
    assert response.status_code == 200, url
    return Page(response.text, url.partition("?")[0])


def refused(response: Any) -> Page:
    """Return the page that a refused form comes back on."""
    assert response.status_code == 422
    return Page(response.text)


def delete(page: Any) -> None:
    """Delete what a page in a browser shows: unfold the question, and say yes."""
    page.locator(".confirm summary").click()
    page.get_by_role("button", name="Delete").click()
