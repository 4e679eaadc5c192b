"""The listing contract of pages and API: every list is paged and capped."""

from typing import Any

from flask_sqlalchemy.pagination import Pagination
from sqlalchemy import Select

from core.setting import setting
from services import db

# Skipping rows costs the database as much as reading them.
MAX_OFFSET = 100_000


def rows_of(statement: Select[Any], page: int, per_page: int) -> Pagination:
    """Return one page of a select; a page past the end is empty."""
    limit = setting("MAX_PER_PAGE")
    return db.paginate(statement, page=page, per_page=per_page, max_per_page=limit, error_out=False)
