"""Options of jobs, checked: one sentence says what is wrong with each."""

import re
from collections.abc import Mapping, Sequence
from shlex import split
from typing import TYPE_CHECKING, Any

from headrace.errors import InvalidOption
from headrace_kubernetes.names import MANAGED, OWN
from headrace_kubernetes.patches import wrong

if TYPE_CHECKING:
    import attrs

    Field = attrs.Attribute[Any]

WHERE = "flow runner 'kubernetes'"
POLICIES = ("Always", "IfNotPresent", "Never")

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_VARIABLE = re.compile(r"[-._A-Za-z][-._A-Za-z0-9]*")
_QUANTITY = re.compile(r"([0-9]+(\.[0-9]*)?|\.[0-9]+)(m|k|[MGTPE]|[KMGTPE]i)?")
_LONGEST_LABEL, _LONGEST_NAME = 63, 253


def refused(field: "Field", value: object, why: str) -> InvalidOption:
    """The error of an option that cannot be used."""
    return InvalidOption(where=WHERE, option=field.name, value=value, why=why)


# How they are written


def words(value: Any) -> Any:
    """A command as a tuple, if it was written as a line or a list."""
    if isinstance(value, str):
        try:
            return tuple(split(value))
        except ValueError:  # an open quote; told by the check
            return value
    return listed(value)


def listed(value: Any) -> Any:
    """A list as a value that nobody can change."""
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


# What can be used


def text(_: object, field: "Field", value: object) -> None:
    """A line that is not empty, or nothing."""
    if value is not None and (not isinstance(value, str) or not value.strip() or not value.isprintable()):
        raise refused(field, value, "it must be text, and not empty")


def namespace(_: object, field: "Field", value: object) -> None:
    """A namespace as Kubernetes names them."""
    if value is not None and not _is_name(value, _NAME, _LONGEST_LABEL):
        raise refused(field, value, "it must be up to 63 lower-case letters, digits and hyphens, and neither begin nor end with a hyphen")


def object_name(_: object, field: "Field", value: object) -> None:
    """The name of something in the namespace."""
    if value is not None and not _is_name(value, _SUBDOMAIN, _LONGEST_NAME):
        raise refused(field, value, "it must be a name in Kubernetes: lower-case letters, digits, and single hyphens and dots between them")


def object_names(_: object, field: "Field", value: object) -> None:
    """Names of things in the namespace."""
    if not isinstance(value, tuple) or not all(_is_name(name, _SUBDOMAIN, _LONGEST_NAME) for name in value):
        raise refused(
            field, value, "it must be a list of names in Kubernetes: lower-case letters, digits, and single hyphens and dots between them"
        )


def labels(_: object, field: "Field", value: Any) -> None:
    """Labels as Kubernetes takes them, none of them such as runs are known by."""
    if not _are_texts(value):
        raise refused(field, value, "it must be names with values, all of them text")
    for name, said in value.items():
        prefix, slash, rest = name.rpartition("/")
        if not _is_name(rest, _LABEL_NAME, _LONGEST_LABEL) or (slash and not _is_name(prefix, _SUBDOMAIN, _LONGEST_NAME)):
            raise refused(
                field, value, f"{name!r} is no name of a label: 63 letters, digits and ._- at most, perhaps with a domain and / before it"
            )
        if said and not _is_name(said, _LABEL_NAME, _LONGEST_LABEL):
            raise refused(
                field, value, f"{said!r} is no value of a label, which has 63 letters, digits and ._- at most; an annotation may hold it"
            )
        if name.startswith(OWN) or name == MANAGED:
            raise refused(field, value, f"{name} is one of the labels by which runs are known")


def variables(runner: object, field: "Field", value: Any) -> None:
    """Variables as Kubernetes takes them."""
    from headrace.processes.environment import checked_variables

    checked_variables(runner, field, value)
    unusual = why_no_variables(value)
    if unusual:
        raise refused(field, value, unusual)


def why_no_variables(names: Any) -> str:
    """Why Kubernetes does not take variables of these names; empty where it does."""
    found = [name for name in names if not _VARIABLE.fullmatch(name)]
    return (
        f"Kubernetes does not take {found[0]!r} as a variable: it has letters, digits and ._- in it, and begins with no digit"
        if found
        else ""
    )


def pull_policy(_: object, field: "Field", value: object) -> None:
    """One of three words, or nothing."""
    if value is not None and value not in POLICIES:
        raise refused(field, value, f"it must be one of {', '.join(POLICIES)}")


def seconds(_: object, field: "Field", value: object) -> None:
    """A whole number of seconds, or nothing."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31):
        raise refused(field, value, "it must be a whole number of seconds")


def positive_seconds(runner: object, field: "Field", value: object) -> None:
    """At least one second, or nothing."""
    seconds(runner, field, value)
    if value == 0:
        raise refused(field, value, "it must be one second at least")


def quantity(_: object, field: "Field", value: object) -> None:
    """A quantity as Kubernetes writes them, or nothing."""
    if value is None:
        return
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value) or not re.search(r"[1-9]", value):
        raise refused(
            field, value, "it must be a quantity as Kubernetes writes them, such as 500m or 2 for processors, 512Mi or 2Gi for memory"
        )


def command(_: object, field: "Field", value: object) -> None:
    """A program and its arguments, or nothing."""
    if value is None:
        return
    if not isinstance(value, tuple) or not value or not all(isinstance(word, str) and word and "\0" not in word for word in value):
        raise refused(field, value, "it must be what the container runs, such as [python, -m, headrace.engine]")


def truth(_: object, field: "Field", value: object) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise refused(field, value, "it must be true or false")


def job(_: object, field: "Field", value: object) -> None:
    """A Job, or as much of one as is to be different."""
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise refused(field, value, "it must be a mapping: a Job of Kubernetes, or as much of one as is said")
    kind = (value.get("apiVersion", "batch/v1"), value.get("kind", "Job"))
    if kind != ("batch/v1", "Job"):
        raise refused(field, value, f"it is a {kind[1]} of {kind[0]}, and must be a Job of batch/v1")
    for name in ("metadata", "spec"):
        if not isinstance(value.get(name, {}), Mapping):
            raise refused(field, value, f"its {name} must be a mapping")
    template = value.get("spec", {}).get("template", {})
    spec = template.get("spec", {}) if isinstance(template, Mapping) else None
    if not isinstance(spec, Mapping):
        raise refused(field, value, "its spec.template.spec must be a mapping")
    containers = spec.get("containers", [])
    if not isinstance(containers, (list, tuple)) or not all(isinstance(each, Mapping) for each in containers):
        raise refused(field, value, "its containers must be a list of mappings")


def customizations(_: object, field: "Field", value: object) -> None:
    """Patches of a Job."""
    if not isinstance(value, tuple):
        raise refused(field, value, "it must be a list of patches")
    for each in value:
        why = wrong(each)
        if why:
            raise refused(field, each, why)


def _is_name(value: object, pattern: re.Pattern[str], longest: int) -> bool:
    return isinstance(value, str) and len(value) <= longest and pattern.fullmatch(value) is not None


def _are_texts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(text, str) for pair in value.items() for text in pair)
