"""A watch that breaks off, or is too old, loses nothing: it begins anew from what is there."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from servers.api_server import Answer, ApiServer, Asked, listing, refusal, write_kubeconfig
from servers.manifests import ORDER

from headrace.model.orders import ExitStatus
from headrace.ports.flow_runner import Arrives
from headrace_kubernetes.cluster import Access, Cluster
from headrace_kubernetes.flow_runner import KubernetesFlowRunner
from headrace_kubernetes.pod_process import PodProcess
from headrace_kubernetes.sight import Sight

SECONDS = 30
TOO_OLD = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version: 1 (7)"}}


class OneJob:
    """A cluster with one run, whose container ends when the test says so. The first watches of pods are answered by what is given."""

    def __init__(self, *watches: Any) -> None:
        self.watches = list(watches)
        self.has_begun = threading.Event()
        self.has_begun.set()
        self.is_silent = threading.Event()
        self.has_ended = threading.Event()
        self.is_over = threading.Event()
        self.are_used = threading.Event()
        self.versions: list[str] = []
        self._listed = 0

    def answer(self, asked: Asked) -> Answer:
        if asked.watch:
            return self._watched(asked)
        if asked.method == "POST" and asked.kind == "jobs":
            return Answer(self.job, 201)
        if asked.method == "POST":
            return Answer({"metadata": {"name": "x"}}, 201)
        if asked.name:
            return Answer(self.job)
        if asked.kind == "pods":
            self._listed += 1
            return listing(self.pod, version=str(self._listed))
        return listing(self.job)

    def _watched(self, asked: Asked) -> Answer:
        if asked.kind == "jobs":
            return Answer(self._nothing())
        self.versions.append(asked.query["resourceVersion"])
        if self.watches:
            found = self.watches.pop(0)
            return found if isinstance(found, Answer) else Answer(iter(found), is_cut=True)
        self.are_used.set()
        return Answer(self._end())

    def _nothing(self) -> Iterator[Any]:
        self.is_over.wait(SECONDS)
        yield from ()

    def _end(self) -> Iterator[Any]:
        if not self.has_begun.is_set():
            self.has_begun.wait(SECONDS)
            yield {"type": "MODIFIED", "object": self.pod}
        self.has_ended.wait(SECONDS)
        yield {"type": "MODIFIED", "object": self.pod}
        self.is_over.wait(SECONDS)

    def finish(self) -> None:
        """Whatever is still waited for comes."""
        for each in (self.has_begun, self.has_ended, self.is_over):
            each.set()

    @property
    def job(self) -> Any:
        metadata = {"name": "x", "uid": "7", "annotations": {"headrace/identity": ORDER.identity}}
        return {"metadata": metadata, "spec": {"template": {"spec": {"containers": [{"name": "run", "image": "flows:1"}]}}}}

    @property
    def pod(self) -> Any:
        metadata = {
            "name": "x-1",
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "x", "uid": "7"}],
            "annotations": {"headrace/identity": ORDER.identity},
            "resourceVersion": "5",
        }
        state: Any = {"running": {}} if self.has_begun.is_set() else {"waiting": {"reason": "ContainerCreating"}}
        if self.has_ended.is_set():
            state = {"terminated": {"exitCode": 3}}
        elif self.is_silent.is_set():
            state = {}
        spec = {"containers": [{"name": "run", "image": "flows:1"}]}
        phase = "Failed" if self.is_silent.is_set() else "Running"
        return {"metadata": metadata, "spec": spec, "status": {"phase": phase, "containerStatuses": [{"name": "run", "state": state}]}}


@pytest.mark.parametrize(
    "watches",
    [
        [],
        [[TOO_OLD]],
        [['{"type": "MODIFIED", "obj']],
        [[]],
        ["nonsense\n"],
        [refusal(500, "InternalError", "etcdserver: leader changed")],
        [refusal(410, "Expired", "too old resource version")],
    ],
    ids=["unbroken", "too old", "in the middle of a line", "at once", "nonsense", "refused", "gone"],
)
def test_watches_that_break_off(watches: list[Any], tmp_path: Path) -> None:
    """However a watch ends, the next one goes on from a new list, and the end of a run is told at once."""
    cluster = OneJob(*watches)
    with ApiServer(tmp_path, cluster.answer).serving() as server:
        with KubernetesFlowRunner(image="flows:1", kubeconfig=server.kubeconfig).open() as opened:
            try:
                process = opened.start(ORDER)
                assert cluster.are_used.wait(SECONDS)
                assert process.wait(0) is None
                cluster.has_ended.set()
                assert process.wait(SECONDS - 5) == ExitStatus(3), "nobody called, and it was found out by looking from time to time"
                assert cluster.versions == [str(number) for number in dict.fromkeys(cluster.versions)]
                assert len(cluster.versions) == len(watches) + 1
            finally:
                cluster.finish()


def test_waiting_asks_nothing(tmp_path: Path) -> None:
    """While nothing happens, looking whether a run has ended costs no question, however often it is done."""
    cluster = OneJob()
    with ApiServer(tmp_path, cluster.answer).serving() as server:
        with KubernetesFlowRunner(image="flows:1", kubeconfig=server.kubeconfig).open() as opened:
            try:
                process = opened.start(ORDER)
                assert cluster.are_used.wait(SECONDS)
                assert process.wait(0.5) is None
                before = len(server.asked)
                assert [process.wait(0) for _ in range(1000)] == [None] * 1000
                assert len(server.asked) == before
            finally:
                cluster.finish()


def test_the_same_is_started_once(tmp_path: Path) -> None:
    """Who starts an identity again, also at the same time, has the same process, and when that is there, without a question."""
    cluster = OneJob()
    with ApiServer(tmp_path, cluster.answer).serving() as server:
        with KubernetesFlowRunner(image="flows:1", kubeconfig=server.kubeconfig).open() as opened:
            try:
                with ThreadPoolExecutor(8) as threads:
                    processes = list(threads.map(opened.start, [ORDER] * 8))
                assert {id(process) for process in processes} == {id(opened.start(ORDER))}
                before = len(server.asked)
                assert opened.start(ORDER) is processes[0]
                assert len([asked for asked in server.asked[before:] if asked.method == "POST"]) == 0
            finally:
                cluster.finish()


def test_what_is_told_needs_no_question(tmp_path: Path) -> None:
    """That a container has begun is known as soon as the cluster tells it, and costs no question."""
    cluster = OneJob()
    cluster.has_begun.clear()
    with ApiServer(tmp_path, cluster.answer).serving() as server:
        with KubernetesFlowRunner(image="flows:1", kubeconfig=server.kubeconfig).open() as opened:
            try:
                process = opened.start(ORDER)
                assert isinstance(process, Arrives)
                until = time.monotonic() + SECONDS
                while {asked.kind for asked in server.asked if asked.watch} < {"jobs", "pods"}:
                    assert time.monotonic() < until
                    assert process.wait(0.02) is None
                assert (process.wait(0.5), process.has_begun) == (None, False)
                before = len(server.asked)
                cluster.has_begun.set()
                until = time.monotonic() + 25
                while not process.has_begun and time.monotonic() < until:
                    assert process.wait(0.02) is None
                assert process.has_begun, "it was found out by looking from time to time, or never"
                assert len(server.asked) == before
            finally:
                cluster.finish()


@pytest.mark.parametrize("is_said_later", [True, False])
def test_a_pod_that_has_ended_without_a_word(is_said_later: bool, tmp_path: Path) -> None:
    """It is waited a little for what its node says of its container; when nothing comes, that is the end."""
    cluster = OneJob()
    cluster.is_silent.set()
    with ApiServer(tmp_path, cluster.answer).serving() as server:
        with KubernetesFlowRunner(image="flows:1", kubeconfig=server.kubeconfig).open() as opened:
            try:
                process = opened.start(ORDER)
                assert process.wait(1) is None
                if is_said_later:
                    cluster.has_ended.set()
                assert process.wait(SECONDS - 5) == ExitStatus(3 if is_said_later else None)
            finally:
                cluster.finish()


def test_closing_while_it_connects(tmp_path: Path) -> None:
    """A connection that has just been made, to somebody who says nothing, is closed too, at once."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = write_kubeconfig(tmp_path, f"https://127.0.0.1:{silent.getsockname()[1]}")
        sight = Sight(Cluster(Access(kubeconfig=config, context=None, namespace=None)), {})
        cluster = OneJob()
        process = PodProcess(
            Cluster(Access(kubeconfig=config, context=None, namespace=None)), sight, "one.1", cluster.job, start_seconds=60
        )
        sight.kept(process)
        silent.settimeout(SECONDS)
        with silent.accept()[0] as one, silent.accept()[0] as other:
            for each in (one, other):
                each.settimeout(SECONDS)
                assert each.recv(1), "it begins to speak"
            sight.close()
            for each in (one, other):
                while each.recv(4096):
                    pass
