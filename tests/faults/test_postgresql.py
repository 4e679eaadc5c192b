"""The database fails in all its ways under one server, which is never restarted."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from http.client import HTTPConnection

import psycopg2
import pytest

from tests.faults.cluster import FAST, IMMEDIATE
from tests.load import AWAY, RECOVERY
from tests.serving import GUNICORN, serving

pytestmark = pytest.mark.structure


@pytest.fixture(scope="module")
def server(site):
    # The tests together send more requests than a worker serves before it retires.
    with serving(site, [*GUNICORN, "--max-requests=0"]) as running:
        workers = running.both_workers()
        yield running
        assert running.workers == workers, "a worker was replaced"


def status(server, path):
    """Return the status and Retry-After of a GET, and how long it took."""
    started = time.monotonic()
    connection = HTTPConnection(*server.address, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers["Retry-After"], time.monotonic() - started


def assert_sound(load, cluster, ended):
    """What was acknowledged is there, what failed said when to come again, and all is well now."""
    assert load.recovered(ended) == []
    assert load.missing(cluster.codes()) == set()
    assert {what for _, what in load.troubles} <= {AWAY}
    assert (load.lost, load.refused) == ([], 0)
    assert load.answers[200] > 20
    assert load.answers[201] > 20


def test_a_row_that_was_acknowledged_and_is_lost_is_noticed(server, cluster, load):
    with load(server) as clients:
        clients.wait_for(50)
        victim = clients.created[10]
        cluster.execute(f"DELETE FROM sample_thing WHERE code = '{victim}'")

        with pytest.raises(AssertionError, match=rf"assert \{{'{victim}'\}} == set\(\)"):
            assert_sound(clients, cluster, time.monotonic() - RECOVERY)
    assert clients.missing(cluster.codes()) == {victim}


@pytest.mark.parametrize("how", [FAST, IMMEDIATE], ids=["restart", "crash"])
def test_it_is_restarted_under_load(server, cluster, load, how):
    with load(server) as clients:
        clients.wait_for(100)
        cluster.stop(how)
        cluster.start()
        ended = time.monotonic()

        assert_sound(clients, cluster, ended)


@pytest.mark.parametrize("seconds", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_it_is_gone_for_a_while(server, cluster, load, seconds):
    with load(server) as clients:
        clients.wait_for(100)
        cluster.stop()
        # An answer of the database counts for a second.
        time.sleep(seconds - 0.5)
        ready, live = status(server, "/health/ready"), status(server, "/health/live")
        time.sleep(0.5)
        cluster.start()
        ended = time.monotonic()

        assert (ready[:2], live[:2]) == ((503, "1"), (200, None))
        assert_sound(clients, cluster, ended)
        assert clients.answers[503] > 0


def test_it_has_no_connection_left(server, cluster, load):
    with ExitStack() as taken, load(server) as clients:
        clients.wait_for(100)
        keeper = taken.enter_context(cluster.connection())
        for _ in range(2):
            with suppress(psycopg2.OperationalError):
                while True:
                    taken.enter_context(cluster.connection())
            # What the server holds is taken from it, too.
            keeper.cursor().execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name LIKE '%_session'"
            )
        time.sleep(2)
        taken.close()
        ended = time.monotonic()

        assert_sound(clients, cluster, ended)
        assert clients.answers[503] > 0


def test_a_table_is_locked(server, cluster, load):
    with load(server) as clients:
        clients.wait_for(100)
        with cluster.connection() as holder:
            holder.cursor().execute("BEGIN; LOCK TABLE sample_thing IN ACCESS EXCLUSIVE MODE")
            time.sleep(2.5)
            ready = status(server, "/health/ready")
            holder.cursor().execute("ROLLBACK")
        ended = time.monotonic()

        assert ready[0] == 200
        assert_sound(clients, cluster, ended)
        assert clients.answers[503] > 0


def test_a_row_is_locked(server, cluster, load):
    with load(server, mixed=False) as clients:
        clients.wait_for(50)
        with cluster.connection() as holder:
            holder.cursor().execute("BEGIN; SELECT 1 FROM sample_box WHERE id = 1 FOR UPDATE")
            # The box is the parent of every record that is written.
            time.sleep(1.5)
            read = status(server, "/outside/things")
            holder.cursor().execute("ROLLBACK")
        ended = time.monotonic()

        assert read[0] == 200
        assert clients.recovered(ended) == []
    assert clients.answers[503] > 0
    assert {what for _, what in clients.troubles} == {AWAY}
    assert clients.missing(cluster.codes()) == set()


def test_a_query_takes_longer_than_it_may(server, cluster, load):
    with load(server, threads=2) as clients, ThreadPoolExecutor() as pool:
        clients.wait_for(20)
        slow = [pool.submit(status, server, "/probe/query/30") for _ in range(4)]
        answers = [one.result() for one in slow]
        ended = time.monotonic()

        assert_sound(clients, cluster, ended)
    assert [answer[:2] for answer in answers] == [(503, "5")] * 4
    assert max(seconds for *_, seconds in answers) < 10
    assert clients.troubles == []


def test_it_only_reads(server, cluster, load):
    with load(server) as clients:
        clients.wait_for(100)
        cluster.execute("ALTER DATABASE faults SET default_transaction_read_only = on")
        cluster.drop_clients()
        time.sleep(1)
        with cluster.connection("postgres") as connection:
            connection.cursor().execute("ALTER DATABASE faults RESET default_transaction_read_only")
        cluster.drop_clients()
        ended = time.monotonic()

        assert_sound(clients, cluster, ended)
        assert clients.answers[503] > 0


def test_it_hangs_and_neither_answers_nor_refuses(server, cluster, load):
    with load(server, threads=4) as clients:
        clients.wait_for(100)
        cluster.freeze()
        time.sleep(5)
        ready, live = status(server, "/health/ready"), status(server, "/health/live")
        # By then the threads that waited were called away.
        time.sleep(9)
        let_go = clients.answers[503]
        cluster.thaw()
        ended = time.monotonic()

        assert (ready[:2], live[:2]) == ((503, "1"), (200, None))
        # Long before the database came back; two seconds on a machine that has nothing else to do.
        assert max(ready[2], live[2]) < 8
        assert let_go >= 4
        assert_sound(clients, cluster, ended)


def test_the_outages_are_one_line_each_in_the_log(server):
    server_lines = [line for line in server.lines if line["level"] in ("WARNING", "ERROR")]

    assert any(line["message"].startswith("database unavailable: ") for line in server_lines)
    assert [line for line in server_lines if "exception" in line] == []
    assert max(len(line["message"]) for line in server_lines) < 300


def test_the_pool_is_too_small(site, cluster, load):
    narrow = site.having(
        WEB_CONCURRENCY="1", DB_POOL_SIZE="1", DB_MAX_OVERFLOW="0", DB_STATEMENT_TIMEOUT_MS="7000"
    )
    with serving(narrow) as server, load(server, threads=2) as clients:
        clients.wait_for(50)
        slow = status(server, "/probe/query/30")
        ended = time.monotonic()

        assert slow[:2] == (503, "5")
        assert_sound(clients, cluster, ended)
        assert clients.answers[503] > 0


def test_no_connection_was_leaked(server, cluster):
    limit = int(os.environ.get("WEB_CONCURRENCY", "2")) * 15

    [(open_,)] = cluster.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%_session'"
    )
    [(busy,)] = cluster.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%_session' "
        "AND state <> 'idle'"
    )

    assert open_ <= limit
    assert busy <= 2
