"""The server's own processes are killed and stopped under load, and its clock is set."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.load import AWAY
from tests.serving import serving

pytestmark = pytest.mark.structure
STEPS = ["+2h", "-2h", "+0"]
# libfaketime spoils clock_nanosleep() when it leaves the monotonic clock alone.
SLEEP = """
import select
import time

time.sleep = lambda seconds: select.select([], [], [], seconds)
"""


@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_a_worker_is_killed(site, cluster, load, rounds):
    with serving(site) as server, load(server) as clients:
        for _ in range(rounds):
            clients.wait_for(100)
            victim = server.workers[0]
            os.kill(victim, signal.SIGKILL)
            ended = time.monotonic()
            time.sleep(0.5)

        assert clients.recovered(ended) == []
        assert len(server.workers) == 2
        assert victim not in server.workers

    # What the process was working on is cut off, and the client cannot know whether it was done.
    assert len(clients.lost) <= rounds * clients.threads
    assert set(clients.answers) == {200, 201}
    assert clients.missing(cluster.codes()) == set()


def test_it_is_stopped(site, cluster, load):
    with serving(site) as server, load(server) as clients:
        clients.wait_for(100)
        status = server.stop()

    assert status == 0
    # A connection of the moment between the last look and the closing is reset by the kernel.
    assert len(clients.lost) <= 1
    assert len(clients.troubles) == len(clients.lost)
    assert clients.missing(cluster.codes()) == set()
    # Nothing was done that was not acknowledged: who was reset may send it again.
    own = {code for code in cluster.codes() if code.startswith(clients.prefix)}
    assert own == set(clients.created)


def test_the_clock_is_set_forth_and_back(site, cluster, load, tmp_path):
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    (tmp_path / "sitecustomize.py").write_text(SLEEP)
    faked = site.having(
        PYTHONPATH=str(tmp_path),
        LD_PRELOAD=library(),
        FAKETIME_TIMESTAMP_FILE=str(clock),
        FAKETIME_NO_CACHE="1",
        # Who sets a clock sets the time of day alone.
        FAKETIME_DONT_FAKE_MONOTONIC="1",
    )
    with serving(faked) as server:
        workers = server.both_workers()
        with load(server) as clients:
            times = []
            for step in STEPS:
                clients.wait_for(50)
                clock.write_text(f"{step}\n")
                times.append(time.monotonic())
                time.sleep(1)

            assert clients.recovered(times[-1]) == []
        assert server.workers == workers
        hours = {line["time"][:13] for line in server.lines}

    # The clock did step: the log has hours that were not.
    assert len(hours) >= 3
    # libpq ends its wait for a connection by the time of day: one that is being made as the clock
    # is set forth fails, and its visitor is told to come again.
    assert [
        trouble
        for trouble in clients.troubles
        if trouble[1] != AWAY or min(abs(trouble[0] - step) for step in times) > 1
    ] == []
    assert len(clients.troubles) <= clients.threads
    assert clients.missing(cluster.codes()) == set()


def library():
    found = sorted(map(str, Path("/usr").glob("lib*/**/faketime/libfaketimeMT.so.1")))
    if not found:
        pytest.skip("libfaketime is not installed: apt-get install faketime")
    return found[0]
