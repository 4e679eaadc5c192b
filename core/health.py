"""Tells a load balancer whether the process lives and whether the database answers."""

from collections.abc import Callable, Iterable
from threading import Lock
from time import monotonic
from typing import Any

from flask import Blueprint, Flask, current_app
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from services import db, log

# How long an answer of the database is taken for the next one's, and when to ask again.
SECONDS = 1.0

bp = Blueprint("health", __name__, url_prefix="/health")


def init_health(app: Flask) -> None:
    """Serve /health/live and /health/ready under any Host: probes use the machine's address."""
    app.register_blueprint(bp)
    app.extensions["health"] = _Database()
    host = app.config["TRUSTED_HOSTS"][0].lstrip(".")
    app.wsgi_app = _AnyHost(app.wsgi_app, host)  # type: ignore[method-assign]


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
    """Whether the database answers, asked once a second at most, by one thread at a time.

    So neither many probes nor a database that hangs take the threads away from the users.
    """

    def __init__(self) -> None:
        self.answered = False
        self.until = 0.0
        self.asking = Lock()

    def answers(self) -> bool:
        if monotonic() >= self.until and self.asking.acquire(blocking=False):
            try:
                self.answered = _answers()
                self.until = monotonic() + SECONDS
            finally:
                self.asking.release()
        return self.answered


def _answers() -> bool:
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        log.warning("not ready: %s", type(error).__name__)
        return False
    return True


class _AnyHost:
    """Flask checks the Host before it knows the route: probes get one that it trusts."""

    def __init__(self, wsgi_app: Callable[..., Iterable[bytes]], host: str) -> None:
        self.wsgi_app = wsgi_app
        self.host = host

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "").startswith("/health/"):
            environ["HTTP_HOST"] = self.host
            environ.pop("HTTP_X_FORWARDED_HOST", None)
        return self.wsgi_app(environ, start_response)
