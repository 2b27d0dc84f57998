"""What containers may have and use, how they end, and what is left of them."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest

import headrace_docker.containers
from headrace.errors import FlowRunnerFailed
from headrace.model.orders import ExitStatus
from headrace.testing.conformance.flow_runner import SECONDS, Meeting, Stage
from headrace_docker.flow_runner import ADDRESS, DockerFlowRunner
from headrace_docker.sightings import API, name_of

HUNGRY = "hoard = [bytearray(1 << 20) for _ in range(400)]"


@pytest.fixture
def runner(image: str, shared: str, stand_in: tuple[str, ...]) -> DockerFlowRunner:
    return DockerFlowRunner(image=image, command=stand_in, volumes=(shared,), network_mode="host", auto_remove=False)


@pytest.fixture
def stage(orders: Stage) -> Stage:
    return orders


def containers(api: Any, stage: Stage) -> list[Any]:
    found: list[Any] = api.containers(all=True, filters={"label": f"{API}={stage.environment[ADDRESS]}"})
    return found


def ended(runner: DockerFlowRunner, stage: Stage, lines: str, **variables: str) -> tuple[ExitStatus | None, str]:
    """How a process ended, and what is known of it."""
    with runner.open() as opened:
        process = opened.start(stage.order(lines, **variables))
        return process.wait(SECONDS), process.last_words


def seen(runner: DockerFlowRunner, stage: Stage, tmp_path: Path, expression: str) -> Any:
    """What an expression is in a container."""
    lines = f"import json, os, socket; json.dump({expression}, open({str(tmp_path / 'seen')!r}, 'w'))"
    assert ended(runner, stage, lines) == (ExitStatus(0), "")
    return json.loads((tmp_path / "seen").read_text())


# What a container has


def test_memory(runner: DockerFlowRunner, stage: Stage) -> None:
    """Who needs more memory than it may have is killed, and that is said."""
    status, words = ended(attrs.evolve(runner, memory="64m"), stage, HUNGRY)
    assert status == ExitStatus(-9)
    assert words.startswith("its container needed more memory than it may have (64 MiB)")


def test_processors(runner: DockerFlowRunner, stage: Stage, api: Any) -> None:
    """A part of a processor may be given."""
    assert ended(attrs.evolve(runner, cpus=0.5), stage, "pass") == (ExitStatus(0), "")
    (container,) = containers(api, stage)
    assert api.inspect_container(container["Id"])["HostConfig"]["NanoCpus"] == 500_000_000


def test_a_user(runner: DockerFlowRunner, stage: Stage, tmp_path: Path) -> None:
    """The user is the image's, or the one that is said; both have a home where they may write."""
    tmp_path.chmod(0o777)
    expression = "(os.getuid(), os.getgid(), os.access(os.environ['HEADRACE_HOME'], os.W_OK))"
    assert seen(runner, stage, tmp_path, expression) == [0, 0, True]
    (tmp_path / "seen").unlink()
    assert seen(attrs.evolve(runner, user="nobody:65534"), stage, tmp_path, expression) == [65534, 65534, True]


def test_a_volume_that_is_only_read(runner: DockerFlowRunner, stage: Stage, tmp_path: Path) -> None:
    """What is given to be read cannot be written."""
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "data").write_text("a value")
    with_data = attrs.evolve(runner, volumes=(*runner.volumes, f"{tmp_path / 'given'}:/given:ro"))
    assert seen(with_data, stage, tmp_path, "(open('/given/data').read(), os.access('/given/data', os.W_OK))") == ["a value", False]


def test_labels_and_names(runner: DockerFlowRunner, stage: Stage, api: Any) -> None:
    """A container is called as its run is known, and has its labels beside those that were given."""
    order = stage.order("pass")
    with attrs.evolve(runner, labels={"team": "blue"}).open() as opened:
        opened.start(order).wait(SECONDS)
    labels = api.inspect_container(name_of(order.identity))["Config"]["Labels"]
    assert labels == {
        "team": "blue",
        "headrace.api": stage.environment[ADDRESS],
        "headrace.run-id": order.run_id,
        "headrace.run-name": order.run_name,
        "headrace.epoch": "1",
        "headrace.auto-remove": "false",
    }


def test_nothing_of_the_agent_s_machine(runner: DockerFlowRunner, stage: Stage, tmp_path: Path) -> None:
    """Paths and profiles of the agent mean nothing in a container, and do not go there; its other settings do."""
    of_here = {"HEADRACE_HOME": "/of/here", "HEADRACE_PROFILE": "prod", "HEADRACE_PROFILES_PATH": "/p", "HEADRACE_KEYS_PATH": "/keys"}
    order = stage.order(
        f"import json, os; json.dump(dict(os.environ), open({str(tmp_path / 'seen')!r}, 'w'))", **of_here, HEADRACE_LOG_LEVEL="DEBUG"
    )
    with runner.open() as opened:
        assert opened.start(order).wait(SECONDS) == ExitStatus(0)
    found = json.loads((tmp_path / "seen").read_text())
    assert found["HEADRACE_HOME"] == "/tmp/headrace"
    assert found["HEADRACE_LOG_LEVEL"] == "DEBUG"
    assert found.keys() & of_here.keys() == {"HEADRACE_HOME"}


def test_several_networks(runner: DockerFlowRunner, stage: Stage, api: Any) -> None:
    """A container is in all its networks from its first moment on."""
    names = [f"headrace-tests-{os.getpid()}-{number}" for number in range(2)]
    for name in names:
        api.create_network(name)
    try:
        options = {"networks": names, "network_mode": None, "env": {ADDRESS: stage.environment[ADDRESS]}}
        with attrs.evolve(runner, **options).open() as opened:
            with pytest.raises(FlowRunnerFailed, match=f"no container in networks {names[0]}, {names[1]} reaches the API"):
                opened.start(stage.order("pass"))
    finally:
        for name in names:
            api.remove_network(name)


# How it ends


def test_exit_codes(runner: DockerFlowRunner, stage: Stage) -> None:
    """They are those of the process, up to the last; what it printed last is known."""
    lines = "import os; print('last words', flush=True); os._exit(255)"
    assert ended(runner, stage, lines) == (ExitStatus(255), "last words")
    assert ended(runner, stage, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")[0] == ExitStatus(-11)


def test_a_container_that_somebody_removed(runner: DockerFlowRunner, stage: Stage, meeting: Meeting, api: Any) -> None:
    """It has ended, and nobody can tell how."""
    with runner.open() as opened:
        process = opened.start(stage.order(meeting.lines))
        meeting.await_one()
        api.remove_container(name_of(process.identity), force=True)
        assert process.wait(SECONDS) == ExitStatus(None)
        assert process.last_words == "its container was removed"


def test_one_that_nobody_started(runner: DockerFlowRunner, stage: Stage, image: str, api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container whose maker did not live to start it is started by the next who wants the same."""
    monkeypatch.setattr(headrace_docker.containers, "BIRTH_SECONDS", 0.1)
    order = stage.order("import os; os._exit(7)")
    labels = {"headrace.run-id": order.run_id, "headrace.epoch": "1", API: stage.environment[ADDRESS]}
    api.create_container(image, list(runner.command), name=name_of(order.identity), labels=labels, environment=order.variables)
    with runner.open() as opened:
        assert opened.find(order.identity) is None
        assert list(opened.running()) == []
        assert opened.start(order).wait(SECONDS) == ExitStatus(7)


def test_one_of_somebody_else(runner: DockerFlowRunner, stage: Stage, image: str, api: Any) -> None:
    """A container that only happens to be called so is left alone."""
    order = stage.order("pass")
    other = api.create_container(image, ["true"], name=name_of(order.identity))["Id"]
    try:
        with runner.open() as opened, pytest.raises(FlowRunnerFailed, match="that is no run's; remove or rename it"):
            opened.start(order)
        assert api.inspect_container(other)["State"]["Status"] == "created"
    finally:
        api.remove_container(other)


def test_two_orchestrations(runner: DockerFlowRunner, stage: Stage, meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who serves another orchestration on the same engine does not see its runs."""
    with runner.open() as opened:
        process = opened.start(stage.order(meeting.lines))
        meeting.await_one()
        monkeypatch.setenv(ADDRESS, "http://another.example/api")
        with runner.open() as other:
            assert list(other.running()) == []
        assert list(opened.running()) == [process.identity]
        meeting.end()
        assert process.wait(SECONDS) == ExitStatus(0)


def test_many_from_many_threads(runner: DockerFlowRunner, stage: Stage) -> None:
    """Runs may be started by several threads at once; what they need to know is found out once."""
    orders = [stage.order(f"import os; os._exit({number})") for number in range(6)]
    with attrs.evolve(runner, network_mode=None).open() as opened, ThreadPoolExecutor(6) as pool:
        processes = list(pool.map(opened.start, orders))
        assert [process.wait(SECONDS) for process in processes] == [ExitStatus(number) for number in range(6)]


# What is left


@pytest.mark.parametrize("auto_remove", [True, False])
def test_what_is_left(runner: DockerFlowRunner, stage: Stage, api: Any, auto_remove: bool) -> None:
    """An ended container is gone when its end is known and its agent leaves, or stays to be looked into."""
    with attrs.evolve(runner, auto_remove=auto_remove).open() as opened:
        process = opened.start(stage.order("pass"))
        assert process.wait(SECONDS) == ExitStatus(0)
        assert len(containers(api, stage)) == 1
    assert len(containers(api, stage)) == (0 if auto_remove else 1)
    assert process.wait(0) == ExitStatus(0)


def test_what_a_killed_agent_left(runner: DockerFlowRunner, stage: Stage, api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks next removes ended containers that are to be removed, after a while, and those that nobody ever started."""
    monkeypatch.setattr(headrace_docker.containers, "KEPT_SECONDS", -1.0)
    monkeypatch.setattr(headrace_docker.containers, "UNBORN_SECONDS", -1.0)
    label = {"headrace.run-id": "1", "headrace.epoch": "1", API: stage.environment[ADDRESS]}
    ended_one, kept, unborn, living = (
        api.create_container(runner.image, command, labels={**label, "headrace.auto-remove": removes})["Id"]
        for command, removes in ((["true"], "true"), (["true"], "false"), (["true"], "false"), (["sleep", "600"], "true"))
    )
    for container in (ended_one, kept, living):
        api.start(container)
    for container in (ended_one, kept):
        api.wait(container)
    with runner.open() as opened:
        assert list(opened.running()) == ["1.1"]
    assert {container["Id"] for container in containers(api, stage)} == {kept, living}
    assert unborn not in {kept, living}
