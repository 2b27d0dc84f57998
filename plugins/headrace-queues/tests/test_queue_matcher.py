"""The queue matchers are queue matchers, and what is special about each."""

from typing import Any

import pytest

from headrace.errors import WrongData
from headrace.model.choices import Choice
from headrace.model.runs import FlowRun
from headrace.ports.queue_matcher import QueueMatcher
from headrace.testing.conformance.queue_matcher import ID, OTHER_ID, QueueMatcherConformance, run_with
from headrace_queues.deployments import DeploymentsMatcher
from headrace_queues.flow_runners import FlowRunnersMatcher
from headrace_queues.tags import TagsMatcher

NO_TEXTS: list[Any] = [None, 3, True, "", [], (), [""], ["a", 1], [["a"]], ["a", None], {"a": 1}, {"a"}, b"a", "\udc80", object()]


class TestTagsMatcher(QueueMatcherConformance):
    @pytest.fixture
    def queue_matcher(self) -> QueueMatcher:
        return TagsMatcher()

    @pytest.fixture
    def wanted(self) -> Any:
        return ("b", "a", "b")

    @pytest.fixture
    def fitting(self) -> list[FlowRun]:
        return [run_with(tags=("a", "b")), run_with(tags=("a", "b", "c"), deployment_id="d")]

    @pytest.fixture
    def unfitting(self) -> list[FlowRun]:
        return [run_with(tags=tags) for tags in [(), ("a",), ("b", "c"), ("A", "B"), ("a, b",), ("ab",)]]

    @pytest.fixture
    def refused(self) -> list[Any]:
        return NO_TEXTS


class TestDeploymentsMatcher(QueueMatcherConformance):
    @pytest.fixture
    def queue_matcher(self) -> QueueMatcher:
        return DeploymentsMatcher()

    @pytest.fixture
    def wanted(self) -> Any:
        return [OTHER_ID, ID]

    @pytest.fixture
    def fitting(self) -> list[FlowRun]:
        return [run_with(deployment_id=ID), run_with(deployment_id=OTHER_ID, tags=("a",))]

    @pytest.fixture
    def unfitting(self) -> list[FlowRun]:
        return [run_with(), run_with(deployment_id=ID[:-1]), run_with(deployment_id=""), run_with(flow_name=ID)]

    @pytest.fixture
    def refused(self) -> list[Any]:
        return [*NO_TEXTS, "hello/nightly", [ID, "hello/nightly"]]


class TestFlowRunnersMatcher(QueueMatcherConformance):
    @pytest.fixture
    def queue_matcher(self) -> QueueMatcher:
        return FlowRunnersMatcher()

    @pytest.fixture
    def wanted(self) -> Any:
        return ["subprocess", "docker"]

    @pytest.fixture
    def fitting(self) -> list[FlowRun]:
        return [run_with(flow_runner=Choice("docker", {"image": "a"})), run_with(flow_runner=Choice("subprocess"))]

    @pytest.fixture
    def unfitting(self) -> list[FlowRun]:
        return [run_with(flow_runner=choice) for choice in (None, Choice("universal"), Choice("sub"), Choice("Docker"))]

    @pytest.fixture
    def refused(self) -> list[Any]:
        return NO_TEXTS


@pytest.mark.parametrize("matcher", [TagsMatcher(), DeploymentsMatcher(), FlowRunnersMatcher()], ids=lambda matcher: type(matcher).__name__)
def test_what_is_asked_for_is_sorted(matcher: QueueMatcher) -> None:
    """One text or several are kept as a list, sorted, each once."""
    assert matcher.checked("b") == ["b"]
    assert matcher.checked(("b", "a", "b")) == matcher.checked(["a", "b"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("wanted", "tags", "why"),
    [
        (["a"], ("a", "b"), "it has the tag 'a'"),
        (["a", "b"], ("a", "b"), "it has the tags 'a', 'b'"),
        (["x"], ("a",), "it lacks the tag 'x' (it has 'a')"),
        (["a", "x", "y"], ("a", "b"), "it lacks the tags 'x', 'y' (it has 'a', 'b')"),
        (["x"], (), "it lacks the tag 'x' (it has none)"),
    ],
)
def test_reasons_of_tags(wanted: list[str], tags: tuple[str, ...], why: str) -> None:
    """The reason names the tags that fit, or those that lack beside what the run has."""
    assert TagsMatcher().matches(wanted, run_with(tags=tags)).why == why


@pytest.mark.parametrize(
    ("deployment", "why"),
    [(ID, f"it is a run of deployment {ID}"), (OTHER_ID, "it is a run of another deployment"), (None, "it is a run of no deployment")],
)
def test_reasons_of_deployments(deployment: str | None, why: str) -> None:
    """The reason says whether the run's deployment is wanted, another, or none."""
    assert DeploymentsMatcher().matches([ID], run_with(deployment_id=deployment)).why == why


@pytest.mark.parametrize(
    ("wanted", "choice", "why"),
    [
        (["docker"], Choice("docker"), "its flow runner is 'docker'"),
        (["subprocess"], Choice("docker"), "its flow runner is 'docker', not 'subprocess'"),
        (["subprocess"], Choice("universal"), "its flow runner is 'universal', not 'subprocess'"),
        (["a", "b"], Choice("docker"), "its flow runner is 'docker', not one of 'a', 'b'"),
        (["docker"], None, "it has no flow runner"),
    ],
)
def test_reasons_of_flow_runners(wanted: list[str], choice: Choice | None, why: str) -> None:
    """The reason names the run's own flow runner, and what is wanted instead."""
    assert FlowRunnersMatcher().matches(wanted, run_with(flow_runner=choice)).why == why


def test_a_name_is_no_id() -> None:
    """A deployment's name would never fit a run, so it is refused in place of an id."""
    with pytest.raises(WrongData, match="queue matcher 'deployments': 'hello/nightly' is a deployment's name; its id is needed"):
        DeploymentsMatcher().checked(["hello/nightly"])
