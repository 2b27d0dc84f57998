"""A store that is locked by another program, or whose disk is full, just when a run needs it: the run waits for it, and nothing is lost."""

import asyncio
import errno
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

import headrace
import headrace_files.folder
from headrace import flow, get_run_context, get_run_logger, task
from headrace.engine.drive import drive
from headrace.engine.flow_life import FlowLife
from headrace.errors import StoreBusy
from headrace.instance import Instance
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.filters import FlowRunFilter, LogFilter, Page, TaskRunFilter
from headrace.model.moves import Move
from headrace.model.orders import Order
from headrace.model.runs import FlowRun
from headrace.model.states import StateType
from headrace.orchestration.undelivered import deliver
from headrace.packaging.packing import write_archive
from headrace.packaging.script import tree_of_script
from headrace.settings import load

SECONDS = 60
SETTINGS = {"HEADRACE_STORE_BUSY_SECONDS": "0.001", "HEADRACE_TASK_RUNNER": "concurrent"}


class Lock:
    """What another program would be that has the store locked; the connection is one of its own."""

    def __init__(self, home: Path) -> None:
        self._connection = sqlite3.connect(home / "headrace.db", isolation_level=None, check_same_thread=False, timeout=SECONDS)
        self.was_released = 0

    def take(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def release(self) -> None:
        self._connection.execute("ROLLBACK")
        self.was_released += 1

    def close(self) -> None:
        self._connection.close()


@contextmanager
def heard_waiting(react: Callable[[], object]) -> Iterator[list[str]]:
    """Calls `react` when a run says that it waits; what was said of waiting."""
    heard: list[str] = []

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "waits, for" in record.getMessage():
                heard.append(record.getMessage())
                react()

    handler, logger = Listening(), logging.getLogger("headrace")
    logger.addHandler(handler)
    try:
        yield heard
    finally:
        logger.removeHandler(handler)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def settings(home: Path, **more: str) -> dict[str, str]:
    return {"HEADRACE_HOME": str(home), **SETTINGS, **more}


@pytest.fixture
def house(home: Path) -> Iterator[Instance]:
    with headrace.open(load(settings(home)), runs_code=True) as opened:
        yield opened


@pytest.fixture
def lock(house: Instance, home: Path) -> Iterator[Lock]:
    lock = Lock(home)
    yield lock
    lock.close()


def only_run(house: Instance) -> FlowRun:
    (run,) = house.client.read_flow_runs(FlowRunFilter(), Page())
    return run


def said(house: Instance) -> list[str]:
    return [line.message for line in house.client.read_logs(LogFilter(), Page(newest_first=False))]


def test_a_flow_that_ends_while_the_store_is_locked(house: Instance, lock: Lock) -> None:
    """Its value comes when the lock is gone; every line and every state is there once, and no traceback."""

    @task
    def step() -> int:
        return 21

    @flow(flow_run_name="ending", persist_result=True)
    def ending() -> int:
        value = step() + step()
        lock.take()
        get_run_logger().info("locked")
        return value

    with heard_waiting(lock.release) as heard:
        assert ending() == 42
    (waiting,) = heard
    assert "for 600 seconds at most (Ctrl+C ends the waiting): the run store at" in waiting
    assert "stayed locked for 0.001 seconds" in waiting
    run = only_run(house)
    assert run.state.type is StateType.COMPLETED
    assert house.result(run.state) == 42
    assert [state.name for state in house.client.read_states(run.id)] == ["Pending", "Running", "Completed"]
    tasks = house.client.read_task_runs(TaskRunFilter(), Page())
    assert [[state.name for state in house.client.read_states(each.id)] for each in tasks] == [["Pending", "Running", "Completed"]] * 2
    lines = said(house)
    assert not any("Traceback" in line for line in lines)
    assert [lines.count(line) for line in ("locked", waiting)] == [1, 1]
    assert [line.startswith("Finished in state Completed(") for line in lines].count(True) == 3
    assert lines[-1].startswith("Finished in state Completed(")


def test_an_async_flow_waits_without_its_loop(house: Instance, lock: Lock) -> None:
    """What else is on the loop goes on meanwhile; here it is that which ends the waiting."""

    async def scenario() -> int:
        loop, waiting = asyncio.get_running_loop(), asyncio.Event()

        @task(tags=["limited"])
        async def step(number: int) -> int:
            return number

        @flow
        async def ending() -> int:
            lock.take()
            first = step.submit(20)
            return await first + await step(1)

        async def release() -> None:
            await waiting.wait()
            lock.release()

        releasing = asyncio.ensure_future(release())
        with heard_waiting(lambda: loop.call_soon_threadsafe(waiting.set)):
            value = await ending()
        await releasing
        return value

    assert asyncio.run(scenario()) == 21
    assert only_run(house).state.type is StateType.COMPLETED


def test_a_question_that_takes_long_holds_up_no_loop(home: Path) -> None:
    """A task that is submitted from an async flow, and that waits for the store, leaves the loop to what else is on it."""
    with headrace.open(load(settings(home, HEADRACE_STORE_BUSY_SECONDS="5")), runs_code=True):
        lock = Lock(home)

        @task(tags=["limited"])
        async def step() -> int:
            return 1

        async def release() -> None:
            lock.release()

        @flow
        async def submitting() -> int:
            lock.take()
            releasing = asyncio.ensure_future(release())
            future = step.submit()
            await releasing
            return await future

        with heard_waiting(lambda: None) as heard:
            assert asyncio.run(submitting()) == 1
        assert heard == []
        lock.close()


class Telling:
    """A client that says when a task run is about to end."""

    def __init__(self, client: Any, tell: Callable[[], object]) -> None:
        self._client = client
        self._tell = tell

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def move_task_run(self, move: Move, *others: Any) -> Any:
        if move.state.is_completed():
            self._tell()
        return self._client.move_task_run(move, *others)


def test_a_question_that_takes_long_holds_up_no_coroutine(home: Path) -> None:
    """The end of an async task of a plain flow, that waits for the store, leaves the loop to the other tasks on it."""
    with headrace.open(load(settings(home, HEADRACE_STORE_BUSY_SECONDS="5")), runs_code=True) as house:
        lock = Lock(home)
        asked = asyncio.Event()

        @task(tags=["limited"])
        async def step() -> int:
            lock.take()
            return 1

        @task
        async def release() -> None:
            await asked.wait()
            lock.release()

        @flow
        def submitting() -> int:
            releasing = release.submit()
            value = step.submit().result()
            releasing.result()
            return value

        client = Telling(house.client, lambda: life.loop.loop.call_soon_threadsafe(asked.set))
        life = FlowLife(attrs.evolve(house, client=client), submitting.definition, (), {})
        with heard_waiting(lambda: None) as heard:
            assert drive(life.life(), life.loop).result() == 1
        assert heard == []
        lock.close()


class Lossy:
    """A client whose first answer to each question is lost on the way, after what was asked for was done."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._heard: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        def ask(*arguments: Any) -> Any:
            answer = getattr(self._client, name)(*arguments)
            question = f"{name}{arguments!r}"
            if question not in self._heard and name != "create_flow_run":
                self._heard.add(question)
                raise StoreBusy(where="elsewhere", seconds=1)
            return answer

        return ask


def test_a_lost_answer_doubles_nothing(house: Instance) -> None:
    """Moves and batches that were written, and whose answers were lost, are written once, and their first answers count."""
    house.client.set_limit("limited", 1)

    @task(tags=["limited"], retries=1, retry_delay_seconds=0)
    def step() -> int:
        context: Any = get_run_context()
        if context.task_run.run_count == 1:
            raise ValueError
        return 1

    @flow
    def outer() -> int:
        return step() + step()

    life = FlowLife(attrs.evolve(house, client=Lossy(house.client)), outer.definition, (), {})
    pauses: list[float] = []
    assert drive(life.life(), life.loop, sleep=pauses.append).result() == 2
    assert pauses
    deliver(house.settings.home, house.client, house.clock.now())  # what was said of the waiting, whose first answer was lost too
    run = only_run(house)
    assert [state.name for state in house.client.read_states(run.id)] == ["Pending", "Running", "Completed"]
    states = [[state.name for state in house.client.read_states(each.id)] for each in house.client.read_task_runs(TaskRunFilter(), Page())]
    assert states == [["Pending", "Running", "AwaitingRetry", "Retrying", "Completed"]] * 2
    lines = said(house)
    assert [sum(text in line for line in lines) for text in ("Created flow run", "Created task run", "Finished in state")] == [1, 2, 3]
    assert [limit.holders for limit in house.client.read_limits()] == [()]


def test_what_is_asked_in_the_middle_of_a_run_is_asked_again(house: Instance, lock: Lock) -> None:
    """A subflow's beginning, and a task's move that needs a limit or a cache, as well as the end."""
    house.client.set_limit("limited", 1)
    held = iter(range(3))

    def hold() -> None:
        if next(held, None) is not None:
            lock.take()

    @task(tags=["limited"], cache_key_fn=lambda context, parameters: "key")
    def step() -> int:
        hold()
        return 20

    @flow
    def inner() -> int:
        return 1

    @flow
    def outer() -> int:
        hold()
        value = step()
        hold()
        return value + inner()

    with heard_waiting(lock.release):
        assert outer() == 21
    assert lock.was_released == 3
    runs = house.client.read_flow_runs(FlowRunFilter(), Page())
    assert [run.state.type for run in runs] == [StateType.COMPLETED] * 2
    assert [limit.holders for limit in house.client.read_limits()] == [()]


def test_a_disk_that_is_full_when_a_flow_ends(house: Instance) -> None:
    """The end is written when there is room again."""
    writer: Any = house.client.store._writer  # type: ignore[attr-defined]

    @flow
    def ending() -> str:
        (pages,) = writer.execute("PRAGMA page_count").fetchone()
        writer.execute(f"PRAGMA max_page_count = {pages}")
        for _ in range(50):
            get_run_logger().info("x" * 1000)
        return "done"

    with heard_waiting(lambda: writer.execute("PRAGMA max_page_count = 1000000")) as heard:
        assert ending() == "done"
    assert "its disk is full; make room and try again" in heard[0]
    assert only_run(house).state.type is StateType.COMPLETED
    assert said(house).count("x" * 1000) == 50


def test_a_result_for_which_there_is_no_room_is_kept_later(house: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a task nor its flow is computed again."""
    made = headrace_files.folder._made
    calls: list[str] = []

    def full(path: str) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    def fill() -> None:
        monkeypatch.setattr(headrace_files.folder, "_made", full)

    @task(persist_result=True)
    def step() -> str:
        calls.append("step")
        fill()
        return "x" * 10_000

    @flow(persist_result=True)
    def ending() -> str:
        calls.append("ending")
        value = step()
        fill()
        return value

    with heard_waiting(lambda: monkeypatch.setattr(headrace_files.folder, "_made", made)) as heard:
        assert ending() == "x" * 10_000
    assert [os.strerror(errno.ENOSPC) in waiting for waiting in heard] == [True, True]
    assert calls == ["ending", "step"]
    assert house.result(only_run(house).state) == "x" * 10_000


def test_a_result_that_can_never_be_kept_fails_who_wants_it_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it was waited for in vain; who only might have needed it goes on without."""

    def full(path: str) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    monkeypatch.setattr(headrace_files.folder, "_made", full)
    with headrace.open(load(settings(home, HEADRACE_OUTAGE_SECONDS="0.01")), runs_code=True):

        @task(retries=1)
        def step() -> str:
            return "x" * 10_000

        @flow
        def ending(wanted: bool) -> str:
            return step.with_options(persist_result=True if wanted else None)()

        assert ending(wanted=False) == "x" * 10_000
        state = ending(wanted=True, return_state=True)  # type: ignore[call-arg]
        assert state.is_failed()
        assert os.strerror(errno.ENOSPC) in (state.message or "")


def test_who_waited_in_vain_has_the_value_all_the_same(home: Path) -> None:
    """It is put away in the home how the run ended, with all that it said, and the next process tells it, once."""

    @task
    def step() -> int:
        return 42

    with headrace.open(load(settings(home, HEADRACE_OUTAGE_SECONDS="0.01")), runs_code=True) as opened:
        lock = Lock(home)

        @flow(persist_result=True)
        def ending() -> int:
            lock.take()
            return step()

        assert ending() == 42
        assert only_run(opened).state.type is StateType.RUNNING
    lock.release()
    lock.close()
    assert [file.suffix for file in (home / "undelivered").iterdir()] == [".json"]
    for _ in range(2):
        with headrace.open(load(settings(home)), lasting=True) as later:
            run = only_run(later)
            assert run.state.type is StateType.COMPLETED
            assert later.result(run.state) == 42
            (task_run,) = later.client.read_task_runs(TaskRunFilter(), Page())
            assert task_run.state.type is StateType.COMPLETED
            assert sum(line.startswith("Finished in state Completed(") for line in said(later)) == 2
    assert list((home / "undelivered").iterdir()) == []


SCRIPT = """
from headrace import flow

@flow
def ending():
    print("ending", flush=True)
    input()

ending()
"""


def test_ctrl_c_ends_the_waiting(tmp_path: Path, home: Path) -> None:
    """One is enough; how the run ended is told by the next process."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env={**plain, **settings(home)},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "ending\n"
    lock = Lock(home)
    lock.take()
    process.stdin.write("\n")
    process.stdin.flush()
    while "waits, for 600 seconds at most (Ctrl+C ends the waiting)" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SECONDS)
    assert process.returncode == -signal.SIGINT
    lock.release()
    lock.close()
    with headrace.open(load(settings(home)), lasting=True) as later:
        assert only_run(later).state.type is StateType.COMPLETED


# Runs of deployments, each with its supervisor

DEPLOYED = """
import logging
import os
import sqlite3

from headrace import flow

lock = sqlite3.connect(os.path.join(os.environ["HEADRACE_HOME"], "headrace.db"), isolation_level=None, check_same_thread=False)


class Releasing(logging.Handler):
    def emit(self, record):
        if "waits, for" in record.getMessage():
            lock.execute("ROLLBACK")


@flow(persist_result=True)
def ending():
    print("printed", flush=True)
    logging.getLogger("headrace").addHandler(Releasing())
    lock.execute("BEGIN IMMEDIATE")
    return 42


@flow
def waiting(then):
    print("printed", flush=True)
    with open(os.environ["BEGUN"], "w") as begun:
        begun.write("begun\\n")
    with open(os.environ["GO_ON"]) as go_on:
        go_on.read()
    if then == "die":
        os._exit(7)
    return 42
"""


class Deployed:
    """A claimed run of a deployment, and its supervisor, started as a flow runner starts it."""

    def __init__(self, house: Instance, folder: Path, flow_name: str, **more: str) -> None:
        script = folder / "deployed.py"
        script.write_text(DEPLOYED)
        tree = tree_of_script(script)
        with house.code_storage() as storage:
            write_archive(tree, tree.archive().key, storage)
        now = house.clock.now()
        code = Code(entrypoint=f"deployed:{flow_name}", archive=tree.archive())
        made = Deployment(id=house.ids.new(), name="d", flow_name=flow_name, code=code, created=now, updated=now)
        house.client.put_deployments((made,))
        parameters = {"then": more.pop("then")} if "then" in more else {}
        self.begun, self.go_on = folder / "begun", folder / "go_on"
        for pipe in (self.begun, self.go_on):
            os.mkfifo(pipe)
        self.run = house.client.request_run(
            RunRequest(id=house.ids.new(), deployment_id=made.id, name="n", holder="test", parameters=parameters, keeps_result=True)
        )
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("HEADRACE_", "PYTHON"))}
        environment = {**plain, **settings(house.settings.home, **more), "BEGUN": str(self.begun), "GO_ON": str(self.go_on)}
        order = Order(run_id=self.run.id, run_name=self.run.name, epoch=self.run.epoch, environment=environment)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "headrace.engine"], env=dict(order.variables), text=True, stderr=subprocess.PIPE, cwd=folder
        )

    def finished(self) -> str:
        """What the supervisor said, when it has ended."""
        _, words = self.process.communicate(timeout=SECONDS)
        return words


def test_a_run_of_a_deployment_that_ends_while_the_store_is_locked(house: Instance, tmp_path: Path) -> None:
    """It is completed, with its result and what it printed, and nothing says otherwise."""
    deployed = Deployed(house, tmp_path, "ending")
    deployed.finished()
    state = house.client.read_flow_run(deployed.run.id).state
    assert state.type is StateType.COMPLETED, said(house)
    assert house.result(state) == 42
    lines = said(house)
    assert not any("Traceback" in line for line in lines)
    assert lines.count("printed") == 1
    assert sum("The run waits, for 600 seconds at most: " in line for line in lines) == 1


def test_a_supervisor_that_cannot_report_waits(house: Instance, lock: Lock, tmp_path: Path) -> None:
    """How the process of a run ended is told when the lock is gone, with all that it printed."""
    deployed = Deployed(house, tmp_path, "waiting", then="die")
    deployed.begun.read_text()
    lock.take()
    deployed.go_on.write_text("")
    assert deployed.process.stderr is not None
    while "The supervisor waits, for 600 seconds at most: " not in deployed.process.stderr.readline():
        assert deployed.process.poll() is None
    lock.release()
    deployed.finished()
    state = house.client.read_flow_run(deployed.run.id).state
    assert state.type is StateType.CRASHED
    assert state.message == "The process of the run ended with exit code 7 before the run did."
    assert said(house).count("printed") == 1


@pytest.mark.parametrize(("then", "ended"), [("end", StateType.COMPLETED), ("die", StateType.CRASHED)])
def test_what_a_deployed_run_could_not_tell_is_told_later(home: Path, tmp_path: Path, then: str, ended: StateType) -> None:
    """The run and its supervisor have waited in vain; the next process on the machine tells how the run ended."""
    with headrace.open(load(settings(home))) as house:
        lock = Lock(home)
        deployed = Deployed(house, tmp_path, "waiting", then=then, HEADRACE_OUTAGE_SECONDS="0.01")
        deployed.begun.read_text()
        lock.take()
        deployed.go_on.write_text("")
        deployed.finished()
        assert house.client.read_flow_run(deployed.run.id).state.type is StateType.RUNNING
    lock.release()
    lock.close()
    for file in (home / "undelivered").iterdir():
        assert json.loads(file.read_bytes())["run_id"] == deployed.run.id
    with headrace.open(load(settings(home)), lasting=True) as later:
        assert later.client.read_flow_run(deployed.run.id).state.type is ended
        if ended is StateType.COMPLETED:
            assert later.result(later.client.read_flow_run(deployed.run.id).state) == 42
        assert said(later).count("printed") == 1
