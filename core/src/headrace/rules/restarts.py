"""Restarts: a run whose process has crashed is started anew by an agent, as often as its deployment allows."""

from headrace.model.moves import Move
from headrace.model.runs import FlowRun
from headrace.model.states import State, StateType
from headrace.rules.facts import Facts
from headrace.rules.rule import NO_FACTS, moves
from headrace.rules.verdicts import Verdict, refused, replaced

MOST_LOST_STARTS = 3
"""How often a run is started anew that was lost before it ran: its code has done nothing yet, so that needs nobody's leave."""


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
        limit = MOST_LOST_STARTS if run.state.is_pending() and move.state.is_lost() else run.max_restarts
        if run.restarts >= limit:
            return None
        return replaced(State.awaiting_restart(facts.now, move.state.message), f"restart {run.restarts + 1} of {limit} follows")
