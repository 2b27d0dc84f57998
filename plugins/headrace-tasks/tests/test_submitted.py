"""Submitted calls, whatever runs them: when their time is over, when it is their turn."""

import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from headrace import flow, task
from headrace.instance import Instance
from headrace.model.filters import Page, TaskRunFilter
from headrace.rules import concurrency


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


@task(tags=["db"])
def in_turn(number: int) -> int:
    return number


@task(tags=["db"])
async def in_turn_too(number: int) -> int:
    return number


@pytest.mark.parametrize("task_runner", ["concurrent", "processes", "sequential"])
def test_a_freed_slot_is_taken_at_once(house: Instance, monkeypatch: pytest.MonkeyPatch, task_runner: str) -> None:
    """Who waits for a slot of a tag is woken by the task run of the same flow run that leaves it, and does not sleep its time out."""
    monkeypatch.setattr(concurrency, "ASK_AGAIN", timedelta(hours=1))
    house.client.set_limit("db", 1)

    @flow(task_runner=task_runner)
    def whole() -> list[int]:
        futures = [each.submit(number) for number in range(6) for each in (in_turn, in_turn_too)]
        return [future.result() for future in futures]

    assert sum(whole()) == 30
