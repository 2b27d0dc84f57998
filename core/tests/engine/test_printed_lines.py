"""What is printed is written by whole lines."""

import io
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from headrace.engine.output import LONGEST
from headrace.engine.printed_lines import Lines

Read = Callable[[], list[bytes]]


@pytest.fixture
def lines() -> Iterator[tuple[Lines, Read]]:
    """A stream to a pipe that keeps writes apart, and what reads them one by one."""
    reading, writing = os.pipe2(os.O_DIRECT | os.O_NONBLOCK)
    os.set_blocking(writing, True)

    def read() -> list[bytes]:
        found = []
        while True:
            try:
                found.append(os.read(reading, 2 * LONGEST))
            except BlockingIOError:
                return found

    yield Lines(writing, "<out>"), read
    os.close(reading)
    os.close(writing)


def text(stream: Lines) -> io.TextIOWrapper:
    return io.TextIOWrapper(stream, encoding="utf-8", newline="\n", write_through=True)


def test_a_line_is_written_at_once(lines: tuple[Lines, Read]) -> None:
    """However many pieces it is printed in, and not before it is whole."""
    stream, read = lines
    out = text(stream)
    print("one", "two", 3, file=out)
    assert read() == [b"one two 3\n"]
    print("begun", end="", file=out)
    assert read() == []
    print(", ended\nand more\nthan that", end="", file=out)
    assert read() == [b"begun, ended\nand more\n"]


def test_what_has_no_end_is_written_when_it_is_flushed(lines: tuple[Lines, Read]) -> None:
    """Once."""
    stream, read = lines
    out = text(stream)
    print("50 %", end="", file=out, flush=True)
    out.flush()
    assert read() == [b"50 %"]


def test_a_line_grows_only_so_far() -> None:
    """Then it is written, as what reads it would not take more at once either."""
    reading, writing = os.pipe()
    stream = Lines(writing, "<out>")
    os.set_blocking(reading, False)
    stream.write(b"x" * (LONGEST - 1))
    with pytest.raises(BlockingIOError):
        os.read(reading, 1)
    stream.write(b"x")
    assert len(os.read(reading, 2 * LONGEST)) == LONGEST
    os.close(reading)
    os.close(writing)


def test_lines_of_threads_do_not_mix(lines: tuple[Lines, Read]) -> None:
    """Each thread has a line of its own; what it has begun is written when it ends."""
    stream, read = lines
    out = text(stream)
    print("mine", end="", file=out)
    other = threading.Thread(target=lambda: (print("other line", file=out), print("other rest", end="", file=out)))
    other.start()
    other.join()
    assert read() == [b"other line\n", b"other rest"]
    out.flush()
    assert read() == [b"mine"]


def test_all_that_was_begun_can_be_written(lines: tuple[Lines, Read]) -> None:
    """That of threads which go on too, as the threads of a pool do."""
    stream, read = lines
    begun, may_end = threading.Event(), threading.Event()

    def begin() -> None:
        stream.write(b"in a pool")
        begun.set()
        may_end.wait()

    thread = threading.Thread(target=begin)
    thread.start()
    begun.wait()
    stream.flush_all()
    assert read() == [b"in a pool"]
    may_end.set()
    thread.join()
    assert read() == []


def test_it_is_a_stream_like_others(lines: tuple[Lines, Read]) -> None:
    """For libraries that look at it, and those that write bytes."""
    stream, read = lines
    out = text(stream)
    assert (out.fileno(), out.isatty(), out.name, out.writable(), out.readable()) == (stream.raw.fileno(), False, "<out>", True, False)
    assert out.buffer.write(b"by") == 2
    assert out.buffer.write(bytearray(b"tes\n")) == 4
    handler = logging.StreamHandler(out)
    handler.emit(logging.LogRecord("name", logging.INFO, "", 0, "said", None, None))
    out.reconfigure(errors="replace")
    out.writelines(["a", "b\n"])
    assert read() == [b"bytes\n", b"said\n", b"ab\n"]
    with pytest.raises(TypeError):
        stream.write("text")  # type: ignore[arg-type]
    out.close()
    os.fstat(stream.raw.fileno() if not stream.raw.closed else 0)
    with pytest.raises(ValueError, match="closed"):
        stream.write(b"late")


def test_a_pipe_that_does_not_wait_is_waited_for() -> None:
    """A program that shares it may have made it such a one."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    stream, content = Lines(writing, "<out>"), b"x" * 200_000 + b"\n"
    thread = threading.Thread(target=lambda: stream.write(content))
    thread.start()
    got = b""
    while not got.endswith(b"\n"):
        got += os.read(reading, 50_000)
    thread.join()
    assert got == content
    os.close(reading)
    os.close(writing)


def printed_by(source: str, **variables: str) -> tuple[int, bytes]:
    """What a process prints that prints by lines, and ends without tidying up; and its exit code."""
    start = "import os, sys\nfrom headrace.engine.printed_lines import print_by_lines\nprinted = print_by_lines()\n"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"} | variables
    done = subprocess.run(
        [sys.executable, "-c", f"{start}{source}\nos._exit(0)"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_the_streams_of_a_process(unbuffered: str) -> None:
    """Its lines are there, in their order, though it does not end as Python ends: those of C and of its children too."""
    source = """
import ctypes, subprocess, warnings
print("one", "line")
print("an error", file=sys.stderr)
sys.__stdout__.write("by its other name\\n")
subprocess.run(["echo", "by a child"])
ctypes.CDLL(None).printf(b"by C\\n")
sys.stdout.buffer.write(b"bytes \\xff\\n")
print("gr\\u00fc\\u00df \\udc80", sys.stdout.encoding, sys.stdout.errors, sys.stdout.mode)
"""
    code, said = printed_by(source, PYTHONUNBUFFERED=unbuffered, PYTHONIOENCODING="latin-1")
    assert code == 0
    assert said.splitlines() == [
        b"one line",
        b"an error",
        b"by its other name",
        b"by a child",
        b"by C",
        b"bytes \xff",
        "gr\u00fc\u00df \\udc80 utf-8 backslashreplace w".encode(),
    ]


def test_flushing_all_streams() -> None:
    """What was begun is written, by C too, and whatever users have put in place of a stream."""
    source = """
import ctypes, io, threading
ctypes.CDLL(None).printf(b"C;")
print("error;", end="", file=sys.stderr)
class Theirs(io.StringIO):
    def flush(self):
        sys.__stdout__.write("theirs;")
        raise OSError
sys.stdout = Theirs()
printed.flush()
"""
    code, said = printed_by(source)
    assert code == 0
    assert sorted(said.split(b";")) == [b"", b"C", b"error", b"theirs"]


def test_a_forked_child_has_lines_of_its_own() -> None:
    """It does not write what its parent has begun, and hangs in no lock that another thread of its parent held."""
    source = """
import threading, warnings
warnings.simplefilter("ignore")
lines = sys.stdout.buffer
held, may_end = threading.Event(), threading.Event()
def hold():
    sys.stdout.write("of a thread ")
    with lines._lock:
        held.set()
        may_end.wait()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
sys.stderr.write("of the parent ")
child = os.fork()
if child == 0:
    print("of the child")
    print("of the child", file=sys.stderr)
    printed.flush()
    os._exit(0)
os.waitpid(child, 0)
may_end.set()
thread.join()
printed.flush()
"""
    code, said = printed_by(source)
    assert (code, said) == (0, b"of the child\nof the child\nof a thread of the parent ")


def test_a_signal_handler_may_print() -> None:
    """Also while its thread prints."""
    source = """
import signal
lines = sys.stdout.buffer
signal.signal(signal.SIGUSR1, lambda *_: print("in the handler"))
with lines._lock:
    os.kill(os.getpid(), signal.SIGUSR1)
print("after it")
"""
    assert printed_by(source) == (0, b"in the handler\nafter it\n")
