"""The examples of the pages of ports are what they show: each keeps to its port."""

import sys
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from headrace.model.runs import FlowRun
from headrace.ports.queue_matcher import QueueMatcher
from headrace.ports.rule import Rule
from headrace.ports.schedule import Schedule
from headrace.ports.serializer import Serializer
from headrace.ports.service import Service
from headrace.ports.storage import Storage
from headrace.ports.task_runner import TaskRunner
from headrace.testing.clock import START
from headrace.testing.conformance.queue_matcher import QueueMatcherConformance, run_with
from headrace.testing.conformance.rule import RuleConformance
from headrace.testing.conformance.schedule import ScheduleConformance
from headrace.testing.conformance.serializer import SerializerConformance
from headrace.testing.conformance.service import ServiceConformance
from headrace.testing.conformance.storage import StorageConformance
from headrace.testing.conformance.task_runner import TaskRunnerConformance

PAGES = Path(__file__).parents[2] / "docs" / "ports"


def example(name: str, kind: str) -> Any:
    """A class of a page's example, without what the example then does with it."""
    code = (PAGES / f"{name}.md").read_text().partition("```python\n")[2].partition("@hookimpl")[0]
    module = sys.modules[f"example_of_{name}"] = ModuleType(f"example_of_{name}")
    exec(code, vars(module))
    return getattr(module, kind)


class TestStorage(StorageConformance):
    @pytest.fixture
    def storage(self) -> Storage:
        storage: Storage = example("storage", "ShelfStorage")()
        return storage


class TestSerializer(SerializerConformance):
    @pytest.fixture
    def serializer(self) -> Serializer:
        serializer: Serializer = example("serializer", "TextSerializer")()
        return serializer

    @pytest.fixture
    def kept(self) -> list[Any]:
        return ["", "text", "two\nlines", "x" * 1_000_000]


class TestTaskRunner(TaskRunnerConformance):
    @pytest.fixture
    def task_runner(self) -> TaskRunner:
        task_runner: TaskRunner = example("task_runner", "PoolTaskRunner")()
        return task_runner


class TestSchedule(ScheduleConformance):
    @pytest.fixture
    def schedule(self) -> Schedule:
        schedule: Schedule = example("schedule", "HourlySchedule")(minute=30)
        return schedule

    @pytest.fixture
    def expected(self) -> list[Any]:
        return [START + timedelta(minutes=30 + 60 * number) for number in range(30)]


class TestQueueMatcher(QueueMatcherConformance):
    @pytest.fixture
    def queue_matcher(self) -> QueueMatcher:
        queue_matcher: QueueMatcher = example("queue_matcher", "PrefixMatcher")()
        return queue_matcher

    @pytest.fixture
    def wanted(self) -> Any:
        return "etl_"

    @pytest.fixture
    def fitting(self) -> list[FlowRun]:
        return [run_with(flow_name="etl_nightly"), run_with(flow_name="etl_")]

    @pytest.fixture
    def unfitting(self) -> list[FlowRun]:
        return [run_with(flow_name=name) for name in ("etl", "nightly_etl_", "ETL_x")]


class TestRule(RuleConformance):
    @pytest.fixture
    def rule(self) -> Rule:
        rule: Rule = example("rule", "NoFridays")()
        return rule


class TestService(ServiceConformance):
    @pytest.fixture
    def service(self) -> Service:
        service: Service = example("service", "Reminder")()
        return service
