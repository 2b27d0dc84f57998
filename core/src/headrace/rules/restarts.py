"""Restarts: a run whose process has crashed is started anew by an agent, as often as its deployment allows."""

from datetime import timedelta

from headrace.model.moves import Move
from headrace.model.runs import FlowRun
from headrace.model.states import State, StateType
from headrace.rules.facts import Facts
from headrace.rules.rule import NO_FACTS, moves
from headrace.rules.verdicts import Verdict, refused, replaced

MOST_LOST_STARTS = 3
"""How often a run is started anew that was lost before it ran: its code has done nothing yet, so that needs nobody's leave."""

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(minutes=1)
"""The first restart is at once, the second after this, and each later one after twice as long, up to the longest."""


class Restarts:
    """While restarts are left, a crash is answered with being due again; a new process goes on with what has finished."""

    name = "restarts"
    moves = moves(of={StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING}, to={StateType.CRASHED})
    needs = NO_FACTS

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        run = facts.run
        if not isinstance(run, FlowRun) or run.max_restarts is None:
            return None
        if run.state.awaits_restart():
            return refused("the run is to be started again already")
        done, limit = _done(run, move), MOST_LOST_STARTS if _is_lost_start(run, move) else run.max_restarts
        if done >= limit:
            return None
        pause = (
            min(FIRST_PAUSE * (2**done - 1), LONGEST_PAUSE) if not move.state.is_lost() else timedelta()
        )  # the time of a lease was pause enough
        return replaced(State.awaiting_restart(facts.now + pause, move.state.message), f"restart {done + 1} of {limit} follows")


def _is_lost_start(run: FlowRun, move: Move) -> bool:
    return run.state.is_pending() and move.state.is_lost()


def _done(run: FlowRun, move: Move) -> int:
    """How often the run was started anew, as far as that counts here: one that began is not held against its starts that were lost."""
    if _is_lost_start(run, move):
        return run.lost_starts
    return run.restarts + run.lost_starts if run.state.is_pending() else run.restarts
