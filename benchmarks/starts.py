"""What a start costs with one module and with many, and migrations with one revision and many."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory, TemporaryFile
from time import perf_counter

import click
from sqlalchemy import URL

from benchmarks.database import ROOT, administer, production
from benchmarks.findings import Finding
from benchmarks.projects import project
from benchmarks.servers import PEERS
from benchmarks.summary import ratio_of

START = "from run import app; import sys; sys.exit('alembic' in sys.modules and 'imports alembic')"
UPGRADE = ("-m", "alembic", "upgrade", "head")


@dataclass(frozen=True)
class Cost:
    """The seconds that a program took, and those that it computed."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Program:
    """What Python runs in a folder, and what has to be done before."""

    folder: Path
    arguments: tuple[str, ...]
    prepare: Callable[[], None] = lambda: None


def cost(folder: Path, arguments: tuple[str, ...], variables: Mapping[str, str]) -> Cost:
    """Run Python in the folder; return what it cost. A failure stops the run."""
    with TemporaryFile() as output:
        begin = perf_counter()
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            env={**os.environ, **variables},
            stdout=output,
            stderr=output,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            text = output.read().decode(errors="replace")[-2000:]
            raise click.ClickException(f"{' '.join(arguments)} failed in {folder}:\n{text}")
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def starts(database: URL, rounds: int, modules: int, revisions: int) -> Iterator[Finding]:
    """Measure starts and migrations in turns."""
    with (
        TemporaryDirectory(prefix="bench-") as cache,
        project(1, 1) as one,
        project(modules, 0) as large,
        project(1, revisions) as old,
    ):
        # A machine that is set up has the bytecode; here only the warm-up writes it.
        bytecode = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": cache}
        variables = {**production(database), **bytecode, "PYTHONPATH": ""}

        def empty() -> None:
            administer(database, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")

        programs = {
            "floor": Program(PEERS, ("-c", "import floor_pages")),
            "ours": Program(ROOT, ("-c", START)),
            "one module": Program(one, ("-c", START)),
            "modules": Program(large, ("-c", START)),
            "one revision": Program(one, UPGRADE, empty),
            "one, no-op": Program(one, UPGRADE),
            "revisions": Program(old, UPGRADE, empty),
            "no-op": Program(old, UPGRADE),
        }
        yield from _compared(_costs(programs, variables, rounds), modules, revisions)


def _costs(
    programs: dict[str, Program], variables: Mapping[str, str], rounds: int
) -> dict[str, list[Cost]]:
    found: dict[str, list[Cost]] = {name: [] for name in programs}
    for number in range(rounds + 1):
        for name, program in programs.items():
            program.prepare()
            taken = cost(program.folder, program.arguments, variables)
            # The first is the warm-up.
            if number:
                found[name].append(taken)
                click.echo(f"{number}  {name:13} {taken.wall:6.2f} s, CPU {taken.cpu:.2f} s")
    return found


def _compared(costs: dict[str, list[Cost]], modules: int, revisions: int) -> Iterator[Finding]:
    comparisons = (
        ("import and create_app / the floor's import", "ours", "floor", "cpu", 3.2),
        (f"start with {modules} modules / with one", "modules", "one module", "cpu", 2.5),
        (f"{revisions} migrations / one", "revisions", "one revision", "wall", 3.3),
        (f"nothing to migrate, {revisions} / one", "no-op", "one, no-op", "wall", 1.2),
    )
    for what, this, that, unit, target in comparisons:
        highs, lows = ([getattr(one, unit) for one in costs[name]] for name in (this, that))
        ratio = ratio_of([high / low for high, low in zip(highs, lows, strict=True)])
        kind = "CPU" if unit == "cpu" else "elapsed"
        if ratio:
            figures = f"{median(lows):.2f} s, {median(highs):.2f} s ({kind})"
            yield Finding(what, ratio, figures, target)
