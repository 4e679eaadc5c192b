"""What gunicorn.conf.py adds to gunicorn: JSON lines, shared memory, a stop that loses nothing."""

import gc
import socket
import sys
from contextlib import suppress
from typing import Any

from flask import Flask
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn, ThreadWorker
from sqlalchemy.orm import configure_mappers

from core.logs import JSONFormatter
from services import db


class Log(Logger):  # type: ignore[misc]
    """gunicorn's own lines, one JSON object each; requests are logged by core/access_log.py."""

    def setup(self, cfg: object) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(JSONFormatter())


class Worker(ThreadWorker):  # type: ignore[misc]
    """Takes what has connected already before it stops.

    gunicorn's own worker leaves those connections to whoever listens next; without a successor
    they are reset, with the requests in them.
    """

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                self._take_waiting(listener)

    def _take_waiting(self, listener: Any) -> None:
        """Take all before answering any: who has an answer connects anew, and it would not end."""
        address = listener.getsockname()
        taken: list[tuple[socket.socket, Any]] = []
        # The last look and the closing belong together: other threads must not come between.
        sys.setswitchinterval(0.0001)
        with suppress(OSError):
            while len(taken) < self.cfg.backlog:
                taken.append(listener.accept())
        listener.close()
        for connection, client in taken:
            self.nr_conns += 1
            self.enqueue_req(TConn(self.cfg, connection, client, address))


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
    """Close what the master opened: two processes on one connection read each other's answers."""
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()
