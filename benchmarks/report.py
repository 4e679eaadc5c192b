"""What a run leaves behind: raw results, a table, and on demand docs/performance.md."""

import json
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from benchmarks.database import ROOT, version_of
from benchmarks.picture import draw
from benchmarks.rounds import Run
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import Server
from benchmarks.summary import Figure, Ratio, foreign_share

RESULTS = ROOT / "benchmarks/results"
PAGE = ROOT / "docs/performance.md"
PICTURE = ROOT / "docs/performance.svg"
PACKAGES = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
found = {"python": sys.version.split()[0]}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(found))
"""
PROJECT = (
    "flask werkzeug flask-restful marshmallow sqlalchemy psycopg2-binary orjson gunicorn granian"
)
# The packages whose versions matter, by the requirements that a server has; "" is the project's.
TOLD = {
    "": PROJECT,
    "drf": "django djangorestframework psycopg orjson gunicorn",
    "fastapi": "fastapi starlette pydantic sqlmodel sqlalchemy psycopg2-binary uvicorn uvloop",
    "litestar": "litestar msgspec sqlalchemy asyncpg uvicorn uvloop",
}


def save(
    run: Run, servers: list[Server], database: URL, options: dict[str, int], published: bool
) -> dict[str, Any]:
    """Write the raw results: beside the published ones, or over those of the last run."""
    report = {
        **origin(servers, database),
        **options,
        "skipped": run.skipped,
        "samples": run.samples,
    }
    keep(report, "", published)
    if published:
        (RESULTS / "agreement.txt").write_text("\n".join(run.agreement) + "\n")
    return report


def origin(servers: list[Server], database: URL) -> dict[str, Any]:
    """Return when and where a run is done, and with which versions."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _output("git", "rev-parse", "--short", "HEAD"),
        "machine": _machine(database),
        "versions": {server.name: _packages(server) for server in servers},
    }


def keep(report: dict[str, Any], kind: str, published: bool) -> None:
    """Write the raw results of a kind of run; the file of a published one has its date."""
    name = report["date"][:10] if published else "latest"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{kind}{name}.json").write_text(json.dumps(report, indent=1) + "\n")


def _machine(database: URL) -> dict[str, str]:
    information = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", information)
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": str(information.count("processor\t")),
        "kernel": platform.release(),
        "postgresql": version_of(database),
        "wrk": _output("wrk", "-v").split(" [")[0],
    }


def _packages(server: Server) -> dict[str, str]:
    names = TOLD[server.requirements].split()
    return json.loads(_output(server.python, "-c", PACKAGES, *names))  # type: ignore[no-any-return]


def _output(*command: str) -> str:
    # wrk tells its version with an exit status of 1.
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()


def table(figures: list[Figure]) -> str:
    """Return the figures as a table in Markdown, a block for each scenario."""
    lines = [
        "| Scenario | Server | Requests/s | to the floor | CPU ms | to the floor | p99 ms |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for scenario in SCENARIOS:
        rows = [figure for figure in figures if figure.scenario == scenario.name]
        labels = [scenario.label] + [""] * len(rows)
        lines += map(_row, labels, rows)
    return "\n".join(lines)


def _row(label: str, figure: Figure) -> str:
    rate, cpu = _shown(figure.rate_ratio), _shown(figure.cpu_ratio)
    numbers = f"{figure.rate:,.0f} | {rate} | {figure.cpu_ms:.3f} | {cpu} | {figure.p99_ms:.1f}"
    return f"| {label} | {figure.server} | {numbers} |"


def _shown(ratio: Ratio | None) -> str:
    return f"**{ratio.value:.2f}** ({ratio.low:.2f} to {ratio.high:.2f})" if ratio else ""


def publish(report: dict[str, Any], figures: list[Figure]) -> None:
    """Write the table and the picture into docs/performance.md."""
    # A checkout elsewhere is for comparing while one works.
    figures = [one for one in figures if "=" not in one.server]
    PICTURE.write_text(draw(figures), encoding="utf-8")
    rounds = max(one["round"] for one in report["samples"])
    how = f"{rounds} rounds of {report['seconds']} s for each cell, {report['books']:,} books"
    quiet = f"Other programs took {foreign_share(report['samples']):.0%} of the server's core."
    picture = f"![CPU per request]({PICTURE.name})"
    write_section("results", told(report, "", how, quiet), picture, table(figures))


def write_section(name: str, *parts: str) -> None:
    """Write a part of docs/performance.md anew: what stands between its two marks."""
    text = PAGE.read_text(encoding="utf-8")
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, _, rest = text.partition(start)
    after = rest.partition(end)[2]
    body = "\n\n".join(parts)
    PAGE.write_text(f"{before}{start}\n\n{body}\n\n{end}{after}", encoding="utf-8")


def told(report: dict[str, Any], kind: str, how: str, quiet: str = "") -> str:
    """Return the sentences on where a table comes from."""
    machine, day = report["machine"], report["date"][:10]
    measured = (
        f"Measured on {day} at commit {report['commit']}: {how}; raw results in "
        f"[{kind}{day}.json](../benchmarks/results/{kind}{day}.json)."
    )
    where = (
        f"{machine['processor']}, {machine['cores']} cores, Linux {machine['kernel']}, PostgreSQL "
        f"{machine['postgresql']}, {machine['wrk']}. {quiet}"
    ).rstrip()
    versions = "\n".join(
        f"- {server}: " + ", ".join(f"{name} {number}" for name, number in packages.items())
        for server, packages in report["versions"].items()
    )
    return f"{measured}\n\n{where}\n\n{versions}"
