"""Gates: whether a work queue gives anything away now. What hands out runs and what explains why it does not ask here alike."""

from headrace.model.explanations import Kind
from headrace.model.queues import WorkQueue


def closed(queue: WorkQueue, under_way: int) -> Kind | None:
    """What closes the queue, with so many of its runs under way; None where it is open."""
    if queue.is_paused:
        return Kind.PAUSED
    if queue.concurrency_limit == 0:
        return Kind.SHUT
    if queue.concurrency_limit is not None and under_way >= queue.concurrency_limit:
        return Kind.FULL
    return None
