"""The tests' watch over SQL: no request repeats a query for each row, and any block can be counted.

A plugin of pytest, named in conftest.py.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from flask import has_request_context, request
from sqlalchemy import Engine, event

# One SELECT run more often than this in a request is no chance: it runs for each row of a list.
MOST_REPEATS = 5
# Statements that open and close transactions are no queries of the page.
TRANSACTION = re.compile(
    r"\s*(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|SET|PRAGMA)\b", re.IGNORECASE
)
READING = re.compile(r"\s*(SELECT|WITH)\b", re.IGNORECASE)
COUNTS = "andamio.query_counts"


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker that lets a test's requests repeat a query."""
    config.addinivalue_line(
        "markers", "repeats_queries: a request of this test may run one SELECT many times"
    )


@pytest.fixture
def queries() -> Callable[[], AbstractContextManager[list[str]]]:
    """Collect SQL: `with queries() as seen: client.get(url)`, then `assert len(seen) <= 3`."""
    return _collected


@pytest.fixture(autouse=True)
def no_repeated_queries(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test whose request runs one SELECT more than MOST_REPEATS times (N+1)."""
    if request.node.get_closest_marker("repeats_queries"):
        yield
        return
    with _listening(_refuse_repeats):
        yield


@contextmanager
def _collected() -> Iterator[list[str]]:
    seen: list[str] = []
    with _listening(seen.append):
        yield seen


@contextmanager
def _listening(receive: Callable[[str], None]) -> Iterator[None]:
    """Hand each statement of any engine to `receive` before it runs."""

    def before(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not TRANSACTION.match(statement):
            receive(statement)

    event.listen(Engine, "before_cursor_execute", before)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", before)


def _refuse_repeats(statement: str) -> None:
    if not has_request_context() or not READING.match(statement):
        return
    counts = request.environ.setdefault(COUNTS, Counter())
    counts[statement] += 1
    if counts[statement] > MOST_REPEATS:
        # Not an Exception, so that no error page hides it: the traceback shows who asked.
        pytest.fail(_message(statement))


def _message(statement: str) -> str:
    return (
        f"{request.method} {request.path} runs one query more than {MOST_REPEATS} times, most "
        "likely for each row of a list (N+1). Load the related rows with the list: "
        'relationship(lazy="joined") on the model or .options(joinedload(...)) on the select; '
        'for collections lazy="selectin" or selectinload. If the repetition is meant, mark the '
        f"test with @pytest.mark.repeats_queries. The query:\n{statement}"
    )
