"""Retries: a failure that may be tried again becomes waiting for the next try."""

from datetime import timedelta

import attrs

from headrace.model.moves import Move
from headrace.model.states import AWAITING_RETRY, State, StateType
from headrace.rules.facts import Facts
from headrace.rules.rule import NO_FACTS, moves
from headrace.rules.verdicts import Verdict, accepted, replaced


class Retries:
    """While tries are left, a failure is answered with a time to try again."""

    name = "retries"
    moves = moves(of={StateType.RUNNING}, to={StateType.FAILED})
    needs = NO_FACTS

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        if not facts.retry.wanted or facts.run.run_count > facts.retry.limit:
            return None
        at = facts.now + timedelta(seconds=facts.retry.delay)
        again = State.scheduled(at, name=AWAITING_RETRY, message=move.state.message)
        return replaced(again, f"try {facts.run.run_count + 1} of {facts.retry.limit + 1} follows")


class Rerun:
    """A run that starts again says so by the name of its state."""

    name = "rerun"
    moves = moves(to={StateType.RUNNING})
    needs = NO_FACTS

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        if facts.run.run_count == 0 or move.state.name != "Running":
            return None
        name = "Retrying" if facts.run.state.name == AWAITING_RETRY else "Rerunning"
        return accepted(attrs.evolve(move.state, name=name))
