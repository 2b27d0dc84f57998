"""The rule book: all rules in their order, and the one function that decides.

Order matters in few places, and only there. A duplicate is answered before anything else; who does not own the run hears so before being told
about the run; a move that the table does not have is put to no rule. Among the others, `ORDERED` says which of two goes first: what a person has
decided, then what is due, then what ends a run without starting it (the cache), then what could make it wait (limits).
"""

from collections.abc import Iterable, Iterator

import attrs

from headrace.model.moves import Move
from headrace.model.states import State, StateType
from headrace.rules.caching import Caching
from headrace.rules.cancelling import CancelLost, CancelNotStarted, CancelWhole, CancelWins
from headrace.rules.concurrency import TagLimits
from headrace.rules.duplicates import Duplicates
from headrace.rules.facts import Fact, Facts
from headrace.rules.leases import Leases, current
from headrace.rules.pausing import Pausable, PausedDeployment, PausedStays
from headrace.rules.restarts import Restarts
from headrace.rules.retries import Rerun, Retries
from headrace.rules.rule import Rule
from headrace.rules.scheduled_time import ScheduledTime
from headrace.rules.scheduling import InTime, NoOverlap
from headrace.rules.transitions import is_legal, why_not
from headrace.rules.verdicts import Answer, Verdict, accepted, refused

FIRST: tuple[Rule, ...] = (Duplicates(), Leases())
STANDARD: tuple[Rule, ...] = (
    CancelWhole(),
    CancelNotStarted(),
    CancelLost(),
    CancelWins(),
    PausedStays(),
    Pausable(),
    ScheduledTime(),
    PausedDeployment(),
    InTime(),
    NoOverlap(),
    Caching(),
    TagLimits(),
    Retries(),
    Restarts(),
    Rerun(),
)

ORDERED = frozenset(
    {
        ("cancel_whole", "cancel_not_started"),
        ("cancel_whole", "cancel_lost"),
        ("cancel_not_started", "paused_stays"),
        ("paused_stays", "caching"),
        ("paused_stays", "tag_limits"),
        ("scheduled_time", "paused_deployment"),
        ("scheduled_time", "in_time"),
        ("scheduled_time", "no_overlap"),
        ("paused_deployment", "in_time"),
        ("paused_deployment", "no_overlap"),
        ("in_time", "no_overlap"),
        ("scheduled_time", "caching"),
        ("scheduled_time", "tag_limits"),
        ("caching", "tag_limits"),
    }
)
"""Which of two standard rules is asked first, where it makes a difference."""


class RuleBook:
    """Rules, sorted once by the moves they judge, so that a decision asks only those concerned."""

    def __init__(self, extra: Iterable[Rule] = ()) -> None:
        self.extra = tuple(extra)
        rules = (*STANDARD, *self.extra)
        self._judges = {
            (current, wanted): tuple(rule for rule in rules if rule.moves.has(current, wanted))
            for current in StateType
            for wanted in StateType
        }
        self._needs = {pair: frozenset(fact for rule in judges for fact in rule.needs) for pair, judges in self._judges.items()}

    def needs(self, current: StateType, wanted: StateType) -> frozenset[Fact]:
        """The facts to look up before this move is judged, beyond those of the first two rules."""
        return self._needs[current, wanted]

    def judges(self, current: StateType, wanted: StateType) -> Iterator[str]:
        """The names of the rules that this move is put to."""
        return (rule.name for rule in self._judges[current, wanted])

    def decide(self, move: Move, facts: Facts) -> Verdict:
        """What comes of the move. Total: every move gets a verdict, and a state that is written has its timestamp."""
        for rule in FIRST:
            verdict = rule.judge(move, facts)
            if verdict is not None:
                return verdict
        counts_as = current(move, facts)
        if not is_legal(counts_as, move.state.type):
            return refused(why_not(counts_as, move.state.type))
        for rule in self._judges[counts_as, move.state.type]:
            verdict = rule.judge(move, facts)
            if verdict is None:
                continue
            if verdict.answer is not Answer.ACCEPTED or verdict.state is None:
                return _stamped(verdict, facts)
            move = attrs.evolve(move, state=verdict.state)
        return accepted(_timed(move.state, facts))


def _stamped(verdict: Verdict, facts: Facts) -> Verdict:
    return verdict if verdict.state is None else attrs.evolve(verdict, state=_timed(verdict.state, facts))


def _timed(state: State, facts: Facts) -> State:
    return state if state.timestamp is not None else attrs.evolve(state, timestamp=facts.now)
