"""Parts of a page that are the same for many requests: rendered once for each key and language."""

import secrets
from collections.abc import Hashable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from flask import Flask, render_template, request
from jinja2 import Environment, TemplateNotFound, meta
from markupsafe import Markup, escape

from core.i18n import reader_locale

MOST = 1000
OURS = Path(__file__).parent / "templates"
# What belongs to one request or one user: in a part that others get too it would be a leak.
FORBIDDEN = dict.fromkeys(
    ("csrf_token", "g", "get_flashed_messages", "here", "request", "request_id", "session", "theme")
)
# Stands in a kept part for what each request has of its own; no text of a client can contain it.
MARK = f"[{secrets.token_hex(8)}:%s]"


def init_fragments(app: Flask) -> None:
    """Give the templates `fragment(template, key, late, ...)`; in development it keeps nothing.

    `key` is all that the part depends on; `late` are values that are put in each time. One that the
    product wrote in place of core's may depend on more: on who asks.
    """
    kept: dict[Hashable, str] = {}
    is_replaced = cache(partial(_is_replaced, app.jinja_env))

    def fragment(
        template: str, key: Hashable = None, late: Mapping[str, Any] | None = None, **values: Any
    ) -> Markup:
        name = (template, reader_locale(), request.root_path, key)
        text = None if app.debug else kept.get(name)
        if text is None:
            if is_replaced(template):
                return Markup(render_template(template, **values, **(late or {})))  # nosec B704
            marks = {name: Markup(MARK % name) for name in late or ()}  # nosec B704
            text = app.jinja_env.get_template(template).render(**{**FORBIDDEN, **values, **marks})
            if len(kept) >= MOST:
                kept.clear()
            kept[name] = text
        for part, value in (late or {}).items():
            text = text.replace(MARK % part, escape(value))
        # The template has escaped what it shows.
        return Markup(text)  # nosec B704

    app.jinja_env.globals["fragment"] = fragment


def _is_replaced(environment: Environment, template: str) -> bool:
    """Tell whether the product replaces a template of core, or one that it is made of."""
    loader: Any = environment.loader
    names, seen = [template], set()
    while names:
        seen.add(name := names.pop())
        try:
            source, file, _ = loader.get_source(environment, name)
        except TemplateNotFound:
            # An include may do without.
            continue
        if (OURS / name).is_file() and not Path(file).is_relative_to(OURS):
            return True
        needed = meta.find_referenced_templates(environment.parse(source))
        names += [one for one in needed if one and one not in seen]
    return False
