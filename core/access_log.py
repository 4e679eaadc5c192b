"""Logs a line per request in production; wraps Flask itself, so it works under any server."""

import logging
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import Any

from flask import Flask
from werkzeug.wsgi import ClosingIterator

from core.health import PROBES

REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
KEPT = "andamio.request_id"

log = logging.getLogger("access")


def init_access_log(app: Flask) -> None:
    """Log each request with its outcome; LOG_LEVEL=WARNING turns it off, DEBUG adds probes."""
    if log.isEnabledFor(logging.INFO):
        app.wsgi_app = AccessLog(app.wsgi_app)  # type: ignore[method-assign]


def id_of(environ: dict[str, Any]) -> str:
    """Return the id of a request: the client's if it is well-formed, else a new one."""
    if KEPT not in environ:
        sent = environ.get("HTTP_X_REQUEST_ID", "")
        environ[KEPT] = sent if REQUEST_ID.fullmatch(sent) else secrets.token_hex(16)
    return str(environ[KEPT])


class AccessLog:
    """Logs method, path, status, duration and bytes; no query and no headers: they hold secrets.

    It sees what Flask tells the server, so that failures of handlers and of the session count, too.
    """

    def __init__(self, wsgi_app: Callable[..., Iterable[bytes]]) -> None:
        self.wsgi_app = wsgi_app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        started = perf_counter()
        answer: dict[str, str] = {}

        def respond(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            answer.update(headers, status=status)
            return start_response(status, headers, *rest)

        try:
            body = self.wsgi_app(environ, respond)
        except Exception as error:
            # Raised outside of Flask's own handlers, such as in a teardown_request function.
            _tell(environ, "The request broke off", error)
            # Leave the answer to the server: gunicorn would add our headers to those it was given.
            _write(environ, {"status": "500"}, started, 0)
            raise
        size = "0" if environ["REQUEST_METHOD"] == "HEAD" else answer.get("Content-Length")
        if size is None:
            return _counted(environ, body, lambda sent: _write(environ, answer, started, sent))
        _write(environ, answer, started, int(size))
        return body


def _counted(
    environ: dict[str, Any], body: Iterable[bytes], finish: Callable[[int], None]
) -> Iterable[bytes]:
    """Pass a stream on and report its size at the end, even if the client has left."""
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        try:
            for chunk in body:
                sent += len(chunk)
                yield chunk
        except Exception as error:
            _tell(environ, "The answer broke off", error)
            raise

    close = getattr(body, "close", lambda: None)
    return ClosingIterator(chunks(), [close, lambda: finish(sent)])


def _tell(environ: dict[str, Any], text: str, error: Exception) -> None:
    """Log an error with its request, whose context Flask has closed by now."""
    logging.getLogger("app").error(text, exc_info=error, extra={"request": _request(environ)})


def _request(environ: dict[str, Any]) -> dict[str, Any]:
    path = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
    return {"request_id": id_of(environ), "method": environ["REQUEST_METHOD"], "path": path}


def _write(environ: dict[str, Any], answer: dict[str, str], started: float, size: int) -> None:
    # Probes come every few seconds and would drown the rest.
    level = logging.DEBUG if environ.get("PATH_INFO") in PROBES else logging.INFO
    if not log.isEnabledFor(level):
        return
    entry = {
        **_request(environ),
        "status": int(answer["status"][:3]),
        "duration_ms": round((perf_counter() - started) * 1000, 1),
        "bytes": size,
    }
    # log.log() would search the stack for its caller at each request.
    record = log.makeRecord(log.name, level, "", 0, "request", (), None, extra={"request": entry})
    log.handle(record)
