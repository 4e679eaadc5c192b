"""What text may be stored, and how it is compared."""

import pytest

from core.text import clean_text, fold


@pytest.mark.parametrize("text", ["", "plain", "ñandú 🦤", "a\nb", "\ufeff", "\u202e"])
def test_text_that_every_database_stores_stays_as_it_is(text):
    assert clean_text(text) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("a\x00b", "NUL characters are not allowed.", id="nul"),
        pytest.param("\ud800", "This is not valid Unicode text.", id="half-a-character"),
    ],
)
def test_text_that_no_database_stores_is_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        clean_text(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("Ñandú", "NANDU", id="accents"),
        pytest.param("STRASSE", "straße", id="sharp-s"),
        pytest.param("cafe\u0301", "CAFÉ", id="composed-and-not"),
        pytest.param("ΣΊΣΥΦΟΣ", "σίσυφος", id="greek"),
        pytest.param("ﬁn", "FIN", id="ligature"),
    ],
)
def test_texts_that_a_reader_takes_for_the_same_are_alike(one, other):
    assert fold(one) == fold(other)


def test_what_is_no_text_has_nothing_to_fold():
    assert fold(None) is None
    assert fold("") == ""
    assert fold("漢字") == "漢字"
