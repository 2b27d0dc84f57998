"""Batches of a journal, and the portions in which they travel."""

from hypothesis import given
from hypothesis import strategies as st

from headrace.model.journals import MOST_CHARACTERS, MOST_ENTRIES, JournalBatch, RunState
from headrace.model.logs import LogLine
from headrace.model.runs import TaskRun
from headrace.model.states import State
from headrace.testing.clock import START


def line(number: int, length: int) -> LogLine:
    return LogLine(id=str(number), flow_run_id="f", timestamp=START, level=20, logger="l", message="x" * length)


def run(number: int) -> TaskRun:
    state = State.pending()
    return TaskRun(id=str(number), name="t", state=state, created=START, flow_run_id="f", task_name="t", task_key="k", call=number)


def batch(lengths: list[int], runs: int, states: int) -> JournalBatch:
    """With lines of these lengths, and for each task run so many states; the last state is of a run that is in another batch."""
    of_runs = tuple(RunState(run_id=str(number), revision=each, state=State.pending()) for each in range(states) for number in range(runs))
    logs = tuple(line(number, length) for number, length in enumerate(lengths))
    elsewhere = RunState(run_id="elsewhere", revision=1, state=State.pending())
    return JournalBatch(
        flow_run_id="f", epoch=1, task_runs=tuple(run(number) for number in range(runs)), states=(*of_runs, elsewhere), logs=logs
    )


def test_a_small_batch_is_one_portion() -> None:
    """It travels as it is, also where nothing is in it."""
    for whole in (batch([1, 2, 3], 2, 3), JournalBatch(flow_run_id="f", epoch=1)):
        assert list(whole.portions()) == [whole]


@given(
    lengths=st.lists(st.sampled_from([0, 1, MOST_CHARACTERS // 2, MOST_CHARACTERS, 2 * MOST_CHARACTERS]), max_size=6),
    more=st.sampled_from([0, MOST_ENTRIES + 1]),
    runs=st.sampled_from([0, 1, MOST_ENTRIES + 1]),
)
def test_portions_are_the_whole(lengths: list[int], more: int, runs: int) -> None:
    """Each is small, though a line is never cut; together they have every task run, state and line once, lines in their order."""
    whole = batch(lengths + [1] * more, runs, 2)
    portions = list(whole.portions())
    assert [each for portion in portions for each in portion.logs] == list(whole.logs)
    assert [each for portion in portions for each in portion.task_runs] == list(whole.task_runs)
    states = [(each.run_id, each.revision) for portion in portions for each in portion.states]
    assert sorted(states) == sorted((each.run_id, each.revision) for each in whole.states)
    for portion in portions:
        assert (portion.flow_run_id, portion.epoch) == ("f", 1)
        assert len(portion.task_runs) <= MOST_ENTRIES
        assert len(portion.logs) <= MOST_ENTRIES
        assert len(portion.logs) <= 1 or sum(len(each.message) for each in portion.logs) <= MOST_CHARACTERS
