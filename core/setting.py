"""Reads settings.py, with a default for each name, so that an older settings.py still starts."""

import re
from collections.abc import Callable
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

from babel import Locale
from babel.dates import get_timezone
from babel.numbers import is_currency

import settings
from config import ConfigError


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _are_texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value)


# The directives that take a list of sources (CSP Level 3, 6), and the characters of a source: ASCII
# without those that end it.
DIRECTIVE = re.compile(
    "(default|child|connect|font|frame|img|manifest|media|object|worker)-src"
    "|(script|style)-src(-elem|-attr)?|base-uri|form-action|frame-ancestors"
)
SOURCE = re.compile("[!-+.-:<-~-]+")
HEADER = re.compile("[A-Za-z0-9-]+")


def _are_sources(value: Any) -> bool:
    return _are_texts(value) and all(map(SOURCE.fullmatch, value))


# Every setting: its default, a function that accepts a good value, and what to set it to. A false
# result, or an error, refuses the value.
SETTINGS: dict[str, tuple[Any, Callable[[Any], Any], str]] = {
    "APP_NAME": ("Andamio", str.strip, 'a text, such as "Corner Shop"'),
    "API_PREFIX": (
        "/api/v1",
        re.compile(r"(/[\w.~-]+)+").fullmatch,
        'a path that begins with / and does not end with it, such as "/api/v1"',
    ),
    "INSTALLED_APPS": ([], _are_texts, 'a list of modules, such as ["app.notes"]'),
    "PER_PAGE": (20, _is_count, "a whole number from 1 on, such as 20"),
    "MAX_PER_PAGE": (100, _is_count, "a whole number from 1 on, such as 100"),
    "LANGUAGES": (
        ["en", "es"],
        lambda value: _are_texts(value) and list(map(Locale.parse, value)),
        'a list of codes that Babel knows, such as ["en", "es"] or ["pt_BR"]',
    ),
    "TIMEZONE": (
        "UTC",
        lambda value: isinstance(value, str) and get_timezone(value),
        'the name of a zone, such as "America/Bogota"',
    ),
    "CURRENCY": ("USD", is_currency, 'a code of ISO 4217, such as "COP"'),
    "CORS_HEADERS": (
        [],
        lambda value: _are_texts(value) and all(map(HEADER.fullmatch, value)),
        'a list of the names of headers, such as ["X-Tenant"]',
    ),
    "CSP": (
        {},
        lambda value: all(
            DIRECTIVE.fullmatch(name) and _are_sources(sources) for name, sources in value.items()
        ),
        (
            'origins for directives, such as {"script-src":["https://plausible.io"]}; known are '
            "those that end in -src, script- and style-src-attr and -elem, base-uri, form-action "
            "and frame-ancestors"
        ),
    ),
}
DEFAULTS = {name: default for name, (default, _, _) in SETTINGS.items()}


def setting(name: str) -> Any:
    """Return the product's value of a setting, or the scaffold's default."""
    return getattr(settings, name, DEFAULTS[name])


def check_settings() -> None:
    """Raise ConfigError for a value that the start or a later request would fail with."""
    for name, (_, accepts, wanted) in SETTINGS.items():
        value = setting(name)
        with suppress(Exception):  # A value may be anything.
            if accepts(value):
                continue
        raise ConfigError(f"{name} in settings.py is {value!r}: set it to {wanted}.")
    if setting("PER_PAGE") > setting("MAX_PER_PAGE"):
        raise ConfigError("In settings.py PER_PAGE is above MAX_PER_PAGE: raise the latter.")
    # A name of the product's own is left alone, unless it resembles a missing setting.
    missing = [name for name in SETTINGS if not hasattr(settings, name)]
    for name in vars(settings).keys() - SETTINGS.keys():
        for meant in get_close_matches(name, missing, 1, cutoff=0.85):
            raise ConfigError(f"settings.py has {name} and no {meant}: rename it, or set both.")
