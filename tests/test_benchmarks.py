"""The benchmark's own arithmetic; that its servers agree is tested in the modules it measures."""

import subprocess
import sys

import click
import pytest

from benchmarks.processes import cpu_seconds
from benchmarks.scenarios import SCENARIOS
from benchmarks.servers import SERVERS, chosen
from benchmarks.summary import summarize

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


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
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
