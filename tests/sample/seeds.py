"""Demo data of the module: boxes with the numbers up to `rows`."""

from collections.abc import Iterator

from core.seeding import insert_missing

from .models import Box


def seed(rows: int) -> Iterator[int]:
    names = ({"name": f"Box {number}", "version": 1} for number in range(1, rows + 1))
    yield from insert_missing(Box, "name", names, chunk=2)
