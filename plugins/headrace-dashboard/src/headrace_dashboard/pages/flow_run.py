"""One flow run: how it is and was, what it said, what it did, and what may be done with it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from headrace.errors import NotFound
from headrace.model.deployments import Deployment
from headrace.model.explanations import Explanation
from headrace.model.filters import LogFilter, all_of
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.states import State
from headrace_dashboard.assets import HEADERS
from headrace_dashboard.calls import calls_of
from headrace_dashboard.charts import Timeline, timeline_of
from headrace_dashboard.forms import Form
from headrace_dashboard.graph import Graph, graph_of
from headrace_dashboard.log_lines import LogLines
from headrace_dashboard.outcome import Outcome
from headrace_dashboard.pages.flow_runs import changed, is_retryable
from headrace_dashboard.shown_tasks import ShownTasks
from headrace_dashboard.view import Done, View, as_json

MOST_VERSIONS = 100
"""Among so many of the last versions of its deployment is looked for the one that it ran."""


class FlowRunPage(View):
    """One flow run."""

    template = "flow_run.html"
    at = "flow-run"
    section = "flow-runs"
    live = ("flow-run.",)

    @cached_property
    def run(self) -> FlowRun:
        return self.client.read_flow_run(self.place("run_id"))

    @property
    def title(self) -> str:  # type: ignore[override]
        return self.run.name

    @property
    def subjects(self) -> Sequence[str]:  # type: ignore[override]
        return tuple({self.run.id, self.run.root_id})

    @cached_property
    def deployment(self) -> Deployment | None:
        """Of which it is a run, if that is still there."""
        if self.run.deployment_id is None:
            return None
        try:
            return self.client.read_deployment(self.run.deployment_id)
        except NotFound:
            return None

    @cached_property
    def code(self) -> Deployment | None:
        """The version of the deployment that it runs, which was the newest when its process began last; None where that is not known any more."""
        if self.deployment is None or self._began is None or self.deployment.updated <= self._began:
            return self.deployment
        versions = self.client.read_deployment_versions(self.deployment.id, MOST_VERSIONS)
        return next((each for each in versions if each.updated <= self._began), None)

    @property
    def _began(self) -> datetime | None:
        """When it began in the process that has it, or had it last."""
        begun: datetime | None = None
        for state in self.states:
            if state.is_running():
                begun = state.timestamp
            elif state.is_pending() and begun is not None:
                break
        return begun

    @cached_property
    def outcome(self) -> Outcome:
        """What came of it."""
        return Outcome(self, self.run)

    @cached_property
    def parent(self) -> FlowRun | None:
        """The run that it is a subflow of."""
        if self.run.parent_task_run_id is None:
            return None
        try:
            return self.client.read_flow_run(self.client.read_task_run(self.run.parent_task_run_id).flow_run_id)
        except NotFound:
            return None

    @cached_property
    def states(self) -> Sequence[State]:
        """All that it was, the last one first."""
        return self.client.read_states(self.run.id)[::-1]

    @cached_property
    def explanation(self) -> Explanation | None:
        """Why it is not running; None where it is, or has ended."""
        return self.client.explain_flow_run(self.run.id) if not self.run.state.is_terminal() else None

    @property
    def parameters(self) -> str:
        return as_json(self.run.parameters)

    # What it did

    @cached_property
    def shown_tasks(self) -> ShownTasks:
        return ShownTasks.of(self.client, self.run.id)

    @property
    def tasks(self) -> Sequence[TaskRun]:
        """Its task runs, as far as they are shown."""
        return self.shown_tasks.runs

    @cached_property
    def timeline(self) -> Timeline:
        return timeline_of(calls_of(self.client, self.tasks), self.run.start_time, self.run.end_time or self.now)

    @cached_property
    def graph(self) -> Graph:
        return graph_of(self.tasks)

    @cached_property
    def log(self) -> LogLines:
        """What it said."""
        return LogLines(self, LogFilter(flow_run_ids=(self.run.id,)))

    # What can be done

    @property
    def may_be_retried(self) -> bool:
        """Whether that is offered."""
        return is_retryable(self.run) and self.deployment is not None

    def do_cancel(self, _: Form) -> Done:
        """Has it stopped."""
        refused = changed(self, self.run, "cancel")
        return Done(f"It was not cancelled: {refused}" if refused else f"{self.run.name} is being cancelled.", is_good=not refused)

    def do_retry(self, _: Form) -> Done:
        """Has it started again; what finished in it is not computed again."""
        changed(self, self.run, "retry")
        return Done(f"{self.run.name} is tried again.")

    def do_resume(self, _: Form) -> Done:
        """Lets it go on."""
        self.client.resume_flow_run(self.run.id, self.house.ids.new())
        return Done(f"{self.run.name} goes on.")

    def do_delete(self, _: Form) -> Done:
        """Forgets it."""
        name = self.run.name
        changed(self, self.run, "delete")
        return Done(f"{name} was deleted.", to=self.link("flow-runs"))


class LogFile(View):
    """All that a run said, as a file."""

    title = "Log"

    def answer(self) -> Response:
        run = self.client.read_flow_run(self.place("run_id"))
        headers = {**HEADERS, "Content-Disposition": f"attachment; filename*=UTF-8''{quote(run.name, safe='')}.log.txt"}
        return StreamingResponse(self.text(), media_type="text/plain; charset=utf-8", headers=headers)

    def text(self) -> Iterator[str]:
        """Line by line, however many there are."""
        run_id = self.place("run_id")
        for line in all_of(self.client.read_logs, LogFilter(flow_run_ids=(run_id,)), at_once=1000, newest_first=False):
            yield f"{line.timestamp.isoformat()} {line.level:>3} {line.logger}: {line.message}\n"
