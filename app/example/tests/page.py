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
    fields: dict[str, str] = field(default_factory=dict)
    button: str = ""

    def send(self, client: Any, **typed: str | None) -> Any:
        """Send the form as the user filled it in; None unchecks a box."""
        data = {name: value for name, value in (self.fields | typed).items() if value is not None}
        return client.post(self.action, data=data)


class Page(HTMLParser):
    """What one page shows: `heading`, `alerts`, `rows`, `links`, `errors` by field, `forms`."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.heading, self.alerts, self.rows, self.links = "", [], [], []
        self.errors: dict[str, str] = {}
        self.forms: list[PageForm] = []
        # Code inside the HTML, which the Content-Security-Policy forbids.
        self.inline: list[str] = []
        self._open: list[tuple[str, dict[str, str], list[str]]] = []
        self.feed(html)

    def form(self, button: str) -> PageForm:
        """Return the form that has this button."""
        return next(form for form in self.forms if form.button == button)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        attrs = {name: value or "" for name, value in attributes}
        self._note_inline(tag, attrs)
        if tag == "form":
            self.forms.append(PageForm(attrs["action"]))
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
        elif tag == "button" and attrs.get("type") == "submit":
            self.forms[-1].button = text
        elif tag in ("td", "th"):
            self.rows[-1].append(text)
        elif tag == "h1":
            self.heading = text
        elif "alert" in attrs.get("class", "").split():
            self.alerts.append(text)
        elif attrs.get("id", "").endswith("-errors"):
            self.errors[attrs["id"].removesuffix("-errors")] = text

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
    return Page(response.text)


def refused(response: Any) -> Page:
    """Return the page that a refused form comes back on."""
    assert response.status_code == 422
    return Page(response.text)
