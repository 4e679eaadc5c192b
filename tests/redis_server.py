"""A Redis of the tests' own."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from core.testing import free_port
from tests.serving import program

redis = pytest.importorskip("redis")


class Server:
    """A Redis of the tests' own, which may be stopped."""

    def __init__(self, folder: Path) -> None:
        self.program = program("redis-server")
        self.port = free_port()
        self.folder = folder
        self.socket = folder / "redis.sock"
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = redis.Redis.from_url(self.url)
        self.start()

    def start(self) -> None:
        options = ["--port", str(self.port), "--dir", str(self.folder), "--save", ""]
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
