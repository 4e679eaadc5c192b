"""Checks of what lies beneath: Python, .env, the port."""

import errno
import os
import socket
import sys
from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from flask import Flask

import config
from core.doctor.finding import Finding, ok, warn

PORT_REMEDIES = {
    errno.EADDRINUSE: "stop the program that uses the port (this site itself? on macOS: AirPlay "
    "Receiver on 5000) or set another one in .env, for example PORT=5001",
    errno.EACCES: "set a port above 1023, for example PORT=5000",
}
OTHER_HOST = "set HOST to an address of this machine, 127.0.0.1 or 0.0.0.0"


def python(app: Flask) -> Iterator[Finding]:
    """Report the version of Python; with one that is too old this command would not start."""
    yield ok("python", "Python " + ".".join(map(str, sys.version_info[:3])))


def virtual_environment(app: Flask) -> Iterator[Finding]:
    """Look for an environment of the project's own."""
    if sys.prefix != sys.base_prefix:
        yield ok("venv", sys.prefix)
    else:
        remedy = "`python3 -m venv .venv` and `. .venv/bin/activate`, unless this is a container"
        yield warn("venv", "no virtual environment is active", remedy)


def env_file(app: Flask) -> Iterator[Finding]:
    """Look in .env for mistakes that config.py, which has read it, cannot know."""
    path = config.BASE_DIR / ".env"
    if not path.exists():
        yield _without_env_file(app)
        return
    try:
        given = config.read_dotenv()
    except config.ConfigError:
        return  # The check of the configuration has reported it.
    findings = list(_names(given))
    if os.name == "posix" and path.stat().st_mode & 0o077:
        findings.append(warn("env-file", "others can read .env", "chmod 600 .env"))
    yield from findings or [ok("env-file", f"{len(given)} variables")]


def _without_env_file(app: Flask) -> Finding:
    if app.config.get("APP_ENV") == "development":
        return warn("env-file", "there is no .env", "flask setup")
    return ok("env-file", "none: the variables come from the environment")


def _names(given: Iterable[str]) -> Iterator[Finding]:
    """Look for misspelt variables; any other name is one of the product's own."""
    for name in sorted({*given} - config.VARIABLES.keys()):
        for meant in get_close_matches(name.upper(), config.VARIABLES, 1, 0.8):
            # A name with a prefix, such as SHOP_SECRET_KEY, is the product's own.
            if not name.endswith(f"_{meant}"):
                remedy = f"write {meant}, or begin a variable of your own with its module's name"
                yield warn("env-file", f".env sets {name}, which config.py does not read", remedy)


def port(app: Flask) -> Iterator[Finding]:
    """Try whether the port is free."""
    host, number = app.config["HOST"], app.config["PORT"]
    if trouble := port_trouble(host, number):
        yield warn("port", *trouble)
    else:
        yield ok("port", f"{host}:{number} is free")


def port_trouble(host: str, number: int) -> tuple[str, str] | None:
    """Return why a server cannot listen there, and what helps."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, number))
    except (OSError, UnicodeError) as error:
        text = f"{host}:{number} cannot be used ({getattr(error, 'strerror', error)})"
        return text, PORT_REMEDIES.get(getattr(error, "errno", 0), OTHER_HOST)
    return None
