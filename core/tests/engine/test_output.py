"""What a run's process prints becomes lines."""

import os

import pytest

from headrace.engine.output import LONGEST, Output
from headrace.model.logs import LogLine
from headrace.testing.clock import FixedClock

Pipe = tuple[int, Output, list[str]]


@pytest.fixture
def pipe() -> Pipe:
    """The end that is written to, what reads the other, and what that says."""
    reading, writing = os.pipe()
    said: list[str] = []

    def say(line: LogLine) -> None:
        said.append(line.message)

    return writing, Output(reading, flow_run_id="run", clock=FixedClock(), new_id=lambda: "id", say=say), said


def test_lines_are_said_when_they_are_whole(pipe: Pipe) -> None:
    """What has no end yet waits for it; the end of all is one."""
    writing, output, said = pipe
    os.write(writing, b"one\r\ntwo\nthr")
    output.read()
    assert said == ["one", "two"]
    os.write(writing, b"ee\n\nlast")
    os.close(writing)
    output.drain(1)
    assert said == ["one", "two", "three", "", "last"]
    assert output.descriptors == []


def test_bytes_that_are_no_text_are_written_out(pipe: Pipe) -> None:
    """Nothing is lost of them."""
    writing, output, said = pipe
    os.write(writing, "gr\u00fc\u00df \xff".encode("latin-1", "replace") + b"\n")
    os.close(writing)
    output.drain(1)
    assert said == ["gr\\xfc\\xdf \\xff"]


def test_a_line_without_an_end_goes_on_in_the_next(pipe: Pipe) -> None:
    """So that no line is longer than a store takes easily."""
    writing, output, said = pipe
    os.set_blocking(writing, False)
    left = b"x" * (2 * LONGEST + 5)
    while left:
        left = left[os.write(writing, left) :]
        output.read()
    os.close(writing)
    output.drain(1)
    assert [len(line) for line in said] == [LONGEST, LONGEST, 5]


def test_draining_ends_though_somebody_holds_the_pipe(pipe: Pipe) -> None:
    """What the run left behind may do so."""
    writing, output, said = pipe
    os.write(writing, b"words")
    output.drain(0)
    assert said == ["words"]
    os.close(writing)


def test_catching_up(pipe: Pipe) -> None:
    """All that was written until then is said, the line that has no end too; nothing is waited for, and what comes then is a new line."""
    writing, output, said = pipe
    output.catch_up()
    os.write(writing, b"one\ntw")
    output.catch_up()
    assert said == ["one", "tw"]
    os.write(writing, b"o\n")
    output.catch_up()
    assert said == ["one", "tw", "o"]
    os.close(writing)
    output.catch_up()
    assert output.read() == 0
    assert (said, output.descriptors) == (["one", "tw", "o"], [])
    output.catch_up()
