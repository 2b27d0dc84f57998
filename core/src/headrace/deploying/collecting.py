"""The child that runs a Python file of specs: it tells which specs were made."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import attrs

from headrace.deploying.child import answering
from headrace.deploying.interruptions import interruptions_told
from headrace.deploying.lines import Line
from headrace.deploying.spec import DeploymentSpec, Spec, all_understood, collected
from headrace.errors import CodeUnusable, SpecsRefused, WrongSpec
from headrace.hooks.registry import Registry
from headrace.model.choices import Choice
from headrace.packaging.loading import loaded_file
from headrace.wire.plain import to_plain

SERIALIZER = "pickle"
FILE = "flow.pickle"


def specs_made(question: dict[str, Any]) -> Any:
    """What a file says, as plain data; flows that no script has are written into the folder that is given. Raises SpecsRefused."""
    file, folder = Path(question["file"]), Path(question["folder"])
    registry = Registry(blocked=question["blocked"], runs_code=True)
    with collected() as made:
        try:
            with interruptions_told(file.name, file.parent):
                loaded_file(file, what=file.name)
        except CodeUnusable as error:
            if isinstance(error.__cause__, WrongSpec):  # a spec that could not even be made
                raise SpecsRefused(faults=(str(error.__cause__),)) from None
            is_nowhere = isinstance(error.__cause__, SyntaxError) and not error.__cause__.filename  # such as that of a null byte
            raise SpecsRefused(faults=(f"{file.name}: {error.why}" if is_nowhere else error.why,)) from error.__cause__
    numbers = count()

    def finish(spec: Spec, raw: DeploymentSpec) -> Spec:
        with _own_modules_unknown(file.parent):
            return _pickled(spec, raw, folder / str(next(numbers)), registry)

    written = [(partial(_itself, raw), Line(where=where)) for raw, where in made]
    return to_plain(all_understood(written, folder=file.parent, registry=registry, finish=finish))


def _itself(raw: DeploymentSpec) -> DeploymentSpec:
    return raw


def _pickled(spec: Spec, raw: DeploymentSpec, folder: Path, registry: Registry) -> Spec:
    """The spec with its flow in a file, where no script has it."""
    if raw.flow is None or spec.flow_location is not None:
        return spec
    if spec.project_root is not None:
        why = f"flow {spec.flow_name!r} has no name at the top of a file, so it cannot be found in project_root; give it one"
        raise WrongSpec(where=spec.where, why=why)
    folder.mkdir(parents=True)
    serializer = registry.make("serializer", Choice(SERIALIZER))
    with open(folder / FILE, "wb") as content:
        serializer.dump(raw.flow, content)
    return attrs.evolve(spec, flow_location=str(folder / FILE), pickled=SERIALIZER)


@contextmanager
def _own_modules_unknown(folder: Path) -> Iterator[None]:
    """Inside, modules that lie in the folder seem not to be imported: so what is pickled of them goes along, since it is nowhere else."""
    own = {name: module for name, module in sys.modules.items() if _lies_in(folder, getattr(module, "__file__", None))}
    for name in own:
        del sys.modules[name]
    try:
        yield
    finally:
        sys.modules.update(own)


def _lies_in(folder: Path, file: str | None) -> bool:
    path = Path(file or "")
    return path.is_relative_to(folder) and "site-packages" not in path.parts


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    answering(specs_made)
