"""The reference task runner is a task runner, and what is special about it."""

import threading

import pytest

from headrace.ports.task_runner import TaskRunner
from headrace.reference.task_runner import SequentialTaskRunner
from headrace.testing.conformance.task_runner import TaskRunnerConformance


class TestSequentialTaskRunner(TaskRunnerConformance):
    @pytest.fixture
    def task_runner(self) -> TaskRunner:
        return SequentialTaskRunner()


def test_a_call_runs_where_it_is_submitted() -> None:
    """The call runs in the calling thread, and its future is done when submit returns."""
    with SequentialTaskRunner().open() as runner:
        future = runner.submit(threading.get_ident)
        assert future.done()
        assert future.result() == threading.get_ident()


def test_a_call_may_submit() -> None:
    """A call that submits another one runs it at once, inside; nothing waits for itself."""
    with SequentialTaskRunner().open() as runner:
        assert runner.submit(lambda: runner.submit(lambda: 1).result() + 1).result() == 2
