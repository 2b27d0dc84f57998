"""The child that imports code as a run would, in a clean process: it tells what the flow is and takes."""

import sys
from pathlib import Path
from typing import Any

import attrs

from headrace.deploying.child import answering
from headrace.deploying.interruptions import interruptions_told
from headrace.errors import CodeUnusable, HeadraceError
from headrace.hooks.registry import Registry
from headrace.model.choices import Choice
from headrace.model.definitions import FlowDefinition
from headrace.model.parameters import Signature
from headrace.packaging.loading import entrypoint_of, loaded_flow, read_flow
from headrace.wire.parameters import is_whole, plain_parameters
from headrace.wire.schemas import parameter_schema


def described(question: dict[str, Any]) -> dict[str, Any]:
    """What the flow of the code is; and for each set of parameters, the values as it takes them, or why not."""
    root = None if question["root"] is None else Path(question["root"])
    with interruptions_told(question["what"], root):
        return _described(question, root)


def _described(question: dict[str, Any], root: Path | None) -> dict[str, Any]:
    what, entrypoint = question["what"], question["entrypoint"]
    if question["serializer"] is not None:
        assert root is not None, "a flow that was written lies in a tree"
        serializer = Registry(blocked=question["blocked"], runs_code=True).make("serializer", Choice(question["serializer"]))
        flow = read_flow(root / entrypoint, serializer, what=what)
    else:
        flow = loaded_flow(root, entrypoint, what=what, flow_name=question["flow_name"])
        entrypoint = entrypoint if ":" in entrypoint else entrypoint_of(flow, entrypoint)
    definition = flow.definition
    _check_task_runner(definition, question)
    return {
        "entrypoint": entrypoint,
        "flow_name": flow.name,
        "flow_version": flow.version,
        "description": definition.description,
        "retries": definition.retries,
        "retry_delay": definition.retry_delay_seconds,
        "parameter_schema": parameter_schema(definition.signature, validated=definition.validate_parameters),
        "parameters": [_taken(definition, parameters) for parameters in question["parameters"]],
    }


def _check_task_runner(definition: FlowDefinition, question: dict[str, Any]) -> None:
    """Refuses the name of a task runner that there is not; a value has its class, so that is there."""
    wanted = definition.task_runner
    name = wanted.name if isinstance(wanted, Choice) else wanted
    if isinstance(name, str):
        try:
            Registry(blocked=question["blocked"], runs_code=True).offer("task runner", name)
        except HeadraceError as error:
            why = f"{error}; where it is installed only where the flow runs, deploy with --no-verify"
            raise CodeUnusable(what=question["what"], why=why) from None


def _taken(definition: FlowDefinition, parameters: dict[str, Any]) -> dict[str, Any]:
    """The values as the flow takes them; as they are, where it does not want them to be looked at."""
    signature = definition.signature if definition.validate_parameters else _names_alone(definition.signature)
    try:
        plain = plain_parameters(signature.validated(f"flow {definition.name!r}", parameters))
    except HeadraceError as error:
        return {"fault": str(error), "parameter": getattr(error, "name", "")}
    # a value that JSON has no word for, such as a pattern, stays as it was written, and is read again when the flow runs
    lost = [name for name, value in plain.items() if not is_whole(value)]
    return {"values": {**plain, **{name: parameters[name] for name in lost}} if parameters.keys() >= set(lost) else parameters}


def _names_alone(signature: Signature) -> Signature:
    return Signature(parameters=tuple(attrs.evolve(parameter, annotation=Any) for parameter in signature.parameters))


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    answering(described)
