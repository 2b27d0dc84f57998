"""Texts that somebody asks for, in their one shape; and what is told, as sentences have it."""

from collections.abc import Iterable
from typing import Any

from headrace.errors import WrongData

LONGEST = 4000
"""Characters of an exception's text that are told; the whole of it is in the traceback."""


def as_texts(given: Any, *, where: str) -> list[str]:
    """One text, or a list of them, as a list: sorted, without doubles. Raises WrongData for anything else, and where nothing is asked for."""
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, (list, tuple)) or not texts:
        raise WrongData(where=where, why=f'one text is needed, or a list of one text or more, such as ["a", "b"]; this is {given!r}')
    for text in texts:
        if not isinstance(text, str) or not text:
            raise WrongData(where=where, why=f"every item is a text of at least one character, not {text!r}")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise WrongData(where=where, why=f"{text!r} is no text that UTF-8 can hold; write it in the encoding of your terminal")
    return sorted({str(text) for text in texts})


def quoted(texts: Iterable[str]) -> str:
    """Texts side by side, each in quotation marks."""
    return ", ".join(map(repr, texts))


def said_by(error: BaseException) -> str:
    """An exception by its kind and its text."""
    return f"{type(error).__name__}: {text_of(error)}"


def text_of(error: BaseException) -> str:
    """The text of an exception; making it is up to user code, which may fail at that too."""
    try:
        text = str(error)
    except Exception:
        return "<its text cannot be made>"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text) - LONGEST} more characters)"
