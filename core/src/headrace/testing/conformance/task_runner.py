"""What every task runner does."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import attrs
import pytest

from headrace.errors import TaskRunnerClosed
from headrace.ports.task_runner import OpenTaskRunner, TaskRunner
from headrace.testing.conformance.facts import Facts

SECONDS = 60
"""How long a test waits for what should come at once."""


class Gate:
    """Calls wait at it, in whatever thread or process they run, until it is opened."""

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._listener.settimeout(SECONDS)
        self._waiting: list[socket.socket] = []
        self.call: Callable[[], bool] = partial(_pass, self._listener.getsockname())
        return self

    def await_one(self) -> None:
        """Returns when one more call has come to the gate."""
        self._waiting.append(self._listener.accept()[0])

    def open(self) -> None:
        """Lets through those that wait, and those to come."""
        self._listener.close()
        for call in self._waiting:
            call.close()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.open()


def _pass(address: tuple[str, int]) -> bool:
    with suppress(OSError), socket.create_connection(address, timeout=SECONDS) as gate:  # a gate that is open accepts nobody
        gate.recv(1)
    return True


def noted(path: Path, word: str) -> str:
    """Adds a line to the file, by one write."""
    with open(path, "ab", buffering=0) as file:
        file.write(f"{word}\n".encode())
    return word


def span() -> tuple[int, int]:
    """When this call started and ended, by the clock that all processes of the machine share."""
    start = time.monotonic_ns()
    sum(range(1000))
    return start, time.monotonic_ns()


@attrs.frozen
class Multiplier:
    """Something with a method."""

    factor: int

    def times(self, number: int) -> int:
        return self.factor * number


class Failure(Exception):
    """An exception of a call, with more than its text."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.details = {"code": 7}


def fail(error: BaseException) -> None:
    """Raises it."""
    raise error


class TaskRunnerConformance(Facts):
    """Facts about task runners. Override the fixture `task_runner`; give it fewer than 200 places, so that calls have to wait."""

    @pytest.fixture
    def task_runner(self) -> TaskRunner:
        raise NotImplementedError("override the fixture `task_runner`; it gives the task runner to try")

    @pytest.fixture
    def opened(self, task_runner: TaskRunner) -> Iterator[OpenTaskRunner]:
        with task_runner.open() as opened:
            yield opened

    # Values

    def test_a_task_runner_is_a_value(self, task_runner: TaskRunner) -> None:
        """A task runner equals another one with the same fields, and one value can be open twice at once."""
        with task_runner.open() as one, task_runner.open() as other:
            assert attrs.evolve(task_runner) == task_runner  # type: ignore[misc]
            assert one.submit(lambda: 1).result(SECONDS) == other.submit(lambda: 1).result(SECONDS)
        with task_runner.open() as again:
            assert again.submit(lambda: 2).result(SECONDS) == 2

    def test_in_process_is_true(self, task_runner: TaskRunner, opened: OpenTaskRunner) -> None:
        """Calls run in this process, and see its memory, exactly if the task runner says so."""
        seen: list[int] = []
        assert (opened.submit(os.getpid).result(SECONDS) == os.getpid()) is task_runner.in_process
        opened.submit(lambda: seen.append(1)).result(SECONDS)
        assert (seen == [1]) is task_runner.in_process

    def test_in_order_is_true(self, task_runner: TaskRunner, opened: OpenTaskRunner) -> None:
        """A task runner that keeps the order starts a call only after the one submitted before it has ended."""
        spans = [future.result(SECONDS) for future in [opened.submit(span) for _ in range(50)]]
        if task_runner.in_order:
            assert all(before[1] <= after[0] for before, after in pairwise(spans))

    # Calls

    def test_results(self, opened: OpenTaskRunner) -> None:
        """A future gives what its call returned; functions, lambdas, closures, partials and bound methods can all be calls."""
        captured = {"a": [1, 2]}

        def closure() -> dict[str, list[int]]:
            return captured

        calls: list[tuple[Callable[[], Any], Any]] = [
            (dict, {}),
            (lambda: None, None),
            (lambda: 6 * 7, 42),
            (closure, {"a": [1, 2]}),
            (partial(pow, 2, 10), 1024),
            (partial(Multiplier(6).times, 7), 42),
            (lambda: Multiplier(6), Multiplier(6)),
            ("abc".upper, "ABC"),
        ]
        futures = [opened.submit(call) for call, _ in calls]
        assert [future.result(SECONDS) for future in futures] == [expected for _, expected in calls]

    def test_exceptions(self, opened: OpenTaskRunner) -> None:
        """A call's exception is its future's, with its type, text and details; the calls after it run."""
        error = opened.submit(partial(fail, Failure("broken"))).exception(SECONDS)
        assert isinstance(error, Failure)
        assert (str(error), error.details) == ("broken", {"code": 7})
        with pytest.raises(ZeroDivisionError):
            opened.submit(lambda: 1 / 0).result(SECONDS)
        assert opened.submit(lambda: "on").result(SECONDS) == "on"

    @pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
    def test_a_call_cannot_end_the_runner(self, opened: OpenTaskRunner, kind: type[BaseException]) -> None:
        """What would end a program, raised in a call, is its future's exception, and the calls after it run."""
        assert type(opened.submit(partial(fail, kind())).exception(SECONDS)) is kind
        assert [opened.submit(lambda: "on").result(SECONDS) for _ in range(10)] == ["on"] * 10

    def test_many_calls_each_once(self, opened: OpenTaskRunner, tmp_path: Path) -> None:
        """Of two hundred calls each is run exactly once, and each future has the result of its own call."""
        words = [f"call-{number}" for number in range(200)]
        futures = [opened.submit(partial(noted, tmp_path / "calls", word)) for word in words]
        assert [future.result(SECONDS) for future in futures] == words
        assert sorted((tmp_path / "calls").read_text().split()) == sorted(words)

    def test_big_arguments_and_results(self, opened: OpenTaskRunner) -> None:
        """Calls may carry, and return, megabytes."""
        content = os.urandom(8_000_000)
        assert opened.submit(partial(bytes.__add__, content, b"!")).result(SECONDS) == content + b"!"

    def test_calls_from_many_threads(self, opened: OpenTaskRunner) -> None:
        """Calls may be submitted by several threads at once."""
        results: dict[int, list[int]] = {}

        def submit(thread: int) -> None:
            futures = [opened.submit(partial(Multiplier(thread).times, number)) for number in range(25)]
            results[thread] = [future.result(SECONDS) for future in futures]

        threads = [threading.Thread(target=submit, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
        assert results == {thread: [thread * number for number in range(25)] for thread in range(4)}

    # The end

    def test_closing_leaves_nothing_undone(self, task_runner: TaskRunner, tmp_path: Path) -> None:
        """After closing, every call has either run to its end or was cancelled and never started."""
        with task_runner.open() as opened:
            futures = [opened.submit(partial(noted, tmp_path / "calls", str(number))) for number in range(100)]
            futures[0].result(SECONDS)
        assert all(future.done() for future in futures)
        done = [future.result() for future in futures if not future.cancelled()]
        assert sorted((tmp_path / "calls").read_text().split()) == sorted(done)

    def test_closing_cancels_what_waits(self, task_runner: TaskRunner) -> None:
        """Closing cancels the calls that wait, at once, and waits for those that run."""
        if task_runner.in_order:
            pytest.skip("it may run a call while it is submitted, so that none waits")
        last_is_done = threading.Event()
        with Gate() as gate:
            context = task_runner.open()
            opened = context.__enter__()
            futures = [opened.submit(gate.call) for _ in range(200)]
            gate.await_one()
            futures[-1].add_done_callback(lambda _: last_is_done.set())
            closing = threading.Thread(target=context.__exit__, args=(None, None, None))
            closing.start()
            assert last_is_done.wait(SECONDS)
            assert futures[-1].cancelled()
            assert closing.is_alive()
            assert not all(future.done() for future in futures)
        closing.join(SECONDS)
        assert not closing.is_alive()
        assert {future.result() for future in futures if not future.cancelled()} == {True}

    def test_a_closed_runner_takes_no_calls(self, task_runner: TaskRunner) -> None:
        """Submitting after the end raises TaskRunnerClosed, whether or not anything was submitted before."""
        with task_runner.open() as unused:
            pass
        with task_runner.open() as used:
            used.submit(dict).result(SECONDS)
        for opened in (unused, used):
            with pytest.raises(TaskRunnerClosed):
                opened.submit(dict)

    def test_an_exception_in_the_flow_closes_too(self, task_runner: TaskRunner) -> None:
        """An exception inside the context passes through, and what was submitted before is over."""
        futures: list[Any] = []

        def flow() -> None:
            with task_runner.open() as opened:
                futures.extend(opened.submit(span) for _ in range(10))
                raise Failure("the flow failed")

        with pytest.raises(Failure):
            flow()
        assert all(future.done() for future in futures)
