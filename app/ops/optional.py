"""Imports what the environment asks for, and says what to install where it is missing."""

from importlib import import_module
from typing import Any

from core.module_errors import ModuleError


def load(variable: str, name: str) -> Any:
    """Return the module of this name. Raises ModuleError."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ModuleError(
            f"{variable} is set, but {name.replace('_', '-').split('.')[0]} is not installed: "
            "pip install -r requirements-optional.txt, or unset the variable."
        ) from error
