"""Shows an expired form again, with what was typed in it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from flask import current_app, flash, g, make_response, request, session
from flask.globals import request_ctx
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l

EXPIRED = _l(
    "The form had expired, so nothing was saved yet. What you typed is here: send it again."
)


def shown_again() -> ResponseReturnValue | None:
    """Return the page of the form that was sent, or a guard's refusal, else None."""
    endpoint = form_endpoint()
    try:
        with _treated_as_get():
            # Matched anew, for hooks that take a part of the URL out of the view's arguments.
            request_ctx.match_request()
            # The CSRF check failed before later hooks ran, such as a module's login.
            refusal = current_app.preprocess_request()
            if refusal is not None or endpoint is None:
                return refusal
            flash(EXPIRED, "warning")
            # Read by the forms of core/forms.py.
            g.expired = request.form
            page = make_response(current_app.view_functions[endpoint](**(request.view_args or {})))
    except Exception as failure:
        _take_back()
        # Flask would answer 500 to any exception that leaves an error handler, even a 404.
        return current_app.handle_user_exception(failure)
    if page.status_code >= 300:
        # The view's own guard, which sends people without a session to the login.
        _take_back()
        return page
    if "expired_shown" in g or "POST" not in _methods(endpoint):
        page.status_code = 400
        return page
    # No form was shown: the view may use a GET for something else.
    _take_back()
    return None


def _take_back() -> None:
    """Remove the flashed message: it would not be true of what is shown."""
    flashes = session.pop("_flashes", [])
    if others := [one for one in flashes if one[1] is not EXPIRED]:
        session["_flashes"] = others


def form_endpoint() -> str | None:
    """Return the endpoint of the page with the form that was sent, None if there is none.

    It is x_new for x_create, x_edit for x_update, else the endpoint of the request itself.
    """
    endpoint = re.sub("_create$", "_new", re.sub("_update$", "_edit", str(request.endpoint)))
    return endpoint if "GET" in _methods(endpoint) else None


@contextmanager
def _treated_as_get() -> Iterator[None]:
    """Let hooks and view see a GET: a view that takes POST too would save."""
    method, request.method = request.method, "GET"
    try:
        yield
    finally:
        request.method = method


def _methods(endpoint: str) -> set[str]:
    rules = (rule for rule in current_app.url_map.iter_rules() if rule.endpoint == endpoint)
    return {method for rule in rules for method in rule.methods or ()}
