"""A Redis of the tests' own."""

import signal
import subprocess
import time
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from weakref import finalize

import pytest

from core.testing import free_port
from tests.serving import program

redis = pytest.importorskip("redis")


class Server:
    """A Redis of the tests' own, which may be stopped."""

    def __init__(self) -> None:
        self.program = program("redis-server")
        self.port = free_port()
        # The path of a socket has 107 bytes at the most: a test's own folder may be longer.
        self.folder = mkdtemp(prefix="redis-")
        finalize(self, rmtree, self.folder, ignore_errors=True)
        self.socket = Path(self.folder, "redis.sock")
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = redis.Redis.from_url(self.url)
        self.start()

    def start(self) -> None:
        options = ["--port", str(self.port), "--dir", self.folder, "--save", ""]
        self.process = subprocess.Popen(
            [self.program, *options, "--bind", "127.0.0.1", "--unixsocket", str(self.socket)],
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while True:
            try:
                self.client.ping()
            except redis.ConnectionError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.client.close()
        self.process.send_signal(how)
        self.process.wait()
