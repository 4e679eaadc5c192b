"""Parts of a page that are the same for many requests: rendered once for each key and language."""

from collections.abc import Callable, Hashable
from typing import Any

from flask import Flask
from flask_babel import get_locale
from markupsafe import Markup

MOST = 1000
# What belongs to one request or one user: in a part that others get too it would be a leak.
FORBIDDEN = dict.fromkeys(("csrf_token", "g", "get_flashed_messages", "request", "session"))


def init_fragments(app: Flask) -> None:
    """Give the templates `fragment(template, key, ...)`; in development it keeps nothing."""
    kept: dict[Hashable, Markup] = {}

    def fragment(template: str, key: Hashable = None, **values: Any) -> Markup:
        name = (template, str(get_locale()), key)
        if name not in kept or app.debug:
            if len(kept) >= MOST:
                kept.clear()
            kept[name] = _render(app.jinja_env.get_template, template, values)
        return kept[name]

    app.jinja_env.globals["fragment"] = fragment


def _render(get_template: Callable[[str], Any], template: str, values: dict[str, Any]) -> Markup:
    # The template has escaped what it shows.
    text = get_template(template).render(**FORBIDDEN, **values)
    return Markup(text)  # nosec B704
