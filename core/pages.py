"""The HTML side: templates, menu, welcome page, paging, and the database's rules on a page."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    flash,
    g,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy import Select
from sqlalchemy.exc import CircularDependencyError, StatementError
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.datastructures import MultiDict
from werkzeug.routing import BuildError

from core.constraints import Violation, violation_of
from core.database import READ_METHODS
from core.errors import OUT_OF_RANGE, STALE, changes_met, is_refused
from core.expired import form_endpoint
from core.filters import controls, related_choices, typed_condition
from core.forms import ModelForm, RefusedError
from core.listing import API_PARAMETERS, Query, listing_of
from core.logs import request_id
from core.models import Versioned, label_of
from core.modules import installed_modules
from core.paging import RECORDS, ListPage
from core.rows import rows_of
from core.schema_state import schema_state
from core.setting import setting
from core.urls import request_path
from services import bootstrap, db

# Media types whose text is in the reader's language.
PERSONAL = ("text/html", "text/csv")

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
    app.after_request(_vary)
    with app.app_context():
        menu = [entry for module in installed_modules() for entry in module.menu]
    app.jinja_env.globals.update(
        app_name=setting("APP_NAME"),
        controls=controls,
        current=partial(_current, [endpoint for endpoint, _ in menu]),
        here=_here,
        label_of=label_of,
        menu=menu,
        related_choices=related_choices,
        request_id=request_id,
    )


def _vary(response: Response) -> Response:
    """Keep caches from giving a page to readers of another language."""
    is_file = response.status_code < 400 and str(request.endpoint).endswith(".static")
    if response.mimetype in PERSONAL and not is_file:
        headers = response.headers
        headers["Vary"] = ", ".join(filter(None, (headers.get("Vary"), "Accept-Language, Cookie")))
    return response


def _here() -> str:
    """Return the URL that a switch in the header leads back to."""
    is_read = request.method in READ_METHODS and "expired" not in g
    if is_read or form_endpoint() == str(request.endpoint):
        query = request.query_string.decode(errors="replace")
        return f"{request_path()}?{query}" if query else request_path()
    with suppress(BuildError):
        return url_for(str(form_endpoint()), **(request.view_args or {}))
    return url_for("core.welcome")


def _current(targets: Sequence[str], endpoint: str | None) -> dict[str, str]:
    """Return the aria-current of the menu entries that lead to the page or to its resource."""
    if endpoint and endpoint in targets:
        return {endpoint: "page"}
    section = _section(endpoint or "")
    return {target: "true" for target in targets if _section(target) == section}


def _section(endpoint: str) -> tuple[str, str]:
    """Return blueprint and resource: x.product_index and x.product_edit are of one section."""
    blueprint, _, view = endpoint.rpartition(".")
    return blueprint, view.rpartition("_")[0]


@bp.get("/favicon.ico")
def favicon() -> ResponseReturnValue:
    """Lead to the icon: browsers ask here for that of what is no page, such as a file."""
    return redirect(url_for(".static", filename="favicon.svg"))


@bp.get("/")
def welcome() -> str:
    """Say what is installed, in development also in what state, and what to do next."""
    state = schema_state() if current_app.config["APP_ENV"] == "development" else None
    return render_template("welcome.html", modules=installed_modules(), state=state)


def page_of(
    model: Any,
    statement: Select[Any] | None = None,
    columns: Sequence[str] = (),
    keep: Sequence[str] = (),
) -> ListPage:
    """Return the page of a model's list that the URL asks for; wrong arguments are ignored.

    `statement` narrows the rows down; by default the list has all of the model's. With `columns`,
    such as ("id", "category.name"), rows have these alone. `keep` names further arguments of the
    URL, which only the view reads: the page's links keep them.
    """
    way = rows_of(model, tuple(columns), named=True) if columns else RECORDS
    query = list_query(model)
    kept = {name: request.args.getlist(name) for name in keep if name not in query.args}
    return ListPage(statement, listing_of(model), query, way, kept)


def list_query(model: Any) -> Query:
    """Return what the URL asks of the model's list, without its wrong arguments."""
    # A form sends its empty inputs too; of two values for one name the first counts.
    args = MultiDict(
        (name, text) for name, text in request.args.items() if text and name not in API_PARAMETERS
    )
    listing = listing_of(model)
    query = listing.read(args, lambda message: None, typed_condition)
    filtered = (listing.filter_of(name) for name in args if name not in query.args)
    # Each filter once, even if both ends of its range are wrong.
    left_out = tuple(dict.fromkeys(found[0] for found in filtered if found))
    return replace(query, left_out=left_out) if left_out else query


def expect_shown_version(record: Versioned) -> None:
    """Make the next flush fail if the record changed since the page with the button was shown."""
    version = request.form.get("version")
    if version is not None:
        record.expect_version(int(version) if re.fullmatch("[0-9]{1,9}", version) else 0)


@contextmanager
def database_rules(form: FlaskForm | None = None) -> Iterator[None]:
    """Turn a refusal of the commit inside into messages at the form's fields, or a flash.

    The transaction is rolled back and the code after the block runs: return from inside on success.
    """
    try:
        yield
    except (
        RefusedError,
        StaleDataError,
        StatementError,
        CircularDependencyError,
        AssertionError,
    ) as error:
        db.session.rollback()
        for message in _show(error, form):
            flash(message, "danger")


def _show(error: Exception, form: FlaskForm | None) -> Iterator[Any]:
    """Show a refusal in the form; yield messages without a place there, or all without a form."""
    if isinstance(error, RefusedError):
        # A ModelForm has shown it already.
        yield from () if isinstance(form, ModelForm) else chain(*error.messages_dict.values())
    elif isinstance(error, StaleDataError) or changes_met(error):
        if isinstance(form, ModelForm):
            form.show_conflict()
        else:
            yield STALE
    elif is_refused(error):
        if form is None:
            yield OUT_OF_RANGE
        else:
            form.form_errors.append(OUT_OF_RANGE)
    elif (violation := violation_of(error, form is None)) is None:
        raise error
    elif form is None or not _is_shown(violation, form):
        yield violation.message


def _is_shown(violation: Violation, form: FlaskForm) -> bool:
    if isinstance(form, ModelForm):
        return form.show_violation(violation)
    fields = [form[name] for name in violation.columns if name in form]
    for field in fields:
        field.errors = [*field.errors, violation.message]
    return bool(fields)
