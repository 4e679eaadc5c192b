"""The document: every route of every API blueprint, and what its operations share."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from apispec import APISpec
from flask import Flask, json
from marshmallow import Schema
from werkzeug.routing import Rule

from core.openapi.answers import add_shared
from core.openapi.components import Components
from core.openapi.operations import Operation, scheme_of
from core.openapi.parameters import path_of
from core.openapi.types import name_types
from core.setting import setting

VERSION = "3.1.1"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
REFERENCE = re.compile(r'"#/components/(\w+)/([^"/]+)"')


def document(app: Flask) -> dict[str, Any]:
    """Return the document of the application's API blueprints."""
    version = setting("API_PREFIX").rpartition("/")[2]
    info = {"description": "Errors are problems (RFC 9457), lists come in pages."}
    # An operation without a `security` of its own is open to all.
    spec = APISpec(f"{setting('APP_NAME')} API", version, VERSION, info=info, security=[])
    components = Components(spec)
    add_shared(spec)
    for name, scheme in app.extensions["api_blueprints"].items():
        if scheme and scheme_of(app, name) == name:
            spec.components.security_scheme(name, dict(scheme))
    routes = list(api_routes(app))
    for _, view in routes:
        for one in (getattr(view, "schema", None), getattr(view, "body_schema", None)):
            if isinstance(one, Schema):
                # Named first, so that a wrapper made for Order does not take the name of OrderItem.
                components.name(one)
    for rule, view in routes:
        operations = {
            method.lower(): Operation(app, rule, view, method, components).described()
            for method in METHODS
            if method in (rule.methods or ())
        }
        spec.path(path_of(rule), operations=operations)
    made: dict[str, Any] = spec.to_dict()
    said = [one for operations in made["paths"].values() for one in operations.values()]
    _tell_apart(said)
    names = dict.fromkeys(name for one in said for name in one["tags"])
    made["tags"] = [{"name": name} for name in names]
    name_types(made)
    _leave_out_unused(made)
    return made


def _tell_apart(said: list[dict[str, Any]]) -> None:
    """Number the operations of a resource's further URLs, because each id must be unique."""
    times: Counter[str] = Counter()
    for operation in said:
        name = operation["operationId"]
        times[name] += 1
        if times[name] > 1:
            operation["operationId"] = f"{name}_{times[name]}"


def _leave_out_unused(made: dict[str, Any]) -> None:
    """Remove components that no operation refers to, not even through another component."""
    components, left = made["components"], [made["paths"]]
    used: set[tuple[str, str]] = set()
    while left:
        for kind, name in set(REFERENCE.findall(json.dumps(left.pop()))) - used:
            used.add((kind, name))
            left.append(components.get(kind, {}).get(name))
    for kind in components.keys() - {"securitySchemes"}:
        components[kind] = {
            name: one for name, one in components[kind].items() if (kind, name) in used
        }


def api_routes(app: Flask) -> Iterator[tuple[Rule, Any]]:
    """Yield the routes of the API blueprints, each with its resource or function."""
    names = app.extensions["api_blueprints"]
    for rule in app.url_map.iter_rules():
        if rule.endpoint.rpartition(".")[0] in names:
            view = app.view_functions[rule.endpoint]
            yield rule, getattr(view, "view_class", view)
