"""A misspelt name in a template shows nothing: development logs it, tests fail for a record's."""

from collections.abc import Iterator
from traceback import extract_stack
from typing import Any

from flask import Flask
from jinja2 import Undefined
from sqlalchemy import Row

from services import log


def init_undefined(app: Flask) -> None:
    """Make templates report in development any missing name that they show; pages stay the same.

    A record either has a column or not: `{{ note.titel or "-" }}` and `{% if note.titel %}` are
    reported too, and fail in tests, because otherwise a renamed column would silently vanish from
    each page. For what may be missing, a template uses `default` or `is defined`.
    """
    kinds: dict[str, type[Undefined]] = {"development": _Told, "testing": _Refused}
    app.jinja_env.undefined = kinds.get(app.config["APP_ENV"], Undefined)


def _is_of_a_record(undefined: Any) -> bool:
    of = undefined._undefined_obj  # noqa: SLF001 - what Jinja gives those who extend its class
    return isinstance(of, Row) or hasattr(type(of), "__mapper__")


class _Told(Undefined):
    def __str__(self) -> str:
        self._miss()
        return ""

    def __bool__(self) -> bool:
        self._ask()
        return super().__bool__()

    def __len__(self) -> int:
        self._ask()
        return super().__len__()

    def __iter__(self) -> Iterator[Any]:
        self._ask()
        return super().__iter__()

    # Jinja's __ne__ calls this one.
    def __eq__(self, other: object) -> bool:
        self._ask()
        return super().__eq__(other)

    __hash__ = Undefined.__hash__

    def _ask(self) -> None:
        if _is_of_a_record(self):
            self._miss()

    def _miss(self) -> None:
        # The undefined value of {{ "x" if y }} has no name, and is meant.
        if self._undefined_name is None:
            return
        files = (frame.filename for frame in extract_stack())
        *_, template = ("A template", *(file for file in files if file.endswith(".html")))
        log.warning("%s shows nothing: %s", template, self._undefined_message)


class _Refused(_Told):
    def _miss(self) -> None:
        if _is_of_a_record(self):
            self._fail_with_undefined_error()
