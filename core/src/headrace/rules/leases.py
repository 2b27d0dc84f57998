"""Who no longer owns a run can write nothing about it.

An expired lease can be taken by somebody else, and taking it raises the epoch. While nobody has, its holder goes on: a machine that slept,
or a network that was away, costs no work. Only a newer epoch makes an old one stale.
"""

from headrace.model.moves import Move
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
