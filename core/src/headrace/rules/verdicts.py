"""Verdicts: what comes of a move."""

from datetime import datetime
from enum import StrEnum

import attrs

from headrace.model.states import State


class Answer(StrEnum):
    """The four things that can come of a move."""

    ACCEPTED = "ACCEPTED"
    REPLACED = "REPLACED"
    WAIT = "WAIT"
    REFUSED = "REFUSED"


@attrs.frozen(kw_only=True)
class Verdict:
    """What comes of a move: `state` is what the run enters (ACCEPTED as asked, REPLACED by another), or None where nothing is written.

    WAIT says `until` when to ask again; `stop` orders whoever asked to stop working on the run.
    """

    answer: Answer
    state: State | None = None
    reason: str = ""
    until: datetime | None = None
    stop: bool = False

    @property
    def is_written(self) -> bool:
        """Whether the run enters a state by it."""
        return self.state is not None


def accepted(state: State) -> Verdict:
    """The run enters the state asked for (perhaps under another name)."""
    return Verdict(answer=Answer.ACCEPTED, state=state)


def replaced(state: State, reason: str) -> Verdict:
    """The run enters another state than asked for."""
    return Verdict(answer=Answer.REPLACED, state=state, reason=reason)


def wait(until: datetime, reason: str) -> Verdict:
    """Nothing changes; ask again at that moment."""
    return Verdict(answer=Answer.WAIT, until=until, reason=reason)


def refused(reason: str, *, stop: bool = False) -> Verdict:
    """Nothing changes, and asking again will not help."""
    return Verdict(answer=Answer.REFUSED, reason=reason, stop=stop)
