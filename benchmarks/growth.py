"""What growth costs: rows, modules, migrations, workers. `make bench ARGS=growth`."""

import os
from dataclasses import asdict
from typing import Any

import click
from sqlalchemy import URL

from benchmarks.database import bench_database
from benchmarks.findings import Finding, table
from benchmarks.in_process import add_search_indexes, compare, kinds_of, table_on, times
from benchmarks.load import check_tools
from benchmarks.memory import by_rows, preload
from benchmarks.report import keep, origin, told, write_section
from benchmarks.servers import SERVERS, check_demo
from benchmarks.starts import starts


@click.command()
@click.option("--rows", default=1_000_000, show_default=True, help="Of the large tables.")
@click.option("--few", default=10_000, show_default=True, help="Rows of the small ones.")
@click.option("--modules", default=100, show_default=True)
@click.option("--revisions", default=200, show_default=True)
@click.option("--rounds", default=9, show_default=True)
@click.option("--seconds", default=2, show_default=True, help="Of each load.")
@click.option("--publish", "published", is_flag=True, help="Write docs/performance.md anew.")
def growth(
    rows: int, few: int, modules: int, revisions: int, rounds: int, seconds: int, published: bool
) -> None:
    """Measure how costs grow with rows, modules, migrations and workers."""
    check_tools()
    check_demo()
    busy = round(os.getloadavg()[0], 1)
    with (
        bench_database(few, products=few) as small,
        bench_database(1) as scratch,
    ):
        # First what other programs disturb most: a database that was just filled still writes.
        findings = [*starts(scratch, rounds, modules, revisions), preload(small, seconds)]
        click.echo(f"Making a database with {rows:,} books and as many products")
        with bench_database(rows, products=rows) as large:
            add_search_indexes(large)
            findings += _by_rows(small, large, few, rows, rounds, seconds)
            report = origin([SERVERS["floor"], SERVERS["ours"]], small)
    options: dict[str, Any] = {"rows": rows, "few": few, "rounds": rounds, "busy": busy}
    report |= {**options, "findings": [asdict(one) for one in findings]}
    keep(report, "growth-", published)
    click.echo(f"\n{table(findings)}")
    if published:
        how = f"{rounds} rounds, tables of {few:,} and of {rows:,} rows"
        quiet = f"The load average was {busy} before it."
        write_section("growth", told(report, "growth-", how, quiet), table(findings))


def _by_rows(
    small: URL, large: URL, few: int, rows: int, rounds: int, seconds: int
) -> list[Finding]:
    kinds = kinds_of(table_on(small, few), table_on(large, rows))
    return [*compare(times(kinds, rounds)), *by_rows(small, large, seconds)]
