"""Finding what somebody means, and asking for the newest runs."""

from datetime import timedelta

import attrs
import pytest

from headrace import State, flow, task
from headrace.cli import lookup, runs
from headrace.errors import Ambiguous, NotFound
from headrace.instance import Instance
from headrace.model.deployments import Code, Deployment
from headrace.model.filters import FlowRunFilter, Page, TaskRunFilter
from headrace.model.queues import WorkQueue
from headrace.model.runs import FlowRun


@task(task_run_name="step {number}")
def step(number: int) -> int:
    """A task that fails on request."""
    if number < 0:
        raise ValueError("too low")
    return number


@flow(flow_run_name="run {number}")
def stepped(number: int) -> int:
    """A flow with one task."""
    return step(number)


@pytest.fixture
def three(house: Instance) -> list[FlowRun]:
    """Three flow runs, the newest first, of which the second failed."""
    stepped(1)
    with pytest.raises(ValueError, match="too low"):
        stepped(-1)
    stepped(3)
    return house.client.read_flow_runs(FlowRunFilter(), Page())


def test_by_id_prefix_and_name(house: Instance, three: list[FlowRun]) -> None:
    """A run is found by its whole id, in any case, by the unique start of its id, and by its name."""
    for run in three:
        for given in (run.id, run.id.upper(), run.id[:-1], run.name):
            assert lookup.flow_run(house.client, given) == run
    (task_run,) = house.client.read_task_runs(TaskRunFilter(flow_run_ids=(three[0].id,)), Page())
    for given in (task_run.id, task_run.id[:-1], "step 3"):
        assert lookup.task_run(house.client, given) == task_run


def test_several_fit(house: Instance, three: list[FlowRun]) -> None:
    """Where several fit, their ids are named, the newest first."""
    with pytest.raises(Ambiguous) as told:
        lookup.flow_run(house.client, three[0].id[:4])
    assert told.value.candidates == tuple(run.id for run in three)
    stepped(3)
    with pytest.raises(Ambiguous, match="'run 3' fits several flow runs: "):
        lookup.flow_run(house.client, "run 3")


def test_not_all_candidates_are_named(house: Instance) -> None:
    """Of very many that fit, five are named."""
    for _ in range(8):
        stepped(1)
    with pytest.raises(Ambiguous) as told:
        lookup.flow_run(house.client, "run 1")
    assert len(told.value.candidates) == 6
    assert told.value.candidates[-1] == "…"


@pytest.mark.parametrize("given", ["", "nothing", "01", "ffffffff", "%", "----"])
def test_none_fits(house: Instance, three: list[FlowRun], given: str) -> None:
    """Nothing that fits is an error which names the command that lists; less than four characters are no start of an id."""
    assert three
    with pytest.raises(NotFound, match="headrace flow-run ls"):
        lookup.flow_run(house.client, given)
    with pytest.raises(NotFound, match="headrace task-run ls"):
        lookup.task_run(house.client, given)


@pytest.fixture
def deployments(house: Instance) -> list[Deployment]:
    """Three deployments, of which two have one name."""
    now = house.clock.now()
    code = Code(entrypoint="flows:hello")
    names = [("hello", "nightly"), ("hello", "hourly"), ("bye", "nightly")]
    return house.client.put_deployments(
        tuple(
            Deployment(id=house.ids.new(), flow_name=flow_name, name=name, code=code, created=now, updated=now) for flow_name, name in names
        )
    )


def test_deployments(house: Instance, deployments: list[Deployment]) -> None:
    """A deployment is found by its id, in any case, by the unique start of its id, and by its name with its flow's."""
    for deployment in deployments:
        for given in (deployment.id, deployment.id.upper(), deployment.id[:-1], deployment.full_name):
            assert lookup.deployment(house.client, given) == deployment
    assert lookup.deployment(house.client, "hourly") == deployments[1]


def test_deployments_of_one_name(house: Instance, deployments: list[Deployment]) -> None:
    """Where several deployments fit, their names are told, the newest first."""
    with pytest.raises(Ambiguous) as told:
        lookup.deployment(house.client, "nightly")
    assert told.value.candidates == ("bye/nightly", "hello/nightly")
    with pytest.raises(Ambiguous) as told:
        lookup.deployment(house.client, deployments[0].id[:4])
    assert told.value.candidates == ("bye/nightly", "hello/hourly", "hello/nightly")


@pytest.mark.parametrize("given", ["", "/", "hello", "hello/", "/nightly", "bye/hourly", "hello/nightly/", "nightly ", "ffffffff"])
def test_no_deployment_fits(house: Instance, deployments: list[Deployment], given: str) -> None:
    """Parts of a name are no name."""
    assert deployments
    with pytest.raises(NotFound, match="headrace deployment ls"):
        lookup.deployment(house.client, given)


def test_work_queues(house: Instance) -> None:
    """A work queue is found by its id, by the unique start of its id, and by its name; nothing else fits one."""
    now = house.clock.now()
    names = ["nightly", "hourly"]
    queues = [
        house.client.put_work_queue(WorkQueue(id=house.ids.new(), name=name, criteria={"flows": [name]}, created=now, updated=now))
        for name in names
    ]
    for queue in queues:
        for given in (queue.id, queue.id.upper(), queue.id[:-1], queue.name):
            assert lookup.work_queue(house.client, given) == queue
    with pytest.raises(Ambiguous, match="fits several work queues"):
        lookup.work_queue(house.client, queues[0].id[:4])
    for given in ("", "night", "Nightly", "ffff"):
        with pytest.raises(NotFound, match="headrace work-queue ls"):
            lookup.work_queue(house.client, given)


def test_newest_by_states(house: Instance, three: list[FlowRun]) -> None:
    """States are asked for by type, in any case, by name, or by some of each; the newest come first and no run comes twice."""

    def names(*states: str, limit: int = 20) -> list[str]:
        return [run.name for run in runs.newest(house.client.read_flow_runs, FlowRunFilter(), states, limit, house.clock.now())]

    assert [run.name for run in three] == names() == ["run 3", "run -1", "run 1"]
    assert names("FAILED") == names("failed") == ["run -1"]
    assert names("FAILED", "COMPLETED") == names("FAILED", "Completed", "Cached") == ["run 3", "run -1", "run 1"]
    assert names("Cached") == []
    assert names(limit=2) == names("FAILED", "COMPLETED", "Late", limit=2) == ["run 3", "run -1"]


def test_newest_by_type_and_by_name(house: Instance, three: list[FlowRun]) -> None:
    """Types and names of states together: still the newest first, and no more than asked for."""

    @flow(flow_run_name="odd")
    def odd() -> State:
        return State.completed(1, name="Odd")

    odd()
    stepped(5)
    assert three

    def names(limit: int) -> list[str]:
        found = runs.newest(house.client.read_flow_runs, FlowRunFilter(), ("Odd", "FAILED", "Completed"), limit, house.clock.now())
        return [run.name for run in found]

    assert names(20) == ["run 5", "odd", "run 3", "run -1", "run 1"]
    assert names(2) == ["run 5", "odd"]
    odds = runs.newest(house.client.read_flow_runs, FlowRunFilter(), ("FAILED", "Odd"), 20, house.clock.now())
    assert [run.name for run in odds] == ["odd", "run -1"]


def test_rows(house: Instance, three: list[FlowRun]) -> None:
    """A row of JSON is flat, with the state by name and type, moments as text, and the id whole."""
    row = runs.flow_run_row(house.client, three[1], house.clock.now())
    assert (row["id"], row["name"], row["flow_name"]) == (three[1].id, "run -1", "stepped")
    assert (row["state"], row["state_type"], row["state_message"]) == ("Failed", "FAILED", three[1].state.message)
    assert row["parameters"] == {"number": -1}
    assert row["created"] == three[1].created.isoformat()
    assert row["tags"] == []
    assert (row["deployment"], row["deployment_name"]) == (None, None)
    assert "deployment_id" not in row
    assert {"start_time", "end_time", "run_count", "total_run_time"} <= row.keys()
    (task_run,) = house.client.read_task_runs(TaskRunFilter(flow_run_ids=(three[1].id,)), Page())
    assert runs.task_run_row(task_run)["flow_run_id"] == three[1].id


def test_late_runs(house: Instance) -> None:
    """Late is what a run is called that was due more than a few seconds ago and waits; no state has that name, and yet it can be asked for."""
    now = house.clock.now()
    waits = {"due now": 0, "hardly late": 5, "late": 300, "later": -300}
    for name, seconds in waits.items():
        run_id, state = house.ids.new(), attrs.evolve(State.scheduled(now - timedelta(seconds=seconds)), timestamp=now)
        house.client.create_flow_run(FlowRun(id=run_id, root_id=run_id, name=name, flow_name="f", state=state, created=now))
    read, wanted = house.client.read_flow_runs, FlowRunFilter()
    for states in (["Late"], ["late"], ["LATE", "Cached"]):
        assert [run.name for run in runs.newest(read, wanted, states, 20, now)] == ["late"]
        assert [run.name for run in runs.every(read, wanted, states, now)] == ["late"]
    assert len(runs.newest(read, wanted, ["Late", "SCHEDULED"], 20, now)) == 4
    found = {run.name: run for run in runs.every(read, wanted, [], now)}
    assert {name: runs.shown_state(run, now).text for name, run in found.items()} == {
        "due now": "Scheduled (now)",
        "hardly late": "Scheduled (now)",
        "late": "Late (5m)",
        "later": "Scheduled (in 5m)",
    }
    rows = {row["name"]: row["late_seconds"] for row in runs.flow_run_rows(house.client, list(found.values()), now)}
    assert rows == {"due now": None, "hardly late": None, "late": 300.0, "later": None}
