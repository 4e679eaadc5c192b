"""The memory of a server: of its processes together, after load, with preload and without."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

import click
from sqlalchemy import URL

from benchmarks.database import ROOT
from benchmarks.findings import Finding
from benchmarks.load import wrk
from benchmarks.processes import family
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import OURS, SERVERS, Running, Server, running
from benchmarks.summary import Ratio

MEGABYTE = 1024**2
# What a worker must have done before its memory counts: it imports and keeps things at the first.
LOAD = ("list100", "list_total", "item", "html_list", "html_form")
SECONDS_TO_SETTLE = 15
# The master loads nothing, so each worker loads all for itself.
NO_PRELOAD = """
exec(open("gunicorn.conf.py", encoding="utf-8").read())
preload_app = False
del when_ready, pre_fork
"""


def memory(server: Running) -> float:
    """Return the megabytes of all processes; what several share counts once (PSS)."""
    return sum(_kilobytes(pid, "smaps_rollup", "Pss:") for pid in family(server.pid)) / 1024


def peak(server: Running) -> float:
    """Return the most megabytes that one of the processes has had (its resident set)."""
    return max(_kilobytes(pid, "status", "VmHWM:") for pid in family(server.pid)) / 1024


def _kilobytes(pid: int, file: str, name: str) -> int:
    lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)


def with_workers(server: Server, workers: int) -> Server:
    """Return the same server with so many workers."""
    environment = {**server.environment, "WEB_CONCURRENCY": str(workers)}
    return replace(server, environment=environment)


def settled(server: Running) -> float:
    """Return the memory when it stands still: not all workers are there with the first answer."""
    deadline, before, now = time.monotonic() + SECONDS_TO_SETTLE, 0.0, memory(server)
    while abs(now - before) > now / 100 and time.monotonic() < deadline:
        time.sleep(1)
        before, now = now, memory(server)
    return now


def load(server: Running, seconds: int) -> None:
    """Send a bit of everything that reads, over enough connections to reach all workers."""
    for scenario in SCENARIOS:
        if scenario.name in LOAD:
            wrk(server, scenario, seconds, connections=32)


@contextmanager
def without_preload() -> Iterator[Server]:
    """Yield our server with workers that share nothing."""
    with TemporaryDirectory(prefix="bench-") as folder:
        file = Path(folder, "gunicorn.conf.py")
        file.write_text(NO_PRELOAD, encoding="utf-8")
        yield replace(SERVERS["ours"], command=f"{OURS} --config {file}", folder=ROOT)


def preload(database: URL, seconds: int, workers: int = 4) -> Finding:
    """Compare the workers that share the master's memory with some that do not, after load."""
    with without_preload() as alone:
        apart, shared = (
            _loaded(with_workers(server, workers), database, seconds)
            for server in (alone, SERVERS["ours"])
        )
    what = f"memory of {workers} workers after load, with preload / without"
    return _finding(what, apart, shared, 0.5)


def _loaded(server: Server, database: URL, seconds: int) -> float:
    with running(server, database) as started:
        settled(started)
        load(started, seconds)
        return settled(started)


def by_rows(small: URL, large: URL, seconds: int) -> Iterator[Finding]:
    """Compare a worker that has served a small table with one that has served a large one."""
    (low, csv_low), (high, csv_high) = (_peaks(one, seconds) for one in (small, large))
    yield _finding("peak memory of a worker after lists, large table / small", low, high, 1.1)
    yield _finding("the same after all rows as CSV", csv_low, csv_high, 1.1)


def _peaks(database: URL, seconds: int) -> tuple[float, float]:
    with running(with_workers(SERVERS["ours"], 1), database) as started:
        load(started, seconds)
        lists = peak(started)
        lines = _read(f"{started.url}/example/products.csv")
        click.echo(f"CSV of {lines - 1:,} rows")
        return lists, peak(started)


def _read(url: str) -> int:
    """Read an answer to its end without keeping it; return the number of its lines."""
    lines = 0
    with urlopen(url, timeout=300) as answer:
        while part := answer.read(MEGABYTE):
            lines += part.count(b"\n")
    return lines


def _finding(what: str, before: float, after: float, target: float) -> Finding:
    # One measurement each: memory hardly depends on what else the machine does.
    ratio = after / before
    return Finding(what, Ratio(ratio, ratio, ratio), f"{before:.0f} MB, {after:.0f} MB", target)
