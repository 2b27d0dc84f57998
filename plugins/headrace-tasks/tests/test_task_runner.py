"""Each task runner is one, and what is special about each."""

import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from headrace.errors import CallLost, InvalidOption, NoThread, NotSerializable
from headrace.ports.task_runner import TaskRunner
from headrace.testing.conformance.task_runner import SECONDS, Gate, TaskRunnerConformance
from headrace_tasks.concurrent import ConcurrentTaskRunner
from headrace_tasks.processes import ProcessTaskRunner


class TestConcurrentTaskRunner(TaskRunnerConformance):
    @pytest.fixture
    def task_runner(self) -> TaskRunner:
        return ConcurrentTaskRunner()


class TestConcurrentTaskRunnerWithOnePlace(TaskRunnerConformance):
    @pytest.fixture
    def task_runner(self) -> TaskRunner:
        return ConcurrentTaskRunner(max_workers=1)


class TestProcessTaskRunner(TaskRunnerConformance):
    @pytest.fixture
    def task_runner(self) -> TaskRunner:
        return ProcessTaskRunner(max_workers=2)


@pytest.mark.parametrize("max_workers", [0, -1, "4", 1.5, True])
@pytest.mark.parametrize("kind", [ConcurrentTaskRunner, ProcessTaskRunner])
def test_places_are_checked(kind: Any, max_workers: object) -> None:
    """A number of places that makes no sense is refused where it is written, with a sentence."""
    with pytest.raises(InvalidOption, match="max_workers=.* it must be an integer, at least 1"):
        kind(max_workers=max_workers)
    with pytest.raises(InvalidOption):
        ConcurrentTaskRunner(max_workers=None)  # type: ignore[arg-type]


# Concurrent


def test_concurrent_calls_run_at_once() -> None:
    """As many calls run at once as there are places; their threads say what they are for."""
    barrier = threading.Barrier(8, timeout=SECONDS)

    def name() -> str:
        barrier.wait()
        return threading.current_thread().name

    with ConcurrentTaskRunner(max_workers=8).open() as runner:
        names = {future.result(SECONDS) for future in [runner.submit(name) for _ in range(8)]}
    assert len(names) == 8
    assert all(name.startswith("headrace-task") for name in names)


def test_concurrent_starts_no_thread_without_a_call() -> None:
    """Opening a runner starts nothing; when it is closed, its threads are gone."""
    before = set(threading.enumerate())
    with ConcurrentTaskRunner().open() as runner:
        assert set(threading.enumerate()) == before
        runner.submit(dict).result(SECONDS)
        assert set(threading.enumerate()) > before
    assert set(threading.enumerate()) == before


@pytest.fixture
def no_thread() -> Iterator[Callable[[], object]]:
    """From when it is called on, no thread can be started: its stack would be larger than any machine."""
    before = threading.stack_size()
    yield lambda: threading.stack_size(1 << 60)
    threading.stack_size(before)


def test_a_call_without_a_thread_is_refused_for_good(no_thread: Callable[[], object]) -> None:
    """Where no thread can be started, submitting is an error that says so; the call is not made later by a thread that is there."""
    made: list[str] = []
    with ConcurrentTaskRunner().open() as runner, Gate() as gate:
        first = runner.submit(gate.call)
        gate.await_one()
        no_thread()
        with pytest.raises(NoThread, match="no thread can be started for this call .*; let fewer calls run at once"):
            runner.submit(lambda: made.append("late"))
        gate.open()
        assert first.result(SECONDS) is True
        assert runner.submit(lambda: made.append("then")).result(SECONDS) is None
    assert made == ["then"]


# Processes


def children() -> set[int]:
    """The processes that this thread's process has started and that are still there."""
    return {int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


def test_processes_are_started_for_calls_only_and_end_with_the_runner() -> None:
    """There is no process before the first call, never more than places, and none after closing."""
    before = children()
    with ProcessTaskRunner(max_workers=2).open() as runner:
        assert children() == before
        pids = {future.result(SECONDS) for future in [runner.submit(os.getpid) for _ in range(50)]}
        assert 1 <= len(pids) <= 2
        assert children() - before == pids
    assert children() == before


def test_an_idle_process_is_taken_again() -> None:
    """Calls one after the other share one process."""
    with ProcessTaskRunner(max_workers=4).open() as runner:
        assert len({runner.submit(os.getpid).result(SECONDS) for _ in range(10)}) == 1


@pytest.mark.parametrize(
    ("end", "how"),
    [
        (partial(lambda number: os.kill(os.getpid(), number), signal.SIGKILL), "SIGKILL, as the system sends it when memory runs out"),
        (partial(lambda number: os.kill(os.getpid(), number), signal.SIGTERM), "SIGTERM"),
        (lambda: os._exit(3), "exit code 3"),
    ],
    ids=["killed", "terminated", "left"],
)
def test_a_process_that_dies_takes_one_call_with_it(end: Any, how: str) -> None:
    """The call whose process died gets an exception that says how; those that run beside it, and after it, do not notice."""
    with Gate() as gate, ProcessTaskRunner(max_workers=2).open() as runner:
        beside = runner.submit(gate.call)
        gate.await_one()
        lost = runner.submit(end)
        after = [runner.submit(partial(pow, 2, number)) for number in range(20)]
        error = lost.exception(SECONDS)
        assert isinstance(error, CallLost)
        assert f"({how})" in str(error)
        assert [future.result(SECONDS) for future in after] == [2**number for number in range(20)]
        gate.open()
        assert beside.result(SECONDS) is True


def test_a_process_killed_between_calls_is_replaced() -> None:
    """A process that dies while it has nothing to do costs no call."""
    with ProcessTaskRunner(max_workers=1).open() as runner:
        first = runner.submit(os.getpid).result(SECONDS)
        os.kill(first, signal.SIGKILL)
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
        assert runner.submit(os.getpid).result(SECONDS) != first


def test_a_death_is_noticed_though_the_line_stays_open() -> None:
    """What a call left behind, holding the line open, does not keep the runner waiting for a dead process."""

    def left_behind() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if os.fork() == 0:
                os.setsid()
                signal.alarm(5)
                signal.pause()
        os.kill(os.getpid(), signal.SIGKILL)

    with ProcessTaskRunner(max_workers=1).open() as runner:
        assert isinstance(runner.submit(left_behind).exception(SECONDS), CallLost)


def test_what_cannot_travel_says_so() -> None:
    """A call, a result or an exception that cannot be pickled becomes an exception with what and why; the process goes on."""

    class Stubborn(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(f"{one} and {two}")

    def fail() -> None:
        raise Stubborn(1, 2)

    lock = threading.Lock()
    with ProcessTaskRunner(max_workers=1).open() as runner:
        for call, words in (
            (lambda: lock, "a task call cannot be written"),
            (threading.Lock, "what a task call returned cannot be written"),
            (fail, "Stubborn: 1 and 2"),
        ):
            error = runner.submit(call).exception(SECONDS)
            assert isinstance(error, NotSerializable)
            assert words in str(error)
        assert runner.submit(lambda: "on").result(SECONDS) == "on"


def test_a_call_is_taken_as_it_is_when_submitted() -> None:
    """What the flow changes after submitting does not reach the call."""
    numbers = [1, 2]
    with ProcessTaskRunner(max_workers=1).open() as runner:
        future = runner.submit(lambda: numbers)
        numbers.append(3)
        assert future.result(SECONDS) == [1, 2]


SCRIPT = """
import os
from dataclasses import dataclass
print("script starts", flush=True)
from headrace_tasks.processes import ProcessTaskRunner
import beside

@dataclass
class Point:
    x: int

FACTOR = 7

def scaled(point):
    print("in the call", flush=True)
    return Point(point.x * FACTOR)

with ProcessTaskRunner(max_workers=2).open() as runner:
    point = Point(6)
    result = runner.submit(lambda: scaled(point)).result()
    assert type(result) is Point, type(result)
    assert result == Point(42)
    assert runner.submit(beside.where).result() != os.getpid()
    assert runner.submit(lambda: __import__("sys").stdin.read()).result() == ""
print("script ends")
"""


def test_a_script_needs_no_main_guard(tmp_path: Path) -> None:
    """Functions and classes of a script itself travel, come back as the same class, and the script runs once; files beside it are found, though
    files there that are named like modules of Python disturb nobody before."""
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "beside.py").write_text("import os\n\ndef where():\n    return os.getpid()\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "pickle.py").write_text("raise SystemExit('the wrong module')")
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")], cwd=tmp_path / "folder", capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["script starts", "in the call", "script ends"]


PRINTING = """
import os
from headrace_tasks.processes import ProcessTaskRunner

def printing():
    print("one", "line")
    print("begun", end="")
    os._exit(7)

with ProcessTaskRunner(max_workers=1).open() as runner:
    runner.submit(printing).exception()
"""


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_lines_are_printed_at_once(tmp_path: Path, unbuffered: str) -> None:
    """A call that ends its process has printed its lines, though nobody asked Python to print without delay."""
    (tmp_path / "script.py").write_text(PRINTING)
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")], env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (done.returncode, done.stderr, done.stdout.startswith("one line\n")) == (0, "", True)


ORPHANS = """
import os, signal
from headrace_tasks.processes import ProcessTaskRunner
with ProcessTaskRunner(max_workers=1).open() as runner:
    print(runner.submit(os.getpid).result(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_processes_do_not_outlive_a_killed_program() -> None:
    """When the flow's process is killed, its idle children leave by themselves: their output, which they share, comes to its end."""
    done = subprocess.run([sys.executable, "-c", ORPHANS], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == -signal.SIGKILL
    assert int(done.stdout) > 0
    assert done.stderr == ""
