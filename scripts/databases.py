"""Runs a command with TEST_DATABASE_URL and TEST_MARIADB_URL naming new, empty databases.

Each server is the first of: the one its variable names, one that answers on its standard port of
this machine, a temporary one of an installed package. What was made here goes when the command
ends. Without a command it prints two `export` lines for the shell; the servers must be running.
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path

from sqlalchemy import URL, Connection, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

SECONDS_TO_START = 60


class PostgreSQL:
    """How to find and start PostgreSQL."""

    variable = "TEST_DATABASE_URL"
    scheme, driver = "postgresql", "postgresql+psycopg2"
    port = 5432
    users = (getpass.getuser(), "postgres")
    first_database: str | None = "postgres"
    encoding = "ENCODING 'UTF8' TEMPLATE template0"
    program = "postgres"
    # Debian keeps the programs out of PATH, in a folder per version.
    folders = "usr/lib/postgresql/*/bin"
    owner = "postgres"
    # SIGTERM would wait for open connections.
    stop_signal = signal.SIGINT

    @staticmethod
    def commands(program: str, folder: str, port: int) -> tuple[list[str], list[str]]:
        """Return how to lay out the data, and how to serve it: unsafe on power loss, and quick."""
        initdb = str(Path(program).with_name("initdb"))
        return (
            f"{initdb} -D {folder}/data --username=postgres --auth=trust --encoding=UTF8".split(),
            f"{program} -D {folder}/data -k {folder} -h 127.0.0.1 -p {port} -c fsync=off".split(),
        )


class MariaDB:
    """How to find and start MariaDB."""

    variable = "TEST_MARIADB_URL"
    scheme, driver = "mariadb", "mariadb+pymysql"
    port = 3306
    users = ("root",)
    first_database: str | None = None
    # Without Debian's settings a server before MariaDB 11.6 makes them in latin1.
    encoding = "CHARACTER SET utf8mb4"
    program = "mariadbd"
    folders = "usr/sbin"
    owner = "mysql"
    stop_signal = signal.SIGTERM

    @staticmethod
    def commands(program: str, folder: str, port: int) -> tuple[list[str], list[str]]:
        """Return how to lay out the data, and how to serve it."""
        files = f"--datadir={folder}/data --socket={folder}/socket --pid-file={folder}/pid"
        # With its test database comes a user without a name, who is taken for any other.
        users = "--auth-root-authentication-method=normal --skip-test-db"
        return (
            f"mariadb-install-db --no-defaults {users} --datadir={folder}/data".split(),
            f"{program} --no-defaults {files} --bind-address=127.0.0.1 --port={port}".split(),
        )


Engine = PostgreSQL | MariaDB


def main(command: Sequence[str]) -> int:
    """Return the command's exit status."""
    # `kill` and a cancelled CI job must stop the temporary servers as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ExitStack() as stack:
        urls = {
            engine.variable: stack.enter_context(_database(engine, temporary=bool(command)))
            for engine in (PostgreSQL(), MariaDB())
        }
        if command:
            return subprocess.run(command, env={**os.environ, **urls}, check=False).returncode
        for variable, url in urls.items():
            print(f"export {variable}='{url}'")
    return 0


@contextmanager
def _database(engine: Engine, temporary: bool) -> Iterator[str]:
    with ExitStack() as stack:
        server = _named(engine) or _running(engine)
        if server is None and temporary:
            server = stack.enter_context(_started(engine))
        if server is None:
            sys.exit(_missing(engine))
        # Two runs at once on one server must not wipe each other's tables.
        own_name = f"andamio_{os.getpid()}_test" if temporary else "andamio_test"
        name = server.database or own_name
        create = f"CREATE DATABASE {name} {engine.encoding}"
        _execute(engine, server, f"DROP DATABASE IF EXISTS {name}", create)
        url = server.set(drivername=engine.scheme, database=name)
        try:
            yield url.render_as_string(hide_password=False)
        finally:
            if temporary and not server.database:
                _execute(engine, server, f"DROP DATABASE {name}")


@contextmanager
def any_server(engine: Engine) -> Iterator[URL]:
    """Yield a server that runs on this machine, or a temporary one for as long as the block."""
    running = _running(engine)
    with nullcontext(running) if running else _started(engine) as server:
        yield server


def _named(engine: Engine) -> URL | None:
    if not os.environ.get(engine.variable):
        return None
    url = make_url(os.environ[engine.variable])
    if not (url.database or "").endswith("_test"):
        sys.exit(
            f"Error: {engine.variable} names the database {url.database!r}, which would be wiped: "
            "use one whose name ends in _test."
        )
    return url


def _running(engine: Engine) -> URL | None:
    for user in engine.users:
        url = URL.create(engine.scheme, user, host="127.0.0.1", port=engine.port)
        with suppress(DBAPIError), _connect(engine, url):
            return url
    return None


def _missing(engine: Engine) -> str:
    return (
        f"Error: no {type(engine).__name__} server lets {' or '.join(engine.users)} in at "
        f"127.0.0.1:{engine.port}: start one, install one, or name yours in {engine.variable}."
    )


@contextmanager
def _started(engine: Engine) -> Iterator[URL]:
    """Start a server on a free port, with its data in a folder that goes when it stops."""
    newest_first = sorted(map(str, Path("/").glob(engine.folders)), reverse=True)
    path = os.pathsep.join([*newest_first, os.environ["PATH"]])
    program = shutil.which(engine.program, path=path)
    if program is None:
        sys.exit(_missing(engine))
    # The path of a Unix socket may have about 100 characters, which macOS's own folder exceeds.
    with tempfile.TemporaryDirectory(prefix="andamio-", dir="/tmp") as folder:
        # Both servers refuse to run as root: the package made a user for each.
        owner = engine.owner if os.getuid() == 0 else None
        if owner:
            shutil.chown(folder, owner)
        port = _free_port()
        prepare, serve = engine.commands(program, folder, port)
        with open(f"{folder}/log", "w+b") as log:
            subprocess.run(prepare, user=owner, cwd=folder, stdout=log, stderr=log, check=True)
            process = subprocess.Popen(serve, user=owner, cwd=folder, stdout=log, stderr=log)
            try:
                url = URL.create(engine.scheme, engine.users[-1], host="127.0.0.1", port=port)
                yield _wait_for(engine, url, process)
            finally:
                process.send_signal(engine.stop_signal)
                process.wait(SECONDS_TO_START)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait_for(engine: Engine, url: URL, process: subprocess.Popen[bytes]) -> URL:
    deadline = time.monotonic() + SECONDS_TO_START
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(DBAPIError), _connect(engine, url):
            return url
        time.sleep(0.2)
    sys.exit(f"Error: {engine.program} did not start: start a server by hand.")


def _execute(engine: Engine, server: URL, *statements: str) -> None:
    with _connect(engine, server) as connection:
        for statement in statements:
            connection.execute(text(statement))


@contextmanager
def _connect(engine: Engine, server: URL) -> Iterator[Connection]:
    """Connect to the server itself, without a transaction, as CREATE DATABASE demands."""
    url = server.set(drivername=engine.driver, database=engine.first_database)
    database = create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 5})
    try:
        with database.connect() as connection:
            yield connection
    finally:
        database.dispose()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except DBAPIError as error:
        sys.exit(f"Error: the database server refused: {str(error.orig).strip()}")
