"""Tells a load balancer whether the process lives and whether the database answers."""

from collections.abc import Callable, Iterable
from threading import Lock, Thread
from time import monotonic
from typing import Any

from flask import Blueprint, Flask, current_app
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core.database import cut_waiting, reason
from services import db, log

# In seconds: when to ask the database again, how long to wait for it, how long its last answer
# counts, and which silence is too long for a server that is only busy: the time in which three
# connections fail (3 s each).
SECONDS = 1.0
WAIT = 1.0
FRESH = 3.0
HANGS = 9.0

PROBES = ("/health/live", "/health/ready")

bp = Blueprint("health", __name__, url_prefix="/health")


def init_health(app: Flask) -> None:
    """Serve /health/live and /health/ready under any Host: probes use the machine's address."""
    app.register_blueprint(bp)
    app.extensions["health"] = _Database(app)
    host = app.config["TRUSTED_HOSTS"][0].lstrip(".")
    app.wsgi_app = _Probes(app.wsgi_app, host)  # type: ignore[method-assign]


@bp.get("/live")
def live() -> dict[str, str]:
    """Answer as long as the process does."""
    return {"status": "ok"}


@bp.get("/ready")
def ready() -> tuple[dict[str, str], int, dict[str, str]]:
    """Answer 503 while the database does not answer."""
    if current_app.extensions["health"].answers():
        return {"status": "ok"}, 200, {}
    return {"status": "unavailable"}, 503, {"Retry-After": f"{SECONDS:.0f}"}


class _Database:
    """Whether the database answers, asked once a second at most, in a thread of its own.

    A server that is frozen, or cut off with its network, neither answers nor refuses, and its own
    time-outs cannot help. So the probes wait for an answer no longer than WAIT, an old one counts
    for FRESH, and after a silence of HANGS the connections on which users' threads wait are cut.
    """

    def __init__(self, app: Flask) -> None:
        self.app = app
        with app.app_context():
            self.engine = db.engine
        # When the database answered, was asked, when a probe came, and when it last reacted at all.
        self.answered = self.asked = self.seen = self.heard = float("-inf")
        self.thread = Thread()
        self.lock = Lock()

    def answers(self) -> bool:
        now = monotonic()
        if now - self.seen > HANGS:
            # Nobody has asked for so long: that is no silence of the database.
            self.heard = now
        self.seen = now
        with self.lock:
            # Two probes at once ask once, and wait for the same answer.
            if not self.thread.is_alive() and now - self.asked >= SECONDS:
                self.asked = now
                self.thread = Thread(target=self._ask, daemon=True)
                self.thread.start()
        if self.thread.is_alive():
            # Else a new process, whose own watch has just asked, would be "not ready" to a probe.
            self.thread.join(max(0, self.asked + WAIT - now))
        if monotonic() - self.heard > HANGS:
            with self.app.app_context():
                cut_waiting()
        return monotonic() - self.answered < FRESH

    def _ask(self) -> None:
        try:
            # Without the session: a product's listener to it may ask for the user of a request.
            with self.engine.connect() as connection:
                connection.execution_options(only_reads=True).execute(text("SELECT 1"))
            self.answered = self.heard = monotonic()
        except SQLAlchemyError as error:
            log.warning("not ready: %s: %s", type(error).__name__, reason(error))
            self.answered = float("-inf")
            # A refusal comes at once. A connection lost in mid-question may be our own cut.
            is_refusal = getattr(error, "statement", None) is None
            if isinstance(error, PoolTimeout) or (
                is_refusal and monotonic() - self.asked < SECONDS
            ):
                self.heard = monotonic()


class _Probes:
    """Gives probes a Host that Flask trusts, and no session: they do not ask about its store."""

    def __init__(self, wsgi_app: Callable[..., Iterable[bytes]], host: str) -> None:
        self.wsgi_app = wsgi_app
        self.host = host

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("PATH_INFO") in PROBES:
            environ["HTTP_HOST"] = self.host
            for name in ("HTTP_X_FORWARDED_HOST", "HTTP_COOKIE"):
                environ.pop(name, None)
        return self.wsgi_app(environ, start_response)
