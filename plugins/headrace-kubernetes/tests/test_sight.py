"""A watch that breaks off, or is too old, loses nothing: it begins anew from what is there."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.api_server import Answer, ApiServer, Asked, listing, refusal
from servers.manifests import ORDER

from headrace.model.orders import ExitStatus
from headrace_kubernetes.flow_runner import KubernetesFlowRunner

SECONDS = 30
TOO_OLD = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version: 1 (7)"}}


class OneJob:
    """A cluster with one run, whose container ends when the test says so. The first watches of pods are answered by what is given."""

    def __init__(self, *watches: Any) -> None:
        self.watches = list(watches)
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
        self.has_ended.wait(SECONDS)
        yield {"type": "MODIFIED", "object": self.pod}
        self.is_over.wait(SECONDS)

    @property
    def job(self) -> Any:
        metadata = {"name": "x", "uid": "7", "annotations": {"headrace/identity": ORDER.identity}}
        return {"metadata": metadata, "spec": {"template": {"spec": {"containers": [{"name": "run", "image": "flows:1"}]}}}}

    @property
    def pod(self) -> Any:
        metadata = {
            "name": "x-1",
            "ownerReferences": [{"uid": "7"}],
            "annotations": {"headrace/identity": ORDER.identity},
            "resourceVersion": "5",
        }
        state = {"terminated": {"exitCode": 3}} if self.has_ended.is_set() else {"running": {}}
        spec = {"containers": [{"name": "run", "image": "flows:1"}]}
        return {"metadata": metadata, "spec": spec, "status": {"phase": "Running", "containerStatuses": [{"name": "run", "state": state}]}}


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
                cluster.has_ended.set()
                cluster.is_over.set()


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
                cluster.has_ended.set()
                cluster.is_over.set()


def test_the_same_is_started_once(tmp_path: Path) -> None:
    """Who starts an identity again has the same process, without a question."""
    cluster = OneJob()
    with ApiServer(tmp_path, cluster.answer).serving() as server:
        with KubernetesFlowRunner(image="flows:1", kubeconfig=server.kubeconfig).open() as opened:
            try:
                process = opened.start(ORDER)
                assert opened.start(ORDER) is process
                assert [asked.kind for asked in server.asked if asked.method == "POST"] == ["jobs", "secrets"]
            finally:
                cluster.has_ended.set()
                cluster.is_over.set()
