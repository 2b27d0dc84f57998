"""The flow runner `subprocess` is a flow runner with real runs too: claimed, supervised, of a deployment whose code travels."""

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import attrs
import pytest

import headrace
from headrace.instance import Instance
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.filters import LogFilter, Page
from headrace.model.orders import Order
from headrace.packaging.packing import write_archive
from headrace.packaging.script import tree_of_script
from headrace.ports.flow_runner import FlowRunner
from headrace.settings import load
from headrace.testing.conformance.flow_runner import GRACE_SECONDS, FlowRunnerConformance, Stage
from headrace.testing.stand_in import LINES
from headrace_subprocess.flow_runner import SubprocessFlowRunner

SCRIPT = f"""
import os

from headrace import flow


@flow
def do():
    exec(os.environ["{LINES}"], {{"__name__": "__main__"}})
"""


@attrs.define
class RealStage(Stage):
    """Makes orders of runs that are taken already, by who gives the order."""

    house: Instance = attrs.field(kw_only=True)
    deployment_id: str = attrs.field(kw_only=True)

    def order(self, lines: str, **variables: str) -> Order:
        request = RunRequest(id=self.house.ids.new(), deployment_id=self.deployment_id, name=self.house.ids.new(), holder="test")
        run = self.house.client.request_run(request)
        environment = {**self.environment, LINES: dedent(lines), **variables}
        return Order(run_id=run.id, run_name=run.name, epoch=run.epoch, environment=environment)


class WithRuns(FlowRunnerConformance):
    @pytest.fixture
    def stage(self, tmp_path: Path) -> Iterator[Stage]:
        environment = {"HEADRACE_HOME": str(tmp_path / "home"), "HEADRACE_GRACE_SECONDS": str(GRACE_SECONDS)}
        script = tmp_path / "errands.py"
        script.write_text(SCRIPT)
        tree = tree_of_script(script)
        with headrace.open(load(environment)) as house:
            with house.code_storage() as storage:
                write_archive(tree, tree.archive().key, storage)
            now = house.clock.now()
            code = Code(entrypoint="errands:do", archive=tree.archive())
            made = Deployment(id=house.ids.new(), name="do", flow_name="do", code=code, created=now, updated=now)
            (deployment,) = house.client.put_deployments((made,))
            yield RealStage(environment, house=house, deployment_id=deployment.id)

    @pytest.fixture
    def said(self, stage: RealStage) -> Callable[[Order], list[str]]:
        def said(order: Order) -> list[str]:
            lines = stage.house.client.read_logs(LogFilter(flow_run_ids=(order.run_id,)), Page())
            return [line.message for line in lines]

        return said

    @pytest.fixture
    def unusable(self) -> FlowRunner:
        return SubprocessFlowRunner(python="/nowhere/python")


class TestWarm(WithRuns):
    @pytest.fixture
    def flow_runner(self) -> FlowRunner:
        return SubprocessFlowRunner()


class TestCold(WithRuns):
    @pytest.fixture
    def flow_runner(self) -> FlowRunner:
        return SubprocessFlowRunner(warm=False)
