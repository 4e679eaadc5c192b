"""What the benchmark asks of this module is answered, and by the hand-written servers likewise."""

import os
from contextlib import ExitStack
from itertools import count

import pytest

from benchmarks.agreement import CHECKS, check_all
from benchmarks.database import bench_database
from benchmarks.in_process import add_search_indexes, kinds_of, table_on
from benchmarks.rounds import BLOCK
from benchmarks.safety import gaps
from benchmarks.servers import chosen, running

pytestmark = [pytest.mark.postgresql, pytest.mark.structure]
BOOKS = 2100


@pytest.fixture(scope="module")
def database():
    server_url = os.environ.get("TEST_DATABASE_URL", "")
    if not server_url.startswith("postgres"):
        pytest.skip("TEST_DATABASE_URL names no PostgreSQL database")
    with bench_database(BOOKS, server_url=server_url) as made:
        yield made


@pytest.fixture(scope="module")
def servers(database):
    with ExitStack() as stack:
        names = chosen("floor,safe_floor,ours")
        yield [stack.enter_context(running(server, database)) for server in names]


def test_the_hand_written_servers_give_the_same_json(servers):
    lines = check_all(servers, count(BLOCK, BLOCK), CHECKS)

    assert [line.partition(":")[0] for line in lines] == [one.scenario.name for one in CHECKS]
    assert "create: 201, floor = safe_floor = ours" in "\n".join(lines)


def test_the_safe_floor_is_as_safe_as_ours(servers):
    missing = gaps(servers)

    assert missing == []


def test_each_request_of_the_table_of_growth_is_answered(database):
    add_search_indexes(database)
    table = table_on(database, BOOKS)

    # Any answer but 200 is an exception.
    kinds = kinds_of(table, table).values()
    seconds = [kind.seconds() for kind in kinds if kind.path.startswith("/api/")]

    assert len(seconds) > 9
