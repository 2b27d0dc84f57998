"""What can be given as an option."""

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from headrace.errors import InvalidOption

if TYPE_CHECKING:
    import attrs

WHERE = "SubprocessFlowRunner"

LEAST_MEMORY = 64_000_000
"""A Python with headrace alone needs some tens of megabytes."""

_MEMORY = re.compile(r"([0-9]+(?:\.[0-9]+)?) *([kmgt]?)(i?)b?", re.IGNORECASE)
_LETTERS = " kmgt"


def absolute(_: object, field: "attrs.Attribute[Any]", value: str | None) -> None:
    """A path that means the same wherever an agent is started."""
    if value is not None and not value.startswith(("/", "~")):
        raise _wrong(field, value, "it must begin with / or ~, since nobody knows in which folder an agent is started")


def truth(_: object, field: "attrs.Attribute[Any]", value: object) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise _wrong(field, value, "it must be true or false")


def patterns(_: object, field: "attrs.Attribute[Any]", value: object) -> None:
    """Names of variables, or None."""
    if value is None:
        return
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(each, str) and each for each in value):
        raise _wrong(field, value, "it must be a list of names, in which * stands for anything, such as [PATH, 'AWS_*']")


def listed(value: Any) -> Any:
    """A list as a value that does not change."""
    return tuple(value) if isinstance(value, list) else value


def memory(_: object, field: "attrs.Attribute[Any]", value: Any) -> None:
    """An amount of memory in which something can run, or None."""
    if value is None:
        return
    count = in_bytes(value)
    if count is None:
        raise _wrong(field, value, "it must be a number of bytes, or one with a unit, such as 512MB, 2GB or 1.5GiB")
    if count < LEAST_MEMORY:
        raise _wrong(field, value, f"a Python with headrace alone needs some tens of megabytes; give it at least {LEAST_MEMORY // 10**6}MB")


def seconds(_: object, field: "attrs.Attribute[Any]", value: Any) -> None:
    """A whole number of them, or None."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise _wrong(field, value, "it must be a whole number of seconds, from 1 on")


def in_bytes(value: Any) -> int | None:
    """Memory in bytes; None where it is not said. 1 kB is 1000 bytes, 1 KiB is 1024."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    found = _MEMORY.fullmatch(str(value).strip())
    if found is None or (found[3] and not found[2]):
        return None
    return int(float(found[1]) * (1024 if found[3] else 1000) ** _LETTERS.index((found[2] or " ").lower()))


def folder(written: str) -> str:
    """A folder that is there and can be worked in. Raises InvalidOption."""
    found = os.path.expanduser(written)
    why = ""
    if not os.path.isdir(found):
        why = f"there is no folder {found} on this machine; make it, or choose another"
    elif not os.access(found, os.X_OK):
        why = f"folder {found} may not be entered; change its permissions, or choose another"
    if why:
        raise InvalidOption(where=WHERE, option="working_dir", value=written, why=why)
    return found


def _wrong(field: "attrs.Attribute[Any]", value: object, why: str) -> InvalidOption:
    return InvalidOption(where=WHERE, option=field.name, value=value, why=why)
