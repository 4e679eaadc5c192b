"""Sentry: every crash and every logged error, if the environment has a DSN."""

import os
from typing import Any

from flask.blueprints import BlueprintSetupState

from core.logs import request_id
from core.module_errors import ModuleError

from . import ops_bp
from .optional import load

VARIABLE = "SENTRY_DSN"
HEADERS = ("accept", "accept-language", "content-type", "host", "user-agent")


@ops_bp.record_once
def report(state: BlueprintSetupState) -> None:
    dsn = state.app.config.get(VARIABLE) or os.environ.get(VARIABLE)
    if not dsn:
        return
    sentry = load(VARIABLE, "sentry_sdk")
    try:
        # What people send stays on this server: no request bodies, no local variables.
        sentry.init(
            dsn,
            environment=state.app.config["APP_ENV"],
            max_request_body_size="never",
            include_local_variables=False,
            before_send=_without_secrets,
            before_send_transaction=_without_secrets,
        )
    except load(VARIABLE, "sentry_sdk.utils").BadDsn as error:
        raise ModuleError(
            f"{VARIABLE} cannot be read ({error}): copy it from the project's settings in Sentry."
        ) from error
    state.app.before_request(lambda: sentry.set_tag("request_id", request_id()))


def _without_secrets(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
    """Drop the query, and all headers but HEADERS: one may be a key, the Referer has a query."""
    request = event.get("request", {})
    request.pop("query_string", None)
    headers = request.get("headers", {}).items()
    request["headers"] = {name: text for name, text in headers if name.lower() in HEADERS}
    return event
