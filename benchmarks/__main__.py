"""The command line: `make bench ARGS="--servers floor,ours --scenarios item --rounds 9"`.

`make bench ARGS=growth` and `make bench ARGS=serving` measure other things.
"""

import os
from typing import Any

import click

from benchmarks.database import bench_database
from benchmarks.growth import growth
from benchmarks.load import check_tools
from benchmarks.profiling import profile
from benchmarks.report import RESULTS, publish, save, table
from benchmarks.rounds import Run, run
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.servers import SERVERS, check_demo, chosen, install
from benchmarks.serving import serving
from benchmarks.summary import foreign_share, summarize

# The share of the server's core that others may take before the figures suffer.
NOISE = 0.05
ALL = ",".join(one.name for one in SCENARIOS)


@click.group(invoke_without_command=True)
@click.option("--servers", default=",".join(SERVERS), show_default=True)
@click.option("--scenarios", default=ALL, show_default=True)
@click.option("--rounds", default=int(os.environ.get("ROUNDS") or 3), show_default=True)
@click.option("--seconds", default=3, show_default=True, help="Of each measurement.")
@click.option("--books", default=100_000, show_default=True, help="Rows of the table of books.")
@click.option("--profile", "profiled", nargs=2, metavar="SERVER SCENARIO", help="With py-spy.")
@click.option("--urgent", is_flag=True, help="Let other programs wait; for root.")
@click.option("--publish", "published", is_flag=True, help="Write docs/performance.md anew.")
@click.pass_context
def main(
    context: click.Context,
    servers: str,
    scenarios: str,
    rounds: int,
    seconds: int,
    books: int,
    profiled: tuple[str, str] | None,
    urgent: bool,
    published: bool,
) -> None:
    """Measure the project against hand-written code and other frameworks, on PostgreSQL."""
    if context.invoked_subcommand:
        return
    check_tools()
    check_demo()
    if profiled:
        servers, scenarios = profiled
    who, what = chosen(servers), _scenarios(scenarios)
    for server in who:
        install(server)
    click.echo(f"Making a database with {books} books")
    with bench_database(books) as database:
        if profiled:
            click.echo(profile(database, who[0], what[0], RESULTS))
            return
        result = run(database, who, what, rounds, seconds, books, urgent)
        report = save(result, who, database, {"books": books, "seconds": seconds}, published)
    _tell(result, report, published)


def _tell(result: Run, report: dict[str, Any], published: bool) -> None:
    summary = summarize(result.samples)
    click.echo(f"\n{table(summary)}")
    for cell in result.skipped:
        click.echo(f"Left out, as the server does not know it yet: {cell}")
    if (foreign := foreign_share(result.samples)) > NOISE:
        click.echo(f"Others took {foreign:.0%} of the server's core: repeat it on a quiet machine.")
    if published:
        publish(report, summary)


def _scenarios(names: str) -> list[Scenario]:
    known = {one.name: one for one in SCENARIOS}
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in known:
            raise click.ClickException(f"There is no scenario {name!r}: take some of {ALL}.")
    return [known[name] for name in wanted]


main.add_command(growth)
main.add_command(serving)

if __name__ == "__main__":
    main(prog_name="make bench")
