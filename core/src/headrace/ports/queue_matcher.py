"""The port of queue matchers: what a work queue may ask of a run."""

from typing import Any, Protocol

from headrace.model.reasons import Reason
from headrace.model.runs import FlowRun


class QueueMatcher(Protocol):
    """Tells whether a queue wants a run. It has no options and is pure: the same question gets the same answer, so it is asked once for each run.

    `wanted` is plain data, as the queue keeps it under the matcher's name.
    """

    def checked(self, wanted: Any) -> Any:
        """What a person asks for, in the shape that is kept. Raises WrongData with what is accepted instead."""
        ...

    def matches(self, wanted: Any, run: FlowRun) -> Reason:
        """Whether the run fits what was checked; the reason says what of the run does, or does not, and never raises."""
        ...
