"""Runs that were asked for before their process began."""

import logging
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from headrace import flow, get_run_context, task
from headrace.engine.deployed_life import DeployedLife
from headrace.engine.drive import drive
from headrace.errors import RunStopped
from headrace.instance import Instance
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.filters import LogFilter, Page, TaskRunFilter
from headrace.model.runs import FlowRun
from headrace.model.states import State
from headrace.testing.clock import START


def asked(house: Instance, **request: Any) -> FlowRun:
    """A run of a deployment, taken by this process."""
    deployment = Deployment(id="d", name="d", flow_name="f", code=Code(entrypoint="m:f"), created=START, updated=START)
    house.client.put_deployments((deployment,))
    return house.client.request_run(
        RunRequest(**({"id": house.ids.new(), "deployment_id": "d", "name": "wild-otter", "holder": "me"} | request))
    )


@pytest.fixture(autouse=True)
def fresh_loggers() -> Iterator[None]:
    """The handlers of a process in which no flow has run yet."""
    logger = logging.getLogger("headrace")
    before, logger.handlers[:] = list(logger.handlers), []
    yield
    logger.handlers[:] = before


def lived(house: Instance, lived_flow: Any, run: FlowRun, *, remarks: tuple[str, ...] = ()) -> State:
    """The final state of the run."""
    life = DeployedLife(house, lived_flow.definition, run, remarks=remarks)
    return drive(life.life(), life.loop)


def test_the_run_that_is_there_is_lived(house: Instance, capsys: pytest.CaptureFixture[str]) -> None:
    """Its parameters are coerced to what the flow takes; it says so in its log and not on the console."""

    @flow(name="f")
    def double(number: float, *, times: int = 2) -> tuple[float, str, int]:
        return number * times, get_run_context().flow_run.id, get_run_context().epoch

    run = asked(house, parameters={"number": 4})
    assert lived(house, double, run, remarks=("mind the gap",)).result() == (8.0, run.id, 1)
    assert [state.name for state in house.client.read_states(run.id)] == ["Pending", "Running", "Completed"]
    said = [line.message for line in house.client.read_logs(LogFilter(flow_run_ids=(run.id,)), Page(newest_first=False))]
    assert said[:2] == ["Began flow run 'wild-otter' of flow 'f'", "mind the gap"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("parameters", [{"number": "many"}, {}, {"number": 1, "colour": "red"}])
def test_wrong_parameters_fail_the_run(house: Instance, parameters: dict[str, Any]) -> None:
    """The state says which; the function is not called."""

    @flow(name="f")
    def never(number: int) -> None:
        raise AssertionError

    state = lived(house, never, asked(house, parameters=parameters))
    assert state.is_failed()
    assert "invalid parameters" in (state.message or "")


def test_a_flow_names_its_run(house: Instance) -> None:
    """By its parameters as it takes them, unless somebody has chosen a name."""

    @flow(name="f", flow_run_name="number {number:03}")
    def named(number: int) -> str:
        return get_run_context().flow_run.name

    run = asked(house, parameters={"number": "7"})
    assert lived(house, named, run).result() == house.client.read_flow_run(run.id).name == "number 007"
    assert len(house.client.read_states(run.id)) == 3
    chosen = asked(house, parameters={"number": 7}, name="my-run", is_named=True)
    assert lived(house, named, chosen).result() == "my-run"


@pytest.mark.parametrize("persists", [None, True, False])
def test_a_result_is_kept_for_who_asked_for_it(house: Instance, persists: bool | None) -> None:
    """Whatever the flow says, since somebody waits for it."""

    @flow(name="f", persist_result=persists)
    def answer() -> int:
        return 42

    assert lived(house, answer, asked(house, keeps_result=True)).reference is not None
    assert (lived(house, answer, asked(house)).reference is not None) == (persists is True)


def test_what_an_earlier_owner_finished_is_not_computed_again(house: Instance) -> None:
    """In the next epoch, the tasks that were kept are taken over."""
    calls: list[int] = []

    @task(persist_result=True)
    def step(number: int) -> int:
        calls.append(number)
        return number

    @flow(name="f")
    def stepping() -> int:
        total = step(1) + step(2)
        if get_run_context().epoch == 1:
            raise KeyboardInterrupt
        return total + step(3)

    run = asked(house)
    with pytest.raises(KeyboardInterrupt):
        lived(house, stepping, run)
    assert calls == [1, 2]
    pending = house.client.read_states(run.id)[0]
    with house.client.store.writing() as writing:  # type: ignore[attr-defined]  # as if another agent had got it again
        again = writing.flow_run(run.id).entering(pending)
        writing.update_flow_run(again, was=again.revision - 1)
        writing.grant_lease(run.id, epoch=2, holder="other", seconds=60)
    owned = attrs.evolve(again, epoch=2)
    assert lived(house, stepping, owned).result() == 6
    assert calls == [1, 2, 3]
    assert len(house.client.read_task_runs(TaskRunFilter(flow_run_ids=(run.id,)), Page())) == 3


def test_a_stale_owner_names_nothing(house: Instance) -> None:
    """The run keeps its name, and whoever asked is stopped."""
    run = asked(house)
    with pytest.raises(RunStopped):
        house.client.name_flow_run(run.id, 7, "other")
    assert house.client.read_flow_run(run.id).name == "wild-otter"
