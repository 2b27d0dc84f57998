"""Specs: what a deployment is to be, as people write it, and as it is understood."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import attrs

from headrace.errors import WrongSpec
from headrace.hooks.registry import Registry
from headrace.model.choices import Choice
from headrace.model.deployments import UNIVERSAL
from headrace.model.names import checked_name
from headrace.model.tags import Tags, as_tags
from headrace.packaging.loading import is_flow
from headrace.wire.parameters import plain_parameters
from headrace.wire.plain import to_plain


@attrs.frozen(kw_only=True)
class DeploymentSpec:
    """What a deployment is to be. Made in a file, it is deployed by `headrace deployment create FILE`.

    One of `flow_location` (a script), `flow` (a flow object) and `entrypoint` (`module:name`) says which flow; `flow_name` which one of several in a
    script. `project_root` is a folder that travels whole; without it a script travels alone, and an entrypoint means code that is installed where it
    runs. `flow_runner`, `flow_storage` and `schedule` are values of installed classes, names, or mappings with `type` and options. Relative
    paths start from the folder of the file.
    """

    name: str | None = None
    flow_location: str | os.PathLike[str] | None = None
    flow: Any = None
    flow_name: str | None = None
    tags: Iterable[str] = ()
    parameters: Mapping[str, Any] = attrs.field(factory=dict)
    schedule: Any = None
    flow_runner: Any = None
    flow_storage: Any = None
    description: str | None = None
    project_root: str | os.PathLike[str] | None = None
    entrypoint: str | None = None

    def __attrs_post_init__(self) -> None:
        collected = _COLLECTED.get()
        if collected is not None:
            collected.append((self, _caller()))


FIELDS = tuple(field.name for field in attrs.fields(DeploymentSpec))

Collected = list[tuple[DeploymentSpec, str]]
_COLLECTED: ContextVar[Collected | None] = ContextVar("headrace_specs", default=None)


@contextmanager
def collected() -> Iterator[Collected]:
    """Inside, every spec that is made is noted, with the place where it was made."""
    specs: Collected = []
    token = _COLLECTED.set(specs)
    try:
        yield specs
    finally:
        _COLLECTED.reset(token)


def _caller() -> str:
    """The line that made a spec: the nearest outside of what made the class."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.startswith("<attrs "):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}, line {frame.f_lineno}"


@attrs.frozen(kw_only=True)
class Spec:
    """A spec as it is understood: paths are absolute, choices are by name and options, parameters are plain data.

    `where` is the place it was written at. `pickled` is a flow that no file has, written by the serializer of that name into the file
    `flow_location`.
    """

    where: str
    name: str | None = None
    flow_location: str | None = None
    flow_name: str | None = None
    tags: Tags = ()
    parameters: Mapping[str, Any] = attrs.field(factory=dict)
    schedule: Choice | None = None
    flow_runner: Choice = Choice(UNIVERSAL)  # noqa: RUF009 - a frozen value
    flow_storage: Choice | None = None
    description: str | None = None
    project_root: str | None = None
    entrypoint: str | None = None
    pickled: str | None = None


def understood(spec: DeploymentSpec, *, where: str, folder: Path, registry: Registry) -> Spec:
    """The spec without anything that only its author's process has. Raises WrongSpec and what the registry raises."""
    given = {name: getattr(spec, name) for name in ("flow_location", "flow", "entrypoint") if getattr(spec, name) is not None}
    if not given:
        raise WrongSpec(where=where, why="it names no flow; give flow_location, flow or entrypoint")
    location, flow_name = spec.flow_location, spec.flow_name
    if spec.flow is not None:
        location, flow_name = _of_flow(spec, where)
    if spec.entrypoint is not None and (location is not None or ":" not in spec.entrypoint):
        raise WrongSpec(where=where, why="entrypoint is module:name, and stands in place of flow_location and flow")
    try:
        tags = as_tags(spec.tags)
        name = None if spec.name is None else checked_name("deployment", spec.name)
    except Exception as error:
        raise WrongSpec(where=where, why=str(error)) from error
    return Spec(
        where=where,
        name=name,
        flow_location=None if location is None else _absolute(location, folder),
        flow_name=_text(flow_name, "flow_name", where),
        tags=tags,
        parameters=_parameters(spec.parameters, where),
        schedule=_choice("schedule", spec.schedule, where, registry),
        flow_runner=_choice("flow runner", spec.flow_runner, where, registry) or Choice(UNIVERSAL),
        flow_storage=_choice("storage", spec.flow_storage, where, registry),
        description=_text(spec.description, "description", where),
        project_root=None if spec.project_root is None else _absolute(spec.project_root, folder),
        entrypoint=_text(spec.entrypoint, "entrypoint", where),
    )


def _of_flow(spec: DeploymentSpec, where: str) -> tuple[str | os.PathLike[str] | None, str]:
    if not is_flow(spec.flow):
        raise WrongSpec(where=where, why=f"flow must be what @flow makes, not {spec.flow!r}; give a script as flow_location")
    name: str = spec.flow.name
    if spec.flow_name not in (None, name):
        raise WrongSpec(where=where, why=f"flow_name is {spec.flow_name!r}, and the flow's own name is {name!r}")
    return spec.flow_location or file_of(spec.flow), name


def file_of(flow: Any) -> str | None:
    """The script that a flow was written in; None where there is none, as in a notebook."""
    code = getattr(flow.definition.function, "__code__", None)
    file = code.co_filename if code is not None else ""
    return file if file.endswith(".py") and os.path.isfile(file) else None


def _absolute(path: Any, folder: Path) -> str:
    return os.path.abspath(os.path.join(folder, os.path.expanduser(path)))


def _text(value: Any, name: str, where: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise WrongSpec(where=where, why=f"{name} must be text, not {value!r}")
    return value


def _parameters(given: Any, where: str) -> dict[str, Any]:
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise WrongSpec(where=where, why=f"parameters must be values by name, not {given!r}")
    plain = plain_parameters(given)
    for name, value in given.items():
        if isinstance(plain[name], str) and not isinstance(value, str) and plain[name].startswith("<"):
            raise WrongSpec(where=where, why=f"parameter {name!r} must be plain data, which JSON can hold, not {value!r}")
    return plain


def _choice(port: str, given: Any, where: str, registry: Registry) -> Choice | None:
    """A name, a mapping with `type`, or a value of a class that is installed; as name and options that have been tried."""
    if given is None:
        return None
    if isinstance(given, str):
        choice = Choice(given)
    elif isinstance(given, Mapping):
        options = {name: value for name, value in given.items() if name != "type"}
        if not isinstance(given.get("type"), str):
            raise WrongSpec(where=where, why=f"a {port} is a mapping with the name of its type, as {{type: …}}, not {dict(given)!r}")
        inner = options.get("config")
        choice = Choice(given["type"], dict(inner) if options.keys() == {"config"} and isinstance(inner, Mapping) else options)
    elif isinstance(given, type):
        choice = registry.choice_of(port, given())
    else:
        choice = registry.choice_of(port, given)
    registry.make(port, choice)
    plain = to_plain(choice)
    return Choice(plain["name"], plain["options"])
