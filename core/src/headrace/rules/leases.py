"""Who no longer owns a run can write nothing about it.

An expired lease can be taken by somebody else, and taking it raises the epoch. While nobody has, its holder goes on: a machine that slept,
or a network that was away, costs no work. Only a newer epoch makes an old one stale.
"""

from headrace.model.moves import Move
from headrace.model.states import StateType
from headrace.rules.facts import Fact, Facts
from headrace.rules.rule import moves
from headrace.rules.verdicts import Verdict, refused


class Leases:
    """A stale epoch is refused, with the order to stop."""

    name = "leases"
    moves = moves()
    needs = frozenset({Fact.LEASE})

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        if move.epoch is None or facts.lease is None or move.epoch == facts.lease.epoch:
            return None
        return refused(f"somebody else owns the run now (epoch {facts.lease.epoch}, yours is {move.epoch})", stop=True)


def current(move: Move, facts: Facts) -> StateType:
    """What the run counts as. One that was presumed lost is under way if who holds its lease, and was not replaced, asks anything."""
    known = facts.run.state
    is_presumed = known.is_lost() or known.awaits_restart()
    if not is_presumed or move.epoch is None or facts.lease is None or move.epoch != facts.lease.epoch:
        return known.type
    return StateType.PENDING if move.state.is_running() else StateType.RUNNING
