"""Looking: a client that answers what viewers may ask and nothing else, with whatever is to be changed in its answers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import attrs

from headrace.instance import Instance
from headrace.model.deployments import Deployment
from headrace.model.logs import LogLine
from headrace.model.results import ResultReference
from headrace.model.runs import FlowRun
from headrace.model.tokens import Scope
from headrace.ports.client import Kind, OpenClient, operations

if TYPE_CHECKING:
    from headrace.results import Results

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


class _Reading:
    """Results, which are read and not kept."""

    def __init__(self, results: "Results", change: Change) -> None:
        self._results = results
        self._change = change

    def read(self, reference: ResultReference) -> Any:
        """A value that was kept. Raises ResultUnreadable, ResultNotKept."""
        return self._change(self._results.read(reference))


def looked_at(house: Instance, change: Change) -> Instance:
    """The same house, in which nothing can be done, and whose answers are changed, and values of results."""
    client, results = cast(OpenClient, _Looking(house.client, change)), cast("Results", _Reading(house.results, change))
    return attrs.evolve(house, client=client, results=results)


def without_logs(answer: Any) -> Any:
    """An answer in which nothing is that a run has said."""
    is_log = isinstance(answer, list) and all(isinstance(each, LogLine) for each in answer)
    return [] if is_log else answer


def without_parameters(answer: Any) -> Any:
    """An answer in which runs and deployments have no values of parameters."""
    if isinstance(answer, list):
        return [without_parameters(each) for each in answer]
    if isinstance(answer, FlowRun):
        return attrs.evolve(answer, parameters={})
    if isinstance(answer, Deployment):
        return attrs.evolve(answer, parameters={}, parameter_schema={})
    return answer
