"""Runs of schedules: what has not begun in time is skipped, and what comes while an earlier one is under way does as its schedule says."""

from datetime import datetime, timedelta

from headrace.model.moves import Move
from headrace.model.runs import FlowRun
from headrace.model.schedules import Overlap, Tick
from headrace.model.states import State, StateType
from headrace.rules.facts import Fact, Facts
from headrace.rules.rule import NO_FACTS, moves
from headrace.rules.verdicts import Verdict, replaced, wait

ASK_AGAIN = timedelta(minutes=1)
"""When it is looked at again, at the latest; the end of the earlier run wakes those who wait."""


def overdue(start_by: datetime) -> State:
    """What a run enters that has not begun in time."""
    return State.skipped(f"It had not begun by {start_by.isoformat(timespec='seconds')}.")


class InTime:
    """A run that was to begin by some moment is not handed out after it; one that has been started before is."""

    name = "in_time"
    moves = moves(of={StateType.SCHEDULED}, to={StateType.PENDING})
    needs = NO_FACTS

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        tick = _first_tick(facts)
        if tick is None or tick.start_by is None or facts.now < tick.start_by:
            return None
        return replaced(overdue(tick.start_by), "the run had not begun in time")


class NoOverlap:
    """A run that is due while an earlier one of its schedule is under way is skipped or waits, unless both may run at once."""

    name = "no_overlap"
    moves = moves(of={StateType.SCHEDULED}, to={StateType.PENDING})
    needs = frozenset({Fact.EARLIER_RUNS})

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        tick = _first_tick(facts)
        if tick is None or tick.overlap is Overlap.ALLOW or not facts.earlier_runs:
            return None
        names = ", ".join(run.name for run in facts.earlier_runs)
        if tick.overlap is Overlap.SKIP:
            return replaced(State.skipped(f"An earlier run of its schedule was under way: {names}."), "an earlier run was under way")
        doing = "is to be cancelled first" if tick.overlap is Overlap.CANCEL_PREVIOUS else "is under way"
        return wait(facts.now + ASK_AGAIN, f"an earlier run of its schedule {doing}: {names}")


def _first_tick(facts: Facts) -> Tick | None:
    """The time that a run was made for which was never started."""
    return facts.run.tick if isinstance(facts.run, FlowRun) and facts.run.run_count == 0 else None
