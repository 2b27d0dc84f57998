"""Tag concurrency limits: a task run starts when each of its limited tags has a free slot.

Who is in a slot is counted from live runs, never stored. So a retry cannot be in its own way, and a run that died frees its slots with its
lease.
"""

from datetime import timedelta

from headrace.model.moves import Move
from headrace.model.states import StateType
from headrace.rules.facts import Fact, Facts
from headrace.rules.rule import moves
from headrace.rules.verdicts import Verdict, refused, wait

ASK_AGAIN = timedelta(seconds=0.2)


class TagLimits:
    """A full limit makes the run wait; a limit of 0 would make it wait for ever, so it is refused."""

    name = "tag_limits"
    moves = moves(to={StateType.RUNNING})
    needs = frozenset({Fact.LIMITS})

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        for limit in facts.limits:
            if limit.limit == 0:
                return refused(f"the concurrency limit of tag {limit.tag!r} is 0, so nothing with it may start")
            if limit.is_full(facts.run.id):
                return wait(facts.now + ASK_AGAIN, f"the concurrency limit of tag {limit.tag!r} ({limit.limit}) is reached")
        return None
