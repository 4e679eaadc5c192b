"""One line per request in production: around Flask itself, so the same under every server."""

import logging
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any

from flask import Flask
from werkzeug.wsgi import ClosingIterator

from core.health import PROBES

log = logging.getLogger("access")


def init_access_log(app: Flask) -> None:
    """Log each request with its outcome; LOG_LEVEL=WARNING turns it off, DEBUG adds probes."""
    if log.isEnabledFor(logging.INFO):
        app.wsgi_app = AccessLog(app.wsgi_app)  # type: ignore[method-assign]


class AccessLog:
    """Writes method, path, status, duration and bytes: no query and no header, which hold secrets.

    It reads what the server was told, so that failures of handlers and of the session count too.
    """

    def __init__(self, wsgi_app: Callable[..., Iterable[bytes]]) -> None:
        self.wsgi_app = wsgi_app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        started = perf_counter()
        answer: dict[str, str] = {}

        def respond(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            answer.update(headers, status=status)
            return start_response(status, headers, *rest)

        body = self.wsgi_app(environ, respond)
        size = "0" if environ["REQUEST_METHOD"] == "HEAD" else answer.get("Content-Length")
        if size is None:
            return _counted(body, lambda sent: _write(environ, answer, started, sent))
        _write(environ, answer, started, int(size))
        return body


def _counted(body: Iterable[bytes], finish: Callable[[int], None]) -> Iterable[bytes]:
    """Pass a stream on and tell its size at the end, also when the client has left."""
    sent = [0]

    def count(chunk: bytes) -> bytes:
        sent[0] += len(chunk)
        return chunk

    close = getattr(body, "close", lambda: None)
    return ClosingIterator(map(count, body), [close, lambda: finish(sent[0])])


def _write(environ: dict[str, Any], answer: dict[str, str], started: float, size: int) -> None:
    path = environ.get("PATH_INFO", "")
    # Probes come every few seconds and would drown the rest.
    level = logging.DEBUG if path in PROBES else logging.INFO
    if not log.isEnabledFor(level):
        return
    entry = {
        "request_id": answer.get("X-Request-ID", ""),
        "method": environ["REQUEST_METHOD"],
        "path": path.encode("latin-1").decode("utf-8", "replace"),
        "status": int(answer["status"][:3]),
        "duration_ms": round((perf_counter() - started) * 1000, 1),
        "bytes": size,
    }
    # log.log() would look for its caller in the stack, for each request.
    record = log.makeRecord(log.name, level, "", 0, "request", (), None, extra={"request": entry})
    log.handle(record)
