"""Walks the module's list by cursor."""

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from flask.testing import FlaskClient

from .models import Level, Phase

LIST = "/kinds/records"
MOMENT = datetime(2026, 1, 1, 12, tzinfo=UTC)
# Few values for many rows, so that there are ties; of those kinds that are hard to compare.
POOLS: dict[str, list[Any]] = {
    "name": ["", "Ana", "ana", "Ána", "Zoe", "a%b_c", "Ñandú", "ñandu", "日本", "'; --"],
    "note": [None, "", "x", "X", "é"],
    "whole": [None, -(2**31) + 1, -1, 0, 7],
    "big": [None, -(2**63) + 1, 2**53 + 1, 2**63 - 1],
    "exact": [None, Decimal("-0.01"), Decimal("0.10"), Decimal("0.30"), Decimal("99999.99")],
    "vast": [None, Decimal("-0.0001"), Decimal("0.1"), Decimal("12345678901.2345")],
    "brief": [None, 0.1, -2.7, 1.1e-3, -1e30],
    "ratio": [None, 0.1, 0.1 + 0.2, 1 / 3, -1e15, 5e-8],
    "day": [None, date(1999, 12, 31), date(2024, 2, 29)],
    "moment": [None, MOMENT, MOMENT.replace(microsecond=1), MOMENT.replace(microsecond=999999)],
    "clock": [None, time(0), time(23, 59, 59)],
    "span": [None, timedelta(0), timedelta(days=-3, seconds=1), timedelta(hours=40)],
    "flag": [None, False, True],
    "phase": [None, *Phase],
    "level": [None, *Level],
    "word": [None, "red", "blue"],
    "token": [None, uuid.UUID(int=2**120 + 4), uuid.UUID("ffffffff-0000-4000-8000-000000000001")],
    "loose": [None, 0.1, 1234567.891, 1234567.892],
    "thin": [None, 0.1, -2.7, 1234567.891],
}


def walk(
    client: FlaskClient,
    query: str,
    per_page: int = 3,
    between: Callable[[list[int]], object] = len,
) -> list[int]:
    """Return the ids in the order in which a reader by cursor meets them."""
    answer = client.get(f"{LIST}?{query}&per_page={per_page}")
    seen: list[int] = []
    for _ in range(100):
        assert answer.status_code == 200, answer.json
        seen += [record["id"] for record in answer.json["data"]]
        following = answer.json["meta"]["next_cursor"]
        if following is None:
            return seen
        between(seen)
        answer = client.get(f"{LIST}?{query}&per_page={per_page}&cursor={following}")
    raise AssertionError("The walk does not end.")


def whole(client: FlaskClient, query: str) -> list[int]:
    """Return the ids of the list as one page shows them."""
    return [record["id"] for record in client.get(f"{LIST}?{query}&per_page=100").json["data"]]
