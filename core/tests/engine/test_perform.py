"""What is shown of a failure: the users' own frames."""

import asyncio
import re
from typing import Any

import pytest

from headrace import flow, task
from headrace.errors import RunFailed, UpstreamFailed
from headrace.instance import Instance
from headrace.model.filters import LogFilter, Page

FRAME = re.compile(r'File "(.*)", line \d+, in (\w+)')


def frames(house: Instance, *, of: str = "flow") -> list[str]:
    """The functions in the traceback that a run logged; all of them are in this file."""
    logged = [line for line in house.client.read_logs(LogFilter(), Page()) if "Traceback" in line.message or "Error" in line.message]
    (shown,) = [line.message for line in logged if bool(line.task_run_id) is (of == "task") and line.message.startswith("Encountered")]
    found = FRAME.findall(shown)
    assert {file for file, _ in found} <= {__file__}
    return [function for _, function in found]


@task
def deep() -> None:
    deeper()


@task
async def deep_later() -> None:
    await asyncio.sleep(0)
    deeper()


def deeper() -> None:
    raise ValueError("ouch")


@pytest.mark.parametrize("runner", ["sequential", "concurrent"])
def test_a_failure_shows_the_way_from_the_flow_to_where_it_was_raised(house: Instance, runner: str) -> None:
    """Without what lies between, whoever runs the task."""
    if not house.registry.has("task runner", runner):
        pytest.skip(f"task runner {runner!r} is not installed")

    @flow(task_runner=runner)
    def whole() -> None:
        deep.submit().result()

    with pytest.raises(ValueError, match="ouch"):
        whole()
    assert frames(house) == ["whole", "deep", "deeper"]
    assert frames(house, of="task") == ["deep", "deeper"]


def test_a_failure_in_async_code_shows_the_same(house: Instance) -> None:
    """Also where a plain flow calls it, and where there is a deadline."""

    @flow
    def whole() -> None:
        deep_later()  # type: ignore[unused-coroutine]

    @flow
    async def whole_later() -> None:
        await deep_later.with_options(timeout_seconds=60)()

    with pytest.raises(ValueError, match="ouch"):
        whole()
    assert frames(house) == ["whole", "deep_later", "deeper"]


def test_a_deadline_is_not_seen(house: Instance) -> None:
    """Neither the flow's nor the task's."""

    @flow(timeout_seconds=60)
    def whole() -> None:
        deep.with_options(timeout_seconds=60)()

    with pytest.raises(ValueError, match="ouch"):
        whole()
    assert frames(house) == ["whole", "deep", "deeper"]


@pytest.mark.parametrize("refusal", ["limit", "cache", "call"])
def test_a_refusal_shows_where_the_task_was_called(house: Instance, refusal: str) -> None:
    """And nothing of how it was refused."""
    house.client.set_limit("db", 0)
    error: type[Exception] = {"limit": RunFailed, "cache": ZeroDivisionError, "call": Exception}[refusal]

    def key(context: Any, parameters: Any) -> str:
        return str(1 / 0)

    @flow
    def whole() -> None:
        if refusal == "call":
            deep(1)  # type: ignore[call-arg]
        deep.with_options(**({"tags": ["db"]} if refusal == "limit" else {"cache_key_fn": key}))()

    with pytest.raises(error):
        whole()
    assert frames(house) == ["whole", "key"] if refusal == "cache" else ["whole"]


def test_causes_are_shown_in_the_same_way(house: Instance) -> None:
    """A task that did not run since another failed shows that one's own frames before its own."""

    @task
    def after(_: Any) -> None: ...

    @flow
    def whole() -> None:
        after(deep.submit())

    with pytest.raises(UpstreamFailed):
        whole()
    assert frames(house) == ["deep", "deeper", "whole"]


def test_causes_that_go_round_in_circles_end() -> None:
    """They are shown once."""
    from headrace.engine.perform import raised_by_user

    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert raised_by_user(first) == (ValueError, first, None)
