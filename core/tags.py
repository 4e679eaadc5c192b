"""ETags and preconditions: which state of a record an answer shows, and which a client wants."""

import hashlib
import re

from flask import Response, request
from werkzeug.exceptions import PreconditionFailed

# A proxy that compresses marks a tag as weak or adds a suffix; it is still our version.
ETAG = re.compile(r'(?:W/)?"([^"]*?)(?:[:-](?:gzip|br|zstd|deflate))?"')


def tag_of(data: bytes, size: int = 12) -> str:
    """Return the ETag of an answer."""
    # Of the standard library's digests, this is the one that processors compute in hardware.
    return hashlib.sha256(data).hexdigest()[: 2 * size]


def conditional(response: Response) -> Response:
    """Answer 304 if the client has this already, 412 if it wants another state (RFC 9110 13.2)."""
    environ = request.environ
    if "HTTP_IF_MATCH" in environ:
        require_match(response)
        # Werkzeug would check it again by other rules, and answer 412 with the data.
        del environ["HTTP_IF_MATCH"]
    if "HTTP_IF_NONE_MATCH" in environ:
        quoted = (tag if tag == "*" else f'"{tag}"' for tag in tags("If-None-Match"))
        environ["HTTP_IF_NONE_MATCH"] = ", ".join(quoted)
        response.make_conditional(request)
    return response


def require_match(response: Response) -> None:
    """Answer 412 unless If-Match names the state of this answer, or of a part of it."""
    if not is_named(response, "If-Match"):
        raise PreconditionFailed("It has changed since you read it: read it again.")


def is_named(response: Response, header: str) -> bool:
    """Tell whether one of the header's tags is that of this answer, or of a part of it."""
    # After the dot stands which fields were shown: the state of the record is the same.
    state = str(response.get_etag()[0]).partition(".")[0]
    return not {"*", state}.isdisjoint(tag.partition(".")[0] for tag in tags(header))


def tags(header: str) -> list[str]:
    """Return the tags in a header, as we gave them out; ["*"] for any, also without a header."""
    text = request.headers.get(header, "*").strip()
    if text == "*":
        return ["*"]
    matches = (ETAG.fullmatch(part.strip()) for part in text.split(","))
    # A star in quotes is a plain tag, and one that we never give out.
    return [match[1] for match in matches if match and match[1] != "*"]
