"""Verifying: the code of a spec is laid out and imported in a clean process, with the Python that will run it."""

import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from headrace.deploying.child import asked
from headrace.deploying.spec import Spec
from headrace.errors import HeadraceError, WrongSpec
from headrace.hooks.registry import Registry
from headrace.packaging.script import tree_of_script
from headrace.packaging.tree import Tree, tree_of_file, tree_of_folder
from headrace.packaging.unpacking import copied
from headrace.ports.flow_runner import FlowRunner

MODULE = "headrace.deploying.describing"


@attrs.frozen(kw_only=True)
class Described:
    """What became known of a flow by importing it; without that, what its spec says."""

    entrypoint: str
    flow_name: str
    flow_version: str | None = None
    description: str | None = None
    retries: int = 0
    retry_delay: float = 0.0
    parameter_schema: Mapping[str, Any] = attrs.field(factory=dict)
    parameters: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Source:
    """The code of a spec before it is described: a tree or what is installed, and where in it the flow is. `folder` is where the tree comes from."""

    tree: Tree | None
    entrypoint: str
    flow_name: str | None
    serializer: str | None
    what: str
    folder: Path | None = None

    @property
    def identity(self) -> tuple[str | None, ...]:
        """What sources that need be imported only once have in common."""
        return (self.tree.manifest.sha256 if self.tree is not None else None, self.entrypoint, self.flow_name, self.serializer)


def source_of(spec: Spec, trees: dict[str, Tree]) -> Source:
    """Finds the files that travel; `trees` keeps those that were looked at. Raises CodeUnusable, WrongSpec."""
    if spec.pickled is not None:
        file = Path(spec.flow_location or "")
        tree = tree_of_file(file, what=f"flow {spec.flow_name!r}")
        return Source(tree=tree, entrypoint=file.name, flow_name=spec.flow_name, serializer=spec.pickled, what=f"flow {spec.flow_name!r}")
    if spec.project_root is not None:
        return _of_project(spec, Path(spec.project_root), trees)
    if spec.entrypoint is not None:
        return Source(
            tree=None, entrypoint=spec.entrypoint, flow_name=spec.flow_name, serializer=None, what=f"entrypoint {spec.entrypoint!r}"
        )
    script = _script(spec)
    if str(script) not in trees:
        trees[str(script)] = tree_of_script(script)
    return Source(
        tree=trees[str(script)],
        entrypoint=script.stem,
        flow_name=spec.flow_name,
        serializer=None,
        what=f"script {script.name!r}",
        folder=script.parent,
    )


def _of_project(spec: Spec, root: Path, trees: dict[str, Tree]) -> Source:
    root = root.resolve()
    if str(root) not in trees:
        trees[str(root)] = tree_of_folder(root)
    tree, entrypoint = trees[str(root)], spec.entrypoint
    if entrypoint is None:
        script = _script(spec)
        if not script.is_relative_to(root):
            raise WrongSpec(where=spec.where, why=f"flow_location {script} does not lie in project_root {root}")
        path = script.relative_to(root)
        if path.as_posix() not in tree.sources:
            raise WrongSpec(where=spec.where, why=f"{path} is left out of what travels; see the ignore files in {root}")
        entrypoint = _module(path, spec.where)
    return Source(tree=tree, entrypoint=entrypoint, flow_name=spec.flow_name, serializer=None, what=f"project {root.name!r}", folder=root)


def _module(path: Path, where: str) -> str:
    parts = path.with_suffix("").parts
    if any("." in part for part in parts):
        raise WrongSpec(where=where, why=f"{path} has dots in its name, which part packages in Python; rename it")
    return ".".join(parts).removesuffix(".__init__")


def _script(spec: Spec) -> Path:
    location = Path(spec.flow_location or "")
    if location.suffix != ".py":
        raise WrongSpec(where=spec.where, why=f"flow_location must be a Python script, whose name ends with .py, not {location.name!r}")
    if not location.is_file():
        raise WrongSpec(where=spec.where, why=f"there is no script {location}")
    return location.parent.resolve() / location.name  # a link keeps its own name


@attrs.frozen(kw_only=True)
class Place:
    """Where a spec's code is imported to see whether it can be: by which Python, with which variables of its own."""

    python: str
    variables: tuple[tuple[str, str], ...] = ()


def place_of(spec: Spec, registry: Registry) -> Place:
    """What the spec's flow runner would use on this machine, else this Python. Raises what the runner says."""
    runner: FlowRunner = registry.make("flow runner", spec.flow_runner)
    try:
        python = runner.interpreter or sys.executable
    except HeadraceError as error:
        raise WrongSpec(where=spec.where, why=f"{error}; where it is on another machine only, deploy with --no-verify") from error
    own = spec.flow_runner.options.get("env")
    variables = own.items() if isinstance(own, Mapping) else ()
    return Place(python=python, variables=tuple(sorted((str(name), str(value)) for name, value in variables)))


def _environment(source: Source, place: Place) -> dict[str, str]:
    """The environment of the child, in which the folder that the code comes from is not to be found."""
    kept = [
        path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(path) and not _overlaps(path, source.folder)
    ]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(kept), **dict(place.variables)}


def _overlaps(path: str, folder: Path | None) -> bool:
    place = Path(path).resolve()
    return folder is not None and (place.is_relative_to(folder) or folder.is_relative_to(place))


@attrs.frozen(kw_only=True)
class NotTaken:
    """Why a flow does not take some parameters, and which one that is about, if it is about one."""

    why: str
    parameter: str


def described(source: Source, sets: Iterable[Mapping[str, Any]], *, place: Place, blocked: Iterable[str]) -> list[Described | NotTaken]:
    """What importing tells, for each set of parameters: or why the flow does not take it. Raises CodeUnusable."""
    with tempfile.TemporaryDirectory(prefix="headrace-") as name:
        folder = Path(name, "tree").resolve()  # where a run would work
        folder.mkdir()
        if source.tree is not None:
            copied(source.tree, folder)
        question = {
            "root": None if source.tree is None else str(folder),
            "entrypoint": source.entrypoint,
            "flow_name": source.flow_name,
            "serializer": source.serializer,
            "what": source.what,
            "blocked": list(blocked),
            "parameters": [dict(parameters) for parameters in sets],
        }
        environment = _environment(source, place)
        answer = asked(MODULE, question, what=source.what, python=place.python, folder=folder, environment=environment)
    each = answer.pop("parameters")
    return [
        NotTaken(why=taken["fault"], parameter=taken["parameter"]) if "fault" in taken else Described(**answer, parameters=taken["values"])
        for taken in each
    ]


def undescribed(spec: Spec, source: Source) -> Described:
    """What can be said without importing. Raises WrongSpec where the flow's name is not written down."""
    name = spec.flow_name
    if name is None:
        raise WrongSpec(where=spec.where, why="without verifying, the flow's name is not known; give flow_name")
    is_whole = ":" in source.entrypoint or source.serializer is not None
    return Described(
        entrypoint=source.entrypoint if is_whole else f"{source.entrypoint}:{name}", flow_name=name, parameters=spec.parameters
    )
