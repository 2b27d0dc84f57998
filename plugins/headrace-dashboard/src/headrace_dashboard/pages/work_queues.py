"""Work queues: which there are, and how they are."""

from collections.abc import Mapping, Sequence
from functools import cached_property

import attrs

from headrace.model.criteria import DEPLOYMENTS, all_in_words, texts_in
from headrace.model.filters import DeploymentFilter, Page, WorkQueueFilter
from headrace.model.queues import WorkQueue
from headrace_dashboard.forms import Form
from headrace_dashboard.queue_health import QueueHealth, health_of
from headrace_dashboard.view import Done, View

ROWS = 25
MOST_NAMED = 200


class WorkQueuesPage(View):
    """All of them, those made last first."""

    template = "work_queues.html"
    title = "Work queues"
    section = "work-queues"
    at = "work-queues"
    live = ("work-queue.", "flow-run.", "deployment.", "agent.")
    every = 10

    @cached_property
    def _found(self) -> Sequence[WorkQueue]:
        return self.client.read_work_queues(WorkQueueFilter(), Page(limit=ROWS + 1, after=self.asked("after") or None))

    @property
    def next_after(self) -> str | None:
        """After which queue the next page begins."""
        return self._found[ROWS - 1].id if len(self._found) > ROWS else None

    @cached_property
    def rows(self) -> Sequence[QueueHealth]:
        return health_of(self.client, self._found[:ROWS], self.now)

    @cached_property
    def _titles(self) -> Mapping[str, str]:
        return titles_of(self, self._found[:ROWS])

    def wants(self, queue: WorkQueue) -> str:
        """What a queue asks for, in words."""
        return all_in_words(queue, self._titles)

    def do_pause(self, form: Form) -> Done:
        """Lets nothing of a queue start."""
        queue = paused(self, self.client.read_work_queue(form.text("queue")), is_paused=True)
        return Done(f"{queue.name} is paused.")

    def do_resume(self, form: Form) -> Done:
        """Lets runs of a queue start again."""
        queue = paused(self, self.client.read_work_queue(form.text("queue")), is_paused=False)
        return Done(f"{queue.name} goes on.")


def paused(view: View, queue: WorkQueue, *, is_paused: bool) -> WorkQueue:
    """The queue, from now on so. Raises ChangedMeanwhile."""
    return view.client.put_work_queue(attrs.evolve(queue, is_paused=is_paused, updated=view.now))


def titles_of(view: View, queues: Sequence[WorkQueue]) -> Mapping[str, str]:
    """The names of deployments that queues ask for, by id."""
    ids = tuple(sorted({each for queue in queues for each in texts_in(queue.criteria.get(DEPLOYMENTS))}))[:MOST_NAMED]
    return {each.id: each.full_name for each in view.client.read_deployments(DeploymentFilter(ids=ids), Page())} if ids else {}
