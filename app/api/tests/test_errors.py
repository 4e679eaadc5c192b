"""Every refusal is a problem (RFC 9457), in this process and in production; it changes nothing."""

from typing import Any

import pytest

from core.problem import TITLES

from .cases import JSON, MATRIX, Case
from .sending import encoded

# What must never leave the server.
INSIDES = (
    b"psycopg",
    b"sqlite",
    b"SELECT",
    b"INSERT",
    b"UPDATE",
    b"Traceback",
    b"werkzeug",
    b".py",
)


@pytest.mark.parametrize("case", MATRIX, ids=[f"{case.status} {case.name}" for case in MATRIX])
def test_a_refusal_is_a_problem_and_changes_nothing(send_both, shelf, case):
    send, ids = send_both, _ids(shelf)
    before = _state(send, shelf)
    body = case.body if case.body is not None else _body(case, ids)
    headers = {**(JSON if body and case.body is None else {}), **case.headers}

    answer = send(case.method, case.path.format(**ids), body=body, headers=headers)

    problem = answer.json
    assert answer.status == case.status, problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == "about:blank"
    assert (problem["status"], problem["title"]) == (case.status, TITLES[case.status])
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["detail"]
    assert case.detail in problem["detail"]
    assert problem.get("errors") == case.errors
    assert set(problem) - {"errors"} == {"type", "title", "status", "detail", "request_id"}
    assert sorted(filter(None, answer.headers.get("allow", "").split(", "))) == sorted(
        filter(None, case.allow.split(", "))
    )
    assert not [inside for inside in INSIDES if inside in answer.body]
    assert _state(send, shelf) == before


def _ids(shelf: dict[str, Any]) -> dict[str, Any]:
    return {
        "author": shelf["author"]["id"],
        "book": shelf["book"]["id"],
        "isbn": shelf["book"]["isbn"],
        "other": shelf["other"]["isbn"],
        "free": "9780000000002",
    }


def _body(case: Case, ids: dict[str, Any]) -> bytes:
    """Return the JSON of a case with the names of the shelf's records replaced."""
    if case.json is None and case.method in ("GET", "DELETE"):
        return b""
    text = encoded(case.json).decode()
    for name, value in ids.items():
        quoted = f'"{{{name}}}"'
        text = text.replace(quoted, f'"{value}"' if isinstance(value, str) else str(value))
    return text.encode()


def _state(send: Any, shelf: dict[str, Any]) -> list[Any]:
    """Return what a change would show in."""
    items = [f"/authors/{shelf['author']['id']}", f"/books/{shelf['book']['id']}"]
    lists = ["/authors?per_page=1", "/books?per_page=1"]
    return [
        *(send("GET", path).data for path in items),
        *(send("GET", path).json["meta"]["total"] for path in lists),
    ]
