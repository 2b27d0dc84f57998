"""How containers reach the API is found out by asking from one, and what is wrong is told."""

from typing import Any

import attrs
import pytest
from servers.answering import Answer, Answering
from servers.docker import DockerEngine

from headrace.errors import FlowRunnerFailed
from headrace.model.orders import ExitStatus, Order
from headrace.testing.conformance.flow_runner import SECONDS, Stage
from headrace_docker.flow_runner import ADDRESS, DockerFlowRunner
from headrace_docker.probe import LABEL
from headrace_docker.sightings import name_of

ELSEWHERE = "http://api.example.invalid:4200/api"


@pytest.fixture
def runner(image: str, stand_in: tuple[str, ...]) -> DockerFlowRunner:
    return DockerFlowRunner(image=image, command=stand_in, auto_remove=False)


def order_for(stage: Stage, address: str) -> Order:
    """An order of an orchestration at an address."""
    order = stage.order("pass")
    return attrs.evolve(order, environment={**order.environment, ADDRESS: address})


def reached(runner: DockerFlowRunner, order: Order, api: Any) -> tuple[str, str, str]:
    """By which address a container is to reach the API, in which network it is, and what is remarked about that."""
    with runner.open() as opened:
        process = opened.start(order)
        assert process.wait(SECONDS) == ExitStatus(0)
    found = api.inspect_container(name_of(order.identity))
    api.remove_container(found["Id"])
    given = dict(line.split("=", 1) for line in found["Config"]["Env"])
    return given[ADDRESS], found["HostConfig"]["NetworkMode"], process.remark


def why_not(runner: DockerFlowRunner, order: Order) -> str:
    """Why it could not be started."""
    with runner.open() as opened, pytest.raises(FlowRunnerFailed) as failure:
        opened.start(order)
    return failure.value.why


def test_a_server_on_loopback(runner: DockerFlowRunner, orders: Stage, api: Any, address: str) -> None:
    """It is reached from the network of its machine alone, which is chosen where nothing was said, and remarked."""
    found, mode, remark = reached(runner, orders.order("pass"), api)
    assert (found, mode) == (address, "host")
    assert remark == (
        f"The container of the run is in the network of its machine (network_mode: host), since only from there {address} is reached."
    )


def test_a_server_on_all_addresses(runner: DockerFlowRunner, orders: Stage, api: Any) -> None:
    """What is called by a name of this machine is reached by the name that it has in containers; they stay in their own network."""
    with Answering("0.0.0.0") as server:
        order = order_for(orders, f"http://127.0.0.1:{server.port}/api")
        found, mode, remark = reached(runner, order, api)
    assert (found, remark) == (f"http://host.docker.internal:{server.port}/api", "")
    assert mode in ("default", "bridge")


def test_a_server_on_the_gateway(runner: DockerFlowRunner, orders: Stage, api: Any, engine: DockerEngine) -> None:
    """An address that containers reach as it is stays as it is."""
    assert engine.gateway is not None
    with Answering(engine.gateway) as server:
        assert reached(runner, order_for(orders, server.url), api)[0] == server.url


def test_a_name_that_is_given(runner: DockerFlowRunner, orders: Stage, api: Any, engine: DockerEngine) -> None:
    """Names of machines that a container is given are those by which it looks; an address in its own variables is used as it is."""
    assert engine.gateway is not None
    with Answering(engine.gateway) as server:
        named = f"http://api.example.test:{server.port}/api"
        with_name = attrs.evolve(runner, extra_hosts={"api.example.test": engine.gateway}, env={ADDRESS: named})
        assert reached(with_name, orders.order("pass"), api)[0] == named


def test_it_is_asked_once(runner: DockerFlowRunner, orders: Stage, engine: DockerEngine, api: Any) -> None:
    """One container asks for all runs of an open flow runner, and none of those is left."""
    assert engine.gateway is not None
    with Answering(engine.gateway) as server, runner.open() as opened:
        for _ in range(2):
            process = opened.start(order_for(orders, server.url))
            assert process.wait(SECONDS) == ExitStatus(0)
            api.remove_container(name_of(process.identity))
        assert server.asked == ["/api/flow-runs/headrace-probe"]
    assert api.containers(all=True, filters={"label": f"{LABEL}={server.url}"}) == []


def test_what_was_tried(runner: DockerFlowRunner, orders: Stage, address: str) -> None:
    """Where nothing reaches the server, each address is told with what was wrong, and what to do about it."""
    why = why_not(attrs.evolve(runner, network_mode="bridge"), orders.order("pass"))
    assert why.startswith(f"no container in network_mode bridge reaches the API at {address}; tried: {address} (connection refused), ")
    assert "http://host.docker.internal:" in why
    assert why.endswith("or give the flow runner network_mode: host, where the engine is on the machine of the server")


def test_a_server_elsewhere(runner: DockerFlowRunner, orders: Stage) -> None:
    """One that is on another machine is not looked for on this one."""
    why = why_not(runner, order_for(orders, ELSEWHERE))
    assert why.startswith(f"no container in the engine's own network reaches the API at {ELSEWHERE}; tried: {ELSEWHERE} (")
    assert "host.docker.internal" not in why
    assert why.endswith(
        "give HEADRACE_API_URL an address that containers reach, or put them into a network from which they do (networks, network_mode)"
    )


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(kind="text/html", body="<html>"), "(what answers there is no API of headrace (status 404))"),
        (Answer(status=200, kind="application/json", body='{"ok": true}'), "(what answers there is no API of headrace (status 200))"),
        (Answer(status=403, body='{"detail": "it calls this server otherwise"}'), "(refused: it calls this server otherwise)"),
    ],
)
def test_what_is_no_api(runner: DockerFlowRunner, orders: Stage, answer: Answer, why: str) -> None:
    """Something else that answers, or does not like how it is called, is told."""
    with Answering(answer=answer) as server:
        assert why in why_not(attrs.evolve(runner, network_mode="host"), order_for(orders, server.url))


def test_an_api_that_wants_a_token(runner: DockerFlowRunner, orders: Stage, api: Any) -> None:
    """It is one; the probe has no token, and the run will."""
    with Answering(answer=Answer(status=401, body='{"detail": "no token was sent"}')) as server:
        order = order_for(orders, server.url)
        assert reached(attrs.evolve(runner, network_mode="host"), order, api)[0] == server.url


def test_no_api(orders: Stage, runner: DockerFlowRunner) -> None:
    """Where there is no server there is nothing that a container could reach."""
    assert why_not(runner, order_for(orders, "")) == (
        "containers reach the orchestration by the address of a server, and none is set; start one (headrace server start), "
        "and set HEADRACE_API_URL to its address"
    )


# What an image lacks


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("python9", "the image has no program 'python9' that it can run; say by command how Python is called there"),
        ("/bin/true", "'/bin/true' of the image IMAGE runs no Python, as command says it does (it said nothing)"),
        (
            "python3 -S -I",
            "the image IMAGE has no headrace that can be used: headrace.engine cannot be imported there (ModuleNotFoundError: ",
        ),
    ],
)
def test_an_image_that_lacks_something(runner: DockerFlowRunner, orders: Stage, command: str, why: str) -> None:
    """A program that is not there, or is no Python, or has no headrace."""
    said = why_not(attrs.evolve(runner, command=f"{command} -m headrace.engine", network_mode="host"), orders.order("pass"))
    assert said.startswith(why.replace("IMAGE", repr(runner.image)))
