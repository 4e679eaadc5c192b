"""The hand-written pages that the benchmark compares with this module show the same as it."""

import os
from contextlib import ExitStack
from itertools import count

import pytest

from benchmarks.agreement import PAGE_CHECKS, check_all
from benchmarks.database import bench_database
from benchmarks.servers import chosen, running

pytestmark = [pytest.mark.postgresql, pytest.mark.structure]


@pytest.fixture(scope="module")
def servers():
    server_url = os.environ.get("TEST_DATABASE_URL", "")
    if not server_url.startswith("postgres"):
        pytest.skip("TEST_DATABASE_URL names no PostgreSQL database")
    with ExitStack() as stack:
        database = stack.enter_context(bench_database(100, server_url=server_url))
        yield [stack.enter_context(running(one, database)) for one in chosen("floor,ours")]


def test_the_hand_written_pages_show_the_same(servers):
    lines = check_all(servers, count(1), PAGE_CHECKS)

    assert [line.partition(" [")[0] for line in lines] == [
        "html_list: 200, floor = ours",
        "html_form: 200, floor = ours",
    ]
