"""What stands around the rows of a list, the same in every peer."""

from collections.abc import Mapping
from typing import Any


def envelope(
    args: Mapping[str, str], page: int, per_page: int, total: int | None, rows: int
) -> dict[str, Any]:
    """Return meta and links; without a total, a full page is taken to have a next one."""
    sent = "".join(f"{name}={args[name]}&" for name in ("per_page", "count") if name in args)
    base = f"/api/v1/books?{sent}page="
    last = None if total is None else max(-(-total // per_page), 1)
    more = rows == per_page if last is None else page < last
    meta = {"page": page, "per_page": per_page, "total": total, "total_is_estimate": False}
    links = {
        "self": f"{base}{page}",
        "first": f"{base}1",
        "prev": f"{base}{page - 1}" if page > 1 else None,
        "next": f"{base}{page + 1}" if more else None,
        "last": None if last is None else f"{base}{last}",
    }
    return {"meta": {**meta, "next_cursor": None}, "links": links}
