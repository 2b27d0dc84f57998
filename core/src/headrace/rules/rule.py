"""The shape of a rule."""

from collections.abc import Iterable
from typing import Protocol

import attrs

from headrace.model.moves import Move
from headrace.model.states import StateType
from headrace.rules.facts import Fact, Facts
from headrace.rules.verdicts import Verdict

ANY = frozenset(StateType)
NO_FACTS: frozenset[Fact] = frozenset()


@attrs.frozen
class Moves:
    """The moves a rule wants to see: from one of the states to one of the states."""

    of: frozenset[StateType]
    to: frozenset[StateType]

    def has(self, current: StateType, wanted: StateType) -> bool:
        return current in self.of and wanted in self.to


def moves(of: Iterable[StateType] = ANY, to: Iterable[StateType] = ANY) -> Moves:
    """Moves from and to these states; left out means any."""
    return Moves(frozenset(of), frozenset(to))


class Rule(Protocol):
    """Judges some moves, from facts alone: no clock, no store, no chance.

    `judge` answers None where it has nothing to say. An ACCEPTED verdict changes the state that the rules after it see (a new name, say);
    any other verdict ends the judging. It never raises.
    """

    name: str
    moves: Moves
    needs: frozenset[Fact]

    def judge(self, move: Move, facts: Facts) -> Verdict | None: ...
