"""What a run's process has decided and said since it last wrote: one batch of its journal."""

from collections.abc import Iterable, Iterator

import attrs

from headrace.model.logs import LogLine
from headrace.model.runs import TaskRun
from headrace.model.states import State

MOST_ENTRIES, MOST_CHARACTERS = 4_000, 1 << 22
"""Task runs or lines, and characters of lines, in one portion of a batch: a wire takes no more than so much at once."""


@attrs.frozen(kw_only=True)
class RunState:
    """A state that a run had; `revision` is its place in the run's history, from 1."""

    run_id: str
    revision: int
    state: State


@attrs.frozen(kw_only=True)
class JournalBatch:
    """Task runs in their newest shape, the states that led there, and log lines; all of one root flow run and its subflows.

    Writing a batch twice changes nothing: each entry has its identity.
    """

    flow_run_id: str
    epoch: int
    task_runs: tuple[TaskRun, ...] = ()
    states: tuple[RunState, ...] = ()
    logs: tuple[LogLine, ...] = ()

    def portions(self) -> Iterator["JournalBatch"]:
        """The batch as it is or, where it is large, in several: task runs each with its states, then lines in their order."""
        if len(self.states) <= MOST_ENTRIES and len(self.logs) <= MOST_ENTRIES and _length(self.logs) <= MOST_CHARACTERS:
            yield self
            return
        bare = attrs.evolve(self, task_runs=(), states=(), logs=())
        states: dict[str, list[RunState]] = {}
        for state in self.states:
            states.setdefault(state.run_id, []).append(state)
        for first in range(0, len(self.task_runs), MOST_ENTRIES):
            runs = self.task_runs[first : first + MOST_ENTRIES]
            yield attrs.evolve(bare, task_runs=runs, states=tuple(state for run in runs for state in states.pop(run.id, ())))
        if states:
            yield attrs.evolve(bare, states=tuple(state for of_one in states.values() for state in of_one))
        for lines in _some_at_a_time(self.logs):
            yield attrs.evolve(bare, logs=tuple(lines))


def _length(lines: Iterable[LogLine]) -> int:
    return sum(len(line.message) for line in lines)


def _some_at_a_time(lines: Iterable[LogLine]) -> Iterator[list[LogLine]]:
    portion: list[LogLine] = []
    characters = 0
    for line in lines:
        if portion and (len(portion) >= MOST_ENTRIES or characters + len(line.message) > MOST_CHARACTERS):
            yield portion
            portion, characters = [], 0
        portion.append(line)
        characters += len(line.message)
    if portion:
        yield portion
