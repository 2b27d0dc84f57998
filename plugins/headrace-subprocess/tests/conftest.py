"""What the tests of this dist share: processes that run a test's lines, instead of those that run a run."""

from pathlib import Path

import pytest

import headrace_subprocess.flow_runner
import headrace_subprocess.fork_server
from headrace.testing.conformance.flow_runner import GRACE_SECONDS, Stage
from headrace.testing.stand_in import MODULE


@pytest.fixture(autouse=True)
def tidy(nothing_left_behind: None) -> None:
    """Every test leaves things as it found them."""


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headrace_subprocess.flow_runner, "ENGINE", MODULE)
    monkeypatch.setattr(headrace_subprocess.fork_server, "SERVER", MODULE)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stand_in: None) -> Stage:
    """Makes orders."""
    monkeypatch.setenv("HEADRACE_HOME", str(tmp_path / "home"))
    return Stage({"HEADRACE_HOME": str(tmp_path / "home"), "HEADRACE_GRACE_SECONDS": str(GRACE_SECONDS)})
