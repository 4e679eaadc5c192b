"""Keeps the safe floor honest: what ours puts on every answer, it does too."""

from benchmarks.agreement import OF_THE_ANSWER
from benchmarks.client import ask
from benchmarks.scenarios import BOOKS, Scenario
from benchmarks.servers import Running

ITEM = Scenario("item", "", f"{BOOKS}/1")


def gaps(servers: list[Running]) -> list[str]:
    """Return a sentence for each thing that ours does for safety and the safe floor does not."""
    named = {server.name: server for server in servers}
    if not {"safe_floor", "ours"} <= named.keys():
        return []
    ours, safe = named["ours"], named["safe_floor"]
    found = [f"The safe floor lacks the header {line}" for line in _headers(ours) - _headers(safe)]
    if _lines(ours) > _lines(safe):
        found.append("Ours logs each request: set LOG_REQUESTS of safe_floor in servers.py.")
    return sorted(found)


def _headers(server: Running) -> set[str]:
    headers = ask(server, ITEM).headers
    lines = {f"{name}: {headers[name]}" for name in headers.keys() - OF_THE_ANSWER}
    return lines | ({"x-request-id"} & headers.keys())


def _lines(server: Running) -> int:
    before = server.log.read_bytes().count(b"\n")
    ask(server, ITEM)
    return server.log.read_bytes().count(b"\n") - before
