"""Running a deployment from a program and from flows; the agent is a thread that lives each run as its process would."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from headrace import flow, get_run_context, tags, task
from headrace.authoring.flows import Flow
from headrace.deploying.calling import run_deployment, run_deployment_async
from headrace.engine.deployed_life import DeployedLife
from headrace.engine.drive import drive
from headrace.errors import Ambiguous, HeadraceError, NotFound, RunFailed, TimedOut, UnknownParameter, WrongData, WrongParameterType
from headrace.instance import Instance
from headrace.model.deployments import Code, Deployment
from headrace.model.filters import EventFilter, FlowRunFilter, Page, TaskRunFilter
from headrace.model.queues import ClaimRequest, WorkQueue
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.states import State
from headrace.wire.schemas import parameter_schema

Served = Callable[..., Any]

MOMENT = datetime(2100, 1, 1, tzinfo=UTC)


@flow
def double(number: int = 1) -> int:
    """The deployed flow."""
    if number < 0:
        raise ValueError("too low")
    return 2 * number


@flow(persist_result=False)
def forgetful() -> str:
    """A deployed flow that does not want its result kept."""
    return "kept all the same"


def deploy(house: Instance, deployed: Flow[..., Any], name: str = "nightly", **more: Any) -> Deployment:
    now = house.clock.now()
    definition = deployed.definition
    (kept,) = house.client.put_deployments(
        (
            Deployment(
                id=house.ids.new(),
                name=name,
                flow_name=definition.name,
                code=Code(entrypoint="a:b"),
                parameter_schema=parameter_schema(definition.signature, validated=True),
                created=now,
                updated=now,
                **more,
            ),
        )
    )
    return kept


@contextmanager
def agent(house: Instance, *flows: Flow[..., Any]) -> Iterator[None]:
    """Lives every run of these flows as it becomes due, one after the other."""
    now = house.clock.now()
    queue = house.client.put_work_queue(WorkQueue(id=house.ids.new(), name=house.ids.new(), created=now, updated=now))
    definitions = {each.name: each.definition for each in flows}
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            cursor = house.client.read_last_event()
            claimed = house.client.claim_runs(ClaimRequest(id=house.ids.new(), agent_id="agent", queue_ids=(queue.id,), limit=1))
            for run in claimed.runs:
                life = DeployedLife(house, definitions[run.flow_name], run)
                drive(life.life(), life.loop)
            if not claimed.runs:
                house.client.wait_for_events(EventFilter(after=cursor, kinds=("flow-run.created", "over")), 0.1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def runs_of(house: Instance, deployment: Deployment) -> list[FlowRun]:
    return house.client.read_flow_runs(FlowRunFilter(deployment_ids=(deployment.id,)), Page())


def task_runs(house: Instance) -> list[TaskRun]:
    return house.client.read_task_runs(TaskRunFilter(), Page(newest_first=False))


# From a program


def test_the_final_state_and_its_value(house: Instance) -> None:
    """It waits for the end; the state has what the flow returned, and says which run it was."""
    deployment = deploy(house, double)
    with agent(house, double):
        state = run_deployment("double/nightly", {"number": 4})
    assert (state.is_completed(), state.result()) == (True, 8)
    (run,) = runs_of(house, deployment)
    assert (state.child_flow_run_id, run.parameters) == (run.id, {"number": 4})
    assert task_runs(house) == []


def test_a_failure(house: Instance) -> None:
    """A run that failed gives its state; asking that for the result raises."""
    deploy(house, double)
    with agent(house, double):
        state = run_deployment("double/nightly", {"number": -1})
    assert state.is_failed()
    with pytest.raises(RunFailed, match="ValueError: too low"):
        state.result()


def test_the_result_is_kept_for_who_waits(house: Instance) -> None:
    """The result can be read though the flow itself does not keep it."""
    deploy(house, forgetful)
    with agent(house, forgetful):
        assert run_deployment("forgetful/nightly").result() == "kept all the same"


@pytest.mark.parametrize("name", ["double/nightly", "nightly", "id"])
def test_how_it_is_named(house: Instance, name: str) -> None:
    """By its full name, by its own, or by its id."""
    deployment = deploy(house, double)
    state = run_deployment(deployment.id if name == "id" else name, wait=False)
    assert [run.id for run in runs_of(house, deployment)] == [state.child_flow_run_id]


def test_names_that_do_not_fit(house: Instance) -> None:
    """A name that nothing has, or that two have, makes no run."""
    deploy(house, double)
    deploy(house, forgetful)
    for name in ("double/weekly", "weekly", "nightly/double", "", "/"):
        with pytest.raises(NotFound, match="headrace deployment ls"):
            run_deployment(name)
    with pytest.raises(Ambiguous, match="forgetful/nightly, double/nightly"):
        run_deployment("nightly")
    assert house.client.read_flow_runs(FlowRunFilter(), Page()) == []


def test_without_waiting(house: Instance) -> None:
    """It gives the state that the run is in; what was asked for is on the run."""
    deployment = deploy(house, double, tags=("own",))
    with tags("around"):
        state = run_deployment("double/nightly", tags=["more"], at=MOMENT, flow_run_name="otter", wait=False)
    assert (state.is_scheduled(), state.scheduled_time) == (True, MOMENT)
    (run,) = runs_of(house, deployment)
    assert (run.id, run.name, run.tags) == (state.child_flow_run_id, "otter", ("around", "more", "own"))


def test_a_moment_without_a_zone(house: Instance) -> None:
    """It is local time."""
    deploy(house, double)
    naive = datetime(2100, 1, 1)
    assert run_deployment("double/nightly", at=naive, wait=False).scheduled_time == naive.astimezone(UTC)


def test_wrong_parameters(house: Instance) -> None:
    """What is wrong with parameters is raised, and no run is made."""
    deploy(house, double)
    with pytest.raises(UnknownParameter, match="numbr"):
        run_deployment("double/nightly", {"numbr": 1})
    with pytest.raises(WrongParameterType, match="'number'"):
        run_deployment("double/nightly", {"number": "four"})
    with pytest.raises(WrongParameterType, match="JSON"):
        run_deployment("double/nightly", {"number": object()})
    with pytest.raises(WrongData, match="tags"):
        run_deployment("double/nightly", tags="nightly")
    assert house.client.read_flow_runs(FlowRunFilter(), Page()) == []


@pytest.mark.parametrize(
    "given",
    [
        {"at": "2020"},
        {"at": 5},
        {"timeout": -1},
        {"timeout": float("nan")},
        {"timeout": "5"},
        {"timeout": True},
        {"name": 5},
        {"parameters": ["number"]},
        {"parameters": {5: 1}},
        {"flow_run_name": 5},
        {"tags": 5},
    ],
)
def test_what_is_of_a_wrong_kind(house: Instance, given: dict[str, Any]) -> None:
    """It is refused by name, whatever it is, and no run is made."""
    deploy(house, double)
    with pytest.raises(HeadraceError, match=next(iter(given))):
        run_deployment(**{"name": "double/nightly", "wait": False, **given})
    assert house.client.read_flow_runs(FlowRunFilter(), Page()) == []


def test_parameters_become_plain(house: Instance) -> None:
    """Values with a plain form travel in it."""

    @flow
    def dated(at: datetime) -> str:
        return at.isoformat()

    deployment = deploy(house, dated)
    with agent(house, dated):
        assert run_deployment("dated/nightly", {"at": MOMENT}).result() == MOMENT.isoformat()
    assert runs_of(house, deployment)[0].parameters == {"at": MOMENT.isoformat()}


def test_waiting_too_long(house: Instance) -> None:
    """After the timeout it is said so; the run is there, and waits."""
    deployment = deploy(house, double)
    with pytest.raises(TimedOut, match="waiting for flow run 'otter' .* of double/nightly exceeded its timeout of 0.05 seconds"):
        run_deployment("double/nightly", flow_run_name="otter", timeout=0.05)
    assert [run.state.is_scheduled() for run in runs_of(house, deployment)] == [True]


# From flows


def test_in_a_flow(house: Instance) -> None:
    """It is a task run of the flow, named after the deployment, which ends as the run did; the run is one of its own."""
    deployment = deploy(house, double)

    @flow
    def outer() -> int:
        return int(run_deployment("nightly", {"number": 5}).result())

    with agent(house, double):
        assert outer() == 10
    (inner,) = runs_of(house, deployment)
    (task_run,) = task_runs(house)
    assert (task_run.task_name, task_run.state.type) == ("double nightly", "COMPLETED")
    assert task_run.state.child_flow_run_id == inner.id
    assert inner.root_id == inner.id


def test_a_failure_in_a_flow(house: Instance) -> None:
    """The task run failed as the run did, and the flow may handle it."""
    deploy(house, double)

    @flow
    def outer() -> str:
        state = run_deployment("double/nightly", {"number": -1})
        return f"handled {state.type}"

    with agent(house, double):
        assert outer() == "handled FAILED"
    assert [run.state.type for run in task_runs(house)] == ["FAILED"]


def test_what_goes_wrong_in_a_flow(house: Instance) -> None:
    """What cannot be asked for, or takes too long, is raised in a flow as it is elsewhere."""
    deploy(house, double)

    @flow
    def outer(**given: Any) -> None:
        run_deployment(**given)

    with pytest.raises(NotFound):
        outer(name="weekly")
    with pytest.raises(UnknownParameter):
        outer(name="double/nightly", parameters={"numbr": 1})
    with pytest.raises(TimedOut, match="waiting for flow run"):
        outer(name="double/nightly", timeout=0.01)
    assert [run.state.name for run in task_runs(house)] == ["Failed", "TimedOut"]


def test_without_waiting_in_a_flow(house: Instance) -> None:
    """Asking is a task run too, and completes when the run is made."""
    deployment = deploy(house, double)

    @flow
    def outer() -> State:
        state = run_deployment("double/nightly", wait=False)
        assert state.is_scheduled()
        return State.completed(state.child_flow_run_id)

    asked = outer()
    assert [run.id for run in runs_of(house, deployment)] == [asked]
    assert [run.state.type for run in task_runs(house)] == ["COMPLETED"]


def test_futures_among_parameters(house: Instance) -> None:
    """A future in the parameters is waited for, and remembered as where the value came from."""
    deploy(house, double)

    @task
    def seven() -> int:
        return 7

    @flow
    def outer() -> int:
        return int(run_deployment("double/nightly", {"number": seven.submit()}).result())

    with agent(house, double):
        assert outer() == 14
    first, second = task_runs(house)
    assert second.inputs == {"parameters": (first.id,)}


def test_a_flow_that_is_retried(house: Instance) -> None:
    """A run that had ended well is not asked for again, and its value is known."""
    deployment = deploy(house, double)
    tries = []

    @flow(retries=1)
    def outer() -> int:
        value = run_deployment("double/nightly", {"number": 5}).result()
        asked = run_deployment("double/nightly", at=MOMENT, wait=False)
        tries.append((value, asked.child_flow_run_id))
        if len(tries) == 1:
            raise ValueError("once more")
        return int(value)

    with agent(house, double):
        assert outer() == 10
    assert tries[0] == tries[1]
    assert len(runs_of(house, deployment)) == 2


def test_in_a_task(house: Instance) -> None:
    """In a task it is a plain call, so that many may be asked for at once."""
    deploy(house, double)

    @task
    def each(number: int) -> int:
        return int(run_deployment("double/nightly", {"number": number}).result())

    @flow
    def outer() -> list[int]:
        return each.map([1, 2, 3]).result()

    with agent(house, double):
        assert outer() == [2, 4, 6]
    assert {run.task_name for run in task_runs(house)} == {"each"}


# Async


def test_from_async_code(house: Instance) -> None:
    """On an event loop it is awaited, and nothing blocks: many go side by side."""
    deployment = deploy(house, double)

    async def program() -> list[State]:
        return await asyncio.gather(*(run_deployment_async("double/nightly", {"number": number}) for number in (1, -1, 3)))

    with agent(house, double):
        states = asyncio.run(program())
    assert [state.type for state in states] == ["COMPLETED", "FAILED", "COMPLETED"]
    assert [states[0].result(), states[2].result()] == [2, 6]
    assert len(runs_of(house, deployment)) == 3


def test_in_an_async_flow(house: Instance) -> None:
    """There it is a task run too, with and without waiting."""
    deploy(house, double)

    @flow
    async def outer() -> int:
        asked = await run_deployment_async("double/nightly", at=MOMENT, wait=False)
        assert asked.is_scheduled()
        state = await run_deployment_async("double/nightly", {"number": 4})
        return int(state.result())

    with agent(house, double):
        assert asyncio.run(outer()) == 8
    assert [(run.task_name, run.state.type) for run in task_runs(house)] == [("double nightly", "COMPLETED")] * 2


def test_what_goes_wrong_in_async_code(house: Instance) -> None:
    """It is raised where it is awaited, in a flow or not."""
    deploy(house, double)

    @flow
    async def outer() -> None:
        await run_deployment_async("double/nightly", timeout=0.01)

    for failing in (outer(), run_deployment_async("double/nightly", timeout=0.01)):
        with pytest.raises(TimedOut, match="waiting for flow run"):
            asyncio.run(failing)
    with pytest.raises(NotFound):
        asyncio.run(run_deployment_async("weekly"))


def test_a_cancelled_wait(house: Instance) -> None:
    """Who stops waiting on the loop ends nothing but the waiting."""
    deployment = deploy(house, double)

    async def program() -> None:
        async with asyncio.timeout(0.2):
            await run_deployment_async("double/nightly")

    with pytest.raises(TimeoutError):
        asyncio.run(program())
    assert [run.state.is_scheduled() for run in runs_of(house, deployment)] == [True]


# Contexts


def test_the_run_knows_nothing_of_who_asked(house: Instance) -> None:
    """The run is lived in a context of its own."""
    seen = []

    @flow
    def looking() -> None:
        seen.append(get_run_context().flow_run.flow_name)

    deploy(house, looking)

    @flow
    def outer() -> None:
        run_deployment("looking/nightly", at=house.clock.now() - timedelta(days=1))

    with agent(house, looking):
        outer()
    assert seen == ["looking"]
