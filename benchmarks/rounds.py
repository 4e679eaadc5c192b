"""The rounds of a run: every scenario against every server, in an order that turns."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import click
from sqlalchemy import URL

from benchmarks.agreement import check_all, lacks_feature
from benchmarks.client import ask, fitted
from benchmarks.database import backends, tidy
from benchmarks.load import measure
from benchmarks.processes import move_databases_work
from benchmarks.safety import gaps
from benchmarks.scenarios import Scenario
from benchmarks.servers import Running, Server, running

WARM_UP = 1
# Rows that one run of wrk may create before it meets the numbers of the next.
BLOCK = 1_000_000


@dataclass
class Run:
    """What a run found."""

    agreement: list[str] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def run(
    database: URL,
    servers: list[Server],
    scenarios: list[Scenario],
    rounds: int,
    seconds: int,
    books: int,
    urgent: bool = False,
) -> Run:
    """Start all servers, compare their answers, and measure them round by round."""
    result, numbers = Run(), count(BLOCK, BLOCK)
    with ExitStack() as stack:
        started = [stack.enter_context(running(server, database, urgent)) for server in servers]
        result.agreement = check_all(started, numbers)
        for gap in gaps(started):
            click.echo(gap)
        cells = _cells(started, scenarios, numbers, result.skipped)
        for number in range(rounds):
            for place, pairs in enumerate(cells):
                for server, scenario in _turned(pairs, number + place):
                    sample = _sample(database, server, scenario, seconds, numbers)
                    result.samples.append({"round": number + 1, **sample})
                    click.echo(_line(number + 1, sample))
            tidy(database, books)
    return result


def _cells(
    servers: list[Running], scenarios: list[Scenario], numbers: Iterator[int], skipped: list[str]
) -> list[list[tuple[Running, Scenario]]]:
    """Return for each scenario the servers that have it, with what it is for each of them."""
    cells = []
    for scenario in scenarios:
        pairs = []
        for server in servers:
            if scenario.page and not server.server.pages:
                continue
            own = fitted(server, scenario)
            answer = ask(server, own.counting_from(next(numbers)))
            if lacks_feature(server, scenario, answer):
                skipped.append(f"{server.name}: {scenario.name}")
            elif answer.status != scenario.status:
                raise click.ClickException(
                    f"{server.name}, {scenario.name}: {answer.status} instead of "
                    f"{scenario.status}.\n{answer.text[:1000]}"
                )
            else:
                pairs.append((server, own))
        cells.append(pairs)
    return cells


def _turned(pairs: list[Any], steps: int) -> list[Any]:
    """Return the servers in another order each time, so that none is always first."""
    steps %= max(len(pairs), 1)
    return pairs[steps:] + pairs[:steps]


def _sample(
    database: URL, server: Running, scenario: Scenario, seconds: int, numbers: Iterator[int]
) -> dict[str, Any]:
    measure(server, scenario.counting_from(next(numbers)), WARM_UP)
    move_databases_work(backends(database), server.urgent)
    result = measure(server, scenario.counting_from(next(numbers)), seconds)
    return {"server": server.name, "scenario": scenario.name, **result}


def _line(number: int, sample: dict[str, Any]) -> str:
    rate = sample["requests"] / sample["seconds"]
    cpu = 1000 * sample["cpu_seconds"] / sample["requests"]
    name, server = sample["scenario"], sample["server"]
    return f"{number}  {name:13} {server:14} {rate:8.0f} requests/s  {cpu:.3f} ms CPU each"
