"""A move asked twice gets its first answer."""

from headrace.model.moves import Move
from headrace.rules.facts import Fact, Facts
from headrace.rules.rule import moves
from headrace.rules.verdicts import Verdict


class Duplicates:
    """The same move again changes nothing and is told what came of it the first time."""

    name = "duplicates"
    moves = moves()
    needs = frozenset({Fact.EARLIER})

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        return facts.earlier
