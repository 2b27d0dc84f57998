"""One work queue: what is due, what is under way and who serves it; and the page on which one is made."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from shlex import quote
from urllib.parse import quote as in_path

import attrs

from headrace.errors import HeadraceError, NotFound
from headrace.model.criteria import EVERYTHING, in_words
from headrace.model.deployments import Deployment
from headrace.model.filters import DeploymentFilter, FlowRunFilter, Page, WorkQueueFilter
from headrace.model.queues import WorkQueue
from headrace.model.runs import FlowRun
from headrace.model.states import StateType
from headrace_dashboard.forms import Form
from headrace_dashboard.pages.flow_runs import deployments_of
from headrace_dashboard.pages.work_queues import paused, titles_of
from headrace_dashboard.queue_form import OFFERED, JsonField, Preview, QueueForm, Tick, previewed
from headrace_dashboard.queue_health import QueueHealth, health_of
from headrace_dashboard.view import Done, View

AHEAD = {"1h": timedelta(hours=1), "1d": timedelta(days=1), "7d": timedelta(days=7)}
ROWS = 20
OWNED = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)
"""States of runs that somebody has."""


class _WithForm(View):
    """A page on which a queue is made or changed."""

    @property
    def queue(self) -> WorkQueue:
        """What is changed, or begun with."""
        raise NotImplementedError

    @property
    def form(self) -> QueueForm:
        """What was typed, or what the queue is."""
        return QueueForm.typed(self.typed) if self.is_typed else QueueForm.of(self.queue)

    @property
    def is_typed(self) -> bool:
        """Whether the form was filled in."""
        return self.typed.text("do") in ("preview", "save")

    @cached_property
    def _offered(self) -> Sequence[Deployment]:
        found = self.client.read_deployments(DeploymentFilter(), Page(limit=OFFERED))
        missing = tuple(sorted(self.form.deployments - {each.id for each in found}))[:OFFERED]
        more = self.client.read_deployments(DeploymentFilter(ids=missing), Page()) if missing else []
        return [*found, *more]

    @property
    def deployment_ticks(self) -> Sequence[Tick]:
        return self.form.deployment_ticks(self._offered)

    @property
    def has_more_deployments(self) -> bool:
        return len(self._offered) >= OFFERED

    @property
    def flow_runner_ticks(self) -> Sequence[Tick]:
        return self.form.flow_runner_ticks(self.house)

    @property
    def json_fields(self) -> Sequence[JsonField]:
        return self.form.json_fields(self.house)

    @cached_property
    def preview(self) -> Preview | str:
        """What would match; or why that cannot be told."""
        try:
            return previewed(self.house, self.form.queue(self.house, self.queue))
        except HeadraceError as error:
            return str(error)

    @property
    def deployments(self) -> Mapping[str, Deployment]:
        """Those of the runs shown."""
        return self.preview.deployments if isinstance(self.preview, Preview) else {}

    def do_preview(self, _: Form) -> None:
        """Shows what would match."""


class NewWorkQueuePage(_WithForm):
    """Where a queue is made."""

    template = "work_queue_new.html"
    title = "New work queue"
    section = "work-queues"

    @cached_property
    def queue(self) -> WorkQueue:
        return WorkQueue(id=self.house.ids.new(), name=self.asked("name"), created=self.now, updated=self.now)

    def do_save(self, _: Form) -> Done:
        """Makes it."""
        queue = attrs.evolve(self.form.queue(self.house, self.queue), revision=0)
        kept = self.client.put_work_queue(queue)
        return Done(f"{kept.name} was created.", to=self.link(f"work-queues/{in_path(kept.id, safe='')}"))


class WorkQueuePage(_WithForm):
    """How one is, and changing it."""

    template = "work_queue.html"
    section = "work-queues"
    at = "work-queue"
    variants = tuple({"ahead": name} for name in AHEAD)
    live = ("work-queue.", "flow-run.", "deployment.", "agent.")
    every = 10

    @cached_property
    def queue(self) -> WorkQueue:
        given = self.place("queue_id")
        try:
            return self.client.read_work_queue(given)
        except NotFound:
            found = self.client.read_work_queues(WorkQueueFilter(names=(given,)), Page(limit=1))  # runs know a queue by its name
            if not found:
                raise
            return found[0]

    @property
    def title(self) -> str:  # type: ignore[override]
        return self.queue.name

    @property
    def command(self) -> str:
        """What starts an agent that serves it."""
        return f"headrace agent start {quote(self.queue.name)}"

    # How it is

    @cached_property
    def health(self) -> QueueHealth:
        return health_of(self.client, [self.queue], self.now)[0]

    @cached_property
    def _titles(self) -> Mapping[str, str]:
        return titles_of(self, [self.queue])

    @property
    def wants(self) -> Mapping[str, str]:
        """What each of its matchers looks for, in words."""
        return {name: in_words(wanted, self._titles) for name, wanted in self.queue.criteria.items()} or {"wants": EVERYTHING}

    @cached_property
    def missing(self) -> Sequence[str]:
        """Why criteria of it are satisfied by nothing: their matchers cannot be used here."""
        return [str(error) for name in self.queue.criteria if (error := self._fault(name)) is not None]

    def _fault(self, name: str) -> HeadraceError | None:
        try:
            self.house.registry.load("queue matcher", name)
        except HeadraceError as error:
            return error
        return None

    @property
    def ahead(self) -> str:
        """How far is looked ahead."""
        return self.asked("ahead") if self.asked("ahead") in AHEAD else "1h"

    @cached_property
    def due(self) -> Sequence[FlowRun]:
        """What waits in it, the first due first."""
        until: datetime = self.now + AHEAD[self.ahead]
        return self.client.read_due(self.queue.id, until, ROWS + 1)

    @cached_property
    def under_way(self) -> Sequence[FlowRun]:
        """The first of its runs that somebody has."""
        if self.visit.store is None:
            wanted = FlowRunFilter(work_queues=(self.queue.name,), state_types=OWNED)
            return self.client.read_flow_runs(wanted, Page(limit=ROWS))
        with self.visit.store.reading() as reading:
            return reading.under_way(self.queue.id, ROWS)

    @cached_property
    def deployments(self) -> Mapping[str, Deployment]:
        shown = [*self.due, *self.under_way]
        return {**super().deployments, **deployments_of(self, shown)} if self.is_typed else deployments_of(self, shown)

    # What can be done

    @property
    def is_to_be_deleted(self) -> bool:
        """Whether that is to be said yes to."""
        return self.typed.text("do") == "ask"

    def do_ask(self, _: Form) -> None:
        """Asks whether it is to be deleted."""

    def do_delete(self, _: Form) -> Done:
        """Forgets it, not its runs."""
        name = self.queue.name
        self.client.delete_work_queue(self.queue.id)
        return Done(f"{name} was deleted; its runs are still there.", to=self.link("work-queues"))

    def do_pause(self, _: Form) -> Done:
        """Lets nothing of it start."""
        return Done(f"{paused(self, self.queue, is_paused=True).name} is paused.")

    def do_resume(self, _: Form) -> Done:
        """Lets its runs start again."""
        return Done(f"{paused(self, self.queue, is_paused=False).name} goes on.")

    def do_save(self, _: Form) -> Done:
        """Keeps what was typed."""
        kept = self.client.put_work_queue(self.form.queue(self.house, self.queue))
        return Done(f"{kept.name} was changed.")
