"""Reading a file of specs, whatever it is written in."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from headrace.deploying.child import asked
from headrace.deploying.spec import SpecFile, all_understood
from headrace.errors import WrongSpec
from headrace.hooks.registry import Registry
from headrace.wire.plain import from_plain

MODULE = "headrace.deploying.collecting"


def read_specs(file: Path, *, registry: Registry, blocked: Iterable[str], folder: Path) -> SpecFile:
    """The specs of a file; `folder` is where flows are put that no script has. Raises WrongSpec, CodeUnusable, SpecsRefused where there are none."""
    if not file.is_file():
        raise WrongSpec(where=str(file), why="it is no file" if file.exists() else "there is no such file")
    if file.suffix not in (".py", ".yaml", ".yml"):
        raise WrongSpec(where=str(file), why="what it is cannot be told by its name; a file of specs ends with .py, .yaml or .yml")
    file = file.parent.resolve() / file.name
    found = _of_python(file, blocked, folder) if file.suffix == ".py" else _of_yaml(file, registry)
    if not found.specs and not found.faults:
        advice = "make a DeploymentSpec in it" if file.suffix == ".py" else "write a mapping, with flow_location and what else it needs,"
        raise WrongSpec(where=file.name, why=f"no deployment specs found; {advice} for each deployment")
    return found


def _of_python(file: Path, blocked: Iterable[str], folder: Path) -> SpecFile:
    question = {"file": str(file), "folder": str(folder), "blocked": list(blocked)}
    answer = asked(MODULE, question, what=file.name, python=sys.executable, folder=file.parent, environment=os.environ)
    return from_plain(SpecFile, answer)


def _of_yaml(file: Path, registry: Registry) -> SpecFile:
    from headrace.deploying.yaml_specs import yaml_specs  # who writes Python need not load YAML

    return all_understood(yaml_specs(file), folder=file.parent, registry=registry, finish=lambda spec, _: spec)
