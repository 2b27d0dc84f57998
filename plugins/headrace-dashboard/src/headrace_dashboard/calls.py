"""What a flow run called: its task runs, and where one of them is the call of a flow, the run of that, with what it called in turn."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import attrs

from headrace.model.filters import FlowRunFilter, Page, TaskRunFilter
from headrace.model.runs import FlowRun, TaskRun
from headrace.ports.client import OpenClient

MOST_RUNS = 200
"""In all."""

DEEPEST = 3
"""How many subflows within each other are looked into."""


@attrs.frozen
class Call:
    """A task run, or in its place the run of the flow that it called, with the calls in that."""

    run: TaskRun | FlowRun
    inner: "Sequence[Call]" = ()

    @property
    def is_flow(self) -> bool:
        """Whether it is the run of a flow."""
        return isinstance(self.run, FlowRun)


def calls_of(client: OpenClient, tasks: Sequence[TaskRun]) -> Sequence[Call]:
    """Those of the task runs of a run, whose subflows are asked for level by level."""
    flows: dict[str, FlowRun] = {}
    within: dict[str, list[TaskRun]] = defaultdict(list)
    level, left = tasks, MOST_RUNS - len(tasks)
    for _ in range(DEEPEST):
        ids = tuple(dict.fromkeys(child for task in level if (child := _child(task)) is not None))[:MOST_RUNS]
        if not ids:
            break
        flows |= {run.id: run for run in client.read_flow_runs(FlowRunFilter(ids=ids), Page(limit=len(ids)))}
        wanted = TaskRunFilter(flow_run_ids=ids)
        level = client.read_task_runs(wanted, Page(limit=left, newest_first=False)) if left > 0 else []
        left -= len(level)
        for task in level:
            within[task.flow_run_id].append(task)
    return _calls(tasks, flows, within)


def _child(task: TaskRun) -> str | None:
    return task.child_flow_run_id or task.state.child_flow_run_id


def _calls(tasks: Sequence[TaskRun], flows: Mapping[str, FlowRun], within: Mapping[str, Sequence[TaskRun]]) -> Sequence[Call]:
    found = []
    for task in tasks:
        flow = flows.get(_child(task) or "")
        found.append(Call(task) if flow is None else Call(flow, _calls(within.get(flow.id, ()), flows, within)))
    return found
