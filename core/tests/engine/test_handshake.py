"""What a run's process and its supervisor say to each other."""

import os
import threading
from collections.abc import Iterator

import pytest

from headrace.engine import handshake
from headrace.engine.handshake import Keep, Over, ToRun, ToSupervisor, joined

Ends = tuple[ToRun, ToSupervisor]


@pytest.fixture
def ends() -> Iterator[Ends]:
    to_run, to_supervisor = joined()
    yield to_run, to_supervisor
    to_run.close()
    if not to_supervisor.is_cut():
        to_supervisor.close()


def asked(to_supervisor: ToSupervisor) -> threading.Thread:
    """A question that waits for its answer."""
    thread = threading.Thread(target=to_supervisor.keep_printed)
    thread.start()
    return thread


def heard(to_run: ToRun) -> list[Keep | Over]:
    """What is said next."""
    said: list[Keep | Over] = []
    while not said and to_run.descriptors:
        said = list(to_run.heard())
    return said


def test_a_question_waits_for_its_answer(ends: Ends) -> None:
    """And each for its own."""
    to_run, to_supervisor = ends
    for _ in range(300):
        thread = asked(to_supervisor)
        (question,) = heard(to_run)
        assert isinstance(question, Keep)
        assert thread.is_alive()
        to_run.answer(Keep((question.number + 7) % 256))
        to_run.answer(question)
        thread.join()
        assert list(to_run.heard()) == []


def test_the_end_is_said(ends: Ends) -> None:
    """With the exit code, as systems know it."""
    to_run, to_supervisor = ends
    to_supervisor.say_over(3)
    to_supervisor.say_over(-1)
    assert heard(to_run) == [Over(3), Over(255)]


def test_nobody_answers(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question is given up after a while."""
    monkeypatch.setattr(handshake, "PATIENCE", 0.0)
    to_run, to_supervisor = ends
    to_supervisor.keep_printed()
    assert heard(to_run) == [Keep(1)]


def test_a_supervisor_that_is_gone_is_not_waited_for(ends: Ends) -> None:
    """Neither one that has gone before, nor one that goes meanwhile."""
    to_run, to_supervisor = ends
    thread = asked(to_supervisor)
    heard(to_run)
    os.close(to_run._says)
    thread.join()
    os.close(to_run.descriptors.pop())
    to_supervisor.keep_printed()
    to_supervisor.say_over(0)
    to_run._says = os.open(os.devnull, os.O_WRONLY)


def test_a_run_that_closes_what_it_does_not_know(ends: Ends) -> None:
    """It says nothing any more, whatever the numbers of the files mean by then; the supervisor sees the end of what it hears once."""
    to_run, to_supervisor = ends
    assert not to_supervisor.is_cut()
    to_supervisor.close()
    reading, writing = os.pipe()
    assert to_supervisor.is_cut()
    to_supervisor.keep_printed()
    to_supervisor.say_over(0)
    os.set_blocking(reading, False)
    with pytest.raises(BlockingIOError):
        os.read(reading, 1)
    assert heard(to_run) == []
    assert to_run.descriptors == []
    to_run.answer(Keep(1))
    os.close(reading)
    os.close(writing)
