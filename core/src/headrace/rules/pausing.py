"""Pausing: nothing is started of what somebody paused."""

from datetime import timedelta

from headrace.model.moves import Move
from headrace.model.states import StateType
from headrace.rules.facts import Fact, Facts
from headrace.rules.rule import moves
from headrace.rules.verdicts import Verdict, wait

ASK_AGAIN = timedelta(minutes=1)
"""When it is looked at again, at the latest; going on with a deployment wakes those who wait."""


class PausedDeployment:
    """The runs of a paused deployment are not handed out; those under way go on."""

    name = "paused_deployment"
    moves = moves(of={StateType.SCHEDULED}, to={StateType.PENDING})
    needs = frozenset({Fact.DEPLOYMENT_PAUSED})

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        return wait(facts.now + ASK_AGAIN, "its deployment is paused") if facts.is_deployment_paused else None
