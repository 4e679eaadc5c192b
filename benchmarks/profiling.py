"""Where the time of a request goes, by py-spy: `make bench ARGS="--profile ours item"`."""

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import click
from sqlalchemy import URL

from benchmarks.client import fitted
from benchmarks.load import measure
from benchmarks.scenarios import Scenario
from benchmarks.servers import Server, running

SECONDS, RATE = 10, 400
FRAME = re.compile(r"(?P<function>.+) \((?P<file>[^:)]+)(?::\d+)?\)$")
# Where a file belongs to; what is in no site-packages is ours or the standard library's.
PACKAGE = re.compile(r"lib/python[\d.]+/(site-packages/)?([^/]+)")


def profile(database: URL, server: Server, scenario: Scenario, folder: Path) -> str:
    """Return the shares of the time with the interpreter's lock, by package and by function."""
    if shutil.which("py-spy") is None:
        raise click.ClickException("py-spy is not installed: pip install py-spy")
    output = folder / f"profile-{re.sub(r'[^a-z-]+', '-', server.name)}-{scenario.name}.txt"
    with running(server, database) as started:
        one = fitted(started, scenario).counting_from(1_000_000_000)
        measure(started, one, 1)
        command = ["py-spy", "record", "--gil", "--subprocesses", "--format", "raw", "--nolineno"]
        options = f"--full-filenames --rate {RATE} --duration {SECONDS - 1} --output".split()
        spy = subprocess.Popen(
            [*command, *options, str(output), "--pid", str(started.pid)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        measure(started, one.counting_from(2_000_000_000), SECONDS)
        spy.wait(60)
    return f"{shares(output.read_text())}\n\nAll stacks: {output}"


def shares(stacks: str) -> str:
    """Return a table of the packages' own time, and one of the functions with all they call."""
    own: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, number = line.rpartition(" ")
        frames = [match for one in stack.split(";") if (match := FRAME.match(one))]
        if frames:
            own[_package(frames[-1]["file"])] += int(number)
            names = {f"{_package(one['file'])}  {one['function']}" for one in frames}
            whole.update(dict.fromkeys(names, int(number)))
    total = max(own.total(), 1)
    lines = ["Own time by package:", *_rows(own, total, 20), "With all that it calls:"]
    return "\n".join([*lines, *_rows(whole, total, 70)])


def _rows(counter: Counter[str], total: int, most: int) -> list[str]:
    return [
        f"  {100 * number / total:5.1f} %  {name}" for name, number in counter.most_common(most)
    ]


def _package(file: str) -> str:
    match = PACKAGE.search(file)
    if match:
        return match[2] if match[1] else f"python/{match[2].removesuffix('.py')}"
    return "/".join(Path(file).parts[-2:])
