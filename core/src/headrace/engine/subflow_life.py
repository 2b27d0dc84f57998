"""The life of a subflow's place in its parent: a task run there, whose trying is the life of the child flow run."""

from collections.abc import Mapping
from typing import Any

import attrs

from headrace.engine.flow_life import FlowLife
from headrace.engine.live_run import LiveRun
from headrace.engine.steps import Steps
from headrace.engine.task_life import TaskLife
from headrace.errors import HeadraceError
from headrace.model.definitions import FlowDefinition, TaskDefinition
from headrace.model.states import State


class SubflowLife(TaskLife):
    """A flow that was called in a flow run. The child says for itself when it begins and ends."""

    announces = False

    def __init__(self, live: LiveRun, flow: FlowDefinition, args: tuple[Any, ...], kwargs: Mapping[str, Any], user_loop: Any) -> None:
        self._flow = flow
        self._user_loop = user_loop
        self._wrong_call: tuple[tuple[Any, ...], Mapping[str, Any]] | None = None
        try:
            arguments = flow.signature.bind(f"flow {flow.name!r}", args, kwargs)
        except HeadraceError:
            self._wrong_call, arguments = (args, kwargs), {}
        super().__init__(live, _as_task(flow), arguments)

    def _started(self) -> Steps[State]:
        args, kwargs = self._wrong_call or self._flow.signature.call_arguments(self._parameters)
        self._child = FlowLife(
            self._house,
            self._flow,
            args,
            kwargs,
            parent=self._live,
            parent_task_run_id=self.run.id,
            user_loop=self._user_loop,
        )
        self.run = attrs.evolve(self.run, child_flow_run_id=self._child.run.id)
        return (yield from super()._started())

    def _tried(self) -> Steps[State]:
        state = yield from self._child.life()
        return attrs.evolve(state, timestamp=None, child_flow_run_id=self._child.run.id)


def _as_task(flow: FlowDefinition) -> TaskDefinition:
    return TaskDefinition(
        function=flow.function,
        name=flow.name,
        version=flow.version,
        signature=flow.signature,
        persist_result=flow.persist_result,
    )
