"""Checks of what lies beneath: Python, .env, the port."""

import os
import socket
import sys
from collections.abc import Iterator

from dotenv.parser import Binding, parse_stream
from flask import Flask

import config
from core.doctor.finding import Finding, fail, ok, warn

OLDEST = (3, 11)


def python(app: Flask) -> Iterator[Finding]:
    """Look for a Python that the packages run on."""
    found = "Python " + ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= OLDEST:
        yield ok("python", found)
    else:
        wanted = ".".join(map(str, OLDEST))
        yield fail("python", found, f"install Python {wanted} or newer and make .venv again")


def virtual_environment(app: Flask) -> Iterator[Finding]:
    """Look for an environment of the project's own."""
    if sys.prefix != sys.base_prefix:
        yield ok("venv", sys.prefix)
    else:
        remedy = "`python3 -m venv .venv` and `. .venv/bin/activate`, unless this is a container"
        yield warn("venv", "no virtual environment is active", remedy)


def env_file(app: Flask) -> Iterator[Finding]:
    """Read .env line by line: python-dotenv passes over what it does not understand."""
    path = config.BASE_DIR / ".env"
    if not path.exists():
        yield _without_env_file(app)
        return
    try:
        with path.open(encoding="utf-8") as file:
            bindings = list(parse_stream(file))
    except UnicodeDecodeError:
        yield fail("env-file", ".env is not UTF-8 text", "save it as UTF-8 in your editor")
        return
    findings = [*_lines(bindings), *_names(bindings)]
    if os.name == "posix" and path.stat().st_mode & 0o077:
        findings.append(warn("env-file", "others can read .env", "chmod 600 .env"))
    yield from findings or [ok("env-file", f"{len(bindings)} lines")]


def _without_env_file(app: Flask) -> Finding:
    if app.config.get("APP_ENV") == "development":
        return warn("env-file", "there is no .env", "flask setup")
    return ok("env-file", "none: the variables come from the environment")


def _lines(bindings: list[Binding]) -> Iterator[Finding]:
    for binding in bindings:
        if binding.error:
            # The line itself may hold a secret.
            text = f"line {binding.original.line} of .env cannot be read"
            yield fail("env-file", text, "write it as NAME=value, a value with spaces in quotes")


def _names(bindings: list[Binding]) -> Iterator[Finding]:
    known = {*config.VARIABLES, "FLASK_APP", "FLASK_DEBUG"}
    if unknown := sorted({b.key for b in bindings if b.key and b.key not in known}):
        text = f".env sets {', '.join(unknown)}, which config.py does not read"
        yield warn("env-file", text, "correct the name (.env.example has them all) or remove it")


def port(app: Flask) -> Iterator[Finding]:
    """Try whether the port is free."""
    host, number = app.config["HOST"], app.config["PORT"]
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError as error:
            remedy = "if that is not this site itself, stop the program or set another PORT"
            yield warn("port", f"{host}:{number} cannot be used ({error.strerror})", remedy)
        else:
            yield ok("port", f"{host}:{number} is free")
