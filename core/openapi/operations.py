"""One operation of the document: a method of a route, from its resource, schema and docstring."""

import inspect
from collections.abc import Mapping
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from core.columns import key_names
from core.limits import LIMIT_HEADERS, count, is_limited
from core.listing import listing_of
from core.openapi.answers import GUARD_PROBLEMS, answer, problems, references
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
# The one error that is no problem: the server answers it before the application is asked.
LONG_URL = "The URL is longer than the web server takes, by default about 4,000 characters."
BODY_PROBLEMS = (413, 415, 422)
ANY_BODY: Parts = {"content": {"application/json": {"schema": {}}}}
# A resource describes these anew; all else it adds to.
WHOLE = ("schema", "example")


class Operation:
    """A method of a route.

    With a `schema` the resource's methods mean what REST says, for a list or, if the URL ends with
    a variable, for one record; `describe` says what else one means: {"get": {"summary": ...}}, and
    takes away what None stands for.
    """

    def __init__(
        self, app: Flask, rule: Rule, view: Any, method: str, components: Components
    ) -> None:
        self.app, self.rule, self.view, self.components = app, rule, view, components
        self.method = method.lower()
        self.schema: Any = getattr(view, "schema", None)
        self.is_item = rule.rule.endswith(">") or self._is_action()
        self.deprecation = getattr(view, "deprecation", None)

    def described(self) -> Parts:
        """Return the operation as OpenAPI has it."""
        kind = f"_{self.method}_{'item' if self.is_item else 'list'}"
        parts: Parts = getattr(self, kind if self.schema else "_other", self._other)()
        said = {
            **self._words(),
            "operationId": f"{self.rule.endpoint.replace('.', '_')}_{self.method}",
            "tags": [self._tag()],
            **parts,
        }
        self._add_limits(said)
        self._add_guard(said)
        made = _merged(said, getattr(self.view, "describe", {}).get(self.method) or {})
        made = {name: said[name] for name in ("operationId", "tags", "responses")} | made
        own = made.get("parameters", [])
        named = {one["name"] for one in own if one.get("in") == "path"}
        of_url = [one for one in path_parameters(self.rule) if one["name"] not in named]
        return {**made, "parameters": [*of_url, *own]}

    def _is_action(self) -> bool:
        """Tell whether it is a POST on a record, as /orders/<id>/confirm: a list has a GET, too."""
        model = getattr(getattr(self.schema, "opts", None), "model", None)
        if model is None or self.method != "post" or "GET" in (self.rule.methods or ()):
            return False
        return set(key_names(model)) <= self.rule.arguments

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
        parts = [part for part in path.split("/") if part and "<" not in part]
        return "/".join(parts) or "root"

    def _add_limits(self, said: Parts) -> None:
        """Add what a rate limit and an announced end do to the answers."""
        limited = is_limited(self.app, self.rule.endpoint)
        names = LIMIT_HEADERS if limited else ()
        if self.deprecation:
            said["deprecated"] = True
            names = (*names, *{name: 0 for name, _ in self.deprecation.headers()})
        for one in said["responses"].values():
            if "headers" in one:
                one["headers"].update(references(*names))
        said["responses"].update(problems(*((429,) if limited else ()), 503))

    def _add_guard(self, said: Parts) -> None:
        """Add what a guard of the blueprint answers, and how to pass it."""
        blueprint = self.rule.endpoint.rpartition(".")[0]
        if is_guarded(self.app, blueprint):
            said["responses"].update(problems(*GUARD_PROBLEMS))
        if self.app.extensions["api_blueprints"][blueprint]:
            said["security"] = [{blueprint: []}]

    def _get_list(self) -> Parts:
        listing = listing_of(self.schema.opts.model)
        return {
            "parameters": [*list_parameters(listing, self.schema, self.components), *CONDITIONS],
            "responses": {
                **self._answered(200, "One page of the list.", "ETag", "Link", many=True),
                "304": answer("The page is the one that you have.", "ETag"),
                **problems(400, 404, 412),
                "414": {"description": LONG_URL},
            },
        }

    def _post_list(self) -> Parts:
        return {
            "parameters": [fields_parameter(self.schema)],
            "requestBody": self._body(),
            "responses": {
                **self._answered(201, "The new record.", "ETag", "Location"),
                **problems(400, *((404,) if self.rule.arguments else ()), 409, *BODY_PROBLEMS),
            },
        }

    def _get_item(self) -> Parts:
        return {
            "parameters": [fields_parameter(self.schema), *CONDITIONS],
            "responses": {
                **self._answered(200, "The record.", "ETag"),
                "304": answer("The record is the one that you have.", "ETag"),
                **problems(400, 404, 412),
            },
        }

    def _put_item(self) -> Parts:
        changed = self._matched()
        changed["parameters"].append(fields_parameter(self.schema))
        changed["requestBody"] = self._body(partial=self.method == "patch")
        changed["responses"] = {
            **self._answered(200, "The record as it is now.", "ETag"),
            **changed["responses"],
            **problems(*BODY_PROBLEMS),
        }
        return changed

    _patch_item = _put_item

    def _post_item(self) -> Parts:
        """Return the parts of an action on a record: only its resource knows what it takes."""
        return {**self._put_item(), "requestBody": ANY_BODY}

    def _delete_item(self) -> Parts:
        deleted = self._matched()
        deleted["responses"] = {"204": answer("It is deleted."), **deleted["responses"]}
        return deleted

    def _other(self) -> Parts:
        """Return what is known of a method without a schema, or of one that REST does not name."""
        guarded = self.method in ("put", "patch", "delete")
        parts: Parts = self._matched() if guarded else {"responses": problems(400, 404, 409)}
        parts["responses"]["200"] = answer("What the summary says.", schema={})
        if self.method in ("post", "put", "patch"):
            parts["requestBody"] = ANY_BODY
            parts["responses"].update(problems(*BODY_PROBLEMS))
        return parts

    def _matched(self) -> Parts:
        """Return the parts of an operation that If-Match may guard."""
        required = self.method != "post" and getattr(self.view, "if_match_required", False)
        statuses = (400, 404, 409, 412, *((428,) if required else ()))
        return {
            "parameters": [header("If-Match", IF_MATCH, required)],
            "responses": problems(*statuses),
        }

    def _body(self, partial: bool = False) -> Parts:
        content: Parts = {"schema": self.components.sent(self.schema, partial)}
        content |= self._example(content["schema"])
        most = self.app.config["MAX_CONTENT_LENGTH"]
        text = f"At most {most} bytes; no key twice, no half of a Unicode surrogate pair."
        return {"required": True, "description": text, "content": {"application/json": content}}

    def _answered(self, status: int, text: str, *headers: str, many: bool = False) -> Parts:
        schema = self.components.wrapped(self.schema, many)
        shown = self._example(schema).get("example")
        return {str(status): answer(text, *headers, schema=schema, example=shown)}

    def _example(self, schema: Parts) -> Parts:
        try:
            return {"example": example(schema, self.components.known)}
        except NoExampleError:
            return {}


def _merged(said: Mapping[str, Any], described: Mapping[Any, Any]) -> Parts:
    """Return what is said with what a resource describes in it; None removes a key (RFC 7396)."""
    made = dict(said)
    if "schema" in described:
        made.pop("example", None)
    for key, value in described.items():
        is_part = isinstance(value, Mapping) and key not in WHOLE
        made[str(key)] = _merged(made.get(str(key), {}), value) if is_part else value
    return {key: value for key, value in made.items() if value is not None}


def is_guarded(app: Flask, blueprint: str) -> bool:
    """Tell whether an API asks who is there: in a `before_request`, or as its `security` says."""
    hooks = app.before_request_funcs.get(blueprint, ())
    return any(hook is not count for hook in hooks) or bool(
        app.extensions["api_blueprints"][blueprint]
    )
