"""What protects every answer: CSRF on all forms, the security headers, trusted hosts, proxies."""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

from core.access_log import id_of
from core.database import READ_METHODS
from core.setting import setting
from services import csrf

CSP = {
    "default-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
}


def init_security(app: Flask) -> None:
    """Turn on CSRF protection and put the headers on every answer."""
    csrf.init_app(app)
    app.wsgi_app = _Headers(app.wsgi_app, _headers(app))  # type: ignore[method-assign]
    if count := app.config["PROXY_COUNT"]:
        app.wsgi_app = ProxyFix(app.wsgi_app, count, count, count, count)  # type: ignore[method-assign]


def is_cross_site_form() -> bool:
    """Tell whether another site sent this form: our cookies, which are SameSite, were not sent."""
    if request.method in READ_METHODS:
        return False
    if site := request.headers.get("Sec-Fetch-Site"):
        return site == "cross-site"
    # For browsers from before 2023, and for plain http.
    origin = request.headers.get("Origin", "null")
    return origin != "null" and urlsplit(origin).netloc != request.host


class _Headers:
    """Adds the headers to every answer, failures included, unless it has one of that name."""

    def __init__(self, wsgi_app: Callable[..., Iterable[bytes]], headers: dict[str, str]) -> None:
        self.wsgi_app = wsgi_app
        self.headers = [(name, name.lower(), value) for name, value in headers.items()]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        if method not in READ_METHODS and "HTTP_ORIGIN" in environ:
            # On https Flask-WTF checks which page a form comes from, but it only reads the Referer.
            environ.setdefault("HTTP_REFERER", environ["HTTP_ORIGIN"])
        if "HTTP_HOST" in environ:
            # A host's case means nothing (RFC 9110, 4.2.3), but Werkzeug trusts only one spelling.
            environ["HTTP_HOST"] = environ["HTTP_HOST"].lower()

        def respond(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            is_empty = method == "OPTIONS" and ("Content-Length", "0") in headers
            if is_empty or status.startswith("204"):
                # A body that is not there has no type.
                headers = [header for header in headers if header[0] != "Content-Type"]
            sent = {name.lower() for name, _ in headers}
            added = [(name, value) for name, key, value in self.headers if key not in sent]
            if "x-request-id" not in sent:
                added.append(("X-Request-ID", id_of(environ)))
            return start_response(status, headers + added, *rest)

        return self.wsgi_app(environ, respond)


def _headers(app: Flask) -> dict[str, str]:
    headers = {
        "Content-Security-Policy": content_security_policy(setting("CSP")),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        # Flask-WTF compares the Referer on https, so it must still be sent to ourselves.
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        # An answer may be for one reader only; a view that knows better sets its own header.
        "Cache-Control": "private, no-cache",
    }
    if app.config["SESSION_COOKIE_SECURE"] and app.config["APP_ENV"] == "production":
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers


def content_security_policy(added: dict[str, list[str]]) -> str:
    """Return the policy with the origins of settings.CSP added to its directives."""
    # A directive that takes no list of sources (report-uri) starts empty.
    usual = {name: CSP["default-src"] if "-src" in name else [] for name in added}
    policy = {**usual, **CSP}
    for name, sources in added.items():
        # Browsers ignore 'none' beside another source.
        policy[name] = [*(source for source in policy[name] if source != "'none'"), *sources]
    return "; ".join(" ".join([name, *sources]) for name, sources in policy.items())
