"""Reads settings.py, with a default for each name, so that an older settings.py still starts."""

from typing import Any

import settings

DEFAULTS: dict[str, Any] = {
    "APP_NAME": "Andamio",
    "API_PREFIX": "/api/v1",
    "INSTALLED_APPS": [],
    "PER_PAGE": 20,
    "MAX_PER_PAGE": 100,
    "LANGUAGES": ["en", "es"],
    "TIMEZONE": "UTC",
    "CURRENCY": "USD",
    "CSP": {},
}


def setting(name: str) -> Any:
    """Return the product's value of a setting, or the scaffold's default."""
    return getattr(settings, name, DEFAULTS[name])
