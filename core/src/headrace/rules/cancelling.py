"""Cancelling: what has not started is cancelled at once, what ends meanwhile has ended, and nothing is retried."""

from headrace.model.moves import Move
from headrace.model.runs import FlowRun
from headrace.model.states import State, StateType
from headrace.rules.facts import Fact, Facts
from headrace.rules.rule import NO_FACTS, moves
from headrace.rules.verdicts import Verdict, refused, replaced


class CancelWhole:
    """A subflow has no process of its own that could be stopped."""

    name = "cancel_whole"
    moves = moves(of={StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING}, to={StateType.CANCELLING})
    needs = NO_FACTS

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        run = facts.run
        if not isinstance(run, FlowRun) or run.root_id == run.id:
            return None
        return refused(f"a subflow is not cancelled alone; cancel flow run {run.root_id}, which it belongs to")


class CancelNotStarted:
    """A run that has no process needs no stopping. One that waits for its next try has one; where no agent started that, nothing but the waiting goes on."""

    name = "cancel_not_started"
    moves = moves(of={StateType.SCHEDULED, StateType.PAUSED}, to={StateType.CANCELLING})
    needs = frozenset({Fact.LEASE})

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        run, lease = facts.run, facts.lease
        if (
            isinstance(run, FlowRun)
            and run.state.name == "AwaitingRetry"
            and run.max_restarts is not None
            and lease is not None
            and lease.live
        ):
            return None
        return replaced(State.cancelled(move.state.message), "the run had not started")


class CancelLost:
    """A run whose lease is over has nobody who would stop it; should its process still live, it is told when it renews."""

    name = "cancel_lost"
    moves = moves(of={StateType.PENDING, StateType.RUNNING}, to={StateType.CANCELLING})
    needs = frozenset({Fact.LEASE})

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        if facts.lease is not None and facts.lease.live:
            return None
        return replaced(State.cancelled(move.state.message), "nobody has renewed the lease of the run")


class CancelWins:
    """A failure of a run that is being cancelled is its cancellation."""

    name = "cancel_wins"
    moves = moves(of={StateType.CANCELLING}, to={StateType.FAILED, StateType.CRASHED})
    needs = NO_FACTS

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        return replaced(State.cancelled(facts.run.state.message), "the run was being cancelled")
