"""Runs of schedules: what has not begun in time is skipped, and what comes while an earlier one is under way does as its schedule says."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from headrace.model.moves import Move
from headrace.model.runs import FlowRun
from headrace.model.schedules import Overlap, Tick
from headrace.model.states import State, StateType
from headrace.rules.facts import Fact, Facts
from headrace.rules.rule import moves
from headrace.rules.verdicts import Verdict, replaced, wait

ASK_AGAIN = timedelta(minutes=1)
"""When it is looked at again, at the latest; the end of the earlier run wakes those who wait."""


def overdue(start_by: datetime, others: Sequence[FlowRun] = ()) -> State:
    """What a run enters that has not begun in time; `others` of its schedule were in its way."""
    why = f" An earlier run of its schedule was under way: {_names(others)}." if others else ""
    until = f"{start_by.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return State.skipped(f"It had not begun by {until}, until when its schedule's on_missed and max_lateness let it.{why}")


def overlapped(others: Sequence[FlowRun]) -> State:
    """What a run enters that came while others were under way."""
    return State.skipped(f"An earlier run of its schedule was under way: {_names(others)}.")


def overtaken(later: FlowRun) -> State:
    """What a run enters that is to be cancelled for a later one, and has not begun."""
    return State.skipped(f"A later run of its schedule is due: {later.name}.")


class InTime:
    """A run that was to begin by some moment is not handed out after it; one that has been started before is."""

    name = "in_time"
    moves = moves(of={StateType.SCHEDULED}, to={StateType.PENDING})
    needs = frozenset({Fact.EARLIER_RUNS})

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        tick = _first_tick(facts)
        if tick is None or tick.start_by is None or facts.now < tick.start_by:
            return None
        return replaced(overdue(tick.start_by, facts.earlier_runs), "the run had not begun in time")


class NoOverlap:
    """A run that is due while an earlier one of its schedule is under way is skipped or waits, unless both may run at once; one that was handed out
    before, and was lost at its start, is under way itself."""

    name = "no_overlap"
    moves = moves(of={StateType.SCHEDULED}, to={StateType.PENDING})
    needs = frozenset({Fact.EARLIER_RUNS})

    def judge(self, move: Move, facts: Facts) -> Verdict | None:
        tick = _first_tick(facts)
        if tick is None or tick.overlap is Overlap.ALLOW or facts.run.state.awaits_restart():
            return None
        if facts.later_runs and tick.overlap is Overlap.CANCEL_PREVIOUS:
            return replaced(overtaken(facts.later_runs[-1]), "a later run of its schedule is due")
        if not facts.earlier_runs:
            return None
        if tick.overlap is Overlap.SKIP:
            return replaced(overlapped(facts.earlier_runs), "an earlier run was under way")
        doing = "is to be cancelled first" if tick.overlap is Overlap.CANCEL_PREVIOUS else "is under way"
        return wait(facts.now + ASK_AGAIN, f"an earlier run of its schedule {doing}: {_names(facts.earlier_runs)}")


def _names(runs: Sequence[FlowRun]) -> str:
    return ", ".join(run.name for run in runs)


def _first_tick(facts: Facts) -> Tick | None:
    """The time that a run was made for which was never started."""
    return facts.run.tick if isinstance(facts.run, FlowRun) and facts.run.run_count == 0 else None
