"""Cancelling: what has not started is cancelled at once, what ends meanwhile has ended, and nothing is retried."""

from headrace.model.moves import Move
from headrace.model.states import State, StateType
from headrace.rules.facts import Facts
from headrace.rules.rule import NO_FACTS, moves
from headrace.rules.verdicts import Verdict, replaced


class CancelNotStarted:
    """A run that has no process needs no stopping."""

    name = "cancel_not_started"
    moves = moves(of={StateType.SCHEDULED, StateType.PAUSED}, to={StateType.CANCELLING})
    needs = NO_FACTS

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        return replaced(State.cancelled(move.state.message), "the run had not started")


class CancelWins:
    """A failure of a run that is being cancelled is its cancellation."""

    name = "cancel_wins"
    moves = moves(of={StateType.CANCELLING}, to={StateType.FAILED, StateType.CRASHED})
    needs = NO_FACTS

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        return replaced(State.cancelled(facts.run.state.message), "the run was being cancelled")
