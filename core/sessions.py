"""Sessions in Redis when SESSION_REDIS is on; else in a signed cookie, as Flask has them."""

from collections.abc import Hashable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from flask import Flask, Request, Response, g, request
from flask.json.tag import TaggedJSONSerializer
from flask.sessions import (
    SecureCookieSession,
    SecureCookieSessionInterface,
    SessionInterface,
    SessionMixin,
)
from itsdangerous import URLSafeTimedSerializer
from werkzeug.exceptions import ServiceUnavailable

from config import ConfigError
from core.errors import RETRY_AFTER
from core.security import is_cross_site_form
from services import log

# A page waits no longer than this for a Redis that does not answer.
TIMEOUT = 1
# The only keys in the session of a visitor who has done nothing yet. In Redis it ends after a day:
# if memory runs short, the sessions of people who have signed in outlive it.
OF_ANYBODY = {"csrf_token", "_flashes", "_fresh", "next"}
DAY = timedelta(days=1)
# Flask-Login's key for the user who is signed in.
USER = "_user_id"


def init_sessions(app: Flask) -> None:
    """Keep sessions where the configuration says. Raises ConfigError."""
    if not app.config.get("SESSION_REDIS"):
        app.session_interface = CookieSessions()
        return
    if not app.config["REDIS_URL"]:
        raise ConfigError(
            "SESSION_REDIS is on and REDIS_URL is missing: set it, for example "
            "REDIS_URL=redis://localhost:6379/0."
        )
    try:
        app.session_interface = RedisSessions(app)
    except ImportError as error:
        raise ConfigError(
            "SESSION_REDIS is on and Flask-Session is not installed: "
            "pip install -r requirements-optional.txt, or turn it off."
        ) from error
    app.before_request(_require_store)


class CookieSessions(SecureCookieSessionInterface):
    """Flask's own sessions, at no cost for clients that send no cookie, such as API clients."""

    def __init__(self) -> None:
        self._signers: dict[Hashable, URLSafeTimedSerializer | None] = {}

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        # Cached, because Flask makes a signer anew for each cookie, and tests it.
        keys = app.secret_key, *(app.config["SECRET_KEY_FALLBACKS"] or ())
        signer = self._signers.get(keys)
        if signer is None:
            signer = super().get_signing_serializer(app)
            self._signers = {keys: signer}
        return signer

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if "HTTP_COOKIE" not in request.environ:
            return self.session_class()
        return super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        # A static file is the same for all, even if a package reads the session for each answer.
        is_file = str(request.endpoint).rpartition(".")[2] == "static"
        if (session or session.accessed) and not is_file and not _is_refused(response):
            super().save_session(app, session, response)

    def should_set_cookie(self, app: Flask, session: SessionMixin) -> bool:
        """Tell whether to sign the session anew: if it has changed, or, if permanent, once a day.

        Flask signs it with each answer: one that is still under way would then undo a logout.
        """
        if session.permanent and app.config["SESSION_REFRESH_EACH_REQUEST"]:
            today = datetime.now(UTC).date().isoformat()
            if session.get("_signed") != today:
                session["_signed"] = today
        return session.modified


class RedisSessions(SessionInterface):
    """Flask-Session's sessions, without pickles, and with a 503 while Redis is away."""

    def __init__(self, app: Flask) -> None:
        redis = import_module("redis")
        timeouts = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}
        # redis+unix:// is Flask-Limiter's name for what Redis itself calls unix://.
        url = app.config["REDIS_URL"].replace("redis+unix:", "unix:", 1)
        try:
            client = redis.Redis.from_url(url, **timeouts)
            # Checks the arguments in the URL's query, without connecting.
            pool = client.connection_pool
            pool.connection_class(**pool.connection_kwargs)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"REDIS_URL cannot be used for sessions ({error}): write it as "
                "redis://localhost:6379/0."
            ) from None
        prefix = f"{app.config['SESSION_COOKIE_NAME']}:"
        library = import_module("flask_session.redis")
        self.away = redis.RedisError
        self.store = library.RedisSessionInterface(app, client, prefix, permanent=False)
        self.store.serializer = _Serializer()
        # The library has one lifetime for all sessions; when it has one for each, this can go.
        self._store_for = self.store._upsert_session  # noqa: SLF001 - no public way
        self.store._upsert_session = self._keep  # noqa: SLF001
        self._client, self._key = client, f"{prefix}check"

    def check(self) -> None:
        """Raise ServiceUnavailable unless Redis takes a session: it may be full, or read-only."""
        try:
            self._client.set(self._key, "", ex=TIMEOUT)
        except self.away as error:
            raise _unavailable(error) from error

    def open_session(self, app: Flask, request: Request) -> SessionMixin | None:
        try:
            session: SessionMixin = self.store.open_session(app, request)
        except self.away as error:
            log.error("sessions unavailable: %s", type(error).__name__)
            g.sessions_away = True
            return SecureCookieSession()
        session.opened_by = session.get(USER)  # type: ignore[attr-defined]
        return session

    def _keep(self, lifetime: timedelta, session: SessionMixin, key: str) -> None:
        lasts = lifetime if session.keys() - OF_ANYBODY else min(lifetime, DAY)
        self._store_for(lasts, session, key)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if isinstance(session, SecureCookieSession) or _is_refused(response):
            return
        try:
            if session.get(USER) not in (None, session.opened_by):  # type: ignore[attr-defined]
                # Whoever knew the session's id before the login must not know the new one.
                self.store.regenerate(session)
            self.store.save_session(app, session, response)
        except self.away as error:
            # What the view did is done: an error here would invite people to do it again.
            log.error("session not saved: %s", type(error).__name__)

    def regenerate(self, session: SessionMixin) -> None:
        """Give the session a new id, as after a login; the old id opens nothing any more."""
        try:
            self.store.regenerate(session)
        except self.away as error:
            raise _unavailable(error) from None


class _Serializer:
    """Flask's own format, which fits all that Flask puts into sessions and runs no code."""

    def encode(self, session: Any) -> bytes:
        return str(TaggedJSONSerializer().dumps(dict(session))).encode()

    def decode(self, data: bytes) -> Any:
        try:
            found = TaggedJSONSerializer().loads(data.decode())
        except (ValueError, TypeError, LookupError):
            return None  # What cannot be read is no session: a new one begins.
        return found if isinstance(found, dict) else None


def _unavailable(error: Exception) -> ServiceUnavailable:
    log.error("sessions unavailable: %s", type(error).__name__)
    return ServiceUnavailable(retry_after=RETRY_AFTER)


def _is_refused(response: Response) -> bool:
    """Tell whether this refuses another site's form: a new session would replace the reader's."""
    return response.status_code >= 400 and is_cross_site_form()


def _require_store() -> None:
    if g.pop("sessions_away", False):
        raise ServiceUnavailable(retry_after=RETRY_AFTER)
