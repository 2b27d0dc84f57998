"""What things may be called."""

from headrace.errors import InvalidName

FORBIDDEN = frozenset("/%&<>")
LONGEST = 250


def checked_name(what: str, name: str) -> str:
    """The name, if it may be one. Raises InvalidName: it appears in paths and addresses, so some characters are refused."""
    is_text = isinstance(name, str) and bool(name.strip()) and name.isprintable() and len(name) <= LONGEST
    if not is_text or name.startswith("-") or FORBIDDEN & set(name):
        raise InvalidName(what=what, name=str(name)[: LONGEST + 1])
    return name
