"""Who would take a run: the work queues that want it, and the agents that serve them."""

from collections.abc import Iterator
from shlex import quote

from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.filters import Page, WorkQueueFilter
from headrace.model.queues import WorkQueue
from headrace.model.runs import FlowRun
from headrace.orchestration.matching import is_wanted


def queues_that_want(house: Instance, run: FlowRun) -> list[WorkQueue]:
    """The work queues whose criteria the run fits."""
    return [queue for queue in _queues(house) if is_wanted(queue, run, lambda name: house.registry.make("queue matcher", Choice(name)))]


def advice(house: Instance, run: FlowRun) -> str:
    """What is missing for the run to be started; empty if nothing is."""
    queues = queues_that_want(house, run)
    if not queues:
        return "no work queue wants this run; make one: headrace work-queue create NAME"
    awake = [queue for queue in queues if not queue.is_paused]
    if not awake:
        return f"work queue {queues[0].name!r} is paused; go on with: headrace work-queue resume {quote(queues[0].name)}"
    giving = [queue for queue in awake if queue.concurrency_limit != 0]
    if not giving:
        name = awake[0].name
        return f"the limit of work queue {name!r} is 0; change it with: headrace work-queue set-concurrency-limit {quote(name)} N"
    served = {queue_id for agent in house.client.read_agents() if agent.live and not agent.is_draining for queue_id in agent.queues}
    if not any(queue.id in served for queue in giving):
        return f"no agent serves work queue {giving[0].name!r}; start one: headrace agent start {quote(giving[0].name)}"
    return ""


def _queues(house: Instance) -> Iterator[WorkQueue]:
    after: str | None = None
    while page := house.client.read_work_queues(WorkQueueFilter(), Page(after=after)):
        yield from page
        after = page[-1].id
