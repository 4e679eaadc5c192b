"""The figures of a run: medians over the rounds, and ratios to the floor with an interval."""

from collections import defaultdict
from dataclasses import dataclass
from random import Random
from statistics import median
from typing import Any

from benchmarks.servers import SERVERS, VARIANTS

# Samples of the rounds with repetition, from which the interval of the median is read.
RESAMPLES = 2000


@dataclass(frozen=True)
class Ratio:
    """A median of the rounds' ratios, and where 95 of 100 resampled medians lie."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Figure:
    """One server in one scenario."""

    server: str
    scenario: str
    rate: float
    cpu_ms: float
    p99_ms: float
    rate_ratio: Ratio | None
    cpu_ratio: Ratio | None


def summarize(samples: list[dict[str, Any]], base: str = "floor") -> list[Figure]:
    """Return a figure for each cell; ratios compare a server with the base in the same round."""
    cells: dict[tuple[str, str], dict[int, dict[str, float]]] = defaultdict(dict)
    for sample in samples:
        cells[sample["scenario"], sample["server"]][sample["round"]] = {
            "rate": sample["requests"] / sample["seconds"],
            "cpu": 1000 * sample["cpu_seconds"] / sample["requests"],
            "p99": sample["p99_ms"],
        }
    # The first round turned the order of the servers.
    order = sorted({sample["server"] for sample in samples}, key=_place)
    return [
        _figure(server, scenario, cells[scenario, server], cells.get((scenario, base), {}))
        for scenario in dict.fromkeys(sample["scenario"] for sample in samples)
        for server in order
        if (scenario, server) in cells
    ]


def foreign_share(samples: list[dict[str, Any]]) -> float:
    """Return the share of the server's core that others took, as a median."""
    return median(sample["foreign_seconds"] / sample["seconds"] for sample in samples)


def _place(server: str) -> tuple[int, str]:
    names = list({**SERVERS, **VARIANTS})
    base = server.partition("=")[0]
    return names.index(base) if base in names else len(names), server


def _figure(
    server: str,
    scenario: str,
    rounds: dict[int, dict[str, float]],
    floor: dict[int, dict[str, float]],
) -> Figure:
    rates, cpus, p99s = ([one[key] for one in rounds.values()] for key in ("rate", "cpu", "p99"))
    shared = rounds.keys() & floor.keys()
    return Figure(
        server,
        scenario,
        median(rates),
        median(cpus),
        median(p99s),
        ratio_of([rounds[number]["rate"] / floor[number]["rate"] for number in shared]),
        ratio_of([rounds[number]["cpu"] / floor[number]["cpu"] for number in shared]),
    )


def ratio_of(ratios: list[float]) -> Ratio | None:
    """Return the median of the rounds' ratios with its interval; None without a round."""
    if not ratios:
        return None
    # The same rounds always give the same interval.
    random = Random(1)
    medians = sorted(median(random.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    margin = RESAMPLES // 40
    return Ratio(median(ratios), medians[margin], medians[-margin - 1])
