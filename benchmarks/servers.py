"""Who is measured: how each server is installed, started and stopped."""

import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

import click
from sqlalchemy import URL

import settings
from benchmarks.database import ROOT, production
from benchmarks.processes import SERVER_CORE, on_core

PEERS = ROOT / "benchmarks/peers"
GUNICORN = "gunicorn --worker-class gthread --workers 1 --threads 4 --bind 127.0.0.1:{port}"
# The project's own gunicorn.conf.py, but for the retirement of a worker in mid-measurement.
OURS = "gunicorn --max-requests 0 run:app"
GRANIAN = "granian --interface wsgi --workers 1 --blocking-threads 4 --port {port} --no-ws"
UVICORN = "uvicorn --loop uvloop --http httptools --no-access-log --log-level warning --port {port}"
SECONDS_TO_START = 30


@dataclass(frozen=True)
class Server:
    """A server: a command in a folder, with the packages of its requirements."""

    name: str
    command: str
    label: str
    folder: Path = PEERS
    # Benchmarks/requirements-<name>.txt, in a virtual environment of its own; "" is the project's.
    requirements: str = ""
    pages: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def python(self) -> str:
        """Return the interpreter that has its packages."""
        if self.requirements:
            return str(ROOT / f".venv-bench-{self.requirements}/bin/python")
        own = self.folder / ".venv/bin/python"
        return str(own) if own.exists() else sys.executable


SERVERS = {
    server.name: server
    for server in [
        Server("floor", f"{GUNICORN} floor_pages:app", "bare Flask and psycopg2, no safety"),
        Server(
            "safe_floor",
            f"{GUNICORN} safe_floor:app",
            "the floor with our headers, limits and a line in the log",
            environment={"LOG_REQUESTS": "true"},
        ),
        Server("ours", OURS, "this project", ROOT),
        Server("drf", f"{GUNICORN} drf_app:app", "Django REST Framework", PEERS, "drf", False),
        Server("fastapi", f"{UVICORN} fastapi_app:app", "FastAPI", PEERS, "fastapi", False),
        Server("litestar", f"{UVICORN} litestar_app:app", "Litestar", PEERS, "litestar", False),
    ]
}
VARIANTS = {
    server.name: server
    for server in [
        Server("floor-granian", f"{GRANIAN} floor_pages:app", "the floor on granian"),
        Server("ours-granian", "deploy.granian_server", "this project on granian", ROOT),
        Server(
            "ours-sync",
            "gunicorn --worker-class sync --max-requests 0 run:app",
            "this project on gunicorn without threads",
            ROOT,
            # With more it would take threads all the same.
            environment={"WEB_THREADS": "1"},
        ),
    ]
}


def check_demo() -> None:
    """Stop with a sentence where the modules that are measured are gone."""
    if missing := {"app.api", "app.example"}.difference(settings.INSTALLED_APPS):
        raise click.ClickException(
            f"The demo's modules are measured, and {', '.join(sorted(missing))} is not listed in "
            "settings.py: measure a checkout that has them."
        )


def chosen(names: str) -> list[Server]:
    """Return the servers of a list of names; ours=FOLDER is another checkout of the project."""
    return [_server(name.strip()) for name in names.split(",")]


def _server(name: str) -> Server:
    known = {**SERVERS, **VARIANTS}
    base, _, folder = name.partition("=")
    if base not in known or (folder and base != "ours"):
        allowed = ", ".join([*known, "ours=FOLDER"])
        raise click.ClickException(f"There is no server {name!r}: take some of {allowed}.")
    server = known[base]
    if folder:
        path = Path(folder).expanduser().resolve()
        if not (path / "run.py").exists():
            raise click.ClickException(f"{path} has no run.py: name a checkout of the project.")
        return Server(name, server.command, f"this project in {path.name}", path)
    return server


def install(server: Server) -> None:
    """Bring a peer's packages into its virtual environment; quick when nothing changed."""
    if server.requirements:
        environment = {**os.environ, "VENV": f"../.venv-bench-{server.requirements}"}
        command = ["sh", "../scripts/venv.sh", f"requirements-{server.requirements}.txt"]
        subprocess.run(command, cwd=ROOT / "benchmarks", env=environment, check=True)


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    server: Server
    url: str
    pid: int
    log: Path
    urgent: bool = False

    @property
    def name(self) -> str:
        """Return the server's name."""
        return self.server.name


@contextmanager
def running(server: Server, database: URL, urgent: bool = False) -> Iterator[Running]:
    """Start a server on its core; stop it afterwards."""
    port = _free_port()
    command = [server.python, "-m", *shlex.split(server.command.format(port=port))]
    environment = {**os.environ, **production(database), "PORT": str(port), **server.environment}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        log = Path(folder, "log")
        with log.open("wb") as file:
            process = subprocess.Popen(
                on_core(SERVER_CORE, command, urgent),
                cwd=server.folder,
                env=environment,
                stdout=file,
                stderr=file,
            )
        try:
            started = Running(server, f"http://127.0.0.1:{port}", process.pid, log, urgent)
            _wait(started, process)
            yield started
        finally:
            _stop(process)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait(server: Running, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), urlopen(f"{server.url}/health/live", timeout=5):
            return
        time.sleep(0.1)
    tail = "\n".join(server.log.read_text(errors="replace").splitlines()[-15:])
    raise click.ClickException(f"The server {server.name} did not start:\n{tail}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
