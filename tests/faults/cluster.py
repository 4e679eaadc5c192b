"""A PostgreSQL of the tests' own, in a temporary folder: it may be stopped, killed and frozen."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from core.testing import free_port
from scripts.databases import PostgreSQL

FAST, IMMEDIATE = signal.SIGINT, signal.SIGQUIT
# Few, so that a test can take all of them.
MAX_CONNECTIONS = 30


class Cluster:
    """The server's process, and how to hurt it."""

    def __init__(self, folder: str, prepare: list[str], serve: list[str], port: int) -> None:
        # It refuses to run as root: the package made a user for it.
        self.owner = PostgreSQL.owner if os.getuid() == 0 else None
        if self.owner:
            shutil.chown(folder, self.owner)
        self.folder, self.serve, self.port = folder, serve, port
        self.url = f"postgresql://postgres@127.0.0.1:{port}/faults"
        self._run(prepare).wait(60)
        self.start()
        with self.connection("postgres") as connection:
            connection.cursor().execute("CREATE DATABASE faults")

    def start(self) -> None:
        """Start it; return as soon as it takes connections."""
        self.process = self._run(self.serve)
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg2.connect(self._dsn("postgres")).close()
            except psycopg2.OperationalError:
                assert time.monotonic() < deadline, Path(self.folder, "log").read_text()
                time.sleep(0.02)
            else:
                return

    def stop(self, how: signal.Signals = FAST) -> None:
        self.process.send_signal(how)
        self.process.wait(60)

    def freeze(self) -> None:
        """Have it answer nothing and refuse nothing, as a machine does that hangs."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)

    def execute(self, statement: str) -> list[Any]:
        with self.connection() as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def drop_clients(self) -> None:
        """End the connections of all others."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = 'faults' AND pid <> pg_backend_pid()"
        )

    @contextmanager
    def connection(self, database: str = "faults") -> Iterator[Any]:
        """Connect without a transaction."""
        connection = psycopg2.connect(self._dsn(database))
        connection.autocommit = True
        try:
            yield connection
        finally:
            connection.close()

    def codes(self) -> set[str]:
        """Return the codes of all records that are stored."""
        return {code for (code,) in self.execute("SELECT code FROM sample_thing")}

    def _dsn(self, database: str) -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres dbname={database}"

    def _run(self, command: list[str]) -> subprocess.Popen[bytes]:
        with Path(self.folder, "log").open("ab") as log:
            return subprocess.Popen(
                command, user=self.owner, cwd=self.folder, stdout=log, stderr=log
            )

    def _signal_all(self, number: signal.Signals) -> None:
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in [pid, *map(int, children)]:
            os.kill(one, number)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Start a cluster, and stop it at the end."""
    folders = sorted(map(str, Path("/").glob(PostgreSQL.folders)), reverse=True)
    program = shutil.which(PostgreSQL.program, path=os.pathsep.join([*folders, os.environ["PATH"]]))
    if program is None:
        pytest.skip("PostgreSQL's programs are not installed: apt-get install postgresql")
    # The path of a Unix socket may have about 100 characters.
    with tempfile.TemporaryDirectory(prefix="andamio-", dir="/tmp") as folder:
        port = free_port()
        prepare, serve = PostgreSQL.commands(program, folder, port)
        serve += ["-c", f"max_connections={MAX_CONNECTIONS}"]
        server = Cluster(folder, prepare, serve, port)
        try:
            yield server
        finally:
            server.thaw()
            server.stop(IMMEDIATE)
