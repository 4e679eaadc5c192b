"""Flask and Jinja with less work at each request, and stricter limits on what a client sends."""

from collections import ChainMap
from collections.abc import Callable, KeysView, Mapping, MutableMapping
from inspect import CO_COROUTINE
from io import BytesIO
from itertools import chain
from types import FunctionType, MethodType
from typing import Any

from flask import Flask
from flask import Request as FlaskRequest
from flask.templating import Environment
from jinja2 import Template
from jinja2.runtime import Context, new_context
from jinja2.utils import internalcode
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.local import LocalProxy
from werkzeug.utils import cached_property
from werkzeug.wsgi import LimitedStream

PLAIN = {FunctionType, MethodType}
# In a form without files; each part of one with files takes 100 times as long (MAX_FORM_PARTS).
MOST_FIELDS = 10_000


def _attribute(proxy: Any, name: str) -> Any:
    return getattr(proxy._get_current_object(), name)  # noqa: SLF001 - no public way


# `request` and its kin call this for each attribute; Werkzeug's makes a partial() of getattr first.
LocalProxy.__getattr__ = _attribute  # type: ignore[assignment]


class _Globals(ChainMap[str, Any]):
    """The globals of Jinja and of a template, merged at once: Jinja would read them one by one."""

    def as_dict(self) -> dict[str, Any]:
        return {**self.maps[1], **self.maps[0]}

    def keys(self) -> KeysView[str]:
        return self.as_dict().keys()


class _Template(Template):
    globals: _Globals

    def new_context(
        self,
        vars: dict[str, Any] | None = None,  # noqa: A002
        shared: bool = False,
        locals: Mapping[str, Any] | None = None,  # noqa: A002
    ) -> Context:
        named = self.globals.as_dict()
        return new_context(self.environment, self.name, self.blocks, vars, shared, named, locals)


class _Context(Context):
    @internalcode
    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        if type(function) not in PLAIN or hasattr(function, "jinja_pass_arg"):
            return super().call(function, *args, **kwargs)
        # Jinja adds these for functions that take its context.
        kwargs.pop("_block_vars", None)
        kwargs.pop("_loop_vars", None)
        try:
            return function(*args, **kwargs)
        except StopIteration as error:
            return self.environment.undefined(f"{function!r} raised {error!r}")


class Templates(Environment):
    """Jinja, but globals are merged at once for each page and each import of macros.

    And a plain function that a template calls is asked only once whether it takes the context;
    Jinja asks its `__call__`, too.
    """

    context_class = _Context
    template_class = _Template

    def make_globals(self, d: MutableMapping[str, Any] | None) -> _Globals:
        return _Globals(d or {}, self.globals)


class _Chunks(LimitedStream):
    """A body of unknown length; read in one call, Werkzeug's would end at the limit unnoticed."""

    def readall(self) -> bytes:
        data = super().readall()
        if self.is_exhausted and self._stream.read(1):
            raise RequestEntityTooLarge
        return data


class _Forms(FormDataParser):
    """Refuses what Werkzeug lets pass: too many fields without files, and parts without a name."""

    def parse(
        self, stream: Any, mimetype: str, content_length: int | None, options: Any = None
    ) -> Any:
        if mimetype == "application/x-www-form-urlencoded":
            data = stream.read()
            if data.count(b"&") >= MOST_FIELDS:
                raise RequestEntityTooLarge
            stream = BytesIO(data)
        stream, form, files = super().parse(stream, mimetype, content_length, options)
        if None in form or None in files:
            for file in chain.from_iterable(files.listvalues()):
                file.close()
            raise BadRequest("A part of the form has no name (RFC 7578, 4.2).")
        return stream, form, files


class Request(FlaskRequest):
    """Flask's request; a body over the size limit is refused, however it is sent."""

    form_data_parser_class = _Forms

    @cached_property
    def authorization(self) -> Any:
        try:
            return super().authorization
        except ValueError:
            # The header is not ASCII, so no base64; its other faults Werkzeug handles itself.
            return None

    @cached_property
    def stream(self) -> Any:
        stream: Any = super().stream
        is_cut = type(stream) is LimitedStream and stream._limit_is_max  # noqa: SLF001
        return _Chunks(stream._stream, stream.limit, is_max=True) if is_cut else stream  # noqa: SLF001


class Application(Flask):
    """Flask with a cheaper check, made at each request, whether views and hooks are coroutines."""

    jinja_environment = Templates
    request_class = Request

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Werkzeug would redirect from /a//b to /a/b by an answer that core/errors.py never sees.
        self.url_map.merge_slashes = False

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        code = getattr(getattr(func, "__func__", func), "__code__", None)
        is_plain = code is not None and not code.co_flags & CO_COROUTINE
        return func if is_plain else super().ensure_sync(func)
