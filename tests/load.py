"""A client that keeps count: whatever it sent was answered, or it says what was lost."""

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any

# How soon a site is well again when what disturbed it has ended.
RECOVERY = 2
# What a request is told that came while its database was away, as `troubles` has it.
AWAY = "503 Retry-After: 5"
HEADERS = {"Content-Type": "application/json"}


@dataclass
class Load:
    """Threads that send requests until the block ends.

    `answers` counts the statuses, `refused` the connections that nobody took, so that nothing was
    sent; `lost` names the requests that were sent and never answered; `created` holds the codes of
    the records whose creation was acknowledged. `troubles` has what was not answered as it should
    be: when it was sent, and what came instead.
    """

    address: tuple[str, int]
    path: str
    body: dict[str, Any] | None = None
    threads: int = 6
    # Every other request only reads.
    mixed: bool = False
    # What the codes begin with, so that two of them do not meet in one database.
    prefix: str = ""
    answers: Counter[int] = field(default_factory=Counter)
    refused: int = 0
    lost: list[str] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    troubles: list[tuple[float, str]] = field(default_factory=list)

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

    def recovered(self, ended: float) -> list[str]:
        """Return what went wrong with requests that were sent later than RECOVERY after `ended`.

        Waits for some, which come soon if no thread of the server is still stuck.
        """
        time.sleep(max(0, ended + RECOVERY - time.monotonic()))
        self.wait_for(5 * self.threads, seconds=10)
        self.stop()
        return [what for sent, what in self.troubles if sent > ended + RECOVERY]

    def missing(self, stored: set[str]) -> set[str]:
        """Return the records whose creation was acknowledged and which are not stored."""
        return set(self.created) - stored

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
                code = f"{self.prefix}{number}-{sent}"
                if self._end.is_set() or not self._send(connection, code, sent):
                    break
            connection.close()

    def _send(self, connection: HTTPConnection, code: str, sent: int) -> bool:
        """Tell whether the connection can be used once more."""
        started = time.monotonic()
        try:
            response = self._ask(connection, code, sent)
        except (OSError, HTTPException) as error:
            self.lost.append(f"{code}: {error!r}")
            self.troubles.append((started, f"lost {error!r}"))
            return False
        self.answers[response.status] += 1
        if response.status == 201:
            self.created.append(code)
        if response.status >= 400:
            retry_after = response.headers.get("Retry-After")
            self.troubles.append((started, f"{response.status} Retry-After: {retry_after}"))
        # http.client forgets the socket when the server says that it closes it.
        return connection.sock is not None

    def _ask(self, connection: HTTPConnection, code: str, sent: int) -> HTTPResponse:
        """Send one request and read its answer."""
        writes = self.body is not None and not (self.mixed and sent % 2)
        body = json.dumps({**(self.body or {}), "code": code}) if writes else None
        connection.request("POST" if writes else "GET", self.path, body, HEADERS)
        response = connection.getresponse()
        response.read()
        return response
