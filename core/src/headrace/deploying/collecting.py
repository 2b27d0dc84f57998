"""The child that runs a Python file of specs: it tells which specs were made."""

import sys
from pathlib import Path
from typing import Any

import attrs

from headrace.deploying.child import answering
from headrace.deploying.spec import DeploymentSpec, Spec, collected, understood
from headrace.errors import WrongSpec
from headrace.hooks.registry import Registry
from headrace.model.choices import Choice
from headrace.packaging.loading import loaded_module
from headrace.wire.plain import to_plain

SERIALIZER = "pickle"


def specs_made(question: dict[str, Any]) -> list[Any]:
    """The specs that a file makes, as plain data; flows that no file has are written into the folder that is given."""
    file, folder = Path(question["file"]), Path(question["folder"])
    registry = Registry(blocked=question["blocked"], runs_code=True)
    with collected() as specs:
        loaded_module(file.parent, file.stem, what=file.name)
    made = [_spec(spec, where, file.parent, registry) for spec, where in specs]
    return [
        to_plain(_pickled(spec, raw, folder / f"{number}", registry))
        for number, (spec, (raw, _)) in enumerate(zip(made, specs, strict=True))
    ]


def _spec(spec: DeploymentSpec, where: str, folder: Path, registry: Registry) -> Spec:
    return understood(spec, where=where, folder=folder, registry=registry)


def _pickled(spec: Spec, raw: DeploymentSpec, folder: Path, registry: Registry) -> Spec:
    """The spec with its flow in a file, where it was in none."""
    if raw.flow is None or spec.flow_location is not None:
        return spec
    if spec.project_root is not None:
        raise WrongSpec(
            where=spec.where, why=f"flow {spec.flow_name!r} lies in no file, so it cannot travel with project_root; write it to a script"
        )
    file = folder / f"{spec.flow_name}.pickle"
    file.parent.mkdir(parents=True)
    serializer = registry.make("serializer", Choice(SERIALIZER))
    with open(file, "wb") as content:
        serializer.dump(raw.flow, content)
    return attrs.evolve(spec, flow_location=str(file), pickled=SERIALIZER)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    answering(specs_made)
