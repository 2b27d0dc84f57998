"""Tags: sorted, without doubles."""

from collections.abc import Iterable

from headrace.errors import WrongData

Tags = tuple[str, ...]


def as_tags(given: Iterable[str]) -> Tags:
    """Tags in their one shape. A bare text is refused, since it would become one tag a letter."""
    if isinstance(given, str):
        raise WrongData(where="tags", why=f"a list of texts is needed, not the text {given!r}; write [{given!r}]")
    if not isinstance(given, Iterable):
        raise WrongData(where="tags", why=f"a list of texts is needed, not {given!r}")
    tags = tuple(given)
    for tag in tags:
        if not isinstance(tag, str) or not tag:
            raise WrongData(where="tags", why=f"every tag is a text of at least one character, not {tag!r}")
        if not tag.isascii() and any("\ud800" <= character <= "\udfff" for character in tag):
            raise WrongData(where="tags", why=f"{tag!r} is no text that UTF-8 can hold; write it in the encoding of your terminal")
    return tuple(sorted(set(tags)))
