"""One task run: how it is and was, where its values came from and its result is, and what it said."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import islice

from headrace.errors import NotFound
from headrace.model.filters import LogFilter, Page, TaskRunFilter
from headrace.model.results import RESULTS, ResultReference
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.states import State
from headrace_dashboard.log_lines import LogLines
from headrace_dashboard.view import View

MOST_INPUTS = 100
MOST_STATES = 100


class TaskRunPage(View):
    """One of them."""

    template = "task_run.html"
    section = "flow-runs"
    live = ("flow-run.",)

    @cached_property
    def run(self) -> TaskRun:
        return self.client.read_task_run(self.place("run_id"))

    @property
    def title(self) -> str:  # type: ignore[override]
        return self.run.name

    @property
    def subjects(self) -> Sequence[str]:  # type: ignore[override]
        return tuple(dict.fromkeys((self.flow_run.id, self.flow_run.root_id)))

    @cached_property
    def flow_run(self) -> FlowRun:
        """The run that it is part of."""
        return self.client.read_flow_run(self.run.flow_run_id)

    @cached_property
    def subflow(self) -> FlowRun | None:
        """The run of the flow that it called, if it called one that is still there."""
        child = self.run.child_flow_run_id or self.run.state.child_flow_run_id
        return self._flow_run(child) if child else None

    @cached_property
    def states(self) -> Sequence[State]:
        """The last that it was, the last one first."""
        return self.client.read_states(self.run.id)[: -MOST_STATES - 1 : -1]

    # Where its values came from

    @cached_property
    def inputs(self) -> Mapping[str, Sequence[TaskRun]]:
        """For each parameter the task runs that its value came from, as far as they are still there."""
        return {name: tuple(self._sources[each] for each in ids if each in self._sources) for name, ids in self.run.inputs.items() if ids}

    @cached_property
    def _sources(self) -> Mapping[str, TaskRun]:
        ids = tuple(islice(dict.fromkeys(each for ids in self.run.inputs.values() for each in ids), MOST_INPUTS))
        return {run.id: run for run in self.client.read_task_runs(TaskRunFilter(ids=ids), Page(limit=MOST_INPUTS))} if ids else {}

    def untold(self, name: str) -> int:
        """How many more task runs the value of a parameter came from."""
        return len(self.run.inputs[name]) - len(self.inputs[name])

    # Where its result is

    @property
    def result(self) -> ResultReference | None:
        """Where it is kept; never what it is."""
        return self.run.state.reference

    @property
    def is_cached(self) -> bool:
        """Whether its result is that of another task run."""
        return self.run.state.is_completed() and self.run.state.name == "Cached"

    @cached_property
    def kept_by(self) -> TaskRun | FlowRun | None:
        """Whose result it is, if it is another's and that one is still there."""
        reference = self.result
        if reference is None or reference.kept_by is None or not self.is_cached:
            return None
        root_id, _, run_id = (reference.key or "").partition(RESULTS)[2].partition("/")
        if run_id == self.run.id:
            return None
        try:
            return self.client.read_task_run(run_id)
        except NotFound:
            return self._flow_run(root_id)

    def _flow_run(self, run_id: str) -> FlowRun | None:
        try:
            return self.client.read_flow_run(run_id)
        except NotFound:
            return None

    @cached_property
    def log(self) -> LogLines:
        """What it said."""
        return LogLines(self, LogFilter(task_run_id=self.run.id))
