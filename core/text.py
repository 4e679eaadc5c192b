"""What text may be stored, and how it is compared in a search."""

import unicodedata
from functools import lru_cache

from flask_babel import gettext


def clean_text(value: str) -> str:
    """Return the text. Raises ValueError for what no database stores: NUL and lone surrogates."""
    if "\x00" in value:
        raise ValueError(gettext("NUL characters are not allowed."))
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(gettext("This is not valid Unicode text.")) from None
    return value


def fold(value: str | None) -> str | None:
    """Return the text without case and accents: "Ñandú" and "nandu" are alike."""
    if value is None:
        return None
    decomposed = unicodedata.normalize("NFKD", value.casefold())
    # A list is faster: join() would ask a generator for each character.
    return "".join([char for char in decomposed if not unicodedata.combining(char)])


# Cached, because the same names are in the selects of every page.
@lru_cache(maxsize=10_000)
def _folded(text: str) -> str:
    return fold(text) or ""


def sort_key(text: object) -> str:
    """Return a key that sorts texts as people expect: "ámbar" comes before "Zebra"."""
    return _folded(str(text))
