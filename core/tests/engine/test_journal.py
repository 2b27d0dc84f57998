"""The journal: nothing is lost, nothing doubled, and orders are obeyed."""

import logging

import pytest

from headrace.engine.journal import ENOUGH, ENOUGH_BYTES, MOST_BYTES, MOST_LINES, Journal
from headrace.engine.voice import LONGEST, Voice
from headrace.errors import RunStopped, StoreBusy
from headrace.model.journals import MOST_ENTRIES, JournalBatch
from headrace.model.leases import LeaseOrder
from headrace.model.logs import LogLine
from headrace.model.runs import TaskRun
from headrace.model.states import State
from headrace.testing.clock import START


def line(number: int, message: str = "") -> LogLine:
    return LogLine(id=str(number), flow_run_id="f", timestamp=START, level=20, logger="l", message=message or str(number))


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
        self.tries = 0

    def __call__(self, batch: JournalBatch) -> LeaseOrder:
        self.tries += 1
        if self.out_of_order:
            raise StoreBusy(where="here", seconds=30)
        self.batches.append(batch)
        return self.order


def lines_in(batches: list[JournalBatch]) -> list[LogLine]:
    """All of them, in the order in which they were written."""
    return [each for batch in batches for each in batch.logs]


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


def test_long_lines_are_enough_sooner() -> None:
    """What is written at once is bounded in bytes too."""
    written = Written()
    journal = Journal(written, flow_run_id="f", epoch=1)
    for number in range(20):
        journal.say(line(number, "x" * (ENOUGH_BYTES // 10)))
    assert [len(batch.logs) for batch in written.batches] == [10, 10]


def test_while_it_is_behind_nobody_is_held_up() -> None:
    """After a failure only who asks for it tries again; that is told once, until it is written."""
    written = Written()
    journal = Journal(written, flow_run_id="f", epoch=1)
    written.out_of_order = True
    for number in range(3 * ENOUGH):
        journal.say(line(number))
    assert written.tries == 1
    journal.try_flush()
    assert written.tries == 2
    written.out_of_order = False
    journal.try_flush()
    assert journal.is_empty
    for number in range(ENOUGH):
        journal.say(line(3 * ENOUGH + number))
    assert [each.id for each in lines_in(written.batches)] == [str(number) for number in range(4 * ENOUGH)]
    assert len(written.batches[-1].logs) == ENOUGH


def test_trouble_is_told_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it was tried; and once again, when there is trouble again."""
    monkeypatch.setattr(logging.getLogger("headrace.journal"), "handlers", [caplog.handler])
    written = Written()
    journal = Journal(written, flow_run_id="f", epoch=1)
    for number in range(2):
        written.out_of_order = True
        journal.say(line(number))
        for _ in range(3):
            journal.try_flush()
        told = {id(record): record for record in caplog.records}.values()
        assert len(told) == number + 1
        written.out_of_order = False
        journal.try_flush()


@pytest.mark.parametrize(("count", "length"), [(MOST_LINES + 123, 1), (150, MOST_BYTES // 100)])
def test_what_there_is_no_room_for_is_counted(count: int, length: int) -> None:
    """The oldest lines go; in their place, and under the id of the newest of them, stands how many those were. States stay."""
    written = Written()
    journal = Journal(written, flow_run_id="f", epoch=1)
    written.out_of_order = True
    journal.note(run(1))
    for number in range(count):
        if number % 97 == 0:
            journal.try_flush()
        journal.say(line(number, "x" * length))
    written.out_of_order = False
    journal.note(run(2))
    journal.flush()
    gap, *kept = lines_in(written.batches)
    assert [each.revision for batch in written.batches for each in batch.states] == [1, 2]
    assert [each.id for each in kept] == [str(number) for number in range(count - len(kept), count)]
    dropped = count - len(kept)
    assert gap.id == str(dropped - 1)
    assert gap.message == f"{dropped} lines were dropped here: the journal could not be written, and there was no room for more."
    assert sum(len(each.message) for each in kept) <= MOST_BYTES
    assert len(kept) <= MOST_LINES
    journal.say(line(count))
    journal.flush()
    assert [each.id for each in written.batches[-1].logs] == [str(count)]


def test_what_is_dropped_while_a_batch_is_under_way_is_newer_than_that() -> None:
    """If the batch comes back then, all its lines have gone before, and count."""
    journal: Journal

    def write(batch: JournalBatch) -> LeaseOrder:
        if batch.logs[0].id == "0":
            for number in range(1, MOST_LINES + 3):
                journal.say(line(number))
            raise StoreBusy(where="here", seconds=30)
        written.append(batch)
        return LeaseOrder()

    written: list[JournalBatch] = []
    journal = Journal(write, flow_run_id="f", epoch=1)
    journal.say(line(0))
    journal.try_flush()
    journal.flush()
    lines = lines_in(written)
    assert lines[0].message.startswith("3 lines were dropped here")
    assert [each.id for each in lines[:2]] == ["2", "3"]
    assert len(lines) == MOST_LINES + 1


@pytest.mark.parametrize("letter", ["x", "ü", "水", "😀"])
def test_a_line_that_is_too_long_is_cut(letter: str) -> None:
    """It ends with how much was cut; one that is as long as a line may be stays whole."""
    said: list[str] = []
    voice = Voice(title="t", flow_run_id="f", new_id=lambda: "1", say=lambda line: said.append(line.message))
    size = len(letter.encode())
    fitting = letter * (LONGEST // size)
    voice.line(START, 20, "l", fitting)
    voice.line(START, 20, "l", fitting + letter * 1000)
    assert said[0] == fitting
    kept, _, mark = said[1].partition("… (")
    assert len(kept.encode()) <= LONGEST
    assert mark == f"{size * (len(fitting) + 1000) - LONGEST:,} more bytes were cut)"


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


def test_a_large_backlog_goes_in_portions() -> None:
    """No batch is larger than what a wire takes; what fails in the middle goes whole the next time, in its order."""
    written = Written()
    written.out_of_order = True
    journal = Journal(written, flow_run_id="f", epoch=1)
    for number in range(2 * MOST_ENTRIES):
        journal.say(line(number))
    written.out_of_order = False
    failing = iter([False, True])

    def write(batch: JournalBatch) -> LeaseOrder:
        if next(failing, False):
            raise StoreBusy(where="here", seconds=30)
        return written(batch)

    journal._write = write
    with pytest.raises(StoreBusy):
        journal.flush()
    written.batches.clear()
    journal.flush()
    assert [len(batch.logs) for batch in written.batches] == [MOST_ENTRIES, MOST_ENTRIES]
    assert [each.id for batch in written.batches for each in batch.logs] == [str(number) for number in range(2 * MOST_ENTRIES)]
    assert journal.is_empty
