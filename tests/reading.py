"""Reads a page as a browser does: the fields it would send, the texts a person would see."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse


@dataclass
class Form:
    """A form's address and the values that a browser would send unchanged."""

    action: str = ""
    method: str = "get"
    in_main: bool = False
    values: MultiDict[str, str] = field(default_factory=MultiDict)


class Reader(HTMLParser):
    """Collects the page's forms, its tags, and the texts of the divs with an id."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._area: str | None = None
        self._select: dict[str, Any] | None = None
        self._divs: list[str | None] = []
        self.feed(html)

    def tag(self, name: str, **attributes: str) -> dict[str, str | None]:
        """Return the attributes of the one element that has these."""
        [found] = [
            own for tag, own in self.tags if tag == name and attributes.items() <= own.items()
        ]
        return found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        own = dict(attrs)
        self.tags.append((tag, own))
        if tag == "div":
            self._divs.append(own.get("id"))
        if tag == "form":
            in_main = any(opened == "main" for opened, _ in self.tags)
            self.forms.append(Form(own.get("action") or "", own["method"] or "", in_main))
        elif tag == "input" and own["type"] not in ("submit", "checkbox"):
            self._send(own["name"], own.get("value"))
        elif tag == "input" and own["type"] == "checkbox" and "checked" in own:
            self._send(own["name"], own.get("value", "on"))
        elif tag == "textarea":
            self._area = own["name"]
            self._send(own["name"], "")
        elif tag == "select":
            self._select = {"name": own["name"], "multiple": "multiple" in own, "options": []}
        elif tag == "option" and self._select:
            self._select["options"].append((own.get("value"), "selected" in own))

    def handle_endtag(self, tag: str) -> None:
        if tag == "div":
            self._divs.pop()
        elif tag == "textarea":
            self._area = None
        elif tag == "select" and self._select:
            options, many = self._select["options"], self._select["multiple"]
            chosen = [value for value, selected in options if selected]
            # A browser sends the first option of a plain select if none is marked.
            for value in chosen or ([] if many else [options[0][0]]):
                self._send(self._select["name"], value)
            self._select = None

    def handle_data(self, data: str) -> None:
        if self._area:
            # HTML drops the line break right after <textarea>.
            self.forms[-1].values[self._area] += data.lstrip("\r\n")
        for id in filter(None, self._divs):
            self.texts[id] = f"{self.texts.get(id, '')} {data.strip()}".strip()

    def _send(self, name: str | None, value: str | None) -> None:
        self.forms[-1].values.add(str(name), value or "")


def form_on(response: TestResponse) -> Form:
    """Return the first form of a page that posts; those of every page's header left out."""
    forms = Reader(response.text).forms
    return next(form for form in forms if form.in_main and form.method == "post")


def submit(client: Any, url: str, **changes: Any) -> TestResponse:
    """Open the form at a URL, change fields as named (None: leave it out), and send it."""
    form = form_on(client.get(url))
    for name, value in changes.items():
        if value is None:
            form.values.poplist(name)
        else:
            form.values.setlist(name, value if isinstance(value, list) else [value])
    return client.post(form.action, data=form.values)
