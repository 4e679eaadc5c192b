"""Checks of what config.py reads: does the application start, are its secrets strong."""

from collections.abc import Iterator

from flask import Flask
from limits.errors import ConfigurationError
from limits.storage import storage_from_string
from werkzeug.exceptions import ServiceUnavailable

import config
from config import ConfigError
from core.doctor.finding import Finding, crash, fail, ok, warn
from core.limits import REDIS_OPTIONS
from core.module_errors import ModuleError

SECRETS = ("SECRET_KEY", "SECRET_KEY_FALLBACKS", "WTF_CSRF_SECRET_KEY")


def troubles(app: Flask) -> Iterator[Finding]:
    """Report what kept the application from starting; the errors end with their remedy."""
    errors = app.extensions.get("troubles", [])
    for error in errors:
        if isinstance(error, (ConfigError, ModuleError)):
            text, _, remedy = str(error).rpartition(": ")
            name = "configuration" if isinstance(error, ConfigError) else "modules"
            yield fail(name, text, remedy)
        else:
            yield crash("configuration", error)
    if not errors:
        yield ok("configuration", f"APP_ENV is {app.config['APP_ENV']}")


def secrets(app: Flask) -> Iterator[Finding]:
    """Ask config.py whether production would take these keys; it refuses weak ones by itself."""
    try:
        config.secret_key({"APP_ENV": "production", **{name: app.config[name] for name in SECRETS}})
    except ConfigError as error:
        text, _, remedy = str(error).rpartition(": ")
        yield warn("secrets", text, remedy)
        return
    yield ok("secrets", "strong")


def redis(app: Flask) -> Iterator[Finding]:
    """Ask Redis, if there is one: limits work without it, sessions do not."""
    url = app.config["REDIS_URL"]
    if not url:
        return
    keeps_sessions = app.config["SESSION_REDIS"]
    severity = fail if keeps_sessions else warn
    try:
        if not storage_from_string(url, **REDIS_OPTIONS).check():
            text = "does not answer, or does not let this application in"
            yield severity("redis", text, "start the server or mend REDIS_URL")
            return
        if keeps_sessions:
            app.session_interface.check()  # type: ignore[attr-defined]
        yield ok("redis", "answers")
    except ServiceUnavailable as error:
        text = f"takes no session ({type(error.__cause__).__name__})"
        yield fail("redis", text, "let REDIS_URL name a server that writes, with memory left")
    except (ConfigurationError, ValueError) as error:
        yield fail(
            "redis", str(error), "pip install -r requirements-optional.txt or mend REDIS_URL"
        )
