"""The journal: nothing is lost, nothing doubled, and orders are obeyed."""

import pytest

from headrace.engine.journal import ENOUGH, Journal
from headrace.errors import RunStopped, StoreBusy
from headrace.model.journals import JournalBatch
from headrace.model.leases import LeaseOrder
from headrace.model.logs import LogLine
from headrace.model.runs import TaskRun
from headrace.model.states import State
from headrace.testing.clock import START


def line(number: int) -> LogLine:
    return LogLine(id=str(number), flow_run_id="f", timestamp=START, level=20, logger="l", message=str(number))


def run(revision: int = 1) -> TaskRun:
    return TaskRun(
        id="t", name="t", state=State.pending(), created=START, flow_run_id="f", task_name="t", task_key="k", call=0, revision=revision
    )


class Written:
    """A place to write to that can be out of order."""

    def __init__(self) -> None:
        self.batches: list[JournalBatch] = []
        self.out_of_order = False
        self.order = LeaseOrder()

    def __call__(self, batch: JournalBatch) -> LeaseOrder:
        if self.out_of_order:
            raise StoreBusy(where="here", seconds=30)
        self.batches.append(batch)
        return self.order


def test_a_batch_has_the_newest_shape_and_all_states() -> None:
    """A task run that changed twice is written once, its states all."""
    written = Written()
    journal = Journal(written, flow_run_id="f", epoch=3)
    journal.note(run(1))
    journal.note(run(2))
    journal.say(line(1))
    journal.flush()
    journal.flush()
    (batch,) = written.batches
    assert (batch.epoch, [each.revision for each in batch.task_runs], [each.revision for each in batch.states]) == (3, [2], [1, 2])
    assert [each.id for each in batch.logs] == ["1"]


def test_what_could_not_be_written_goes_with_the_next_batch() -> None:
    """In its order, before what came later; a newer shape wins."""
    written = Written()
    journal = Journal(written, flow_run_id="f", epoch=1)
    journal.note(run(1))
    journal.say(line(1))
    written.out_of_order = True
    with pytest.raises(StoreBusy):
        journal.flush()
    journal.try_flush()
    written.out_of_order = False
    journal.note(run(2))
    journal.say(line(2))
    journal.flush()
    (batch,) = written.batches
    assert [each.id for each in batch.logs] == ["1", "2"]
    assert [each.revision for each in batch.task_runs] == [2]
    assert [each.revision for each in batch.states] == [1, 2]


def test_memory_is_bounded() -> None:
    """When enough has come together it is written at once."""
    written = Written()
    journal = Journal(written, flow_run_id="f", epoch=1)
    for number in range(ENOUGH):
        journal.say(line(number))
    assert [len(batch.logs) for batch in written.batches] == [ENOUGH]


def test_an_order_to_stop_is_obeyed() -> None:
    """The next look raises, with the reason."""
    written = Written()
    written.order = LeaseOrder(stop=True, reason="taken by another")
    journal = Journal(written, flow_run_id="f", epoch=1)
    journal.check("flow run 'x'")
    journal.say(line(1))
    journal.flush()
    with pytest.raises(RunStopped, match="taken by another"):
        journal.check("flow run 'x'")
