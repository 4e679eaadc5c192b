"""The answers of an operation: each status with its headers and body, the errors as problems."""

from typing import Any

from apispec import APISpec

from core.errors import DETAILS, INVALID
from core.limits import LIMIT_HEADERS
from core.problem import MEDIA_TYPE, title_of

TEXT = {"type": "string"}
NUMBER = {"type": "integer", "minimum": 0}
REQUEST_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    "X-Request-ID": (
        "The request's name in our log: your own, if it is of this form, else a new one.",
        {"type": "string", "pattern": "^[A-Za-z0-9-]{8,64}$", "example": REQUEST_ID},
    ),
    "ETag": (
        "The state of what is answered.",
        {"type": "string", "pattern": '^(W/)?"[^"]+"$', "example": '"9a0364b9e99bb480dd25e1f0"'},
    ),
    "Location": ("The URL of the new record.", {"type": "string", "format": "uri-reference"}),
    "Link": ("The links of the body (RFC 8288).", TEXT),
    "Retry-After": ("Seconds to wait.", NUMBER),
    "RateLimit-Limit": ("How often you may ask.", NUMBER),
    "RateLimit-Remaining": ("How often you still may.", NUMBER),
    "RateLimit-Reset": ("Seconds until you may as often again.", NUMBER),
    "WWW-Authenticate": ("How to say who you are (RFC 9110, 11.6.1).", TEXT),
    "Deprecation": ("Since when this is out of date (RFC 9745).", TEXT),
    "Sunset": ("When this will go (RFC 8594).", TEXT),
}
PROBLEMS = {
    400: "What was sent makes no sense; `detail` says what.",
    **DETAILS,
    409: "What is stored does not allow this: a duplicate, or a related record.",
    412: "It is no longer in the state that If-Match names.",
    413: "The body is too large.",
    415: "The body is not `application/json`.",
    422: INVALID,
    428: "If-Match is missing.",
    429: "You asked too often.",
    503: "The database does not answer at the moment.",
}
PROBLEM = {
    "type": "object",
    "description": "An error (RFC 9457).",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": ["string", "null"]},
        "request_id": {"type": ["string", "null"]},
        "errors": {
            "type": "object",
            "description": 'What is wrong, by field: {"name": ["message"]}.',
            "additionalProperties": True,
        },
    },
    "required": ["type", "title", "status", "detail", "request_id"],
}
URL = {"type": "string", "format": "uri-reference"}
NO_URL = {"type": ["string", "null"], "format": "uri-reference"}
COUNT = {"type": ["integer", "null"], "minimum": 0}
PAGE_META = {
    "type": "object",
    "properties": {
        "page": {**COUNT, "description": "null for a page by cursor."},
        "per_page": NUMBER,
        "total": {**COUNT, "description": "All rows of the list; null for count=none."},
        "total_is_estimate": {
            "type": "boolean",
            "description": "There may be more than `total`; with count=estimate also fewer.",
        },
        "next_cursor": {"type": ["string", "null"], "description": "null on the last page."},
    },
    "required": ["page", "per_page", "total", "total_is_estimate", "next_cursor"],
}
PAGE_LINKS = {
    "type": "object",
    "properties": {"self": URL, "first": URL, "prev": NO_URL, "next": NO_URL, "last": NO_URL},
    "required": ["self", "first", "prev", "next", "last"],
}


def add_shared(spec: APISpec) -> None:
    """Put into the document the components to which operations refer."""
    spec.components.schema("Problem", PROBLEM)
    spec.components.schema("PageMeta", PAGE_META)
    spec.components.schema("PageLinks", PAGE_LINKS)
    for name, (text, schema) in HEADERS.items():
        # A guard without `security` does not say how to pass it, so this header may be missing.
        is_always = name != "WWW-Authenticate"
        spec.components.header(name, {"description": text, "schema": schema, "required": is_always})
    for status, text in PROBLEMS.items():
        spec.components.response(_name(status), _problem(status, text))


def answer(text: str, *headers: str, content: Any = None) -> dict[str, Any]:
    """Return an answer with headers of these names."""
    names = ("X-Request-ID", *headers)
    references = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    made = {"description": text, "headers": references}
    return {**made, "content": content} if content else made


def problems(*statuses: int) -> dict[str, Any]:
    """Return the errors with these statuses, which add_shared() described."""
    return {str(one): {"$ref": f"#/components/responses/{_name(one)}"} for one in statuses}


def _name(status: int) -> str:
    return title_of(status).replace(" ", "")


def _problem(status: int, text: str) -> dict[str, Any]:
    waits = ("Retry-After",) if status in (429, 503) else ()
    limits = LIMIT_HEADERS if status == 429 else ()
    asks = ("WWW-Authenticate",) if status == 401 else ()
    example = {
        "type": "about:blank",
        "title": title_of(status),
        "status": status,
        "detail": text,
        "request_id": REQUEST_ID,
    }
    schema = {"$ref": "#/components/schemas/Problem"}
    content = {MEDIA_TYPE: {"schema": schema, "example": example}}
    return answer(text, *asks, *waits, *limits, content=content)
