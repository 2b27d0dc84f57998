"""The flow runner is a flow runner, on a real cluster."""

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from servers.kubernetes import OwnNamespace, stage_elsewhere

from headrace.model.orders import Order
from headrace.ports.flow_runner import FlowRunner
from headrace.testing.conformance.flow_runner import FlowRunnerConformance, Stage
from headrace_kubernetes.flow_runner import KubernetesFlowRunner
from headrace_kubernetes.names import labels_of_identity


class TestKubernetes(FlowRunnerConformance):
    @pytest.fixture
    def stage(self, tmp_path: Path) -> Stage:
        return stage_elsewhere()

    @pytest.fixture
    def flow_runner(self, namespace: OwnNamespace, tmp_path: Path) -> KubernetesFlowRunner:
        return namespace.flow_runner(tmp_path)

    @pytest.fixture
    def at_once(self) -> int:
        return 12  # the one node is busy with other things too

    @pytest.fixture
    def unusable(self, flow_runner: FlowRunner) -> FlowRunner:
        return attrs.evolve(flow_runner, image="headrace.invalid/nothing:1", image_pull_policy="Never")  # type: ignore[misc]

    @pytest.fixture
    def said(self, namespace: OwnNamespace) -> Callable[[Order], list[str]]:
        def printed(order: Order) -> list[str]:
            return namespace.printed(labels_of_identity(order.identity))

        return printed
