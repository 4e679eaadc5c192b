"""The document: every route of every API blueprint, and what its operations share."""

from collections.abc import Iterator
from typing import Any

from apispec import APISpec
from flask import Flask
from werkzeug.routing import Rule

from core.openapi.answers import add_shared
from core.openapi.components import Components
from core.openapi.operations import Operation, is_guarded
from core.openapi.parameters import path_of
from core.setting import setting

VERSION = "3.1.1"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def document(app: Flask) -> dict[str, Any]:
    """Return the document of the application's API blueprints."""
    version = setting("API_PREFIX").rpartition("/")[2]
    spec = APISpec(f"{setting('APP_NAME')} API", version, VERSION)
    components = Components(spec)
    add_shared(spec, any(is_guarded(app, name) for name in app.extensions["api_blueprints"]))
    for name, scheme in app.extensions["api_blueprints"].items():
        if scheme:
            spec.components.security_scheme(name, dict(scheme))
    for rule, view in api_routes(app):
        operations = {
            method.lower(): Operation(app, rule, view, method, components).described()
            for method in METHODS
            if method in (rule.methods or ())
        }
        spec.path(path_of(rule), operations=operations)
    made: dict[str, Any] = spec.to_dict()
    return made


def api_routes(app: Flask) -> Iterator[tuple[Rule, Any]]:
    """Yield the routes of the API blueprints, each with its resource or function."""
    names = app.extensions["api_blueprints"]
    for rule in app.url_map.iter_rules():
        if rule.endpoint.rpartition(".")[0] in names:
            view = app.view_functions[rule.endpoint]
            yield rule, getattr(view, "view_class", view)
