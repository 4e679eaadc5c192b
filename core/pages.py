"""The HTML side: templates, menu, welcome page, paging, and the database's rules on a page."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Blueprint, Flask, flash, render_template, request
from flask_sqlalchemy.pagination import Pagination
from sqlalchemy import Select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm.exc import StaleDataError

from core.constraints import violation_of
from core.errors import STALE
from core.forms import ModelForm
from core.listing import MAX_OFFSET, rows_of
from core.logs import request_id
from core.modules import installed_modules
from core.setting import setting
from services import bootstrap, db

bp = Blueprint(
    "core",
    __name__,
    template_folder="templates",
    static_folder="static",
    # Not /static, which a module without a prefix takes for its own files.
    static_url_path="/core/static",
)


def init_pages(app: Flask) -> None:
    """Register core's pages last: a module's route or template of the same name wins."""
    bootstrap.init_app(app)
    app.register_blueprint(bp)
    with app.app_context():
        menu = [entry for module in installed_modules() for entry in module.menu]
    app.jinja_env.globals.update(app_name=setting("APP_NAME"), menu=menu, request_id=request_id)


@bp.get("/")
def welcome() -> str:
    """Say what is installed and what to do next."""
    return render_template("welcome.html", modules=installed_modules())


def page_of(statement: Select[Any]) -> Pagination:
    """Return the page of a select that the URL asks for; what is no page number means page 1."""
    per_page = min(_number("per_page", setting("PER_PAGE")), setting("MAX_PER_PAGE"))
    page = min(_number("page", 1), MAX_OFFSET // per_page)
    return rows_of(statement, page, per_page)


def _number(name: str, default: int) -> int:
    text = request.args.get(name, "")
    return max(int(text), 1) if re.fullmatch(r"[0-9]{1,9}", text) else default


@contextmanager
def database_rules(form: ModelForm | None = None) -> Iterator[None]:
    """Turn a refusal of the commit inside into messages at the form's fields, or a flash.

    The transaction is rolled back and the code after the block runs: return from inside on success.
    """
    try:
        yield
    except StaleDataError:
        db.session.rollback()
        if form is None:
            flash(STALE, "danger")
        else:
            form.show_conflict()
    except DBAPIError as error:
        db.session.rollback()
        violation = violation_of(error)
        if violation is None:
            raise
        if form is None or not form.show_violation(violation):
            flash(violation.message, "danger")
