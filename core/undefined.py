"""A misspelt name in a template shows nothing: in development the log says so."""

from traceback import extract_stack

from flask import Flask
from jinja2 import Undefined

from services import log


def init_undefined(app: Flask) -> None:
    """Have templates tell in development what they show and is not there; pages stay the same."""
    if app.config["APP_ENV"] == "development":
        app.jinja_env.undefined = _Told


class _Told(Undefined):
    """What is not there; to ask whether it is, as by `if` or `default`, is no mistake."""

    def __str__(self) -> str:
        # {{ "x" if y }} has no name, and means nothing.
        if self._undefined_name is not None:
            files = (frame.filename for frame in extract_stack())
            *_, template = ("A template", *(file for file in files if file.endswith(".html")))
            log.warning("%s shows nothing: %s", template, self._undefined_message)
        return ""
