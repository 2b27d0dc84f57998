"""Matching: which work queues want which runs.

A run is held against the queues when it is made, and a queue against the runs when it is made or changed; what fits is written down, so that a claim is
a look into an index. A queue that is new looks through old runs in portions, each a transaction of its own, so that a long backlog keeps nobody
waiting; until that is done the queue says so (`is_matched`), and whoever claims from it finishes it first.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import attrs

from headrace.clock import Clock
from headrace.errors import AlreadyThere, ChangedMeanwhile, InvalidOption, NotFound
from headrace.hooks.wanting import Matcher, is_wanted
from headrace.model.events import Event
from headrace.model.filters import FlowRunFilter, Page, WorkQueueFilter
from headrace.model.names import checked_name
from headrace.model.queues import WorkQueue
from headrace.model.runs import FlowRun
from headrace.model.states import NOT_ENDED
from headrace.ports.run_store import OpenRunStore, Reading, Writing


@attrs.frozen(kw_only=True)
class Matching:
    """Brings runs and queues together."""

    store: OpenRunStore
    clock: Clock
    matcher: Matcher
    tell: Callable[[Event], None]

    def assign(self, writing: Writing, runs: Iterable[FlowRun]) -> None:
        """Puts runs of deployments into the queues that want them; what waits of paused ones into none. What is under way counts in its queues."""
        queues = list(all_queues(writing))
        is_paused = cache(lambda deployment_id: is_deployment_paused(writing, deployment_id))
        for run in runs:
            if run.deployment_id is not None:
                waits_in_vain = run.state.is_scheduled() and is_paused(run.deployment_id)
                wanting = [] if waits_in_vain else [queue for queue in queues if is_wanted(queue, run, self.matcher)]
                writing.assign(run.id, [queue.id for queue in wanting])

    def assign_new(self, writing: Writing, runs: Iterable[FlowRun]) -> None:
        """Puts runs that were made just now, of deployments that are not paused, into the queues that want them."""
        queues = list(all_queues(writing))
        for run in runs:
            if wanting := [queue.id for queue in queues if is_wanted(queue, run, self.matcher)]:
                writing.assign(run.id, wanting)

    def put_queue(self, queue: WorkQueue) -> WorkQueue:
        """Makes or changes a queue, and looks through the runs that are there."""
        queue = self._checked(queue)
        with self.store.writing() as writing:
            known = writing.work_queue(queue.id)
            if known is None and queue.revision:  # a change of one that was deleted meanwhile does not make it anew
                raise unknown_queue(queue.id)
            if known is None or known.revision == queue.revision:
                event, kept = self._kept(writing, queue, known)
            elif _is_there(queue, known):  # it was asked for before, and the answer was lost
                event, kept = None, known
            else:
                raise ChangedMeanwhile(what="work queue", name=known.name)
        if event is not None:
            self.tell(event)
        self.finish([queue.id])
        return attrs.evolve(kept, is_matched=True)

    def _kept(self, writing: Writing, queue: WorkQueue, known: WorkQueue | None) -> tuple[Event, WorkQueue]:
        is_matched = known is not None and known.is_matched and known.criteria == queue.criteria
        queue = attrs.evolve(queue, is_matched=is_matched, revision=queue.revision + 1)
        if not writing.put_work_queue(queue):
            raise AlreadyThere(what="work queue", name=queue.name, command="work-queue update")
        return writing.append_event(self._changed(queue, "work-queue.changed")), queue

    def delete_queue(self, queue_id: str) -> None:
        """Forgets a queue."""
        with self.store.writing() as writing:
            queue = writing.work_queue(queue_id)
            if queue is None:
                raise unknown_queue(queue_id)
            writing.delete_work_queue(queue_id)
            event = writing.append_event(self._changed(queue, "work-queue.deleted"))
        self.tell(event)

    def finish(self, queue_ids: Iterable[str]) -> None:
        """Looks through old runs for those queues that have not been held against them."""
        for queue_id in queue_ids:
            after: str | None = None
            criteria: Mapping[str, Any] | None = None
            while True:
                with self.store.writing() as writing:
                    queue = writing.work_queue(queue_id)
                    if queue is None or queue.is_matched:
                        break
                    if queue.criteria != criteria:  # what was held against others is to be looked through again
                        after, criteria = None, queue.criteria
                    portion = writing.flow_runs(FlowRunFilter(state_types=NOT_ENDED, root_only=True), Page(after=after, newest_first=False))
                    self.assign(writing, portion)
                    if not portion:
                        writing.put_work_queue(attrs.evolve(queue, is_matched=True))
                        break
                    after = portion[-1].id

    def _checked(self, queue: WorkQueue) -> WorkQueue:
        """The queue with its criteria in the shape in which they are kept; those that are as they were need not be understood any more."""
        checked_name("work queue", queue.name)
        where = f"work queue {queue.name!r}"
        if queue.concurrency_limit is not None and queue.concurrency_limit < 0:
            why = "it must be a whole number that is not negative; 0 lets nothing start"
            raise InvalidOption(where=where, option="concurrency_limit", value=queue.concurrency_limit, why=why)
        with self.store.reading() as reading:
            known = reading.work_queue(queue.id)
        if known is not None and known.criteria == queue.criteria:
            return queue
        return attrs.evolve(queue, criteria={name: self.matcher(name).checked(wanted) for name, wanted in queue.criteria.items()})

    def _changed(self, queue: WorkQueue, kind: str) -> Event:
        return Event(moment=self.clock.now(), kind=kind, subject=queue.id, details={"name": queue.name})


def _is_there(queue: WorkQueue, known: WorkQueue) -> bool:
    """Whether a change has been made already, and nothing since."""
    return attrs.evolve(queue, revision=queue.revision + 1, is_matched=known.is_matched) == known


def all_queues(reading: Reading) -> Iterator[WorkQueue]:
    """Every work queue, oldest first."""
    after: str | None = None
    while portion := reading.work_queues(WorkQueueFilter(), Page(after=after, newest_first=False)):
        yield from portion
        after = portion[-1].id


def is_deployment_paused(reading: Reading, deployment_id: str) -> bool:
    """Whether nothing of a deployment is to be started; one that is gone is not paused."""
    deployment = reading.deployment(deployment_id)
    return deployment is not None and deployment.is_paused


def unknown_queue(queue_id: str) -> NotFound:
    """The error for a queue that is not there."""
    return NotFound(what="work queue", name=queue_id, command="work-queue ls")
