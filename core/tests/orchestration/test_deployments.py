"""Deployments and the runs that are asked for of them."""

from datetime import timedelta
from typing import Any

import attrs
import pytest

from headrace.errors import InvalidName, MissingParameter, NotFound, UnknownParameter, WrongParameterType
from headrace.model.choices import Choice
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.events import Event
from headrace.model.filters import DeploymentFilter, FlowRunFilter, Page
from headrace.model.moves import Move
from headrace.model.states import State
from headrace.orchestration.local_client import LocalClient
from headrace.testing.clock import START, FixedClock

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "times": {"type": "integer", "default": 1}},
    "required": ["name"],
    "additionalProperties": False,
}


def deployment(name: str = "nightly", **fields: Any) -> Deployment:
    plain: dict[str, Any] = {"id": name, "flow_name": "etl", "code": Code(entrypoint="etl:etl"), "created": START, "updated": START}
    return Deployment(name=name, **(plain | fields))


def request(**fields: Any) -> RunRequest:
    return RunRequest(**({"id": "run", "deployment_id": "nightly", "name": "brave-otter"} | fields))


def test_a_deployment_is_known_by_its_names(client: LocalClient, clock: FixedClock, told: list[Event]) -> None:
    """Put again under another id, it keeps its id and its creation, and is changed otherwise."""
    (first,) = client.put_deployments((deployment(),))
    clock.advance(5)
    again = deployment(id="other", created=clock.now(), updated=clock.now(), tags=("new",))
    (second,) = client.put_deployments((again,))
    assert second == attrs.evolve(again, id=first.id, created=START) == client.read_deployment("nightly")
    assert len(client.read_deployments(DeploymentFilter(), Page())) == 1
    assert [event.kind for event in told] == ["deployment.changed"] * 2


def test_all_or_none(client: LocalClient) -> None:
    """One that cannot be takes the others with it."""
    with pytest.raises(InvalidName):
        client.put_deployments((deployment(), deployment("a/b")))
    assert client.read_deployments(DeploymentFilter(), Page()) == []


def test_a_run_has_what_its_deployment_says(client: LocalClient, told: list[Event]) -> None:
    """Tags of both, parameters of the request over those of the deployment, its flow runner and retries; due at once."""
    runner = Choice("subprocess", {"env": {"A": "1"}})
    client.put_deployments(
        (
            deployment(
                tags=("b", "a"),
                parameters={"name": "Leo", "times": 2},
                parameter_schema=SCHEMA,
                flow_runner=runner,
                retries=3,
                retry_delay=1.5,
                flow_version="v",
            ),
        )
    )
    run = client.request_run(request(tags=("c",), parameters={"name": "Ada"}, keeps_result=True))
    assert (run.tags, run.parameters, run.flow_runner) == (("a", "b", "c"), {"name": "Ada", "times": 2}, runner)
    assert (run.retries, run.retry_delay, run.flow_version, run.keeps_result, run.epoch) == (3, 1.5, "v", True, 0)
    assert (run.deployment_id, run.flow_name, run.name, run.root_id) == ("nightly", "etl", "brave-otter", run.id)
    assert (run.state.name, run.state.scheduled_time, run.expected_start_time) == ("Scheduled", START, START)
    assert client.read_flow_run("run") == run
    assert told[-1].kind == "flow-run.created"


def test_a_run_may_be_due_later(client: LocalClient) -> None:
    """At the moment that was asked for."""
    client.put_deployments((deployment(),))
    at = START + timedelta(hours=2)
    run = client.request_run(request(at=at))
    assert (run.state.scheduled_time, run.expected_start_time) == (at, at)


def test_asking_twice_gives_one_run(client: LocalClient) -> None:
    """The second answer is the run as it is by then."""
    client.put_deployments((deployment(),))
    client.request_run(request())
    client.move_flow_run(Move(id="m", run_id="run", state=State.cancelled()))
    assert client.request_run(request(name="other-name")).state.is_cancelled()
    assert len(client.read_flow_runs(FlowRunFilter(), Page())) == 1


def test_a_holder_has_the_run_at_once(client: LocalClient) -> None:
    """It is PENDING in epoch 1, and its lease can be renewed."""
    client.put_deployments((deployment(),))
    run = client.request_run(request(holder="me"))
    assert (run.state.is_pending(), run.epoch) == (True, 1)
    assert not client.renew_lease("run", 1).stop


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"name": "Leo", "nmae": 1}, UnknownParameter),
        ({"name": "Leo", "times": "many"}, WrongParameterType),
        ({}, MissingParameter),
    ],
)
def test_wrong_parameters_make_no_run(client: LocalClient, parameters: dict[str, Any], error: type[Exception]) -> None:
    """They are refused by name, and nothing is left behind."""
    client.put_deployments((deployment(parameter_schema=SCHEMA),))
    with pytest.raises(error, match="etl/nightly"):
        client.request_run(request(parameters=parameters))
    assert client.read_flow_runs(FlowRunFilter(), Page()) == []


def test_deleting_takes_what_has_not_started(client: LocalClient) -> None:
    """What ran stays, and says which deployment it was of; one that waits for its retry has started."""
    client.put_deployments((deployment(),))
    for name in ("waits", "ran", "retries"):
        client.request_run(request(id=name, holder=None if name == "waits" else "me"))
    for name, states in {"ran": (State.running(), State.completed()), "retries": (State.running(), State.scheduled(START))}.items():
        for number, state in enumerate(states):
            client.move_flow_run(Move(id=f"{name}{number}", run_id=name, state=state, epoch=1))
    client.delete_deployment("nightly")
    assert [(run.id, run.deployment_id) for run in client.read_flow_runs(FlowRunFilter(), Page())] == [
        ("retries", "nightly"),
        ("ran", "nightly"),
    ]
    for ask in (client.read_deployment, client.delete_deployment):
        with pytest.raises(NotFound):
            ask("nightly")
    with pytest.raises(NotFound):
        client.request_run(request(id="late"))
