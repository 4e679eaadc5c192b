"""The production servers compared: speed, memory, stop, overload. `make bench ARGS=serving`."""

from collections.abc import Callable
from statistics import median
from typing import Any

import click
from sqlalchemy import URL

from benchmarks.database import bench_database
from benchmarks.load import check_tools
from benchmarks.memory import load, settled, with_workers
from benchmarks.report import keep, origin, told, write_section
from benchmarks.rounds import run
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import Running, Server, check_demo, chosen, running
from benchmarks.stress import CLIENTS, MANY, SLOW, overload, slow_clients, stop
from benchmarks.summary import Figure, foreign_share, summarize

NAMES = {
    "ours": "gunicorn, 4 threads",
    "ours-sync": "gunicorn, sync",
    "ours-granian": "granian, 4 threads",
}
SPEED = ("health", "list20", "item")
WORKERS = (1, 2, 4)
STOPS = 3
# Of a load before SIGTERM.
SECONDS_BEFORE = 1


@click.command()
@click.option("--books", default=100_000, show_default=True, help="Rows of the table of books.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--seconds", default=2, show_default=True, help="Of each measurement.")
@click.option("--publish", "published", is_flag=True, help="Write docs/performance.md anew.")
def serving(books: int, rounds: int, seconds: int, published: bool) -> None:
    """Compare gunicorn with threads, gunicorn without, and granian."""
    check_tools()
    check_demo()
    servers = chosen(",".join(NAMES))
    with bench_database(books) as database:
        report = origin(servers, database)
        report |= {"rounds": rounds, "seconds": seconds, "books": books}
        speed = [one for one in SCENARIOS if one.name in SPEED]
        samples = run(database, servers, speed, rounds, seconds, books).samples
        report |= {"samples": samples, **behaviour(database, servers, seconds)}
    keep(report, "serving-", published)
    text = table(summarize(samples, "ours"), report)
    click.echo(f"\n{text}")
    if published:
        how = f"{rounds} rounds of {seconds} s, one worker unless said, {books:,} books"
        quiet = f"Other programs took {foreign_share(samples):.0%} of the server's core."
        write_section("serving", told(report, "serving-", how, quiet), text)


def behaviour(database: URL, servers: list[Server], seconds: int) -> dict[str, Any]:
    """Return by server what memory they take, and what they do in a bad hour."""
    found: dict[str, Any] = {"memory": {}, "stop": {}, "overload": {}, "slow_clients": {}}

    def each(server: Server, measured: Callable[[Running], Any]) -> Any:
        with running(server, database) as started:
            result = measured(started)
        click.echo(f"{server.name:14} {result}")
        return result

    for one in servers:
        found["memory"][one.name] = {
            workers: each(with_workers(one, workers), _memory) for workers in WORKERS
        }
        found["stop"][one.name] = [
            each(one, lambda it: stop(it, SECONDS_BEFORE)) for _ in range(STOPS)
        ]
        found["overload"][one.name] = each(one, lambda it: overload(it, 2 * seconds))
        found["slow_clients"][one.name] = each(one, lambda it: slow_clients(it, 2 * seconds))
    return found


def _memory(server: Running) -> list[float]:
    before = settled(server)
    load(server, seconds=1)
    return [round(before, 1), round(settled(server), 1)]


def table(figures: list[Figure], report: dict[str, Any]) -> str:
    """Return all that was found as a table in Markdown, a column for each server."""
    cells = {(one.scenario, one.server): one for one in figures}
    rows: list[tuple[str, Callable[[str], str]]] = []
    for name in SPEED:
        rows.append((f"{name}: requests/s", lambda s, n=name: _rate(cells[n, s])))
        rows.append((f"{name}: CPU ms", lambda s, n=name: _cpu(cells[n, s])))
    for workers in WORKERS:
        label = f"memory of {workers} worker{'s' * (workers > 1)}, MB: at the start, after load"
        rows.append((label, lambda s, w=workers: _two(report["memory"][s][w])))
    slow = f"{CLIENTS} connections beside {SLOW} slow ones"
    rows += [
        ("requests lost when stopped under load", lambda s: _lost(report["stop"][s])),
        ("seconds until it has stopped", lambda s: _seconds(report["stop"][s])),
        (f"{MANY} connections", lambda s: _stressed(report["overload"][s])),
        (slow, lambda s: _stressed(report["slow_clients"][s])),
    ]
    head = " | ".join(NAMES.values())
    lines = [f"| What | {head} |", f"|---|{'---:|' * len(NAMES)}"]
    for label, cell in rows:
        lines.append(f"| {label} | {' | '.join(cell(server) for server in NAMES)} |")
    return "\n".join(lines)


def _rate(one: Figure) -> str:
    ratio = f" ({one.rate_ratio.value:.2f})" if one.rate_ratio else ""
    return f"{one.rate:,.0f}{ratio}"


def _cpu(one: Figure) -> str:
    ratio = f" ({one.cpu_ratio.value:.2f})" if one.cpu_ratio else ""
    return f"{one.cpu_ms:.3f}{ratio}"


def _two(megabytes: list[float]) -> str:
    return ", ".join(f"{one:.0f}" for one in megabytes)


def _lost(stops: list[dict[str, Any]]) -> str:
    lost, answered = (sum(one[key] for one in stops) for key in ("lost", "answered"))
    return f"{lost} of {lost + answered:,}"


def _seconds(stops: list[dict[str, Any]]) -> str:
    return f"{median(one['seconds'] for one in stops):.1f}"


def _stressed(one: dict[str, Any]) -> str:
    if not one["rate"]:
        return "no answer"
    return f"{one['rate']:,.0f}/s, {one['errors']} errors, p99 {one['p99_ms']:,.0f} ms"
