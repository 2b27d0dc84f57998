"""Specs: what a deployment is to be, as people write it, and as it is understood."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import attrs

from headrace.deploying.choices import understood_choice
from headrace.deploying.lines import Line
from headrace.deploying.schedules import check_different, rows_of, understood_schedule
from headrace.errors import HeadraceError, InvalidName, InvalidOption, SpecsRefused, WrongData, WrongSpec
from headrace.hooks.registry import Registry
from headrace.model.choices import Choice
from headrace.model.coercion import shown
from headrace.model.deployments import UNIVERSAL
from headrace.model.names import checked_name
from headrace.model.schedules import DeploymentSchedule
from headrace.model.tags import Tags, as_tags
from headrace.packaging.loading import is_flow, name_in
from headrace.wire.parameters import is_whole, plain_parameters

T = TypeVar("T")

FAIL, RETRY = "fail", "retry"
"""What becomes of a run whose process has crashed."""

RESTARTS = 3
"""How often a run is started anew where that is wanted and nothing is said."""


@attrs.frozen(kw_only=True)
class DeploymentSpec:
    """What a deployment is to be. Made in a file, it is deployed by `headrace deployment create FILE`.

    One of `flow_location` (a script), `flow` (a flow object) and `entrypoint` (`module:name`) says which flow; `flow_name` which one of several in a
    script. `project_root` is a folder that travels whole; without it a script travels alone, and an entrypoint means code that is installed where it
    runs. `flow_runner` and `flow_storage` are values of installed classes, names, or mappings with `type` and options; so is `schedule`, which may be a
    ScheduleSpec too, or a list. Relative paths start from the folder of the file. `on_crash="retry"` starts a run anew whose process has crashed,
    `max_restarts` times (3).
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
    on_crash: str = FAIL
    max_restarts: int | None = None

    def __new__(cls, **given: Any) -> "DeploymentSpec":
        for name in given:
            if name not in FIELDS:
                raise WrongSpec(where=_caller(), why=f"{name!r} is no key of a deployment{near(name, FIELDS)}")
        return super().__new__(cls)

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


def near(name: Any, names: Iterable[str]) -> str:
    """What was meant, perhaps, or else what there is, to be added to a sentence."""
    from difflib import get_close_matches  # needed after a slip only

    known = tuple(names)
    meant = get_close_matches(str(name), known, n=1)
    return f"; did you mean {meant[0]!r}?" if meant else f"; its keys are: {', '.join(known)}"


def _caller() -> str:
    """The line that made a spec: the nearest outside of what made the class."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.startswith("<attrs "):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}, line {frame.f_lineno}"


@attrs.frozen(kw_only=True)
class Spec:
    """A spec as it is understood: paths are absolute, choices are by name and options, parameters are plain data.

    `where` is the place it was written at, `parameter_lines` those of parameters that stand on lines of their own. `pickled` is a flow that no file has,
    written by the serializer of that name into the file `flow_location`.
    """

    where: str
    name: str | None = None
    flow_location: str | None = None
    flow_name: str | None = None
    tags: Tags = ()
    parameters: Mapping[str, Any] = attrs.field(factory=dict)
    schedules: tuple[DeploymentSchedule, ...] = ()
    flow_runner: Choice = Choice(UNIVERSAL)  # noqa: RUF009 - a frozen value
    flow_storage: Choice | None = None
    description: str | None = None
    project_root: str | None = None
    entrypoint: str | None = None
    pickled: str | None = None
    max_restarts: int = 0
    parameter_lines: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class SpecFile:
    """What a file of specs says, and the faults of those specs that are not to be understood."""

    specs: tuple[Spec, ...] = ()
    faults: tuple[str, ...] = ()


def all_understood(
    written: Iterable[tuple[Callable[[], DeploymentSpec], Line]],
    *,
    folder: Path,
    registry: Registry,
    finish: Callable[[Spec, DeploymentSpec], Spec],
) -> SpecFile:
    """Every spec that can be understood, and what is wrong with the others; `finish` has the last word on each."""
    specs: list[Spec] = []
    faults: list[str] = []
    for make, line in written:
        try:
            spec = make()
            specs.append(finish(understood(spec, line=line, folder=folder, registry=registry), spec))
        except SpecsRefused as refused:
            faults += refused.faults
        except HeadraceError as error:
            faults.append(_fault(error, line))
    return SpecFile(specs=tuple(specs), faults=tuple(faults))


def understood(spec: DeploymentSpec, *, line: Line, folder: Path, registry: Registry) -> Spec:
    """The spec without anything that only its author's process has. Raises SpecsRefused, with every fault it has."""
    faults: list[str] = []

    def tried(there: Line, read: Callable[..., T | None], *given: Any) -> T | None:
        try:
            return read(*given, there)
        except HeadraceError as error:
            faults.append(_fault(error, there))
            return None

    at = line.of
    location, flow_name = tried(line, _flow, spec, folder) or (None, None)
    schedules = [tried(at("schedule").of(number), _schedule, row, registry) for number, row in enumerate(rows_of(spec.schedule))]
    understood = Spec(
        where=line.where,
        name=tried(at("name"), _name, spec.name),
        flow_location=location,
        flow_name=flow_name,
        tags=tried(at("tags"), _tags, spec.tags) or (),
        parameters=tried(at("parameters"), _parameters, spec.parameters) or {},
        schedules=tried(at("schedule"), _different, [each for each in schedules if each is not None]) or (),
        flow_runner=tried(at("flow_runner"), _choice, "flow runner", spec.flow_runner, registry) or Choice(UNIVERSAL),
        flow_storage=tried(at("flow_storage"), _choice, "storage", spec.flow_storage, registry),
        description=tried(at("description"), _text, "description", spec.description),
        project_root=tried(at("project_root"), _path, "project_root", spec.project_root, folder),
        entrypoint=tried(at("entrypoint"), _entrypoint, spec.entrypoint),
        max_restarts=tried(line, _restarts, spec.on_crash, spec.max_restarts) or 0,
        parameter_lines=_lines(spec.parameters, line),
    )
    if faults:
        raise SpecsRefused(faults=tuple(faults))
    return understood


def _fault(error: HeadraceError, line: Line) -> str:
    """What is wrong with what stands at a line; an option of it may have a line of its own."""
    if isinstance(error, WrongSpec):
        return str(error)
    return f"{(line.of(error.option) if isinstance(error, InvalidOption) else line).where}: {error}"


def _flow(spec: DeploymentSpec, folder: Path, line: Line) -> tuple[str | None, str | None]:
    """The script of the flow, where there is one, and its name, where it is known."""
    where = line.where
    location = _path("flow_location", spec.flow_location, folder, line.of("flow_location"))
    flow_name = _flow_name(spec.flow_name, line.of("flow_name"))
    if spec.entrypoint is not None and (location is not None or spec.flow is not None):
        raise WrongSpec(where=where, why="entrypoint stands in place of flow_location and flow; give one of them")
    if spec.flow is None and location is None and spec.entrypoint is None:
        raise WrongSpec(where=where, why="it names no flow; give flow_location, flow or entrypoint")
    if spec.flow is None:
        return location, flow_name
    if not is_flow(spec.flow):
        raise WrongSpec(where=where, why=f"flow must be what @flow makes, not {shown(spec.flow)}; give a script as flow_location")
    if flow_name not in (None, spec.flow.name):
        raise WrongSpec(where=where, why=f"flow_name is {flow_name!r}, and the flow's own name is {spec.flow.name!r}")
    script = script_of(spec.flow)
    if location is not None and (script is None or not os.path.exists(location) or not os.path.samefile(script, location)):
        raise WrongSpec(where=where, why=f"flow {spec.flow.name!r} is not of {spec.flow_location}; give flow or flow_location, not both")
    return script, spec.flow.name


def script_of(flow: Any) -> str | None:
    """The script at whose top the flow has a name; None where there is none: it was made in a notebook, say, or by a function."""
    module = sys.modules.get(flow.definition.function.__module__)
    file = getattr(module, "__file__", None) or ""
    has_name = module is not None and name_in(vars(module), flow) is not None
    return os.path.abspath(file) if has_name and file.endswith(".py") and os.path.isfile(file) else None


def _name(given: Any, line: Line) -> str | None:
    name = _text("name", given, line)
    return None if name is None else checked_name("deployment", name)


def _flow_name(given: Any, line: Line) -> str | None:
    name = _text("flow_name", given, line)
    try:
        return None if name is None else checked_name("flow", name)
    except InvalidName as error:
        raise WrongSpec(where=line.where, why=str(error)) from error


def _schedule(given: Any, registry: Registry, line: Line) -> DeploymentSchedule:
    return understood_schedule(given, line, registry)


def _different(schedules: Sequence[DeploymentSchedule], line: Line) -> tuple[DeploymentSchedule, ...]:
    check_different(schedules, line.where)
    return tuple(schedules)


def _choice(port: str, given: Any, registry: Registry, line: Line) -> Choice | None:
    return understood_choice(port, given, line.where, registry)


def _tags(given: Any, line: Line) -> Tags:
    if not isinstance(given, Iterable) or isinstance(given, Mapping):
        raise WrongSpec(where=line.where, why=f"tags must be a list of texts, not {shown(given)}")
    try:
        return as_tags(given)
    except WrongData as error:
        raise WrongSpec(where=line.where, why=str(error)) from error


def _path(name: str, given: Any, folder: Path, line: Line) -> str | None:
    if given is None:
        return None
    if not isinstance(given, (str, os.PathLike)) or not isinstance(os.fspath(given), str) or not os.fspath(given).strip():
        raise WrongSpec(where=line.where, why=f"{name} must be a path, not {shown(given)}")
    return os.path.abspath(os.path.join(folder, os.path.expanduser(given)))


def _text(name: str, value: Any, line: Line) -> str | None:
    if value is not None and not isinstance(value, str):
        raise WrongSpec(where=line.where, why=f"{name} must be text, not {shown(value)}")
    return value


def _entrypoint(given: Any, line: Line) -> str | None:
    written = _text("entrypoint", given, line)
    if written is None:
        return None
    module, _, name = written.partition(":")
    if not name or not all(part.isidentifier() for part in module.split(".")):
        raise WrongSpec(where=line.where, why=f"entrypoint must be module:name, such as 'shop.flows:nightly', not {written!r}")
    return written


def _restarts(on_crash: Any, given: Any, line: Line) -> int:
    if on_crash not in (FAIL, RETRY):
        raise WrongSpec(where=line.of("on_crash").where, why=f"on_crash must be {FAIL!r} or {RETRY!r}, not {shown(on_crash)}")
    if given is None:
        return RESTARTS if on_crash == RETRY else 0
    where = line.of("max_restarts").where
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise WrongSpec(where=where, why=f"max_restarts must be a whole number from 1, not {shown(given)}")
    if on_crash == FAIL:
        raise WrongSpec(where=where, why=f"max_restarts says how often, and goes with on_crash={RETRY!r}")
    return given


def _lines(given: Any, line: Line) -> dict[str, str]:
    found = {name: line.of("parameters").of(name).where for name in given} if isinstance(given, Mapping) else {}
    return {name: where for name, where in found.items() if isinstance(name, str) and where != line.where}


def _parameters(given: Any, line: Line) -> dict[str, Any]:
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise WrongSpec(where=line.where, why=f"parameters must be values by name, not {shown(given)}")
    plain = plain_parameters(given)
    lost = [name for name, value in plain.items() if not is_whole(value)]
    if lost:
        why = f"parameter {lost[0]!r} must be plain data, which JSON can hold, and {shown(given[lost[0]])} is or holds something else"
        raise WrongSpec(where=line.of(lost[0]).where, why=why)
    return plain
