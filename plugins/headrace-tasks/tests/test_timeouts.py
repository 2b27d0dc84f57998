"""What becomes of submitted calls when the time of their flow run is over."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace import flow, task
from headrace.instance import Instance
from headrace.model.filters import Page, TaskRunFilter


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[Path]:
    """A pipe that nobody reads: who opens it to write waits in C, where no exception is heard."""
    path = tmp_path / "silent"
    os.mkfifo(path)
    yield path
    os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
    for thread in threading.enumerate():
        if thread.name.startswith("headrace-deadline"):
            thread.join()


@task
def deaf(path: Path) -> None:
    os.open(path, os.O_WRONLY)


@task(retries=3, retry_delay_seconds=1000)
def failing() -> None:
    raise ValueError


@pytest.mark.parametrize("task_runner", ["concurrent", "processes", "sequential"])
def test_they_end_with_the_flow_run(house: Instance, silent: Path, task_runner: str) -> None:
    """The flow ends at once, though calls hear nothing, wait for their next try, or wait for a place; each ends in a state that says why."""

    @flow(timeout_seconds=0.3, task_runner=task_runner)
    def whole() -> None:
        first = [deaf.submit(silent) for _ in range(3)]
        failing.submit()
        deaf.submit(silent, wait_for=first)
        os.open(silent, os.O_WRONLY)

    assert whole(return_state=True).name == "TimedOut"
    ends = {run.state.name for run in house.client.read_task_runs(TaskRunFilter(), Page())}
    assert ends <= {"Crashed", "UpstreamFailed"}
