"""Reading a file of specs, whatever it is written in."""

import sys
from collections.abc import Iterable
from pathlib import Path

from headrace.deploying.child import asked
from headrace.deploying.spec import Spec, understood
from headrace.errors import HeadraceError, SpecsRefused, WrongSpec
from headrace.hooks.registry import Registry
from headrace.wire.plain import from_plain

MODULE = "headrace.deploying.collecting"


def read_specs(file: Path, *, registry: Registry, blocked: Iterable[str], folder: Path) -> list[Spec]:
    """The specs of a file; `folder` is where flows are put that no file has. Raises WrongSpec, CodeUnusable, SpecsRefused."""
    if file.suffix not in (".py", ".yaml", ".yml"):
        raise WrongSpec(where=str(file), why="a file of specs ends with .py, .yaml or .yml")
    if not file.is_file():
        raise WrongSpec(where=str(file), why="there is no such file")
    file = file.resolve()
    specs = _of_python(file, blocked, folder) if file.suffix == ".py" else _of_yaml(file, registry)
    if not specs:
        raise WrongSpec(where=file.name, why="it makes no DeploymentSpec, so there is nothing to deploy")
    return specs


def _of_python(file: Path, blocked: Iterable[str], folder: Path) -> list[Spec]:
    question = {"file": str(file), "folder": str(folder), "blocked": list(blocked)}
    answer = asked(MODULE, question, what=file.name, python=sys.executable, folder=file.parent)
    return [from_plain(Spec, row) for row in answer]


def _of_yaml(file: Path, registry: Registry) -> list[Spec]:
    from headrace.deploying.yaml_specs import yaml_specs  # who writes Python need not load YAML

    specs: list[Spec] = []
    faults: list[str] = []
    for spec, where in yaml_specs(file):
        try:
            specs.append(understood(spec, where=where, folder=file.parent, registry=registry))
        except WrongSpec as error:
            faults.append(str(error))
        except HeadraceError as error:
            faults.append(f"{where}: {error}")
    if faults:
        raise SpecsRefused(faults=tuple(faults))
    return specs
