"""Options of containers, checked: one sentence says what is wrong with each."""

import re
from collections.abc import Mapping, Sequence
from shlex import split
from typing import TYPE_CHECKING, Any, TypeGuard

from headrace.errors import InvalidOption
from headrace_docker.images import POLICIES, parsed

if TYPE_CHECKING:
    import attrs

    Field = attrs.Attribute[Any]

WHERE = "flow runner 'docker'"
OWN_LABELS = "headrace."
"""How the labels begin by which containers of runs are known."""

_MEMORY = re.compile(r"[1-9][0-9]*[bkmg]?", re.IGNORECASE)
_UNITS = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_LEAST_MEMORY = 6 << 20
_VOLUME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_NETWORK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_VOLUME_MODES = frozenset({"ro", "rw", "z", "Z", "nocopy", "consistent", "cached", "delegated"})
_PROPAGATION = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})


def refused(field: "Field", value: object, why: str) -> InvalidOption:
    """The error of an option that cannot be used."""
    return InvalidOption(where=WHERE, option=field.name, value=value, why=why)


# How they are written


def words(value: Any) -> Any:
    """A command as a list, if it was written as a line."""
    if isinstance(value, str):
        try:
            return tuple(split(value))
        except ValueError:  # an open quote; told by the check
            return value
    return tuple(value) if isinstance(value, Sequence) else value


def listed(value: Any) -> Any:
    """A list as a value that nobody can change."""
    return tuple(value) if isinstance(value, (list, tuple)) else value


def memory_bytes(written: str) -> int:
    """How many bytes `512m` is."""
    number, unit = written[:-1], written[-1].lower()
    return int(number) * _UNITS[unit] if unit in _UNITS else int(written)


# What can be used


def image_name(_: object, field: "Field", value: object) -> None:
    """An image as registries and engines name it."""
    if not isinstance(value, str) or not value:
        raise refused(field, value, "it must be the name of an image, such as team/flows:1.2")
    try:
        parsed(value)
    except ValueError as error:
        raise refused(field, value, str(error)) from None


def command_words(_: object, field: "Field", value: object) -> None:
    """How Python is called, and with which module."""
    if not isinstance(value, tuple) or not all(isinstance(word, str) and word and "\0" not in word for word in value):
        raise refused(field, value, "it must be a list of words, or a line of them")
    if "-m" not in value[1:-1]:
        raise refused(
            field, value, "it must be how Python is called in the image, and -m headrace.engine, as in python3 -m headrace.engine"
        )


def pull_policy(_: object, field: "Field", value: object) -> None:
    """One of three words, or nothing."""
    if value is not None and value not in POLICIES:
        raise refused(field, value, f"it must be one of {', '.join(POLICIES)}")


def truth(_: object, field: "Field", value: object) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise refused(field, value, "it must be true or false")


def label_texts(_: object, field: "Field", value: object) -> None:
    """Names with values, none of them such as runs are known by."""
    if not _are_texts(value):
        raise refused(field, value, "it must be names with values, all of them text")
    if any(name.startswith(OWN_LABELS) for name in value):
        raise refused(field, value, f"labels that begin with {OWN_LABELS} are those by which runs are known")


def host_addresses(_: object, field: "Field", value: object) -> None:
    """Names of machines with their addresses."""
    if not _are_texts(value) or not all(name and address and " " not in name + address for name, address in value.items()):
        raise refused(field, value, "it must be names of machines with their addresses, such as {db: 10.0.0.7}")


def network_names(_: object, field: "Field", value: object) -> None:
    """Names of networks that somebody has made."""
    if not isinstance(value, tuple) or not all(isinstance(name, str) and _NETWORK.fullmatch(name) for name in value):
        raise refused(field, value, "it must be a list of names of networks")
    if len(set(value)) < len(value):
        raise refused(field, value, "a network stands in it twice")


def network_mode(runner: Any, field: "Field", value: object) -> None:
    """`host`, `none`, `bridge`, that of another container, or a network; not beside networks."""
    if value is None:
        return
    name = value.removeprefix("container:") if isinstance(value, str) else ""
    if not _NETWORK.fullmatch(name):
        raise refused(field, value, "it must be host, bridge, none, container:NAME or the name of a network")
    if runner.networks:
        raise refused(field, value, "networks are chosen too, and either says which network a container is in")


def volume_specs(_: object, field: "Field", value: object) -> None:
    """Each as `/on/this/machine:/in/the/container:ro`, or with the name of a volume before the colon."""
    if not isinstance(value, tuple):
        raise refused(field, value, "it must be a list, each as /on/this/machine:/in/the/container, perhaps with :ro behind it")
    for spec in value:
        why = _wrong_volume(spec)
        if why:
            raise refused(field, spec, why)


def _wrong_volume(spec: object) -> str:
    parts = spec.split(":") if isinstance(spec, str) else []
    if len(parts) not in (2, 3) or not all(parts):
        return "it must be as /on/this/machine:/in/the/container, perhaps with :ro behind it"
    source, target, *modes = parts
    if not source.startswith("/") and not _VOLUME.fullmatch(source):
        return "before the colon there must be a path that begins with /, since nobody knows in which folder an agent is started, or the name of a volume"
    if not target.startswith("/") or target.strip("/") == "":
        return "behind the colon there must be a path in the container that begins with /, and not / itself"
    if modes and set(modes[0].split(",")) - _VOLUME_MODES - _PROPAGATION:
        return "behind the second colon there may be ro or rw"
    return ""


def memory_limit(_: object, field: "Field", value: object) -> None:
    """A number of bytes with a unit."""
    if value is None:
        return
    if not isinstance(value, str) or not _MEMORY.fullmatch(value):
        raise refused(field, value, "it must be a whole number of bytes, or with k, m or g behind it, such as 512m")
    if memory_bytes(value) < _LEAST_MEMORY:
        raise refused(field, value, f"no container begins with less than {_LEAST_MEMORY >> 20}m")


def cpu_limit(_: object, field: "Field", value: object) -> None:
    """How many processors, in parts too."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.01 <= value <= 10_000:
        raise refused(field, value, "it must be a number of processors from 0.01, such as 1.5")


def user_name(_: object, field: "Field", value: object) -> None:
    """A user of the image, by name or number."""
    if value is not None and (not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_.-]+(:[A-Za-z0-9_.-]+)?", value)):
        raise refused(field, value, "it must be a user as the image knows it, by name or number, perhaps with :group behind it")


def _are_texts(value: object) -> TypeGuard[Mapping[str, str]]:
    return isinstance(value, Mapping) and all(isinstance(text, str) for pair in value.items() for text in pair)
