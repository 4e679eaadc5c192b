"""The pages of the module: a list, its download, and one of core's texts."""

from flask import Response, render_template

from core.export import csv_of
from core.pages import page_of

from . import listed_bp as bp
from .models import Entry


@bp.get("/")
def entry_index() -> str:
    return render_template("listed/index.html", page=page_of(Entry))


@bp.get("/kept")
def entry_kept() -> str:
    return render_template("listed/index.html", page=page_of(Entry, keep=("tab", "of", "q")))


@bp.get("/entries.csv")
def entry_csv() -> Response:
    return csv_of(Entry, ("name", "note", "price", "day", "flag", "phase", "shelf.name"))
