"""Rate limits, and CORS for scripts of other sites: both are off unless configured."""

import time
from typing import Any

from flask import Flask, Response, current_app, request
from flask_cors import CORS
from flask_limiter.errors import RateLimitExceeded
from flask_limiter.util import get_qualified_name
from limits import parse_many
from limits.errors import ConfigurationError
from werkzeug.exceptions import NotFound

from config import ConfigError
from core.errors import answer
from core.problem import wants_problem
from core.setting import setting
from services import limiter, log

# The headers that a script of another site may send, and (SHOWN) may read.
SENT = [
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "X-Request-ID",
]
LIMIT_HEADERS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
SHOWN = [
    "Content-Disposition",
    "Deprecation",
    "ETag",
    "Link",
    "Location",
    "Retry-After",
    "Sunset",
    "WWW-Authenticate",
    "X-Request-ID",
]
CORS_SECONDS = 600
# A request waits no longer for Redis to count it: then this process counts it.
REDIS_OPTIONS: dict[str, Any] = {
    "socket_connect_timeout": 0.5,
    "socket_timeout": 0.5,
    "retry": None,
}


def init_limits(app: Flask) -> None:
    """Answer 429 past RATE_LIMIT or a route's own limit; open the API to CORS_ORIGINS.

    Raises ConfigError for a limit that cannot be read, and for a missing package redis.
    """
    if origins := app.config["CORS_ORIGINS"]:
        schemes = filter(None, app.extensions["api_blueprints"].values())
        keys = [scheme["name"] for scheme in schemes if scheme.get("in") == "header"]
        # Registered first, so that it runs last: answers outside of the API stay closed.
        app.after_request(_keep_to_api)
        # Ahead of all guards: a browser sends no key with its preflight request.
        app.before_request_funcs[None].insert(0, _answer_preflight)
        CORS(
            app,
            origins=origins,
            allow_headers=[*SENT, *keys, *setting("CORS_HEADERS")],
            expose_headers=[*SHOWN, *LIMIT_HEADERS],
            max_age=CORS_SECONDS,
        )
    # Only this application's: the process may have imported other modules with limits.
    own = tuple(f"{module.entry}." for module in app.extensions["modules"])
    views = set(map(get_qualified_name, app.view_functions.values()))
    limited = limiter._marked_for_limiting  # noqa: SLF001 - no public way
    has_own = any(name.startswith(own) or name in views for name in limited)
    if app.config["RATE_LIMIT"] or has_own or _limited_blueprints(app):
        _init_limiter(app)


def _limited_blueprints(app: Flask) -> set[str]:
    """Return the blueprints that have a limit for all of their routes."""
    return app.blueprints.keys() & limiter.limit_manager._blueprint_limits.keys()  # noqa: SLF001 - no public way


def _answer_preflight() -> Response | None:
    is_asked = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    # A browser shows its script the 404 of an unknown URL only if the preflight was answered.
    is_unknown = isinstance(request.routing_exception, NotFound)
    automatic = getattr(request.url_rule, "provide_automatic_options", is_unknown)
    if is_asked and automatic and wants_problem():
        return current_app.make_default_options_response()
    return None


def _keep_to_api(response: Response) -> Response:
    if wants_problem():
        # For a single origin Flask-CORS leaves Vary out, and a cache would give its answer to all.
        response.vary.add("Origin")
    else:
        for name in {name for name, _ in response.headers if name.startswith("Access-Control-")}:
            del response.headers[name]
    return response


def is_limited(app: Flask, endpoint: str, method: str) -> bool:
    """Tell whether a route of the API limits a method: itself, by its blueprint or RATE_LIMIT."""
    manager = limiter.limit_manager
    limits = [
        *manager._decorated_limits.get(get_qualified_name(app.view_functions[endpoint]), ()),  # noqa: SLF001 - no public way
        *manager._blueprint_limits.get(endpoint.rpartition(".")[0], ()),  # noqa: SLF001 - no public way
    ]
    return bool(app.config["RATE_LIMIT"]) or any(
        not limit.methods or method.lower() in limit.methods for limit in limits
    )


def has_guard(app: Flask, blueprint: str) -> bool:
    """Tell whether a `before_request` of a blueprint does more than count."""
    return any(hook is not count for hook in app.before_request_funcs.get(blueprint, ()))


def _has_its_own(view: Any) -> bool:
    """Tell whether a view has a limit of its own."""
    return view is not None and get_qualified_name(view) in limiter._marked_for_limiting  # noqa: SLF001 - no public way


def _init_limiter(app: Flask) -> None:
    _check(app.config["RATE_LIMIT"])
    app.config |= {
        "RATELIMIT_STORAGE_URI": app.config["REDIS_URL"] or "memory://",
        "RATELIMIT_STORAGE_OPTIONS": REDIS_OPTIONS if app.config["REDIS_URL"] else {},
        # Without Redis each process counts for itself, and goes on answering.
        "RATELIMIT_IN_MEMORY_FALLBACK_ENABLED": True,
        # Redis may fail between two calls of one request: it is answered all the same.
        "RATELIMIT_SWALLOW_ERRORS": True,
    }
    try:
        limiter.init_app(app)
    except (ConfigurationError, ValueError) as error:
        raise ConfigError(
            f"REDIS_URL cannot be used ({error}): mend it, or install the package by "
            "`pip install -r requirements-optional.txt`."
        ) from error
    # A limited view checks itself; views without a limit should not pay for the check.
    app.before_request_funcs[None].remove(limiter._check_request_limit)  # noqa: SLF001 - no public way
    apis = app.extensions["api_blueprints"] if app.config["RATE_LIMIT"] else ()
    for name in {*apis, *_limited_blueprints(app)}:
        # Before the guard, so that clients who try keys are counted, too.
        app.before_request_funcs.setdefault(name, []).insert(0, count)
    app.register_error_handler(RateLimitExceeded, _exceeded)
    app.after_request(_add_headers)


def count() -> None:
    """Count this request against the limit of its blueprint, or against RATE_LIMIT.

    If a view has a limit of its own, only refused requests count against RATE_LIMIT.
    """
    limiter._check_request_limit()  # noqa: SLF001 - no public way
    view = current_app.view_functions.get(str(request.endpoint))
    if current_app.config["RATE_LIMIT"] and _has_its_own(view):
        _count_refusals()


# A view's own limit stands behind the guard, where no guessed key arrives.
@limiter.shared_limit(
    lambda: str(current_app.config["RATE_LIMIT"]),
    scope="refused",
    deduct_when=lambda response: response.status_code in (401, 403),
)
def _count_refusals() -> None:
    pass


def _check(limit: str) -> None:
    try:
        if limit and not all(one.amount for one in parse_many(limit)):
            raise ValueError("it allows nothing")
    except ValueError as error:
        raise ConfigError(
            f"RATE_LIMIT is {limit!r}: write it as 100/minute, or as 10/second;1000/hour."
        ) from error


def _exceeded(error: RateLimitExceeded) -> Any:
    limit = error.limit.limit if error.limit else "this"
    text = f"You asked more often than {limit}: wait as Retry-After says."
    # A page has its own words, in the language of its reader.
    return answer(429, text if wants_problem() else None)


def _add_headers(response: Response) -> Response:
    """Say how much is left (draft-ietf-httpapi-ratelimit-headers-06: seconds, not a time)."""
    if limit := limiter.current_limit:
        try:
            seconds = max(1, int(limit.reset_at - time.time()))
            numbers = map(str, (limit.limit.amount, limit.remaining, seconds))
        except Exception as error:
            # The view has done its work: a failure here would invite the client to repeat it.
            log.warning("no numbers of the limit: %s", type(error).__name__)
            return response
        response.headers.update(zip(LIMIT_HEADERS, numbers, strict=True))
        if response.status_code == 429:
            response.headers["Retry-After"] = str(seconds)
    return response
