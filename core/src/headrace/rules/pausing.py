"""Pausing: nothing is started of what somebody paused."""

from datetime import timedelta

from headrace.model.moves import Move
from headrace.model.runs import FlowRun
from headrace.model.states import StateType
from headrace.rules.facts import Fact, Facts
from headrace.rules.rule import ANY, NO_FACTS, moves
from headrace.rules.verdicts import Verdict, refused, wait

ASK_AGAIN = timedelta(minutes=1)
"""When it is looked at again, at the latest; going on with a deployment wakes those who wait."""


class PausedDeployment:
    """The runs of a paused deployment are not handed out; those under way go on."""

    name = "paused_deployment"
    moves = moves(of={StateType.SCHEDULED}, to={StateType.PENDING})
    needs = frozenset({Fact.DEPLOYMENT_PAUSED})

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        return wait(facts.now + ASK_AGAIN, "its deployment is paused") if facts.is_deployment_paused else None


class Pausable:
    """Only what an agent can start again can be paused, since a paused run has no process."""

    name = "pausable"
    moves = moves(to={StateType.PAUSED})
    needs = NO_FACTS

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        if isinstance(facts.run, FlowRun) and facts.run.max_restarts is not None:
            return None
        return refused("no agent started it, so none can go on with it; only such runs can be paused")


class PausedStays:
    """The process of a run that was paused is to stop, and its ending so is not the end of the run; having completed is."""

    name = "paused_stays"
    moves = moves(of={StateType.PAUSED}, to=ANY - {StateType.COMPLETED})
    needs = NO_FACTS

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        return refused("the run was paused", stop=True) if move.epoch is not None else None
