"""Cancelled means stopped: when a run is CANCELLED nothing of it is left, whatever its code does, and until then its code could put things in order.

The lease of these runs is renewed once in an hour: what reaches them sooner does so by itself.
"""

import json
import os
import signal
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import headrace
from headrace.instance import Instance
from headrace.model.filters import EventFilter, FlowRunFilter, LogFilter, Page, TaskRunFilter, WorkQueueFilter
from headrace.model.moves import Move
from headrace.model.queues import ClaimRequest
from headrace.model.runs import FlowRun
from headrace.model.states import State, StateType
from headrace.settings import load

COMMAND = str(Path(sysconfig.get_path("scripts"), "headrace"))
SECONDS = 60

FLOWS = '''
import asyncio
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from headrace import flow, get_run_logger, task

FOLDER = Path(os.environ["TESTED_IN"])


def here(*processes):
    """Writes down what is to be gone in the end, then that it is complete."""
    numbers = [os.getpid(), *(process.pid for process in processes)]
    beside = FOLDER / "beside"
    beside.write_text(" ".join(map(str, numbers)))
    beside.rename(FOLDER / "here")


def for_ever(*words, **options):
    """A program that has begun."""
    process = subprocess.Popen(["sh", "-c", f"{' '.join(words)} echo; exec sleep 600"], stdout=subprocess.PIPE, **options)
    process.stdout.readline()
    return process


def cancelled(flow, run, state):
    print("hook heard", state.name)


def put_in_order():
    print("put in order")
    get_run_logger().info("said so")


@task
def slow():
    here()
    time.sleep(600)


@task
def computing():
    try:
        here()
        while True:
            time.sleep(0.001)
    finally:
        get_run_logger().info("the task put things in order")


@task
async def slow_async():
    here()
    await asyncio.sleep(600)


@flow(on_cancellation=[cancelled])
def plain(how):
    try:
        if how == "sleeps":
            here()
            time.sleep(600)
        if how == "computes":
            here()
            while True:
                pass
        if how == "program":
            here(for_ever())
            time.sleep(600)
        if how == "stubborn program":
            here(for_ever("trap '' TERM;"))
            time.sleep(600)
        if how == "program of its own session":
            here(for_ever("trap '' TERM;", start_new_session=True))
            time.sleep(600)
        if how == "task":
            slow()
        if how == "submitted":
            slow.submit().result()
        if how == "computing":
            computing.submit().result()
        if how == "never":
            here()
            while True:
                try:
                    time.sleep(600)
                except BaseException:
                    print("not me", flush=True)
        if how == "returns":
            here()
            try:
                time.sleep(600)
            except BaseException:
                return "all the same"
    finally:
        put_in_order()


@flow(on_cancellation=[cancelled], task_runner="processes")
def in_processes(how):
    slow.submit().result()


@flow(on_cancellation=[cancelled], retries=1, retry_delay_seconds=600)
def again(how):
    here()
    raise ValueError("the next try is far away")


@flow(on_cancellation=[cancelled], timeout_seconds=600)
def timed(how):
    try:
        here()
        while True:
            time.sleep(0.01)
    finally:
        put_in_order()


@flow
def inner():
    here()
    time.sleep(600)


@flow(on_cancellation=[cancelled])
def outer(how):
    inner()


async def busy():
    while True:
        until = time.monotonic() + 0.005
        while time.monotonic() < until:
            pass
        await asyncio.sleep(0)


@flow(on_cancellation=[cancelled])
async def on_loop(how):
    try:
        if how == "sleeps":
            here()
            await asyncio.sleep(600)
        if how == "blocks":
            here()
            time.sleep(600)
        if how == "spins":
            here()
            while True:
                await asyncio.sleep(0)
        if how == "gathers":
            here()
            await asyncio.gather(busy(), busy(), return_exceptions=True)
        if how == "beside":
            here()
            others = [asyncio.create_task(busy()) for _ in range(3)]
            await asyncio.sleep(600)
        if how == "task":
            await slow_async()
        if how == "submitted":
            await slow_async.submit()
        if how == "program":
            here(await asyncio.create_subprocess_exec("sleep", "600"))
            await asyncio.sleep(600)
        if how == "never":
            here()
            while True:
                try:
                    await asyncio.sleep(600)
                except BaseException:
                    print("not me", flush=True)
    finally:
        put_in_order()
'''

LATE = """
import os
import time
from pathlib import Path

folder = Path(os.environ["TESTED_IN"])
if "headrace.engine" in " ".join(open("/proc/self/cmdline").read().split(chr(0))):
    (folder / "beside").write_text(str(os.getpid()))
    (folder / "beside").rename(folder / "here")
    time.sleep(600)

from headrace import flow


@flow
def late(how):
    pass
"""

SPECS = """
from headrace.deployments import DeploymentSpec

for name in ("plain", "in-processes", "again", "timed", "outer", "on-loop"):
    DeploymentSpec(name=name, flow_location="flows.py", flow_name=name)
DeploymentSpec(name="late", flow_location="late.py")
"""


class House:
    """A home with deployments."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HEADRACE_", "PYTHON"))}
        self.environment = kept | {
            "HEADRACE_HOME": str(folder / "home"),
            "HEADRACE_GRACE_SECONDS": "4",
            "HEADRACE_RENEW_SECONDS": "3600",
            "HEADRACE_LEASE_SECONDS": "7200",
            "TESTED_IN": str(folder),
            "TZ": "UTC",
        }
        (folder / "flows.py").write_text(FLOWS)
        (folder / "late.py").write_text(LATE)
        (folder / "specs.py").write_text(SPECS)

    def __call__(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [COMMAND, *arguments], env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def start(self, **variables: str) -> "subprocess.Popen[str]":
        """An agent."""
        command = [COMMAND, "agent", "start", "q"]
        return subprocess.Popen(command, env=self.environment | variables, cwd=self.folder, stderr=subprocess.DEVNULL, text=True)

    @contextmanager
    def agent(self, **variables: str) -> Iterator["subprocess.Popen[str]"]:
        with self.start(**variables) as agent:
            try:
                yield agent
            except BaseException:
                agent.kill()  # it would wait for what the test did not end
                raise
            agent.terminate()
            agent.wait(SECONDS)

    @contextmanager
    def open(self) -> Iterator[Instance]:
        with headrace.open(load(self.environment), lasting=True) as opened:
            yield opened

    def begin(self, name: str, how: str = "") -> tuple[str, list[int]]:
        """A run, and its processes, when it has come to where it is to be cancelled."""
        here = self.folder / "here"
        here.unlink(missing_ok=True)
        asked = json.loads(self("deployment", "run", f"{name}/{name}", "--param", f"how={how}", "--json"))
        with self.open() as opened:
            self.until(opened, lambda: here.exists() and (name != "again" or opened.client.read_flow_run(asked["id"]).state.is_scheduled()))
        return asked["id"], [int(number) for number in here.read_text().split()]

    def until(self, opened: Instance, is_so: Any, seconds: float = 0.05) -> None:
        """Looks again whenever something happens, and now and then."""
        while not is_so():
            opened.client.wait_for_events(EventFilter(after=opened.client.read_last_event()), seconds)

    def cancelled(self, opened: Instance, run_id: str) -> FlowRun:
        """The run, when it has ended."""
        opened.client.move_flow_run(Move(id=opened.ids.new(), run_id=run_id, state=State(type=StateType.CANCELLING, message="enough")))
        return self.ended(opened, run_id)

    def ended(self, opened: Instance, run_id: str) -> FlowRun:
        self.until(opened, lambda: opened.client.read_flow_run(run_id).state.is_terminal(), 5)
        return opened.client.read_flow_run(run_id)

    def said(self, opened: Instance, run_id: str) -> list[str]:
        return [line.message for line in opened.client.read_logs(LogFilter(flow_run_ids=(run_id,)), Page(newest_first=False))]


def alive(processes: list[int]) -> list[int]:
    """Those of the processes that are there, and have not ended."""

    def lives(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    return [pid for pid in processes if lives(pid)]


def supervisor_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def made(folder: Path, **variables: str) -> House:
    """A house with deployments and a work queue, and no agent."""
    house = House(folder)
    house.environment |= variables
    house("deployment", "create", "specs.py")
    house("work-queue", "create", "q")
    return house


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One with an agent."""
    house = made(tmp_path_factory.mktemp("cancelling"))
    with house.agent():
        yield house


OBEYS = [
    ("plain", "sleeps"),
    ("plain", "computes"),
    ("plain", "program"),
    ("plain", "stubborn program"),
    ("plain", "program of its own session"),
    ("plain", "task"),
    ("plain", "submitted"),
    ("timed", ""),
    ("on-loop", "sleeps"),
    ("on-loop", "blocks"),
    ("on-loop", "spins"),
    ("on-loop", "gathers"),
    ("on-loop", "beside"),
    ("on-loop", "task"),
    ("on-loop", "submitted"),
    ("on-loop", "program"),
]


@pytest.mark.parametrize(("name", "how"), OBEYS)
def test_code_puts_things_in_order_and_then_nothing_is_left(house: House, name: str, how: str) -> None:
    """Flows of both kinds, wherever they are: they are interrupted, may still log, hooks hear of it; and what they started is gone when it is told."""
    run_id, processes = house.begin(name, how)
    with house.open() as opened:
        run = house.cancelled(opened, run_id)
        left = alive(processes)
        assert (run.state.type, run.state.message, left) == ("CANCELLED", "enough", [])
        names = [state.name for state in opened.client.read_states(run_id)]
        assert names == ["Scheduled", "Pending", "Running", "Cancelling", "Cancelled"]
        said = house.said(opened, run_id)
        for sentence in ("put in order", "said so", "hook heard Cancelled", "Finished in state Cancelled('enough')"):
            assert sentence in said, said
        tasks = opened.client.read_task_runs(TaskRunFilter(flow_run_ids=(run_id,)), Page())
        assert {task.state.name for task in tasks} <= {"Cancelled"}


def test_a_task_in_a_thread(house: House) -> None:
    """It is interrupted, too, where that is possible, and nothing has to be killed."""
    run_id, processes = house.begin("plain", "computing")
    with house.open() as opened:
        assert house.cancelled(opened, run_id).state.is_cancelled()
        assert alive(processes) == []
        (task,) = opened.client.read_task_runs(TaskRunFilter(flow_run_ids=(run_id,)), Page())
        assert task.state.is_cancelled()
        said = house.said(opened, run_id)
        assert {"the task put things in order", "put in order"} <= set(said)
        assert not any("SIGKILL" in line for line in said)


@pytest.mark.parametrize("name", ["plain", "on-loop"])
def test_code_that_does_not_obey_is_killed(house: House, name: str) -> None:
    """After the grace; the log says that it was."""
    run_id, processes = house.begin(name, "never")
    with house.open() as opened:
        run = house.cancelled(opened, run_id)
        assert (run.state.type, alive(processes)) == ("CANCELLED", [])
        said = house.said(opened, run_id)
        assert "not me" in said
        assert said[-1] == "The process of the run ended with signal 9 (SIGKILL) before the run did: enough."


def test_code_that_returns_all_the_same_has_completed(house: House) -> None:
    """What ends by itself within the grace ended as it did."""
    run_id, processes = house.begin("plain", "returns")
    with house.open() as opened:
        run = house.cancelled(opened, run_id)
        assert (run.state.type, alive(processes[1:])) == ("COMPLETED", [])


def test_tasks_in_processes_of_their_own(house: House) -> None:
    """They end with their flow."""
    run_id, processes = house.begin("in-processes")
    with house.open() as opened:
        run = house.cancelled(opened, run_id)
        assert (run.state.type, alive(processes)) == ("CANCELLED", [])


def test_a_run_that_waits_for_its_next_try(house: House) -> None:
    """It has a process, which is stopped first; hooks hear of it."""
    run_id, processes = house.begin("again")
    with house.open() as opened:
        run = house.cancelled(opened, run_id)
        assert (run.state.type, alive(processes)) == ("CANCELLED", [])
        assert "hook heard Cancelled" in house.said(opened, run_id)
        assert [state.name for state in opened.client.read_states(run_id)][-3:] == ["AwaitingRetry", "Cancelling", "Cancelled"]


def test_a_subflow(house: House) -> None:
    """It is not cancelled alone, whoever asks; with the run that it is part of it is."""
    run_id, processes = house.begin("outer")
    with house.open() as opened:
        (subflow,) = [run for run in opened.client.read_flow_runs(FlowRunFilter(root_ids=(run_id,)), Page()) if run.id != run_id]
        verdict = opened.client.move_flow_run(Move(id=opened.ids.new(), run_id=subflow.id, state=State(type=StateType.CANCELLING)))
        assert (verdict.state, verdict.reason) == (None, f"a subflow is not cancelled alone; cancel flow run {run_id}, which it belongs to")
        assert house.cancelled(opened, run_id).state.is_cancelled()
        assert opened.client.read_flow_run(subflow.id).state.is_cancelled()
        assert alive(processes) == []


def test_a_run_whose_code_is_being_loaded(house: House) -> None:
    """It is PENDING, and is stopped like one that runs."""
    run_id, processes = house.begin("late")
    with house.open() as opened:
        assert opened.client.read_flow_run(run_id).state.is_pending()
        run = house.cancelled(opened, run_id)
        assert (run.state.type, run.state.message, alive(processes)) == ("CANCELLED", "enough", [])


def test_a_run_whose_supervisor_was_killed_leaves_nothing(house: House) -> None:
    """What it had started in sessions of its own, and nobody is above any more, is ended by who sees that it was."""
    run_id, processes = house.begin("plain", "program of its own session")
    assert len(alive(processes)) == 2
    os.kill(supervisor_of(processes[0]), signal.SIGKILL)
    with house.open() as opened:
        assert house.ended(opened, run_id).state.is_crashed()
    assert alive(processes) == []


# Without its agent, and without its supervisor


def test_a_run_whose_agent_was_killed(tmp_path: Path) -> None:
    """Its supervisor stops it."""
    house = made(tmp_path)
    with house.agent() as agent:
        run_id, processes = house.begin("plain", "stubborn program")
        agent.kill()
        agent.wait()
        with house.open() as opened:
            run = house.cancelled(opened, run_id)
            assert (run.state.type, alive(processes)) == ("CANCELLED", [])


def test_what_was_killed_together_with_its_agent_leaves_nothing(tmp_path: Path) -> None:
    """The next agent ends what is left."""
    house = made(tmp_path)
    with house.agent() as agent:
        _, processes = house.begin("plain", "program of its own session")
        for each in (agent.pid, supervisor_of(processes[0])):
            os.kill(each, signal.SIGKILL)
        agent.wait()
    with house.agent(), house.open() as opened:
        house.until(opened, lambda: not alive(processes))


def test_a_supervisor_that_hears_nothing(tmp_path: Path) -> None:
    """The run is cancelled when its lease is over; the agent sees that its process is still there, and stops it from outside."""
    house = made(tmp_path, HEADRACE_RENEW_SECONDS="0.5", HEADRACE_LEASE_SECONDS="5", HEADRACE_GRACE_SECONDS="0.3")
    with house.agent():
        run_id, processes = house.begin("plain", "program of its own session")
        os.kill(supervisor_of(processes[0]), signal.SIGSTOP)
        with house.open() as opened:
            assert house.cancelled(opened, run_id).state.is_cancelled()
            house.until(opened, lambda: not alive(processes))


def test_a_supervisor_that_hears_nothing_of_a_run_that_goes_on(tmp_path: Path) -> None:
    """The run is lost when its lease is over; when it does not come back for as long as runs wait, it is stopped from outside, too."""
    house = made(
        tmp_path, HEADRACE_RENEW_SECONDS="0.5", HEADRACE_LEASE_SECONDS="5", HEADRACE_GRACE_SECONDS="0.3", HEADRACE_OUTAGE_SECONDS="2"
    )
    with house.agent():
        run_id, processes = house.begin("plain", "program of its own session")
        os.kill(supervisor_of(processes[0]), signal.SIGSTOP)
        with house.open() as opened:
            assert house.ended(opened, run_id).state.is_lost()
            house.until(opened, lambda: not alive(processes))


def test_a_run_whose_agent_died_before_it_started_it(tmp_path: Path) -> None:
    """It is cancelled when the lease of that agent is over, and nobody starts it."""
    house = made(tmp_path, HEADRACE_RENEW_SECONDS="0.2", HEADRACE_LEASE_SECONDS="1")
    run_id = json.loads(house("deployment", "run", "plain/plain", "--param", "how=sleeps", "--json"))["id"]
    with house.open() as opened:
        (queue,) = opened.client.read_work_queues(WorkQueueFilter(), Page())
        opened.client.claim_runs(ClaimRequest(id=opened.ids.new(), agent_id="gone", queue_ids=(queue.id,), limit=1))
        with house.agent():
            assert house.cancelled(opened, run_id).state.is_cancelled()
        assert [state.name for state in opened.client.read_states(run_id)] == ["Scheduled", "Pending", "Cancelling", "Cancelled"]
    assert not (tmp_path / "here").exists()
