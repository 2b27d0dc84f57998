"""What a real cluster makes of runs: how they end, why they do not begin, what is refused, and what is left."""

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Event, Pod, ResourceQuota
from lightkube.types import CascadeType
from servers.kubernetes import SECONDS, Bridge, OwnNamespace, awaited

from headrace.model.orders import ExitStatus, Order
from headrace.ports.flow_runner import OpenFlowRunner, Process
from headrace.testing.conformance.flow_runner import GRACE_SECONDS, Meeting, Stage
from headrace_kubernetes import installing
from headrace_kubernetes.names import name_of


def ended(namespace: OwnNamespace, folder: Path, order: Order, **options: Any) -> Process:
    """The process of an order, which has ended."""
    with namespace.flow_runner(folder, **options).open() as opened:
        process = opened.start(order)
        assert process.wait(SECONDS) is not None, "it has not ended"
        _ = process.last_words
        return process


# Ends


def test_what_it_said_last(namespace: OwnNamespace, stage: Stage, tmp_path: Path) -> None:
    """Of a process that failed, what its container printed last is told; one that ended well says nothing."""
    order = stage.order("import os; os.write(2, b'first\\nno more \\x1b[31mmoney\\n'); os._exit(3)")
    process = ended(namespace, tmp_path, order)
    assert process.wait(0) == ExitStatus(3)
    assert process.last_words == "first no more \\x1b[31mmoney"
    assert ended(namespace, tmp_path, stage.order("print('fine')")).last_words == ""


def test_a_deadline(namespace: OwnNamespace, stage: Stage, tmp_path: Path) -> None:
    """A run that takes longer than active_deadline is ended by the cluster, and that is said."""
    process = ended(namespace, tmp_path, stage.order("import signal; signal.pause()"), active_deadline=3)
    status = process.wait(0)
    assert status is not None
    assert not status.is_clean
    assert "it ran longer than active_deadline lets it (DeadlineExceeded)" in process.last_words


def test_too_little_memory(namespace: OwnNamespace, stage: Stage, tmp_path: Path) -> None:
    """A process that needs more memory than it may have is killed; so it ends, and not well."""
    process = ended(namespace, tmp_path, stage.order("x = bytearray(300_000_000); x[::4096] = b'1' * len(x[::4096])"), memory="64Mi")
    assert process.wait(0) == ExitStatus(-9)


@pytest.mark.parametrize("cascade", [CascadeType.BACKGROUND, CascadeType.FOREGROUND])
def test_removed_by_somebody(namespace: OwnNamespace, stage: Stage, tmp_path: Path, meeting: Meeting, cascade: CascadeType) -> None:
    """When somebody removes the Job of a run, this has ended once its container has."""
    order = stage.order(meeting.lines)
    with namespace.flow_runner(tmp_path).open() as opened, namespace.client() as client:
        process = opened.start(order)
        meeting.await_one()
        client.delete(Job, name_of(order.identity), cascade=cascade)
        status = process.wait(SECONDS)
        assert status is not None
        assert not status.is_clean
        assert meeting.all_are_gone()


def test_removed_without_its_pod(namespace: OwnNamespace, stage: Stage, tmp_path: Path, meeting: Meeting) -> None:
    """When somebody removes the Job alone, the run lives as long as its pod, and can be stopped."""
    order = stage.order(meeting.lines)
    with namespace.flow_runner(tmp_path).open() as opened, namespace.client() as client:
        process = opened.start(order)
        meeting.await_one()
        client.delete(Job, name_of(order.identity), cascade=CascadeType.ORPHAN)
        awaited(lambda: not list(client.list(Job)), "the Job is gone")
        assert process.wait(1) is None
        assert list(opened.running()) == [order.identity]
        process.stop(GRACE_SECONDS)
        assert meeting.all_are_gone()


# What does not begin


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (
            {"image": "headrace.invalid/nothing:1", "image_pull_policy": "Never"},
            "the image 'headrace.invalid/nothing:1' is not on the node",
        ),
        (
            {"image": "headrace.invalid/nothing:1", "start_timeout": 8},
            "the image 'headrace.invalid/nothing:1' cannot be pulled; correct its name",
        ),
        ({"image": "Not An Image"}, "'Not An Image' is no name of an image"),
        ({"secrets": ["warehouse"], "start_timeout": 8}, 'secret "warehouse" not found'),
        (
            {"customizations": [{"spec": {"template": {"spec": {"nodeSelector": {"disk": "none"}}}}}], "start_timeout": 3},
            "no node takes its pod: 0/",
        ),
        ({"cpu": "9999", "start_timeout": 3}, "Insufficient cpu"),
        ({"service_account": "nobody", "start_timeout": 3}, 'serviceaccount "nobody" not found'),
    ],
    ids=["never pulled", "not there", "no name", "no secret", "no node", "no room", "no account"],
)
def test_what_does_not_begin(namespace: OwnNamespace, stage: Stage, tmp_path: Path, options: Any, why: str) -> None:
    """A run whose container cannot begin is given up, with the reason; nothing of it is left in the cluster."""
    order = stage.order("pass")
    process = ended(namespace, tmp_path, order, **options)
    assert process.wait(0) == ExitStatus(None)
    assert why in process.last_words
    with namespace.client() as client:
        awaited(lambda: not list(client.list(Job)) and not namespace.secrets(), "Job and Secret are gone")
        assert all(pod.metadata.deletionTimestamp for pod in client.list(Pod))


def test_a_program_that_is_not_there(namespace: OwnNamespace, stage: Stage, tmp_path: Path) -> None:
    """An image without such a Python says so."""
    flow_runner = attrs.evolve(namespace.flow_runner(tmp_path), command=("python9", "-m", "headrace.engine"))
    with flow_runner.open() as opened:
        process = opened.start(stage.order("pass"))
        status = process.wait(SECONDS)
        assert status is not None
        assert not status.is_clean
        assert "say by command how Python is called in the image" in process.last_words


# What is refused, and what is allowed


def test_the_role_is_enough(namespace: OwnNamespace, stage: Stage, tmp_path: Path, meeting: Meeting) -> None:
    """With the rights of the printed role, and no others, runs are started, followed, found, stopped, given up, and their last words heard."""
    config = namespace.account("agent", installing.rules(), tmp_path)
    flow_runner = namespace.flow_runner(tmp_path, kubeconfig=config, stream_output=True)
    with flow_runner.open() as opened:
        failed = opened.start(stage.order("import os; os.write(2, b'why'); os._exit(4)"))
        assert (failed.wait(SECONDS), failed.last_words) == (ExitStatus(4), "why")
        living = opened.start(stage.order(meeting.lines))
        meeting.await_one()
        assert list(opened.running()) == [living.identity]
        found = opened.find(living.identity)
        assert found is not None
        found.stop(GRACE_SECONDS)
        assert list(opened.running()) == []
    assert (
        "no pod was made" not in ended(namespace, tmp_path, stage.order("pass"), kubeconfig=config, start_timeout=3, cpu="9999").last_words
    )


def test_a_quota_of_pods(namespace: OwnNamespace, stage: Stage, tmp_path: Path) -> None:
    """A quota of pods is told when the flow runner does not wait for a start any more."""
    with namespace.client() as client:
        client.create(ResourceQuota.from_dict({"metadata": {"name": "few"}, "spec": {"hard": {"pods": "0"}}}))
        awaited(lambda: client.get(ResourceQuota, "few").status.hard, "the quota is known")
        said = ended(namespace, tmp_path, stage.order("pass"), start_timeout=3).last_words
        assert said.startswith("no pod was made for it: Error creating: pods")
        assert "exceeded quota: few" in said


# What is there, and what is left


def test_nothing_secret_is_seen(namespace: OwnNamespace, stage: Stage, tmp_path: Path) -> None:
    """Neither the order nor its variables are in the Job, its pod, or what the cluster tells of them."""
    order = stage.order("import os; assert os.environ['PASSWORD'] == 'open $(HOME) sesame'", PASSWORD="open $(HOME) sesame")
    assert ended(namespace, tmp_path, order).wait(0) == ExitStatus(0)
    with namespace.client() as client:
        seen = [*client.list(Job), *client.list(Pod), *client.list(Event)]
        assert seen
        assert "sesame" not in json.dumps([each.to_dict() for each in seen])


def test_values_are_what_they_are(namespace: OwnNamespace, stage: Stage, tmp_path: Path) -> None:
    """Dollars in the variables of a flow runner reach the process as they were written."""
    order = stage.order("import os; assert os.environ['PRICE'] == '$$5 $(HOME) $HOME', os.environ['PRICE']")
    assert ended(namespace, tmp_path, order, env={"PRICE": "$$5 $(HOME) $HOME"}).wait(0) == ExitStatus(0)


def test_labels_on_the_pod(namespace: OwnNamespace, stage: Stage, tmp_path: Path) -> None:
    """The pod is found by the labels of its run."""
    order = stage.order("pass")
    ended(namespace, tmp_path, order, labels={"team": "blue"})
    with namespace.client() as client:
        (pod,) = client.list(
            Pod, labels={"headrace/run": order.run_id, "headrace/epoch": "1", "headrace/run-name": order.run_name, "team": "blue"}
        )
        assert pod.status is not None
        assert pod.status.phase == "Succeeded"


def test_it_is_tried_once(namespace: OwnNamespace, stage: Stage, tmp_path: Path) -> None:
    """The cluster does not start a run again that has failed."""
    order = stage.order("import os; os._exit(1)")
    ended(namespace, tmp_path, order)
    with namespace.client() as client:
        awaited(lambda: any(each.type == "Failed" for each in namespace.job_of(order).status.conditions or []), "the Job has failed")
        assert len(list(client.list(Pod))) == 1


def test_orchestrations_share_a_namespace(namespace: OwnNamespace, stage: Stage, tmp_path: Path, meeting: Meeting) -> None:
    """A flow runner lists the runs of its own orchestration, and no others."""
    mine, other = (namespace.flow_runner(tmp_path, env={"HEADRACE_API_URL": f"http://127.0.0.1:{port}/api"}) for port in (9, 10))
    with mine.open() as opened, other.open() as beside:
        process = opened.start(stage.order(meeting.lines))
        meeting.await_one()
        assert list(opened.running()) == [process.identity]
        assert list(beside.running()) == []
        meeting.end()
        assert process.wait(SECONDS) == ExitStatus(0)


def test_what_it_prints_is_shown(namespace: OwnNamespace, stage: Stage, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where that is wanted, the agent shows what the container prints, while it prints it."""
    caplog.set_level(logging.INFO, "headrace.kubernetes")
    order = stage.order("import os, time; os.write(1, b'hello \\x1b\\n'); time.sleep(600)")
    with namespace.flow_runner(tmp_path, stream_output=True).open() as opened:
        process = opened.start(order)

        def is_shown() -> bool:
            assert process.wait(0) is None
            return f"Flow run '{order.run_name}' printed: hello \\x1b" in caplog.text

        awaited(is_shown, "the line is shown")
        process.stop(GRACE_SECONDS)


# A cluster that is away


@pytest.fixture
def over_the_bridge(namespace: OwnNamespace, tmp_path: Path, bridge: Bridge) -> Iterator[OpenFlowRunner]:
    """A flow runner that goes over a bridge."""
    with namespace.flow_runner(tmp_path, kubeconfig=namespace.over(bridge, tmp_path)).open() as opened:
        yield opened


def test_a_watch_that_breaks_off(over_the_bridge: OpenFlowRunner, bridge: Bridge, stage: Stage, meeting: Meeting) -> None:
    """It is resumed, and the end of a run is told as soon as ever."""
    process = over_the_bridge.start(stage.order(meeting.lines))
    meeting.await_one()
    for _ in range(3):
        crossed = bridge.crossed
        bridge.cut()
        awaited(lambda before=crossed: bridge.crossed >= before + 2, "both watches are resumed")
        assert process.wait(0) is None
    meeting.end()
    assert process.wait(25) == ExitStatus(0), "nobody called, and it was found out by looking from time to time"


def test_a_cluster_that_is_away(over_the_bridge: OpenFlowRunner, bridge: Bridge, stage: Stage, meeting: Meeting) -> None:
    """While the cluster cannot be asked, a run is not taken for ended; when it is there again, its end is known, though it came meanwhile."""
    order = stage.order(meeting.lines + "import os; os._exit(5)")
    process = over_the_bridge.start(order)
    meeting.await_one()
    bridge.close()
    meeting.end()
    assert process.wait(3) is None
    bridge.open()
    assert process.wait(SECONDS) == ExitStatus(5)


def test_stopping_while_it_is_away(over_the_bridge: OpenFlowRunner, bridge: Bridge, stage: Stage, meeting: Meeting) -> None:
    """Who stops a run waits until the cluster can be told."""
    process = over_the_bridge.start(stage.order(meeting.lines))
    meeting.await_one()
    bridge.close()
    back = threading.Timer(2, bridge.open)
    back.start()
    process.stop(GRACE_SECONDS)
    back.join()
    assert meeting.all_are_gone()
