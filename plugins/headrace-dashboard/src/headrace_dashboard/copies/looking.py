"""Looking: a client that answers what viewers may ask and nothing else, with whatever is to be changed in its answers."""

from collections.abc import Callable
from typing import Any, cast

import attrs

from headrace.instance import Instance
from headrace.model.deployments import Deployment
from headrace.model.runs import FlowRun
from headrace.model.tokens import Scope
from headrace.ports.client import Kind, OpenClient, operations

Change = Callable[[Any], Any]


class _Looking:
    """The operations of a client that only look."""

    def __init__(self, client: OpenClient, change: Change) -> None:
        self._client = client
        self._change = change

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = operations().get(name)
        if operation is None or operation.scope is not Scope.VIEWER or operation.kind is not Kind.ASK:
            raise AttributeError(f"{name} is nothing that a copy is made of")
        ask = getattr(self._client, name)
        return lambda *given, **named: self._change(ask(*given, **named))


def looked_at(house: Instance, change: Change) -> Instance:
    """The same house, in which nothing can be done, and whose answers are changed."""
    return attrs.evolve(house, client=cast(OpenClient, _Looking(house.client, change)))


def without_parameters(answer: Any) -> Any:
    """An answer in which runs and deployments have no values of parameters."""
    if isinstance(answer, list):
        return [without_parameters(each) for each in answer]
    if isinstance(answer, FlowRun):
        return attrs.evolve(answer, parameters={})
    if isinstance(answer, Deployment):
        return attrs.evolve(answer, parameters={}, parameter_schema={})
    return answer
