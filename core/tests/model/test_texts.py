"""Texts that somebody asks for."""

from typing import Any

import pytest

from headrace.errors import WrongData
from headrace.model.texts import as_texts, quoted, said_by, text_of


@pytest.mark.parametrize(
    ("given", "kept"),
    [("a", ["a"]), (["a"], ["a"]), (("b", "a"), ["a", "b"]), (["b", "a", "b"], ["a", "b"]), ([" ", "水車", "a\nb"], [" ", "a\nb", "水車"])],
)
def test_texts_are_sorted_and_each_is_there_once(given: Any, kept: list[str]) -> None:
    """One text or several become a list without doubles, sorted."""
    assert as_texts(given, where="here") == kept


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("", "every item is a text of at least one character, not ''"),
        ([], 'one text is needed, or a list of one text or more, such as ["a", "b"]; this is []'),
        (None, 'one text is needed, or a list of one text or more, such as ["a", "b"]; this is None'),
        ({"a": 1}, """one text is needed, or a list of one text or more, such as ["a", "b"]; this is {'a': 1}"""),
        (["a", 1], "every item is a text of at least one character, not 1"),
        ("\udcff", "'\\udcff' is no text that UTF-8 can hold; write it in the encoding of your terminal"),
    ],
)
def test_anything_else_is_refused(given: Any, why: str) -> None:
    """The refusal says where, what is accepted, and what was given instead."""
    with pytest.raises(WrongData) as raised:
        as_texts(given, where="here")
    assert (raised.value.where, raised.value.why) == ("here", why)


def test_quoted_texts_stay_on_their_line() -> None:
    """Side by side, in quotation marks, with their control characters shown."""
    assert quoted(["a", "it's", "b\nc"]) == """'a', "it's", 'b\\nc'"""
    assert quoted([]) == ""


def test_what_an_exception_says() -> None:
    """Its kind and its text, or that it has none, whatever its own methods do."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("nothing to say")

    class Wrong(Exception):
        def __str__(self) -> str:
            return 5  # type: ignore[return-value]  # noqa: PLE0307

    assert said_by(ValueError("too low")) == "ValueError: too low"
    assert said_by(Mute()) == "Mute: <its text cannot be made>"
    assert text_of(Wrong("x")) == "<its text cannot be made>"
