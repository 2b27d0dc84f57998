"""Caching: a run whose result is already known takes it over instead of starting."""

import attrs

from headrace.model.moves import Move
from headrace.model.states import StateType
from headrace.rules.facts import Fact, Facts
from headrace.rules.rule import moves
from headrace.rules.verdicts import Verdict, replaced


class Caching:
    """Starting with a cache key that has a completed state ends at once, in that state."""

    name = "caching"
    moves = moves(to={StateType.RUNNING})
    needs = frozenset({Fact.CACHED})

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        if move.state.cache_key is None or facts.cached is None:
            return None
        return replaced(attrs.evolve(facts.cached, name="Cached", timestamp=None), "the result was found in the cache")
