"""What the document's page shows: operations by resource, rules in words, a curl command."""

import shlex
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from flask import json, request
from flask_babel import gettext

from core.fields import NOT_BLANK, NOT_NUL
from core.openapi.examples import Known, NoExampleError, example, resolved, whole


def groups(document: Known) -> dict[str, list[Known]]:
    """Return the document's operations by their resource, with what the page shows of each."""
    found: dict[str, list[Known]] = {}
    for path, operations in document["paths"].items():
        for method, said in operations.items():
            shown = _shown(document["components"], path, method, said)
            found.setdefault(said["tags"][0], []).append(shown)
    return found


def _shown(components: Known, path: str, method: str, said: Known) -> Known:
    known = components["schemas"]
    content = said.get("requestBody", {}).get("content", {}).get("application/json", {})
    parameters = [{**one, "rules": list(rules(one["schema"], known))} for one in said["parameters"]]
    return {
        **said,
        "path": path,
        "method": method.upper(),
        "parameters": parameters,
        "body": list(_fields(content.get("schema", {}), known)),
        "answers": [_answer(components, *one) for one in sorted(said["responses"].items())],
        "curl": _curl(path, method, said, content.get("example"), components),
    }


def _fields(schema: Known, known: Known) -> Iterator[Known]:
    schema = resolved(schema, known)
    for name, one in schema.get("properties", {}).items():
        required = name in schema.get("required", ())
        yield {**one, "name": name, "rules": list(rules(one, known)), "required": required}


def _answer(components: Known, status: str, said: Known) -> Known:
    said = resolved(said, components["responses"])
    content: Known = next(iter(said.get("content", {}).values()), {})
    shown = ""
    if "example" in content:
        shown = json.dumps(content["example"], indent=2, ensure_ascii=False)
    return {**said, "status": status, "example": shown}


def _curl(path: str, method: str, said: Known, body: Any, components: Known) -> str:
    """Return the operation as a command that runs as it is, on an example.

    Where a guard asks who sends it, readers put in their own credentials.
    """
    for one in said["parameters"]:
        if one["in"] == "path":
            value = quote(str(_example(one["schema"], components["schemas"], one["name"])))
            path = path.replace(f"{{{one['name']}}}", value)
    command = ["curl", "-i", f"{request.url_root.rstrip('/')}{path}"]
    command[1:1] = [] if method == "get" else ["-X", method.upper()]
    command += _passed(said, components)
    if any(one["name"] == "If-Match" and one["required"] for one in said["parameters"]):
        command += ["-H", "If-Match: *"]
    line = " ".join(shlex.quote(part) for part in command)
    if body is None:
        return line
    text = json.dumps(body, ensure_ascii=False)
    kind = shlex.quote("Content-Type: application/json")
    return f"{line} \\\n  -H {kind} \\\n  -d {shlex.quote(text)}"


def _passed(said: Known, components: Known) -> Iterator[str]:
    """Yield curl's arguments that pass the guard, by the first of its security schemes."""
    schemes = components.get("securitySchemes", {})
    for name in next(iter(said.get("security", ())), {}):
        match schemes.get(name):
            case {"type": "apiKey", "in": "header", "name": header}:
                yield from ("-H", f"{header}: KEY")
            case {"type": "apiKey", "in": "cookie", "name": cookie}:
                yield from ("-b", f"{cookie}=KEY")
            case {"type": "http", "scheme": "basic"}:
                yield from ("-u", "USER")
            case {"type": "http" | "oauth2" | "openIdConnect"}:
                yield from ("-H", "Authorization: Bearer TOKEN")


def _example(schema: Known, known: Known, name: str) -> Any:
    try:
        return example(schema, known, name)
    except NoExampleError:
        return name


def rules(schema: Known, known: Known) -> Iterator[str]:
    """Yield the rules for a value in words; a pattern is shown as it is."""
    schema = whole(schema, known)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    yield _kind(schema, next(iter(kinds), ""))
    if "null" in kinds:
        yield gettext("or null")
    if "minimum" in schema or "maximum" in schema:
        yield _range(schema)
    yield from _text_rules(schema)
    if "items" in schema:
        inner = ", ".join(rules(schema["items"], known))
        yield gettext("separated by commas, each: %(rules)s", rules=inner)
    if schema.get("default") is not None:
        yield gettext("by default %(value)s", value=schema["default"])


def _text_rules(schema: Known) -> Iterator[str]:
    if "maxLength" in schema:
        yield gettext("at most %(count)s characters", count=schema["maxLength"])
    if "enum" in schema:
        yield gettext("one of %(values)s", values=", ".join(map(str, schema["enum"])))
    if schema.get("pattern") == NOT_BLANK:
        yield gettext("not blank")
    elif "pattern" in schema and schema["pattern"] != NOT_NUL:
        yield schema["pattern"]


def _kind(schema: Known, kind: str) -> str:
    named = {
        "string": gettext("text"),
        "integer": gettext("whole number"),
        "number": gettext("number"),
        "boolean": gettext("true or false"),
        "array": gettext("list"),
        "object": gettext("object"),
        "date": gettext("date (2026-01-31)"),
        "date-time": gettext("time (2026-01-31T09:30:00Z)"),
    }
    return str(named.get(schema.get("format", "")) or named.get(kind) or gettext("any value"))


def _range(schema: Known) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if high is None:
        return str(gettext("at least %(limit)s", limit=low))
    if low is None:
        return str(gettext("at most %(limit)s", limit=high))
    return str(gettext("from %(low)s to %(high)s", low=low, high=high))
