"""The flow runner is a flow runner, on a real cluster."""

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from servers import kubernetes

from headrace.model.orders import Order
from headrace.ports.flow_runner import FlowRunner
from headrace.testing.conformance.flow_runner import FlowRunnerConformance, Stage
from headrace_kubernetes.names import labels_of_identity


class TestKubernetes(FlowRunnerConformance):
    @pytest.fixture
    def stage(self, tmp_path: Path) -> Stage:
        return kubernetes.stage()

    @pytest.fixture
    def flow_runner(self, namespace: str, tmp_path: Path) -> FlowRunner:
        return kubernetes.flow_runner(namespace, tmp_path)

    @pytest.fixture
    def at_once(self) -> int:
        return 12  # the one node is busy with other things too

    @pytest.fixture
    def unusable(self, flow_runner: FlowRunner) -> FlowRunner:
        return attrs.evolve(flow_runner, image="headrace.invalid/nothing:1", image_pull_policy="Never")  # type: ignore[misc]

    @pytest.fixture
    def said(self, namespace: str) -> Callable[[Order], list[str]]:
        def printed(order: Order) -> list[str]:
            return kubernetes.printed(namespace, labels_of_identity(order.identity))

        return printed
