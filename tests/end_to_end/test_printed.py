"""What runs print, and how their logs end: in real processes, without anything that makes Python print at once."""

import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

import headrace
from headrace.instance import Instance
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.filters import DeploymentFilter, EventFilter, FlowRunFilter, LogFilter, Page
from headrace.model.logs import LogLine
from headrace.model.moves import Move
from headrace.model.orders import Order
from headrace.model.runs import FlowRun
from headrace.model.states import State, StateType
from headrace.processes import ProcessFile, folder_of
from headrace.settings import load

COMMAND = str(Path(sysconfig.get_path("scripts"), "headrace"))
SECONDS = 60

CODE = """
import atexit
import ctypes
import os
import signal
import subprocess
import sys
import threading

from headrace import flow, task


def told(name):
    def hook(flow, run, state):
        print(f"{name} hears of {state.name}")
    return hook


hooks = {name: [told(name)] for name in ("on_completion", "on_failure", "on_crash", "on_cancellation")}


@task
def talk(number):
    for line in range(15):
        print("thread", number, "line", line)


def linger(line):
    print(line)
    threading.Event().wait()


def errand(how, gate):
    print("printed first")
    if how == "all":
        print("an error", file=sys.stderr)
        subprocess.run(["echo", "by a child"])
        ctypes.CDLL(None).printf(b"by C\\n")
        print("printed last, without an end", end="")
    if how == "wait":
        open(gate).read()
    if how == "talk":
        for future in [talk.submit(number) for number in range(8)]:
            future.result()
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "segfault":
        ctypes.string_at(0)
    if how == "exit":
        os._exit(7)
    if how == "close":
        os.closerange(3, 1000)
    if how == "sys.exit":
        sys.exit(4)
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "end":
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait()
    if how == "at exit":
        threading.Thread(target=print, args=("printed in a thread",)).start()
        atexit.register(print, "printed at exit")
    if how == "fail at exit":
        atexit.register(print, "printed at exit")
        raise ValueError
    if how == "linger":
        threading.Thread(target=linger, args=("lingers",)).start()
    if how == "linger and end":
        threading.Thread(target=linger, args=("lingers",)).start()
        atexit.register(print, "printed at exit")
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait()


@flow(name="sync", **hooks)
def errand_sync(how: str, gate: str = ""):
    errand(how, gate)


@flow(name="async", **hooks)
async def errand_async(how: str, gate: str = ""):
    if how == "wait":
        import asyncio

        print("printed first")
        await asyncio.sleep(600)
    errand(how, gate)
"""
BROKEN = """
import atexit
print("printed while it is loaded")
atexit.register(print, "printed at exit")
raise ValueError("on purpose")
"""
DEADLY = """
import os
print("printed while it is loaded")
os._exit(7)
"""


class Home:
    """A home with deployed flows, whose code is installed and not packed, and a work queue."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "home"
        self.processes: list[subprocess.Popen[bytes]] = []
        (folder / "code").mkdir()
        for name, content in (("errands", CODE), ("broken", BROKEN), ("deadly", DEADLY)):
            (folder / "code" / f"{name}.py").write_text(content)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_") and name != "PYTHONUNBUFFERED"}
        self.environment = {**kept, "HEADRACE_HOME": str(self.path), "PYTHONPATH": str(folder / "code")}
        with self.open() as house:
            now = house.clock.now()
            made = Deployment(id="", name="here", flow_name="", code=Code(entrypoint=""), created=now, updated=now)
            house.client.put_deployments(
                tuple(
                    attrs.evolve(made, id=house.ids.new(), flow_name=flow, code=Code(entrypoint=entrypoint))
                    for flow, entrypoint in (
                        ("sync", "errands:errand_sync"),
                        ("async", "errands:errand_async"),
                        ("broken", "broken:errand"),
                        ("deadly", "deadly:errand"),
                    )
                )
            )
        self.command("work-queue", "create", "q")

    def open(self) -> Any:
        return headrace.open(load({"HEADRACE_HOME": str(self.path)}), lasting=True)

    def command(self, *arguments: str, **variables: str) -> str:
        done = subprocess.run(
            [COMMAND, *arguments], env={**self.environment, **variables}, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        return done.stdout + done.stderr

    def start(self, name: str, **parameters: str) -> "subprocess.Popen[bytes]":
        """A run in a process that begins from nothing."""
        process = subprocess.Popen(
            [COMMAND, "deployment", "execute", f"{name}/here", "--params", json.dumps(parameters)],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.processes.append(process)
        return process

    def log(self, *, warm: bool = False, flow: str = "sync", grace: str = "10", **parameters: str) -> list[str]:
        """The messages of the only run's log, which has ended: forked by an agent, or begun from nothing."""
        given = ("deployment", "run" if warm else "execute", f"{flow}/here", "--params", json.dumps(parameters))
        self.shown = self.command(*given, HEADRACE_GRACE_SECONDS=grace)
        if warm:
            self.command("agent", "start", "q", "--run-once", HEADRACE_GRACE_SECONDS=grace)
        return [line.message for line in self.lines()]

    def lines(self) -> list[LogLine]:
        with self.open() as house:
            found: list[LogLine] = house.client.read_logs(LogFilter(), Page(newest_first=False))
        return found

    def run(self) -> FlowRun:
        """The only run that there is."""
        with self.open() as house:
            (run,) = house.client.read_flow_runs(FlowRunFilter(), Page())
        return run  # type: ignore[no-any-return]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    for process in home.processes:
        with process:
            process.kill()
    for file in folder_of(home.path).glob("*.lock"):  # what a failed test left
        pid = ProcessFile(file.parent, file.stem).pid()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)


def until_said(house: Instance, message: str) -> FlowRun:
    """The only run, when it has said so."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        cursor = house.client.read_last_event()
        if message in [line.message for line in house.client.read_logs(LogFilter(), Page())]:
            (run,) = house.client.read_flow_runs(FlowRunFilter(), Page())
            return run
        house.client.wait_for_events(EventFilter(after=cursor), SECONDS)
    raise AssertionError(f"{message!r} is not said")


# What is printed


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("flow", ["sync", "async"])
def test_what_is_printed_stands_before_the_end(home: Home, flow: str, warm: bool) -> None:
    """In its order, whoever printed it: the flow, a child, C; a hook too. The run's end is the last line."""
    said = home.log(flow=flow, warm=warm, how="all")
    assert said[-7:] == [
        "printed first",
        "an error",
        "by a child",
        "by C",
        "printed last, without an end",
        "on_completion hears of Completed",
        "Finished in state Completed()",
    ]


def test_what_is_printed_is_seen_at_once(home: Home) -> None:
    """While the flow goes on, though it did not ask for it."""
    gate = home.folder / "gate"
    os.mkfifo(gate)
    executing = home.start("sync", how="wait", gate=str(gate))
    with home.open() as house:
        assert until_said(house, "printed first").state.is_running()
        gate.write_text("go on")
        executing.wait(SECONDS)
    assert home.run().state.is_completed()


def test_who_watches_sees_the_end_last(home: Home) -> None:
    """Lines come in the order in which they stand in the log where nothing else is written at the same time."""
    home.log(how="all")
    shown = [line.rpartition(" - ")[2] for line in home.shown.splitlines() if " | " in line]
    assert shown[-2:] == ["on_completion hears of Completed", "Finished in state Completed()"]
    assert "printed last, without an end" in shown


def test_lines_of_threads_are_whole(home: Home) -> None:
    """And of each thread they are in order."""
    said = [line for line in home.log(how="talk") if line.startswith("thread")]
    assert len(said) == 120
    for number in range(8):
        assert [line for line in said if line.startswith(f"thread {number} ")] == [f"thread {number} line {line}" for line in range(15)]


# How logs end


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize(
    ("how", "told"),
    [("kill", "signal 9 (SIGKILL)"), ("segfault", "signal 11 (SIGSEGV)"), ("exit", "exit code 7")],
)
def test_a_process_that_is_killed(home: Home, how: str, told: str, warm: bool) -> None:
    """What it printed is there, and the last line says how it ended, as the run's state does."""
    said = home.log(warm=warm, how=how)
    message = f"The process of the run ended with {told} before the run did."
    assert said[-2:] == ["printed first", message]
    assert (home.run().state.type, home.run().state.message) == ("CRASHED", message)
    assert [line.level for line in home.lines()][-1] == 40


def test_a_process_that_dies_while_code_is_loaded(home: Home) -> None:
    """The same."""
    message = "The process of the run ended with exit code 7 before the run did."
    assert home.log(flow="deadly") == ["printed while it is loaded", message]


def test_code_that_cannot_be_loaded(home: Home) -> None:
    """Its own words come first, with its traceback, and the last line is the run's end; what it left to the end is done."""
    said = home.log(flow="broken")
    assert said[0] == "printed while it is loaded"
    assert "ValueError: on purpose" in said
    assert said[-2] == f"Finished in state {home.run().state}"
    assert said[-1] == "printed at exit"
    assert home.run().state.is_failed()


@pytest.mark.parametrize("flow", ["sync", "async"])
def test_a_flow_that_closes_all_files(home: Home, flow: str) -> None:
    """It cannot say any more how it ended, and its supervisor does at once; the log says why."""
    said = home.log(flow=flow, how="close")
    assert said[0] == "printed first"
    assert said[-2].startswith("error: the code of the run has closed files that are not its own (as os.closerange does)")
    assert said[-1] == home.run().state.message == "The process of the run ended with exit code 1 before the run did."


def test_a_supervisor_that_is_told_to_end_as_soon_as_it_begins(home: Home) -> None:
    """Between its fork and its first look, a signal is kept for then: the run is ended and its end is reported."""
    never = home.folder / "never"
    os.mkfifo(never)
    with home.open() as house:
        deployment = house.client.read_deployments(DeploymentFilter(), Page(newest_first=False))[0]
        request = RunRequest(id="r", deployment_id=deployment.id, name="r", parameters={"how": "wait", "gate": str(never)}, holder="test")
        run = house.client.request_run(request)
    order = Order(run_id=run.id, run_name=run.name, epoch=run.epoch, environment=home.environment)
    source = """
import os, signal, sys
from headrace.engine.supervisor import main
fork = os.fork

def forked():
    process = fork()
    if process:
        os.kill(os.getpid(), signal.SIGTERM)
    return process

os.fork = forked
sys.exit(main())
"""
    done = subprocess.run([sys.executable, "-c", source], env=order.variables, timeout=SECONDS, check=False)
    assert done.returncode == 1
    assert home.run().state.is_crashed()


# Hooks


@pytest.mark.parametrize("flow", ["sync", "async"])
@pytest.mark.parametrize("how", ["sys.exit", "interrupt", "end"])
def test_hooks_hear_of_a_crash(home: Home, flow: str, how: str) -> None:
    """Wherever the run's process can still run code."""
    said = home.log(flow=flow, how=how)
    assert said[-2:] == ["on_crash hears of Crashed", f"Finished in state {home.run().state}"]


@pytest.mark.parametrize("flow", ["sync", "async"])
def test_hooks_hear_of_a_cancellation(home: Home, flow: str) -> None:
    """Before the process ends."""
    gate = home.folder / "gate"
    os.mkfifo(gate)
    executing = home.start(flow, how="wait", gate=str(gate))
    with home.open() as house:
        run = until_said(house, "printed first")
        house.client.move_flow_run(Move(id="c", run_id=run.id, state=State(type=StateType.CANCELLING, message="Enough.")))
        executing.wait(SECONDS)
    assert [line.message for line in home.lines()][-2:] == ["on_cancellation hears of Cancelled", "Finished in state Cancelled('Enough.')"]


# After the end


@pytest.mark.parametrize("warm", [False, True])
def test_threads_and_exit_handlers_have_their_turn(home: Home, warm: bool) -> None:
    """As in a script; the run has ended by then, and what they print is kept."""
    said = home.log(warm=warm, how="at exit")
    assert sorted(said[said.index("Finished in state Completed()") - 2 :])[-2:] == ["printed at exit", "printed in a thread"]
    assert said[-1] == "printed at exit"
    assert home.run().state.is_completed()


def test_exit_handlers_of_a_run_that_failed(home: Home) -> None:
    """They have their turn as well."""
    assert home.log(how="fail at exit")[-1] == "printed at exit"


def test_a_thread_that_does_not_end(home: Home) -> None:
    """Its process is killed after the grace, and the log says so; the run is what it was."""
    said = home.log(how="linger", grace="0.2")
    assert said[-1] == "The process of the run had not ended 0.2 seconds after the run, and was killed."
    assert "lingers" in said
    assert home.run().state.is_completed()


def test_a_run_that_is_to_end_waits_for_no_thread(home: Home) -> None:
    """Exit handlers have their turn."""
    assert home.log(how="linger and end", grace="600")[-1] == "printed at exit"
    assert home.run().state.is_crashed()
