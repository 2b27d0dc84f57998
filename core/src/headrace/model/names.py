"""What things may be called."""

from headrace.errors import InvalidName

FORBIDDEN = frozenset("/%&<>")


def checked_name(what: str, name: str) -> str:
    """The name, if it may be one. Raises InvalidName: it appears in paths and addresses, so some characters are refused."""
    if not isinstance(name, str) or not name.strip() or FORBIDDEN & set(name) or not name.isprintable():
        raise InvalidName(what=what, name=str(name))
    return name
