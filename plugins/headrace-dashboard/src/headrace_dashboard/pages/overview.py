"""The overview: what ran and how it ended, what is late or failing, and how queues and agents are."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property

from headrace.model.counts import CountFilter, FlowRunCounts
from headrace.model.deployments import Deployment
from headrace.model.filters import DeploymentFilter, FlowRunFilter, Page, WorkQueueFilter
from headrace.model.runs import FlowRun
from headrace.model.states import StateType
from headrace_dashboard.charts import History, history_of
from headrace_dashboard.pages.flow_runs import deployments_of
from headrace_dashboard.queue_health import QueueHealth, health_of
from headrace_dashboard.view import View

WINDOWS = {"6h": timedelta(hours=6), "1d": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}
ROWS = 8
FIRST = datetime(2000, 1, 1, tzinfo=UTC)
"""No run is older."""

MOST_QUEUES = 20


class OverviewPage(View):
    """The first page."""

    template = "overview.html"
    at = "overview"
    title = "Overview"
    variants = tuple({"window": name} for name in WINDOWS)
    live = ("flow-run.", "work-queue.", "agent.")
    every = 10

    @cached_property
    def window(self) -> str:
        """How far back is looked."""
        return self.asked("window") if self.asked("window") in WINDOWS else "1d"

    @cached_property
    def begin(self) -> datetime:
        """Raises InvalidOption."""
        return max(self.moment("from") or self.now - WINDOWS[self.window], FIRST)

    @cached_property
    def end(self) -> datetime:
        """Raises InvalidOption."""
        return min(self.moment("to") or self.now, self.now)

    @property
    def is_zoomed(self) -> bool:
        return self.moment("from") is not None

    @cached_property
    def history(self) -> History:
        return history_of(self.client, self.begin, self.end, wanted=CountFilter())

    @cached_property
    def counts(self) -> Mapping[StateType, int]:
        """How many runs of the window are in which state."""
        found: FlowRunCounts = self.client.count_flow_runs(CountFilter(created_after=self.begin, created_before=self.end))
        counts: dict[StateType, int] = {}
        for state in found.states:
            counts[state.type] = counts.get(state.type, 0) + state.count
        return counts

    @cached_property
    def recent(self) -> Sequence[FlowRun]:
        return self.client.read_flow_runs(FlowRunFilter(root_only=True), Page(limit=ROWS))

    @cached_property
    def failing(self) -> Sequence[FlowRun]:
        wanted = FlowRunFilter(root_only=True, state_types=(StateType.FAILED, StateType.CRASHED), created_after=self.begin)
        return self.client.read_flow_runs(wanted, Page(limit=ROWS))

    @cached_property
    def deployments(self) -> Mapping[str, Deployment]:
        return deployments_of(self, [*self.recent, *self.failing, *self.late])

    @cached_property
    def late(self) -> Sequence[FlowRun]:
        """Runs that wait in queues, and were due before."""
        found = {run.id: run for each in self.queues for run in each.due if run.late_by(self.now)}
        return sorted(found.values(), key=lambda run: (run.state.scheduled_time, run.id))[:ROWS]

    @cached_property
    def queues(self) -> Sequence[QueueHealth]:
        return health_of(self.client, self.client.read_work_queues(WorkQueueFilter(), Page(limit=MOST_QUEUES)), self.now)

    @cached_property
    def is_empty(self) -> bool:
        """Whether there is nothing yet, so that it is told how one begins."""
        return not self.recent and not self.client.read_deployments(DeploymentFilter(), Page(limit=1))
