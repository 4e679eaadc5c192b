"""For tests: a client that holds each answer of the API to its OpenAPI document."""

import re
from copy import deepcopy
from typing import Any

from jsonschema import Draft202012Validator

from core.openapi import api_document
from core.testing import Client

Known = dict[str, Any]
VARIABLE = re.compile(r"\\\{\w+\\\}")


class ConformingClient(Client):
    """A client that fails the test at an answer of the API that its document does not promise."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        response = super().open(*args, **kwargs)
        urls = self.application.url_map.bind("localhost")
        # A key past 64 bits, say, leads to no route, so to nothing that the document promises.
        if urls.test(response.request.path, response.request.method):
            with self.application.app_context():
                Conformance(api_document()).check(response)
        return response


class Conformance:
    """A document taken at its word: an answer must have all fields that it names, and no others."""

    def __init__(self, document: Known) -> None:
        self.document = document

    def check(self, response: Any) -> None:
        """Raise AssertionError if the document does not promise this answer."""
        request = response.request
        operation = self._operation(request.method, request.path)
        # No document promises a crash.
        if operation is None or response.status_code == 500:
            return
        place = f"{request.method} {request.full_path}: {response.status_code}"
        assert str(response.status_code) in operation["responses"], f"{place} is not documented"
        promised = self._resolved(operation["responses"][str(response.status_code)])
        headers = promised.get("headers", {}).items()
        required = (name for name, one in headers if self._resolved(one).get("required"))
        missing = [name for name in required if name not in response.headers]
        assert not missing, f"{place} lacks the headers {missing}"
        self._check_body(promised, response, place)

    def _operation(self, method: str, path: str) -> Any:
        # A fixed path goes before one with a variable in its place.
        for pattern in sorted(self.document["paths"], key=lambda path: path.count("{")):
            if re.fullmatch(VARIABLE.sub("[^/]+", re.escape(pattern)), path):
                operations = self.document["paths"][pattern]
                return operations.get("get" if method == "HEAD" else method.lower())
        return None

    def _resolved(self, part: Known) -> Known:
        if "$ref" not in part:
            return part
        kind, name = part["$ref"].split("/")[-2:]
        found: Known = self.document["components"][kind][name]
        return found

    def _check_body(self, promised: Known, response: Any, place: str) -> None:
        if response.status_code in (204, 304) or response.request.method == "HEAD":
            assert not response.data, f"{place} has a body"
        is_compressed = "Content-Encoding" in response.headers
        if "content" not in promised or not response.data or is_compressed:
            return
        assert response.mimetype in promised["content"], f"{place} is {response.mimetype}"
        if not response.is_json:
            return
        schema = deepcopy(promised["content"][response.mimetype].get("schema", {}))
        schemas = deepcopy(self.document["components"]["schemas"])
        _close(schemas, "fields" not in response.request.args)
        schema = {**schema, "components": {"schemas": schemas}}
        validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
        errors = [error.message for error in validator.iter_errors(response.json)]
        assert not errors, f"{place}: {errors}"


def _close(part: Any, is_whole: bool) -> None:
    """Forbid fields that are not named; if the answer is whole, demand all that are."""
    for name, one in part.items() if isinstance(part, dict) else ():
        # Not the mapping itself: one of the fields in it may be called `properties`.
        for schema in one.values() if name == "properties" else [one]:
            _close(schema, is_whole)
    if isinstance(part, dict) and isinstance(part.get("properties"), dict):
        part.setdefault("additionalProperties", False)
        if is_whole:
            part.setdefault("required", list(part["properties"]))
