"""What a server does when it is stopped under load, asked by too many, or by some who are slow."""

import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

from benchmarks.load import wrk
from benchmarks.scenarios import BOOKS, Scenario
from benchmarks.servers import Running

CLIENTS = 8
LIST = Scenario("list20", "", f"{BOOKS}?per_page=20&count=none")
# It reads all rows, so that there are always requests under way.
LONG = f"{BOOKS}?count=exact&sort=price"
MANY = 200
SLOW = 50
SECONDS_BETWEEN_BYTES = 0.2


def stop(server: Running, seconds: float) -> dict[str, Any]:
    """Send SIGTERM under load: count what was answered, what was lost, and the time to the end.

    Lost is a request that was sent and not answered. To be refused a connection is no loss: with
    a socket of systemd or a second machine, another server takes it.
    """
    counts, over = Counter[str](), Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        for number in range(CLIENTS):
            pool.submit(_visit, server.url, LONG if number % 2 else LIST.path, counts, over)
        time.sleep(seconds)
        begin = time.monotonic()
        os.kill(server.pid, signal.SIGTERM)
        # It stays a zombie for running(), which waits for it.
        os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
        taken = time.monotonic() - begin
        over.set()
    return {"answered": counts["answered"], "lost": counts["lost"], "seconds": round(taken, 2)}


def _visit(url: str, path: str, counts: Counter[str], over: Event) -> None:
    """Ask again and again, on a connection that is kept, until nobody listens any more."""
    address = urlsplit(url)
    connection = HTTPConnection(str(address.hostname), address.port, timeout=60)
    while not over.is_set():
        if connection.sock is None:
            try:
                connection.connect()
            except OSError:
                return
        try:
            connection.request("GET", path)
            connection.getresponse().read()
            counts["answered"] += 1
        except (OSError, HTTPException):
            counts["lost"] += 1
            connection.close()


def overload(server: Running, seconds: int) -> dict[str, Any]:
    """Ask over many more connections than there are threads."""
    return _told(wrk(server, LIST, seconds, MANY))


def slow_clients(server: Running, seconds: int) -> dict[str, Any]:
    """Ask over a few connections while others send their requests a byte at a time."""
    with trickling(server):
        return _told(wrk(server, LIST, seconds, CLIENTS))


def _told(result: dict[str, Any]) -> dict[str, Any]:
    return {
        "rate": round(result["requests"] / result["seconds"], 1),
        "errors": result["socket_errors"] + result["unexpected"],
        "p99_ms": result["p99_ms"],
    }


@contextmanager
def trickling(server: Running) -> Iterator[None]:
    """Keep slow clients at the server as long as the block."""
    over = Event()
    thread = Thread(target=_trickle, args=(server.url, over))
    thread.start()
    try:
        # All of them have begun before the others come.
        time.sleep(2 * SECONDS_BETWEEN_BYTES)
        yield
    finally:
        over.set()
        thread.join()


def _trickle(url: str, over: Event) -> None:
    """Send the heads of requests that do not end; who is cut off begins again."""
    clients: list[socket.socket | None] = [None] * SLOW
    while not over.wait(SECONDS_BETWEEN_BYTES):
        clients = [_go_on(client) if client else _begin(url) for client in clients]
    for client in clients:
        if client is not None:
            client.close()


def _begin(url: str) -> socket.socket | None:
    address = urlsplit(url)
    with suppress(OSError):
        client = socket.create_connection((str(address.hostname), address.port), timeout=1)
        client.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        return client
    return None


def _go_on(client: socket.socket) -> socket.socket | None:
    try:
        client.sendall(b"a")
    except OSError:
        client.close()
        return None
    return client
