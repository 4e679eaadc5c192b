"""Servers of their own for the tests: gunicorn on a copy of the project, nginx, PgBouncer."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from core.testing import free_port, production_environment, wait_for
from tests.project import Project

GUNICORN = [sys.executable, "-m", "gunicorn", "run:app"]
GRANIAN = [sys.executable, "-m", "deploy.granian_server"]
TABLES = """
from run import app
from core.modules import installed_metadata
from services import db
from tests.sample.models import Box

with app.app_context():
    for metadata in installed_metadata():
        metadata.create_all(db.engine)
    db.session.add(Box(name="Load"))
    db.session.commit()
"""
# A module that tells which process answered, with which code, and that can take its time.
PROBE = """
import os
import time

from flask import Blueprint, request
from sqlalchemy import text

from services import db

bp = Blueprint("probe", __name__, url_prefix="/probe")
VERSION = "one"


@bp.get("/")
def show():
    return {"version": VERSION, "process": os.getpid()}


@bp.get("/slow")
def slow():
    time.sleep(1)
    return {"version": VERSION}


@bp.get("/hang")
def hang():
    time.sleep(60)
    return {}


@bp.get("/seen")
def seen():
    return {"address": request.remote_addr, "scheme": request.scheme, "host": request.host}


@bp.get("/query/<int:seconds>")
def query(seconds):
    db.session.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})
    return {"version": VERSION}
"""
# What creates a record of the sample, apart from its code.
THING = {"name": "Nail", "price": "1.50", "box_id": 1}


@dataclass
class Server:
    """A process that serves, and what it wrote."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def get(self, path: str, **headers: str) -> Any:
        """Return the JSON that it answers."""
        with urlopen(Request(f"{self.url}{path}", headers=headers), timeout=30) as answer:
            return json.load(answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    @property
    def workers(self) -> list[int]:
        pid = self.process.pid
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]

    def both_workers(self) -> list[int]:
        """Return the two workers: the first may answer before the other is there."""
        deadline = time.monotonic() + 30
        while len(workers := self.workers) < 2:
            assert time.monotonic() < deadline, "the second worker did not start"
            time.sleep(0.05)
        return workers

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines of the log, each of which is JSON.

        One kind is not ours: libpq writes to stderr what PostgreSQL says when it ends a connection
        in the moment that it is opened, before psycopg2 can listen.
        """
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if not line.startswith("FATAL:  ")]

    def stop(self) -> int:
        """Ask it to stop; return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)


def live_site(scaffold: Project, database_url: str) -> Project:
    """Return a production copy of the project with the sample, its tables and a probe."""
    scaffold.write("app/probe/__init__.py", PROBE)
    scaffold.install("tests.sample", "app.probe")
    environment = production_environment(database_url)
    inherited = {"APP_ENV", "SECRET_KEY", "TRUSTED_HOSTS", "DATABASE_URL", "COOKIE_SECURE", "PORT"}
    site = scaffold.having(**{name: environment[name] for name in inherited})
    site.python("-c", TABLES)
    return site


@contextmanager
def serving(
    site: Project, command: list[str] = GUNICORN, listener: socket.socket | None = None
) -> Iterator[Server]:
    """Start a production server, on a socket of ours as under systemd; wait until it is ready."""
    port = listener.getsockname()[1] if listener else free_port()
    log = site.root.parent / f"{port}.log"
    with (
        log.open("ab") as output,
        subprocess.Popen(
            _activated(command, listener) if listener else command,
            cwd=site.root,
            env=site.having(PORT=str(port)).environment,
            stdout=output,
            stderr=output,
            pass_fds=[listener.fileno()] if listener else [],
        ) as process,
    ):
        server = Server(port, process, log)
        try:
            wait_for(f"{server.url}/health/ready")
            yield server
        finally:
            process.terminate()


def _activated(command: list[str], listener: socket.socket) -> list[str]:
    """Hand the socket over as number 3, which is what systemd does (sd_listen_fds(3))."""
    return [sys.executable, "-c", HAND_OVER, str(listener.fileno()), *command]


HAND_OVER = """
import os, sys

os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""


@contextmanager
def running(command: list[str], folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that listens on a port, until the block ends; its output goes to a file."""
    with (
        (folder / "output").open("wb") as output,
        subprocess.Popen(command, cwd=folder, stdout=output, stderr=output) as process,
    ):
        try:
            wait_for_port(port, folder / "output")
            yield process
        finally:
            process.terminate()


def wait_for_port(port: int, output: Path) -> None:
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(output.read_text())


def program(name: str) -> str:
    """Return the path of a program of the system; the test is skipped where it is missing."""
    found = shutil.which(name, path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"]))
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install {name}")
    return found
