"""The reference flow runner is a flow runner, and what is special about it."""

import sys
from pathlib import Path

import pytest

import headrace.reference.flow_runner
from headrace.errors import FlowRunnerFailed, InvalidOption
from headrace.model.orders import Order
from headrace.ports.flow_runner import FlowRunner
from headrace.reference.flow_runner import UniversalFlowRunner
from headrace.testing.conformance.flow_runner import FlowRunnerConformance
from headrace.testing.stand_in import MODULE


class TestUniversalFlowRunner(FlowRunnerConformance):
    @pytest.fixture
    def flow_runner(self, monkeypatch: pytest.MonkeyPatch) -> FlowRunner:
        monkeypatch.setattr(headrace.reference.flow_runner, "ENGINE", MODULE)
        return UniversalFlowRunner()


def test_it_is_this_python() -> None:
    """What it runs is run by the Python of who asks."""
    assert UniversalFlowRunner().interpreter == sys.executable


@pytest.mark.parametrize(
    "env", [[], {"A": 1}, {"": "x"}, {"A=B": "x"}, {"A": "\0"}, {"HEADRACE_ORDER": "{}"}], ids=["list", "number", "", "=", "0", "order"]
)
def test_variables_that_cannot_be(env: object) -> None:
    """What no environment can hold is refused at once, and so is the order."""
    with pytest.raises(InvalidOption, match="UniversalFlowRunner: env="):
        UniversalFlowRunner(env=env)  # type: ignore[arg-type]


def test_a_home_that_cannot_be(tmp_path: Path) -> None:
    """Where nothing can be started, the error says why."""
    (tmp_path / "home").write_text("")
    order = Order(run_id="run", run_name="certain-cormorant", epoch=1, environment={"HEADRACE_HOME": str(tmp_path / "home")})
    with UniversalFlowRunner().open() as opened:
        with pytest.raises(FlowRunnerFailed, match=r"'universal' could not start flow run 'certain-cormorant': .*home"):
            opened.start(order)
