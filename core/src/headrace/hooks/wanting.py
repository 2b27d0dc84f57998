"""Whether a work queue wants a run: its matchers, which plugins bring, asked one after the other; one that fails stands in no other's way."""

import logging
from collections.abc import Callable, Iterator

from headrace.errors import HeadraceError
from headrace.model.queues import WorkQueue
from headrace.model.reasons import Reason
from headrace.model.runs import FlowRun
from headrace.ports.queue_matcher import QueueMatcher

logger = logging.getLogger("headrace.matching")

Matcher = Callable[[str], QueueMatcher]
"""Gives a queue matcher by its name, or raises NotInstalled."""


def reasons(queue: WorkQueue, run: FlowRun, matcher: Matcher) -> Iterator[Reason]:
    """What each matcher that the queue names says of a run, one after the other."""
    for name, wanted in queue.criteria.items():
        try:
            yield matcher(name).matches(wanted, run)
        except HeadraceError as error:  # a plugin that was there when the queue was made
            yield Reason(fits=False, why=str(error))
        except Exception as error:  # a plugin's own fault; it stands in no other queue's way
            logger.warning("The queue matcher %r failed on queue %r and run %r: %r", name, queue.name, run.name, error)
            yield Reason(fits=False, why=f"the queue matcher {name!r} failed: {type(error).__name__}: {error}")


def is_wanted(queue: WorkQueue, run: FlowRun, matcher: Matcher) -> bool:
    """Whether the run fits all of the queue's criteria."""
    return all(reason.fits for reason in reasons(queue, run, matcher))
