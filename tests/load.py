"""A client that keeps count: whatever it sent was answered, or it says what was lost."""

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any

HEADERS = {"Content-Type": "application/json"}


@dataclass
class Load:
    """Threads that send requests until the block ends.

    `answers` counts the statuses, `refused` the connections that nobody took, so that nothing was
    sent; `lost` names the requests that were sent and never answered; `created` holds the codes of
    the records whose creation was acknowledged.
    """

    address: tuple[str, int]
    path: str
    body: dict[str, Any] | None = None
    threads: int = 6
    answers: Counter[int] = field(default_factory=Counter)
    refused: int = 0
    lost: list[str] = field(default_factory=list)
    created: list[str] = field(default_factory=list)

    def __enter__(self) -> "Load":
        self._end = threading.Event()
        self._workers = [
            threading.Thread(target=self._work, args=(number,)) for number in range(self.threads)
        ]
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._end.set()
        for worker in self._workers:
            worker.join()

    def wait_for(self, answers: int, seconds: float = 30) -> None:
        """Wait until so many more answers have come."""
        goal, deadline = self.answers.total() + answers, time.monotonic() + seconds
        while self.answers.total() < goal:
            assert time.monotonic() < deadline, self
            time.sleep(0.02)

    def _work(self, number: int) -> None:
        sent = 0
        while not self._end.is_set():
            connection = HTTPConnection(*self.address, timeout=30)
            try:
                connection.connect()
            except OSError:
                self.refused += 1
                time.sleep(0.01)
                continue
            # Some requests on a connection of their own, most on one that is kept open.
            for _ in range(1 if number % 2 else 20):
                sent += 1
                if self._end.is_set() or not self._send(connection, f"{number}-{sent}"):
                    break
            connection.close()

    def _send(self, connection: HTTPConnection, code: str) -> bool:
        """Tell whether the connection can be used once more."""
        body = json.dumps({**self.body, "code": code}) if self.body else None
        try:
            connection.request("POST" if body else "GET", self.path, body, HEADERS)
            response = connection.getresponse()
            response.read()
        except (OSError, HTTPException) as error:
            self.lost.append(f"{code}: {error!r}")
            return False
        self.answers[response.status] += 1
        if response.status == 201:
            self.created.append(code)
        # http.client forgets the socket when the server says that it closes it.
        return connection.sock is not None
