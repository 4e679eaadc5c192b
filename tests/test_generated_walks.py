"""Any walk by cursor gives the sorted list once: over generated orders and rows, on each engine."""

import pytest

from tests.kinds.models import COLUMNS, EXPRESSIONS
from tests.kinds.storing import app_with_a_place, clear, store
from tests.kinds.walking import POOLS, walk, whole
from tests.project import ENGINES

hypothesis = pytest.importorskip("hypothesis", reason="the checks' requirements have it")
st = hypothesis.strategies
# Unwatched, so that statements that are kept take their short way (core/reads.py).
pytestmark = pytest.mark.repeats_queries

ORDERS = st.lists(
    st.tuples(st.sampled_from(["", "-"]), st.sampled_from(COLUMNS + EXPRESSIONS)),
    min_size=1,
    max_size=3,
    unique_by=lambda part: part[1],
)
SOME_ROWS = st.lists(
    st.fixed_dictionaries({name: st.sampled_from(pool) for name, pool in POOLS.items()}),
    min_size=2,
    max_size=12,
)


@pytest.fixture(scope="module", params=ENGINES)
def app(request, tmp_path_factory):
    """An application whose list is empty, on each engine with a server."""
    with app_with_a_place(request.param, tmp_path_factory.mktemp("kinds")) as application:
        yield application


def settings(examples, **others):
    return hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=[*hypothesis.HealthCheck],
        **others,
    )


def holds(app, order, rows, per_page):
    clear(app)
    ids = store(app, rows)
    query = f"sort={','.join(map(''.join, order))}"

    seen = walk(app.test_client(), query, per_page)

    assert seen == whole(app.test_client(), query)
    assert sorted(seen) == sorted(ids)


@settings(25, derandomize=True)
@hypothesis.given(ORDERS, SOME_ROWS, st.integers(1, 4))
def test_any_walk_gives_the_sorted_list_once(app, order, rows, per_page):
    holds(app, order, rows, per_page)


@pytest.mark.slow
@settings(1000)
@hypothesis.given(ORDERS, SOME_ROWS, st.integers(1, 4))
def test_any_of_many_walks_gives_the_sorted_list_once(app, order, rows, per_page):
    holds(app, order, rows, per_page)
