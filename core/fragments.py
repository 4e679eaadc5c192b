"""Parts of a page that are the same for many requests: rendered once for each key and language."""

import enum
import secrets
from collections.abc import Hashable, Iterable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from functools import cache, partial
from pathlib import Path
from typing import Any
from uuid import UUID

from flask import Flask, render_template, request
from jinja2 import Environment, TemplateNotFound, meta
from markupsafe import Markup, escape
from wtforms import Field

from core.i18n import reader_locale, text_key

MOST = 1000
# A part repeats the query in each of its links: with longer ones, MOST parts would fill memory.
LONGEST = 500
OURS = Path(__file__).parent / "templates"
# What belongs to one request or one user: in a part that others get, too, it would leak.
FORBIDDEN = dict.fromkeys(
    ("csrf_token", "g", "get_flashed_messages", "here", "request", "request_id", "session", "theme")
)
# Stands in a kept part for a value of each request; random, so no text of a client contains it.
MARK = f"[{secrets.token_hex(8)}:%s]"

# Types whose values are told apart by their repr().
PLAIN = (str, int, float, Decimal, date, time, timedelta, enum.Enum, UUID, type(None))


def init_fragments(app: Flask) -> None:
    """Give the templates `fragment(template, key, late, ...)`; in development it keeps nothing.

    `key` is all that the part depends on; `late` are values that are put in each time. A template
    that replaces one of core's is not kept: it may depend on more, such as who asks.
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
            if len(request.query_string) <= LONGEST:
                kept[name] = text
        for part, value in (late or {}).items():
            text = text.replace(MARK % part, escape(value))
        # The template has escaped what it shows.
        return Markup(text)  # nosec B704

    app.jinja_env.globals["fragment"] = fragment


def _is_replaced(environment: Environment, template: str) -> bool:
    """Tell whether the product replaces this template of core, or one that it refers to."""
    loader: Any = environment.loader
    names, seen = [template], set()
    while names:
        seen.add(name := names.pop())
        try:
            source, file, _ = loader.get_source(environment, name)
        except TemplateNotFound:
            # An include may ignore a missing template.
            continue
        if (OURS / name).is_file() and not Path(file).is_relative_to(OURS):
            return True
        needed = meta.find_referenced_templates(environment.parse(source))
        names += [one for one in needed if one and one not in seen]
    return False


def key_of_fields(fields: Iterable[Field]) -> Hashable | None:
    """Return all that the fields of a form show, as a key; None if any cannot be kept."""
    fields = list(fields)
    return tuple(map(_shows, fields)) if all(map(_is_plain, fields)) else None


def _is_plain(field: Field) -> bool:
    """Tell whether nothing was typed, and the value is fixed and told apart by its repr()."""
    untouched = not (field.raw_data or field.errors or getattr(field, "words", ""))
    untouched = untouched and not callable(field.default)
    return untouched and isinstance(field.data, PLAIN)


def _shows(field: Field) -> Hashable:
    texts = field.name, text_key(field.label.text), text_key(field.description)
    looks = type(field.widget), repr(vars(field.widget)), repr(vars(field.flags))
    return *texts, *looks, repr(field.render_kw), repr(field.data), _choices(field)


def _choices(field: Field) -> Hashable:
    """Return what an empty field offers, or a key for that, which spares making the choices."""
    key: Hashable = getattr(field, "choices_key", None)
    if key is not None or not hasattr(field, "iter_choices"):
        return key
    return tuple((choice.value, str(choice.label)) for choice in field.iter_choices())
