"""One operation of the document: a method of a route, from its resource, schema and docstring."""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from core.columns import key_names
from core.limits import LIMIT_HEADERS, has_guard, is_limited
from core.listing import listing_of
from core.module_errors import ModuleError
from core.openapi.answers import answer, problems
from core.openapi.components import Components
from core.openapi.examples import NoExampleError, example
from core.openapi.parameters import (
    CONDITIONS,
    IF_MATCH,
    fields_parameter,
    header,
    list_parameters,
    path_parameters,
)
from core.setting import setting

Parts = dict[str, Any]
CHANGED = (200, "The record as it is now.", "ETag")
# What REST means by a method, on a list and on one record: status, words and headers of success.
MEANINGS: dict[tuple[str, str], tuple[Any, ...]] = {
    ("get", "list"): (200, "One page of the list.", "ETag", "Link"),
    ("post", "list"): (201, "The new record.", "ETag", "Location"),
    ("get", "item"): (200, "The record.", "ETag"),
    # An action, such as /orders/<id>/confirm: only its resource knows what it takes.
    ("post", "item"): CHANGED,
    ("put", "item"): CHANGED,
    ("patch", "item"): CHANGED,
    ("delete", "item"): (204, "It is deleted."),
}
# The one error that is no problem+json: the server answers it before the application is asked.
LONG_URL = "The URL is longer than the web server takes, by default about 4,000 characters."
METHODS = {"get", "post", "put", "patch", "delete", "head", "options"}
# What a resource may describe (OpenAPI 3.1, 4.8.9), and extensions that begin with x-.
DESCRIBED = {
    "tags",
    "summary",
    "description",
    "externalDocs",
    "operationId",
    "parameters",
    "requestBody",
    "responses",
    "callbacks",
    "deprecated",
    "security",
    "servers",
}
ANYTHING: Parts = {"application/json": {"schema": {}}}
# These parts a resource's `describe` replaces; to all others it adds.
WHOLE = ("schema", "example")


class Operation:
    """A method of a route.

    With a `schema` the resource's methods mean what REST says, for a list or, if the URL ends with
    a variable, for one record. `describe` adds to the meaning, as in {"get": {"summary": ...}};
    None removes a part of the description.
    """

    def __init__(
        self, app: Flask, rule: Rule, view: Any, method: str, components: Components
    ) -> None:
        self.app, self.rule, self.view, self.components = app, rule, view, components
        self.method = method.lower()
        self.blueprint = rule.endpoint.rpartition(".")[0]
        self.schema: Any = getattr(view, "schema", None)
        self.body_schema: Any = getattr(view, "body_schema", None)
        self.deprecation = getattr(view, "deprecation", None)
        self.is_limited = is_limited(app, rule.endpoint, method)
        self.model = getattr(getattr(self.schema, "opts", None), "model", None)
        many = getattr(view, "many", None)
        is_item = (rule.rule.endswith(">") if many is None else not many) or self._is_action()
        key = self.method, "item" if is_item else "list"
        # A resource that computes its answer, and stores nothing, has no ETag and no pages.
        self.is_computed = bool(self.schema) and self.model is None
        # Whether that answer is an array.
        self.is_many = self.is_computed and (key == ("get", "list") or many is True)
        self.meaning = MEANINGS.get(key) if self.schema and not self.is_computed else None
        self.is_read = self.meaning is not None and self.method == "get"
        self.is_list = self.is_read and not is_item
        self.is_action = self.meaning is not None and key == ("post", "item")
        self.is_new = self.meaning is not None and key == ("post", "list")
        is_change = self.method in ("put", "patch", "delete")
        is_required = getattr(view, "if_match_required", False)
        self.has_match = self.is_action or (is_change and (is_required or not self.is_computed))
        self.needs_match = not self.is_action and is_required
        self.takes_body = self.method in ("post", "put", "patch")

    def described(self) -> Parts:
        """Return the operation as an object of OpenAPI."""
        said: Parts = {
            **self._words(),
            "operationId": f"{self.rule.endpoint.replace('.', '_')}_{self.method}",
            "tags": [self._tag()],
            "parameters": list(self._parameters()),
            "responses": {**self._answers(), **problems(*self._problems())},
        }
        if self.takes_body:
            said["requestBody"] = self._body()
        if self.deprecation:
            said["deprecated"] = True
        if self.app.extensions["api_blueprints"][self.blueprint]:
            said["security"] = [{scheme_of(self.app, self.blueprint): []}]
        made = _merged(said, getattr(self.view, "describe", {}).get(self.method) or {})
        made = {name: said[name] for name in ("operationId", "tags", "responses")} | made
        own = made.get("parameters", [])
        named = {one["name"] for one in own if one.get("in") == "path"}
        of_url = [one for one in path_parameters(self.rule) if one["name"] not in named]
        return {**made, "parameters": [*of_url, *own]}

    def _is_action(self) -> bool:
        """Tell whether it is a POST on a record, as /orders/<id>/confirm; lists also have a GET."""
        if self.model is None or self.method != "post" or "GET" in (self.rule.methods or ()):
            return False
        return set(key_names(self.model)) <= self.rule.arguments

    def _words(self) -> dict[str, str]:
        """Return the method's docstring: its first line, and what follows."""
        function = getattr(self.view, self.method, self.view)
        # A method without a docstring must not borrow the one of Flask's class.
        text = inspect.cleandoc(function.__doc__ or "")
        summary, _, more = text.partition("\n")
        summary = summary.rstrip(".") or f"{self.method.upper()} {self.rule.endpoint}"
        return {"summary": summary} | ({"description": more.strip()} if more.strip() else {})

    def _tag(self) -> str:
        """Return the resource's name: the fixed parts of its URL."""
        path = self.rule.rule.removeprefix(setting("API_PREFIX"))
        if self._is_action():
            # An action belongs to its record: /orders/<id>/confirm to orders.
            path = path.rpartition(">")[0] or path
        parts = [part for part in path.split("/") if part and "<" not in part]
        return "/".join(parts) or "root"

    def _parameters(self) -> Iterator[Parts]:
        """Yield the headers that the operation reads, and the parameters of its query."""
        if self.has_match:
            yield header("If-Match", IF_MATCH, self.needs_match)
        if self.is_list:
            yield from list_parameters(listing_of(self.model), self.schema, self.components)
        elif self.meaning and self.method != "delete":
            yield fields_parameter(self.schema)
        if self.is_read:
            yield from CONDITIONS

    def _body(self) -> Parts:
        schema = self.body_schema
        if not schema and (self.meaning or self.is_computed) and not self.is_action:
            schema = self.schema
        if not schema:
            return {"content": ANYTHING}
        most = self.app.config["MAX_CONTENT_LENGTH"]
        text = f"At most {most} bytes; no key twice, no half of a Unicode surrogate pair."
        content = self._content(self.components.sent(schema, self.method == "patch"))
        return {"required": True, "description": text, "content": content}

    def _answers(self) -> Parts:
        """Return the answers that are no errors."""
        if self.meaning is None:
            if self.method == "delete":
                return {"204": self._answer("It is deleted.")}
            found = self._content(self._whole()) if self.is_computed else ANYTHING
            return {"200": self._answer("What the summary says.", content=found)}
        status, *words = self.meaning
        if status == 204:
            return {"204": self._answer(*words)}
        content = self._content(self._whole())
        made = {str(status): self._answer(*words, content=content)}
        if self.is_read:
            name = "page" if self.is_list else "record"
            made["304"] = self._answer(f"The {name} is the one that you have.", "ETag")
        if self.is_list:
            made["414"] = {"description": LONG_URL}
        return made

    def _whole(self) -> Parts:
        """Return the schema of the whole answer."""
        if self.is_list:
            return self.components.page(self.schema)
        return self.components.wrapped(self.schema, self.is_many)

    def _answer(self, text: str, *headers: str, content: Parts | None = None) -> Parts:
        """Return an answer with the headers that a rate limit and a deprecation add to each."""
        limits = LIMIT_HEADERS if self.is_limited else ()
        ends = {name: 0 for name, _ in self.deprecation.headers()} if self.deprecation else ()
        return answer(text, *headers, *limits, *ends, content=content)

    def _content(self, schema: Parts) -> Parts:
        content: Parts = {"schema": schema}
        with suppress(NoExampleError):
            content["example"] = example(schema, self.components.known)
        return {"application/json": content}

    def _problems(self) -> Iterator[int]:
        """Yield the statuses of possible errors."""
        yield from (400, 412 if self.is_read else 409, 503)
        if self.rule.arguments or not self.is_new:
            yield 404
        if self.has_match:
            yield from (412, 428) if self.needs_match else (412,)
        if self.takes_body:
            yield from (413, 415, 422)
        if self.is_limited:
            yield 429
        if is_guarded(self.app, self.blueprint):
            yield from (401, 403)


def check_described(name: str, describe: Mapping[str, Any] | None) -> None:
    """Raise ModuleError if a resource of this name describes what no operation has."""
    described = describe or {}
    named = [(method, METHODS) for method in described]
    named += [(part, DESCRIBED) for said in described.values() for part in said or ()]
    for key, allowed in named:
        if key not in allowed and not str(key).startswith("x-"):
            near = " or ".join(get_close_matches(str(key).lower(), allowed, 1)) or "another"
            raise ModuleError(f"{name}.describe has {key!r}: did you mean {near!r}?")


def _merged(said: Mapping[str, Any], described: Mapping[Any, Any]) -> Parts:
    """Return an operation with a resource's description merged in; None removes (RFC 7396)."""
    made = dict(said)
    if "schema" in described:
        made.pop("example", None)
    for key, value in described.items():
        is_part = isinstance(value, Mapping) and key not in WHOLE
        made[str(key)] = _merged(made.get(str(key), {}), value) if is_part else value
    return {key: value for key, value in made.items() if value is not None}


def scheme_of(app: Flask, blueprint: str) -> str:
    """Return the name of an API's security scheme: that of the first API with the same one."""
    schemes: dict[str, Any] = app.extensions["api_blueprints"]
    return next(name for name, scheme in schemes.items() if scheme == schemes[blueprint])


def is_guarded(app: Flask, blueprint: str) -> bool:
    """Tell whether an API asks who is there: in a `before_request`, or as its `security` says."""
    return has_guard(app, blueprint) or bool(app.extensions["api_blueprints"][blueprint])
