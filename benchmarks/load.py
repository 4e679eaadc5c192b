"""The load: one run of wrk against one server, and what it cost the server."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from benchmarks.processes import LOAD_CORE, SERVER_CORE, core_seconds, cpu_seconds, on_core
from benchmarks.scenarios import Scenario
from benchmarks.servers import Running

SCRIPT = Path(__file__).with_name("wrk.lua")
CONNECTIONS = 16
# A busy machine may break one connection in so many requests; a server may not break more.
FEW = 1000


def check_tools() -> None:
    """Stop with a sentence where the tools are missing."""
    if sys.platform != "linux":
        raise click.ClickException("It reads Linux's /proc: run it on Linux; a container will do.")
    for tool, package in (("wrk", "wrk"), ("taskset", "util-linux")):
        if shutil.which(tool) is None:
            raise click.ClickException(f"{tool} is not installed: apt-get install {package}")


def measure(server: Running, scenario: Scenario, seconds: int) -> dict[str, Any]:
    """Return the figures of one run; an answer with another status stops it."""
    before, core = cpu_seconds(server.pid), core_seconds(SERVER_CORE)
    result = wrk(server, scenario, seconds)
    cpu, core = cpu_seconds(server.pid) - before, core_seconds(SERVER_CORE) - core
    wrong, last = result.pop("unexpected"), result.pop("last_unexpected")
    if wrong or result["socket_errors"] > result["requests"] / FEW:
        raise click.ClickException(
            f"{server.name}, {scenario.name}: of {result['requests']} answers {wrong} had another "
            f"status than {scenario.status} (last: {last}), {result['socket_errors']} connections "
            "broke.\n" + "\n".join(server.log.read_text(errors="replace").splitlines()[-8:])
        )
    # What others computed on the server's core shows how quiet the machine was.
    return {**result, "cpu_seconds": round(cpu, 4), "foreign_seconds": round(max(core - cpu, 0), 4)}


def wrk(
    server: Running, scenario: Scenario, seconds: int, connections: int = CONNECTIONS
) -> dict[str, Any]:
    """Return what wrk tells of one run."""
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "-s",
        str(SCRIPT),
        server.url,
        "--",
    ]
    request = [scenario.method, scenario.status, scenario.path, scenario.body]
    headers = [part for pair in scenario.headers.items() for part in pair]
    arguments = map(str, [*request, scenario.first, scenario.cycle, *headers])
    output = subprocess.run(
        on_core(LOAD_CORE, [*command, *arguments], server.urgent),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return json.loads(output.splitlines()[-1])  # type: ignore[no-any-return]
