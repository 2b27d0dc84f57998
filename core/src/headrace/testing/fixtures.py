"""Fixtures for tests: a house of one's own, and proof that nothing is left behind. Load with `pytest_plugins = ["headrace.testing.fixtures"]`."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import headrace.instance
from headrace.instance import Instance
from headrace.settings import load

ENDING_SECONDS = 10
"""How long a thread may take to end that was told to."""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Instance]:
    """An instance in memory, with the plainest parts; flows that the test calls use it."""
    chosen = {
        "HEADRACE_HOME": str(tmp_path),
        "HEADRACE_RUN_STORE": "memory",
        "HEADRACE_TASK_RUNNER": "sequential",
        "HEADRACE_LOG_LEVEL": "DEBUG",
    }
    with headrace.instance.open(load(chosen), runs_code=True) as opened:
        yield opened


@pytest.fixture
def nothing_left_behind() -> Iterator[None]:
    """Fails a test that leaves a thread running, or changes the environment or the working folder."""
    threads, environment, folder = set(threading.enumerate()), dict(os.environ), Path.cwd()
    yield
    environment.pop("PYTEST_CURRENT_TEST", None)
    left = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    started = [thread for thread in threading.enumerate() if thread not in threads]
    for thread in started:
        thread.join(ENDING_SECONDS)  # what is ending may take its time on a busy machine
    running = [thread.name for thread in started if thread.is_alive()]
    assert not running, f"threads are left running: {running}"
    assert left == environment, "the environment was changed"
    assert Path.cwd() == folder, "the working folder was changed"
