"""The benchmark's own arithmetic; that its servers agree is tested in the modules it measures."""

import socket
import sqlite3
import subprocess
import sys
from dataclasses import replace

import click
import pytest
from sqlalchemy import make_url

from benchmarks import report, serving
from benchmarks.database import production
from benchmarks.findings import Finding, table
from benchmarks.memory import memory, peak
from benchmarks.processes import cpu_seconds
from benchmarks.projects import project
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import SERVERS, Running, Server, chosen, running
from benchmarks.starts import START, UPGRADE, cost
from benchmarks.stress import SLOW, stop, trickling
from benchmarks.summary import Ratio, summarize

# A start connects to no database.
NOWHERE = make_url("postgresql://nobody@127.0.0.1/nothing")
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")

BUSY = "import time\nwhile time.process_time() < 0.5: pass\n"
PARENT = (
    f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY!r}]); "
    "print(flush=True); sys.stdin.read()"
)


def sample(number, server, requests, cpu_seconds):
    return {
        "round": number,
        "server": server,
        "scenario": "item",
        "requests": requests,
        "seconds": 2.0,
        "cpu_seconds": cpu_seconds,
        "p99_ms": 5.0,
    }


def test_a_ratio_compares_two_servers_in_the_same_round():
    rounds = [(1, 1000, 2000), (2, 100, 400), (3, 1000, 3000)]
    samples = [
        one
        for number, slow, fast in rounds
        for one in (sample(number, "ours", slow, 1.0), sample(number, "floor", fast, 1.0))
    ]

    floor, ours = summarize(samples)

    assert (floor.server, floor.rate, floor.cpu_ratio.value) == ("floor", 1000, 1)
    assert (ours.rate, ours.cpu_ms) == (500, 1)
    # 2, 4 and 3 in the three rounds: the median of the ratios, not the ratio of the medians.
    assert (ours.cpu_ratio.value, ours.cpu_ratio.low, ours.cpu_ratio.high) == (3, 2, 4)


def test_without_the_floor_there_are_no_ratios():
    samples = [sample(1, "ours", 1000, 1.0)]

    [ours] = summarize(samples)

    assert (ours.rate_ratio, ours.cpu_ratio) == (None, None)


@linux
def test_the_cpu_time_of_a_child_that_ended_is_counted():
    command = [sys.executable, "-c", PARENT]

    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        seconds = cpu_seconds(process.pid)
        process.stdin.close()

    # The kernel counts in steps; starting two interpreters takes time as well.
    assert 0.4 <= seconds < 2


def test_an_unknown_server_is_answered_with_those_that_there_are():
    with pytest.raises(click.ClickException, match=r"no server 'flor': take some of floor, "):
        chosen("ours,flor")


def test_another_checkout_is_named_by_its_folder(tmp_path):
    (tmp_path / "run.py").touch()

    [server] = chosen(f"ours={tmp_path}")

    assert (server.folder, server.command) == (tmp_path, SERVERS["ours"].command)


def test_a_request_that_counts_has_an_example():
    create = next(one for one in SCENARIOS if one.name == "create")

    example = create.counting_from(1_000_000).example

    assert '"isbn": "9790001000000"' in example.body


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(1.0, 1.2, "yes"), (1.1, 1.3, "open"), (1.25, 1.3, "**no**")],
    ids=["below", "across", "above"],
)
def test_a_target_is_met_when_the_whole_interval_is(low, high, verdict):
    finding = Finding("page 5,000 / page 1", Ratio(1.15, low, high), "1 ms, 2 ms", 1.2)

    row = table([finding]).splitlines()[-1]

    measured = f"**1.15** ({low:.2f} to {high:.2f})"
    assert row == f"| page 5,000 / page 1 | ≤ 1.2 | {measured} | {verdict} | 1 ms, 2 ms |"


def test_a_section_of_the_page_is_replaced_and_the_rest_stays(tmp_path, monkeypatch):
    page = tmp_path / "performance.md"
    page.write_text("# Before\n\n<!-- growth -->\n\nold\n\n<!-- end of growth -->\n\nAfter\n")
    monkeypatch.setattr(report, "PAGE", page)

    report.write_section("growth", "one", "two")

    assert page.read_text() == (
        "# Before\n\n<!-- growth -->\n\none\n\ntwo\n\n<!-- end of growth -->\n\nAfter\n"
    )


@pytest.mark.parametrize("name", ["results", "growth", "serving"])
def test_the_page_has_the_marks_of_each_section(name):
    text = report.PAGE.read_text(encoding="utf-8")

    assert text.count(f"<!-- {name} -->") == text.count(f"<!-- end of {name} -->") == 1


@pytest.mark.structure
def test_a_project_with_modules_of_the_readme_starts_without_alembic():
    with project(2, 0) as folder:
        names = sorted(path.name for path in folder.glob("app/*/"))
        taken = cost(folder, ("-c", START), production(NOWHERE))

    assert [name for name in names if name != "__pycache__"] == ["notes0", "tasks1"]
    assert taken.cpu > 0


@pytest.mark.structure
def test_each_revision_of_a_project_applies(tmp_path):
    variables = {"APP_ENV": "development", "DATABASE_URL": f"sqlite:///{tmp_path}/growth.db"}

    with project(1, 3) as folder:
        cost(folder, UPGRADE, {**production(NOWHERE), **variables})

    with sqlite3.connect(tmp_path / "growth.db") as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'growth%'")
        assert [name for (name,) in rows] == ["growth_0001", "growth_0002", "growth_0003"]
    connection.close()


def test_a_program_that_fails_stops_the_run_with_its_words(tmp_path):
    with pytest.raises(click.ClickException, match="the disk is full"):
        cost(tmp_path, ("-c", "raise SystemExit('the disk is full')"), {})


@linux
def test_the_memory_of_children_counts_and_the_peak_is_that_of_one():
    code = "import subprocess, sys; data = bytes(range(10)) * 4_000_000; subprocess.run([{}])"
    child = (
        "sys.executable, '-c', 'data = bytes(range(10)) * 3_000_000; print(flush=True); input()'"
    )
    command = [sys.executable, "-c", code.format(child)]

    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        server = Running(SERVERS["ours"], "", process.pid, None)
        together, most = memory(server), peak(server)
        process.stdin.close()

    assert 0 < most < together


@linux
def test_requests_are_counted_until_the_server_has_stopped(tmp_path):
    for path in ("health/live", "api/v1/books"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
    plain = Server("plain", "http.server --bind 127.0.0.1 {port}", "files", tmp_path)

    with running(plain, NOWHERE) as server:
        result = stop(server, 0.2)

    assert result.keys() == {"answered", "lost", "seconds"}
    assert result["answered"] > 0


def test_slow_clients_begin_requests_that_do_not_end():
    with socket.create_server(("127.0.0.1", 0), backlog=2 * SLOW) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with trickling(Running(SERVERS["ours"], url, 0, None)):
            accepted = [listener.accept()[0] for _ in range(SLOW)]
            heads = [client.recv(1000) for client in accepted]
        for client in accepted:
            client.close()

    assert all(head.startswith(b"GET / HTTP/1.1\r\n") for head in heads)
    assert not any(b"\r\n\r\n" in head for head in heads)


def test_the_table_of_servers_has_a_column_for_each():
    names = [*serving.NAMES]
    samples = [
        {**sample(1, server, 1000, 1.0), "scenario": scenario}
        for server in names
        for scenario in serving.SPEED
    ]
    stuck = {"rate": 0.0, "errors": 0, "p99_ms": 0.0}
    told = {"rate": 1234.5, "errors": 2, "p99_ms": 30.4}
    stops = [{"answered": 40, "lost": 1, "seconds": 0.5}, {"answered": 59, "lost": 0, "seconds": 1}]
    found = {
        "memory": {name: {workers: [70.0, 90.0] for workers in serving.WORKERS} for name in names},
        "stop": dict.fromkeys(names, stops),
        "overload": dict.fromkeys(names, told),
        "slow_clients": dict.fromkeys(names, stuck),
    }

    lines = serving.table(summarize(samples, "ours"), found).splitlines()

    rows = {label: cells for label, *cells in (line.strip("| ").split(" | ") for line in lines)}
    assert rows["health: requests/s"] == ["500 (1.00)"] * 3
    assert rows["requests lost when stopped under load"] == ["1 of 100"] * 3
    assert rows["200 connections"] == ["1,234/s, 2 errors, p99 30 ms"] * 3
    assert rows["8 connections beside 50 slow ones"] == ["no answer"] * 3


def test_a_server_may_have_other_workers():
    server = serving.with_workers(replace(SERVERS["ours"], environment={"A": "b"}), 2)

    assert server.environment == {"A": "b", "WEB_CONCURRENCY": "2"}
