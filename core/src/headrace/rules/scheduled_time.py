"""Nothing starts before it is due."""

from headrace.model.moves import Move
from headrace.model.states import StateType
from headrace.rules.facts import Facts
from headrace.rules.rule import NO_FACTS, moves
from headrace.rules.verdicts import Verdict, wait


class ScheduledTime:
    """Taking or starting a run that is due later waits; cancelling or failing it does not."""

    name = "scheduled_time"
    moves = moves(of={StateType.SCHEDULED}, to={StateType.PENDING, StateType.RUNNING})
    needs = NO_FACTS

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        due = facts.run.state.scheduled_time
        if due is None or due <= facts.now:
            return None
        return wait(due, "the run is due later")
