"""The hand-written servers that the benchmark compares with this module answer like it."""

import os
from contextlib import ExitStack
from itertools import count

import pytest

from benchmarks.agreement import CHECKS, check_all
from benchmarks.database import bench_database
from benchmarks.rounds import BLOCK
from benchmarks.safety import gaps
from benchmarks.servers import chosen, running

pytestmark = [pytest.mark.postgresql, pytest.mark.structure]
BOOKS = 2100


@pytest.fixture(scope="module")
def servers():
    server_url = os.environ.get("TEST_DATABASE_URL", "")
    if not server_url.startswith("postgres"):
        pytest.skip("TEST_DATABASE_URL names no PostgreSQL database")
    with ExitStack() as stack:
        database = stack.enter_context(bench_database(BOOKS, server_url=server_url))
        names = chosen("floor,safe_floor,ours")
        yield [stack.enter_context(running(server, database)) for server in names]


def test_the_hand_written_servers_give_the_same_json(servers):
    lines = check_all(servers, count(BLOCK, BLOCK), CHECKS)

    assert [line.partition(":")[0] for line in lines] == [one.scenario.name for one in CHECKS]
    assert "create: 201, floor = safe_floor = ours" in "\n".join(lines)


def test_the_safe_floor_is_as_safe_as_ours(servers):
    missing = gaps(servers)

    assert missing == []
