"""Checks of `flask doctor --deploy`: what a site that strangers reach must have."""

from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

from flask import Flask
from flask.views import MethodView
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.routing import RequestRedirect, Rule

import config
from core.database import READ_METHODS
from core.doctor.finding import Finding, fail, ok, warn
from core.limits import has_guard
from core.modules import installed_modules
from core.pages import bp as pages
from services import db

# A user's limit of 0 means none.
MYSQL = "SELECT least(@@max_connections, coalesce(nullif(@@max_user_connections, 0), 2147483647))"
# What the server, the role and the database allow; the least of them counts.
LIMITS = {
    "postgresql": "SELECT least(current_setting('max_connections')::int"
    " - current_setting('superuser_reserved_connections')::int,"
    " nullif(rolconnlimit, -1), nullif(datconnlimit, -1))"
    " FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()",
    "mysql": MYSQL,
    "mariadb": MYSQL,
}


def environment(app: Flask) -> Iterator[Finding]:
    """Look for production without debug."""
    if app.config["APP_ENV"] != "production":
        text = f"APP_ENV is {app.config['APP_ENV']}"
        yield fail("environment", text, "set APP_ENV=production")
    if app.debug:
        yield fail("debug", "debug is on: strangers would see code", "set APP_ENV=production")
    else:
        yield ok("debug", "off")


def cookies(app: Flask) -> Iterator[Finding]:
    """Look for session cookies that travel over https alone."""
    if app.config["SESSION_COOKIE_SECURE"]:
        yield ok("cookies", "over https only")
    else:
        remedy = "remove COOKIE_SECURE: production has it on"
        yield fail("cookies", "the session cookie travels over plain http too", remedy)


def hosts(app: Flask) -> Iterator[Finding]:
    """Look for a public name among the trusted hosts."""
    public = [host for host in app.config["TRUSTED_HOSTS"] if host not in config.LOOPBACK_HOSTS]
    if public:
        yield ok("hosts", ", ".join(public))
    else:
        remedy = "set TRUSTED_HOSTS to your domains, for example TRUSTED_HOSTS=example.com"
        yield fail("hosts", "only this machine's own names are answered", remedy)


def https(app: Flask) -> Iterator[Finding]:
    """Look for a proxy that ends https; without its headers the app takes all for plain http."""
    if count := app.config["PROXY_COUNT"]:
        yield ok("https", f"the X-Forwarded headers of {count} proxies in a row are believed")
    else:
        remedy = "set PROXY_COUNT=1 behind nginx; leave it if gunicorn itself has the certificate"
        yield warn("https", "no proxy is trusted to say that a request came by https", remedy)


def form_key(app: Flask) -> Iterator[Finding]:
    """Look for a second key, with which open forms survive a change of the first."""
    if app.config["WTF_CSRF_SECRET_KEY"] == app.config["SECRET_KEY"]:
        remedy = f"set WTF_CSRF_SECRET_KEY to the output of {config.MAKE_SECRET}"
        yield fail("form-key", "a new SECRET_KEY would break the forms that are open", remedy)
    else:
        yield ok("form-key", "of its own")


def connections(app: Flask) -> Iterator[Finding]:
    """Compare what all processes may open with what the server allows."""
    dialect = db.engine.dialect.name
    if dialect not in LIMITS:
        remedy = "set DATABASE_URL to PostgreSQL before you add a second machine"
        yield warn("connections", "an SQLite file serves one machine", remedy)
    elif app.config["DB_PGBOUNCER"]:
        yield ok("connections", "PgBouncer holds them")
    else:
        try:
            with db.engine.connect() as connection:
                yield _compared(app, int(connection.scalar(text(LIMITS[dialect])) or 0))
        except SQLAlchemyError:
            return  # The check of the database has reported it.


def _compared(app: Flask, allowed: int) -> Finding:
    options = app.config["SQLALCHEMY_ENGINE_OPTIONS"]
    workers = int(config.server()["workers"])
    wanted = workers * (options.get("pool_size", 5) + options.get("max_overflow", 10))
    sentence = f"{workers} processes open up to {wanted} of the {allowed} that the server allows"
    if wanted <= allowed:
        return ok("connections", sentence)
    remedy = "lower DB_POOL_SIZE, DB_MAX_OVERFLOW or WEB_CONCURRENCY; each replica counts"
    return fail("connections", sentence, remedy)


def limits(app: Flask) -> Iterator[Finding]:
    """Look for rate limits that each process counts for itself."""
    workers = config.server()["workers"]
    if "limiter" in app.extensions and workers != 1 and not app.config["REDIS_URL"]:
        remedy = "set REDIS_URL, so that all processes count together"
        yield warn("limits", f"{workers} processes count each for itself: all allow more", remedy)


def demo(app: Flask) -> Iterator[Finding]:
    """Look for the demo, whose packages say DEMO = True: anybody may write into it."""
    entries = [m.entry for m in installed_modules() if getattr(m.package, "DEMO", False)]
    for entry in entries:
        remedy = f"remove {entry!r} from INSTALLED_APPS; or put a login before it, and delete DEMO"
        yield fail("demo", f"{entry} is the demo: open to everyone, without login", remedy)
    if not entries:
        yield ok("demo", "not listed")


def home(app: Flask) -> Iterator[Finding]:
    """Look for core's welcome page, which is for developers: it lists modules and their URLs."""
    try:
        endpoint, _ = app.url_map.bind("localhost").match("/")
    except RequestRedirect:
        endpoint = "a redirect"
    template = app.jinja_env.get_template("welcome.html").filename or ""
    if endpoint == "core.welcome" and Path(template).is_relative_to(pages.root_path):
        remedy = "let a module of yours answer /, or write app/templates/welcome.html"
        yield warn("home", "/ is the scaffold's own page: it shows anybody the modules", remedy)
    else:
        yield ok("home", endpoint)


def guards(app: Flask) -> Iterator[Finding]:
    """Look for modules that take changes from anybody and do not say PUBLIC or DEMO = True."""
    for module in installed_modules():
        if getattr(module.package, "PUBLIC", False) or getattr(module.package, "DEMO", False):
            continue
        if urls := sorted({rule.rule for rule in module.rules if _is_open(app, rule)}):
            sentence = f"{module.entry} takes changes from anybody, as at {urls[0]}"
            remedy = "add a before_request that guards its blueprint, or write PUBLIC = True in "
            yield warn("guards", sentence, remedy + f"{module.entry.replace('.', '/')}/__init__.py")


def _is_open(app: Flask, rule: Rule) -> bool:
    """Tell whether a rule takes changes and no visible guard asks who sends them."""
    parents = accumulate(rule.endpoint.split(".")[:-1], "{}.{}".format)
    changes = (rule.methods or set()) - READ_METHODS
    if not changes or any(has_guard(app, name) for name in parents):
        return False
    view = app.view_functions[rule.endpoint]
    resource = getattr(view, "view_class", None)
    if resource is None:
        return not _is_decorated(view)
    names = map(str.lower, changes) if issubclass(resource, MethodView) else ["dispatch_request"]
    handlers = filter(None, (getattr(resource, name, None) for name in names))
    decorators = [*resource.decorators, *getattr(resource, "method_decorators", ())]
    # Each guards the whole resource, except limiter.limit(), which asks nobody who they are.
    guards = [one for one in decorators if not type(one).__module__.startswith("flask_limiter")]
    return not guards and not all(map(_is_decorated, handlers))


def _is_decorated(view: Any) -> bool:
    """Tell whether a view has a decorator, which may be a guard such as login_required."""
    while hasattr(view, "__wrapped__"):
        # functools.wraps() gives a wrapper the view's names, but leaves its __globals__.
        names = getattr(view, "__globals__", {"__name__": ""})
        if not names["__name__"].startswith("flask_limiter"):
            return True
        view = view.__wrapped__
    return False
