"""What gunicorn.conf.py adds to gunicorn: JSON lines, shared memory, a stop that loses nothing."""

import gc
import socket
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from ctypes import PyDLL
from functools import cache, partial
from threading import Thread
from typing import Any

from click import ClickException
from flask import Flask
from gunicorn.glogging import Logger
from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import TConn, ThreadWorker
from sqlalchemy.orm import configure_mappers
from werkzeug.wsgi import ClosingIterator

from config import server
from core.logs import JSONFormatter
from services import db, log

# gunicorn itself reads this much of a body that the app left, and closes if there is more.
SHORT = 65_536
LONG = 16 * 2**20
SECONDS = 5


class Log(Logger):  # type: ignore[misc]
    """gunicorn's own lines, one JSON object each; requests are logged by core/access_log.py."""

    def setup(self, cfg: object) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(JSONFormatter())

    def exception(self, msg: str, *args: Any, **kwargs: Any) -> None:
        # In "Error handling request %s %s", what follows the path's ? may hold a secret.
        super().exception(msg, *(str(arg).partition("?")[0] for arg in args), **kwargs)


class Worker(ThreadWorker):  # type: ignore[misc]
    """Takes all waiting connections before it stops, and is replaced when it hangs.

    gunicorn's own worker leaves these connections to whoever listens next; without a successor
    they are reset, with the requests in them.
    """

    wsgi: Any
    tpool: Any
    has_ended = False

    def notify(self) -> None:
        """Tell the master that this process lives, unless requests wait and none of them ends.

        gunicorn's own worker does so whatever its threads do: with all of them lost in a call
        without a time-out, requests would wait for ever.
        """
        if self.has_ended or self.tpool._work_queue.empty():  # noqa: SLF001 - no public way
            self.has_ended = False
            super().notify()

    def finish_request(self, conn: Any, fs: Any) -> None:
        self.has_ended = True
        super().finish_request(conn, fs)

    def load_wsgi(self) -> None:
        super().load_wsgi()
        self.wsgi = _whole_bodies(self.wsgi)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        if isinstance(exc, ParseException):
            # The error's text, which is logged, quotes what was sent: log the kind of error alone.
            kind = type(exc)
            quiet: Any = type(kind.__name__, (kind,), {"__str__": lambda _: kind.__name__})
            exc = quiet.__new__(quiet)
        super().handle_error(req, client, addr, exc)

    def set_accept_enabled(self, enabled: bool) -> None:
        # The worker may be asked to stop before it has begun.
        super().set_accept_enabled(enabled and self.alive)
        while self.sockets and not self.alive:
            self._take_waiting(self.sockets.pop())

    def _take_waiting(self, listener: Any) -> None:
        """Take all before answering any: a client with its answer may connect anew, without end."""
        address, kind = listener.getsockname(), (listener.family, listener.type)
        taken: list[int] = []
        # The last accept and the close belong together: these calls keep the interpreter's lock,
        # which those of `socket` release, for as long as another thread wants it.
        libc, number = PyDLL(None), listener.detach()
        while len(taken) < self.cfg.backlog and (found := libc.accept(number, None, None)) >= 0:
            taken.append(found)
        libc.close(number)
        for found in taken:
            connection = socket.socket(*kind, fileno=found)
            connection.set_inheritable(False)
            with suppress(OSError):  # who has left already needs no answer
                client = connection.getpeername()
                self.nr_conns += 1
                self.enqueue_req(TConn(self.cfg, connection, client, address))


def _whole_bodies(wsgi_app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Make Werkzeug answer 400 to a body that breaks off, or whose chunks are malformed."""

    def call(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if "CONTENT_LENGTH" in environ:
            # Without the flag Werkzeug counts the bytes, and takes no early end for the end.
            del environ["wsgi.input_terminated"]
        else:
            body = environ["wsgi.input"]
            body.reader = _Chunks(body.reader)
        answer = wsgi_app(environ, start_response)
        is_chunked = "HTTP_TRANSFER_ENCODING" in environ
        if not is_chunked and int(environ.get("CONTENT_LENGTH") or 0) < SHORT:
            return answer
        return ClosingIterator(answer, partial(_read_rest, environ))

    return call


def _read_rest(environ: dict[str, Any]) -> None:
    """Read what the app left of a body, so that its sender sees the answer (RFC 9112 9.6).

    The answer is on its way by then. After LONG bytes or SECONDS gunicorn closes the connection.
    """
    body, connection = environ["wsgi.input"], environ["gunicorn.socket"]
    before, left, end = connection.gettimeout(), LONG, time.monotonic() + SECONDS
    with suppress(OSError):
        while left > 0 and (remaining := end - time.monotonic()) > 0:
            connection.settimeout(remaining)
            part = len(body.read(SHORT))
            left = left - part if part else 0
        connection.settimeout(before)


class _Chunks:
    """gunicorn's reader of a body, with errors that Werkzeug takes for the client's."""

    def __init__(self, reader: Any) -> None:
        self.reader = reader

    def read(self, size: int) -> bytes:
        try:
            data: bytes = self.reader.read(size)
        except ParseException as error:
            raise OSError(type(error).__name__) from None
        return data


@cache
def first_configuration() -> dict[str, Any]:
    """Return the server's configuration as read at the start. Raises ConfigError.

    On SIGHUP gunicorn reads its file again, in the same process: a .env that config.py refuses
    would end the master, and the site with it.
    """
    return server()


def show_in_a_sentence(kind: type[BaseException], error: BaseException, place: Any) -> None:
    """Show why the process ends: a refusal to start as a sentence (for sys.excepthook)."""
    if isinstance(error, ClickException):
        error.show()
    else:
        sys.__excepthook__(kind, error, place)


def share_memory(app: Flask) -> None:
    """Load what requests would load later, and keep the collector from touching it.

    Workers are forks of this process: a page of memory stays common until somebody writes on it.
    """
    configure_mappers()
    app.url_map.update()
    for name in app.jinja_env.list_templates(extensions=["html"]):
        # A template that is broken fails in the page that uses it, not at the start.
        with suppress(Exception):
            app.jinja_env.get_template(name)
    gc.collect()
    gc.freeze()


def close_connections(app: Flask) -> None:
    """Close the master's connections: two processes on one would read each other's answers."""
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


def watch_database(app: Flask) -> None:
    """Check the database all the time, even if no load balancer asks for its health."""
    if "connections" in app.extensions:
        Thread(target=_watch, args=(app.extensions["health"],), daemon=True).start()


def _watch(health: Any) -> None:
    while True:
        try:
            health.answers()
        except Exception:
            log.exception("the watch over the database failed")
        time.sleep(1)
