"""The flow runner is a flow runner, cold and warm."""

from typing import Any

import pytest

import headrace_subprocess.flow_runner
import headrace_subprocess.fork_server
from headrace.ports.flow_runner import FlowRunner
from headrace.testing.conformance.flow_runner import FlowRunnerConformance
from headrace.testing.stand_in import MODULE
from headrace_subprocess.flow_runner import SubprocessFlowRunner


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that run a test's lines, instead of those that run a run."""
    monkeypatch.setattr(headrace_subprocess.flow_runner, "ENGINE", MODULE)
    monkeypatch.setattr(headrace_subprocess.fork_server, "SERVER", MODULE)


class TestCold(FlowRunnerConformance):
    @pytest.fixture
    def flow_runner(self, stand_in: None) -> FlowRunner:
        return SubprocessFlowRunner(warm=False)


class TestWarm(FlowRunnerConformance):
    @pytest.fixture
    def flow_runner(self, stand_in: None) -> FlowRunner:
        return SubprocessFlowRunner()
