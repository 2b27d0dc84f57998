"""Warm starts: forked from a process that is ready, in an environment of their own; and what happens when it is not ready."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import headrace_subprocess.fork_server
from headrace.model.orders import ExitStatus
from headrace.ports.flow_runner import OpenFlowRunner
from headrace.processes import Look, ProcessFile, folder_of
from headrace.testing.conformance.flow_runner import SECONDS, Meeting, Stage, noting
from headrace_subprocess.flow_runner import SubprocessFlowRunner
from headrace_subprocess.fork_server import Forked

COLD = "The process of the run was started cold: "


def seen(opened: OpenFlowRunner, stage: Stage, tmp_path: Path, lines: str, **variables: str) -> Any:
    """What the lines find, as `seen`; and the remark about the start."""
    file = tmp_path / "seen"
    lines = f"import json, os, signal, sys, time\n{lines}\njson.dump(seen, open({str(file)!r}, 'w'))"
    process = opened.start(stage.order(lines, **variables))
    assert process.wait(SECONDS) == ExitStatus(0)
    return json.loads(file.read_text()), process.remark


PARENTS = (
    "parent = os.getppid(); seen = [parent, int(open(f'/proc/{parent}/stat').read().rpartition(')')[2].split()[1]), os.getsid(parent)]"
)


def server_of(opened: OpenFlowRunner, stage: Stage, tmp_path: Path) -> int:
    """The process that forks."""
    (_, server, _), remark = seen(opened, stage, tmp_path, PARENTS)
    assert remark == ""
    return int(server)


def await_end(process: int) -> None:
    """Returns when a process has ended, whosever child it is."""
    try:
        descriptor = os.pidfd_open(process)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], SECONDS)[0], "it has not ended"
    finally:
        os.close(descriptor)


def script(tmp_path: Path, lines: str) -> tuple[str, ...]:
    """A fork-server of the test's own."""
    (tmp_path / "server.py").write_text(lines)
    return (str(tmp_path / "server.py"),)


# Forked


def test_one_process_forks_all(stage: Stage, tmp_path: Path) -> None:
    """Runs are forked by one process, each leads a session of its own, and there is nothing to remark."""
    with SubprocessFlowRunner().open() as opened:
        found = [seen(opened, stage, tmp_path, PARENTS) for _ in range(3)]
    assert len({server for (_, server, _), _ in found}) == 1
    assert len({session for (_, _, session), _ in found}) == 3
    assert all(parent == session for (parent, _, session), _ in found)
    assert {remark for _, remark in found} == {""}


def test_an_environment_of_its_own(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run has the environment of when it is started: nothing is left of that of the process that forks it, the time zone included."""
    monkeypatch.setenv("EARLY", "1")
    with SubprocessFlowRunner(env={"OWN": "1"}).open() as opened:
        server_of(opened, stage, tmp_path)
        monkeypatch.delenv("EARLY")
        monkeypatch.setenv("LATE", "1")
        (environment, zone), remark = seen(opened, stage, tmp_path, "seen = [dict(os.environ), time.strftime('%z')]", TZ="Etc/GMT-5")
    assert remark == ""
    assert {"EARLY", "LATE", "OWN", "TZ"} & environment.keys() == {"LATE", "OWN", "TZ"}
    assert zone == "+0500"


def test_as_a_process_begins(stage: Stage, tmp_path: Path) -> None:
    """Signals, standard streams, open files and the working folder are those of a process that has just begun."""
    lines = """
numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGCHLD]
files = {}
for name in os.listdir("/proc/self/fd"):
    try:
        files[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    except OSError:
        pass
seen = dict(signals=[str(signal.getsignal(number)) for number in numbers], files=files, folder=os.getcwd())
"""
    found = {}
    for warm in (True, False):
        with SubprocessFlowRunner(warm=warm).open() as opened:
            found[warm], remark = seen(opened, stage, tmp_path, lines)
            assert (remark == "") is warm
    assert found[True]["folder"] == found[False]["folder"] == str(tmp_path / "home")
    assert found[True]["signals"][1:] == found[False]["signals"][1:] == ["0", "0"]
    assert all("default_int_handler" in one["signals"][0] for one in found.values())
    for one in found.values():
        assert {path.rpartition("/")[2] for path in one["files"].values()} - {"null", "run-1.1.err", "run-2.1.err"} == set(), one["files"]


def test_no_zombies(stage: Stage, tmp_path: Path) -> None:
    """What has been forked and has ended is out of the system's table."""
    with SubprocessFlowRunner().open() as opened:
        (supervisor, _, _), _ = seen(opened, stage, tmp_path, PARENTS)
        await_end(supervisor)
        server_of(opened, stage, tmp_path)  # one answer later it is
        with pytest.raises(ProcessLookupError):
            os.kill(supervisor, 0)


def test_begun_again(stage: Stage, tmp_path: Path) -> None:
    """What is left of a process that was killed is not taken for the one that is forked now."""
    with SubprocessFlowRunner().open() as opened, Meeting() as meeting:
        order = stage.order(meeting.lines)
        file = ProcessFile(folder_of(tmp_path / "home"), order.identity)
        file.path.parent.mkdir()
        file.path.write_text('{"pid": 1}\n')
        process = opened.start(order)
        assert process.wait(0) is None
        meeting.await_one()
        meeting.end()
        assert process.wait(SECONDS) == ExitStatus(0)


def test_a_number_that_is_somebody_elses() -> None:
    """A forked process that had its file has ended once nobody holds that, whoever has its number now."""
    leader = os.getsid(0)
    assert not Forked(leader, server=0).is_over(Look())
    assert Forked(leader, server=0).is_over(Look(pid=leader))


# Cold for a reason


@pytest.mark.parametrize("name", ["PYTHONHASHSEED", "LD_LIBRARY_PATH", "MALLOC_ARENA_MAX", "LC_ALL", "LANG", "GLIBC_TUNABLES"])
@pytest.mark.parametrize("place", ["order", "runner"])
def test_what_is_read_at_the_start(name: str, place: str, stage: Stage, tmp_path: Path) -> None:
    """A variable that a program reads only when it starts makes the start cold; the remark names it."""
    value = {"PYTHONHASHSEED": "7", "MALLOC_ARENA_MAX": "2", "LC_ALL": "C", "LANG": "C"}.get(name, "")
    own, ordered = ({name: value}, {}) if place == "runner" else ({}, {name: value})
    with SubprocessFlowRunner(env=own).open() as opened:
        assert seen(opened, stage, tmp_path, f"seen = os.environ[{name!r}]", **ordered) == (
            value,
            f"{COLD}{name} must be set before a Python starts.",
        )
        server_of(opened, stage, tmp_path) if place == "order" else None


def test_what_is_not_to_be_there(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same values are no reason, and a variable that has gone is one."""
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    with SubprocessFlowRunner().open() as opened:
        assert seen(opened, stage, tmp_path, "seen = hash('a')", PYTHONHASHSEED="7", LANGUAGE="en")[1] == ""
        monkeypatch.delenv("PYTHONHASHSEED")
        assert seen(opened, stage, tmp_path, "seen = None")[1] == f"{COLD}PYTHONHASHSEED must be set before a Python starts."


def test_cold_by_choice(stage: Stage, tmp_path: Path) -> None:
    """Who wants no warm start gets none, and no process is kept."""
    with SubprocessFlowRunner(warm=False).open() as opened:
        assert seen(opened, stage, tmp_path, "seen = None")[1] == f"{COLD}its flow runner says so, by warm=False."


# Lost


def test_a_fork_server_that_is_killed(stage: Stage, tmp_path: Path) -> None:
    """The next run begins cold and is told why, the one after it is warm again."""
    with SubprocessFlowRunner().open() as opened:
        server = server_of(opened, stage, tmp_path)
        os.kill(server, signal.SIGKILL)
        await_end(server)
        remark = seen(opened, stage, tmp_path, "seen = None")[1]
        assert remark.startswith(f"{COLD}the fork-server was lost: ")
        assert server_of(opened, stage, tmp_path) != server


def test_a_fork_server_that_hangs(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for longer than some seconds, and is ended."""
    with SubprocessFlowRunner().open() as opened:
        server = server_of(opened, stage, tmp_path)
        os.kill(server, signal.SIGSTOP)
        monkeypatch.setattr(headrace_subprocess.fork_server, "_ANSWER_SECONDS", 0.2)
        assert seen(opened, stage, tmp_path, "seen = None")[1] == f"{COLD}the fork-server was lost: it did not answer in time."
        await_end(server)
        monkeypatch.undo()


def test_an_answer_that_is_lost(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was forked though nobody knows is not run a second time by the cold start that follows."""
    lines = """
import signal
from headrace.engine import fork_server
from headrace.testing import stand_in
fork = fork_server._answer
fork_server._answer = lambda *arguments: (fork(*arguments), signal.pause())
stand_in.main()
"""
    monkeypatch.setattr(headrace_subprocess.fork_server, "SERVER", script(tmp_path, lines))
    monkeypatch.setattr(headrace_subprocess.fork_server, "_ANSWER_SECONDS", 0.5)
    with SubprocessFlowRunner().open() as opened, Meeting() as meeting:
        process = opened.start(stage.order(meeting.lines))
        assert process.remark == f"{COLD}the fork-server was lost: it did not answer in time."
        meeting.await_one()
        assert process.wait(0) is None
        meeting.end()
        assert process.wait(SECONDS) == ExitStatus(0)
        assert not meeting.has_more()


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("print('no answer')", "it has ended"),
        ("import socket, sys; socket.socket(fileno=int(sys.argv[1])).sendall(b'hello\\n')", "Expecting value"),
        ('import socket, sys; socket.socket(fileno=int(sys.argv[1])).sendall(b\'{"error": "no settings"}\\n\')', "no settings"),
    ],
    ids=["silent", "babbling", "honest"],
)
def test_a_fork_server_that_never_works(lines: str, why: str, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs begin cold and are told why; after three failures it is not tried again."""
    lines = noting(tmp_path / "begun", "begun") + lines
    monkeypatch.setattr(headrace_subprocess.fork_server, "SERVER", script(tmp_path, lines))
    with SubprocessFlowRunner().open() as opened:
        remarks = [seen(opened, stage, tmp_path, "seen = None")[1] for _ in range(5)]
    assert all(remark.startswith(COLD) and why in remark for remark in remarks)
    assert ["not tried again" in remark for remark in remarks] == [False] * 3 + [True] * 2
    assert (tmp_path / "begun").read_text().split() == ["begun"] * 3


def test_closing_before_it_is_ready(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who opens and closes does not wait for what is being made ready."""
    with Meeting() as meeting:
        monkeypatch.setattr(headrace_subprocess.fork_server, "SERVER", script(tmp_path, meeting.lines))
        with SubprocessFlowRunner().open():
            meeting.await_one()
        assert meeting.all_are_gone()


# Worn


@pytest.mark.parametrize(("name", "value"), [("_MOST_SECONDS", 0.0), ("_MOST_GROWTH", -1)], ids=["old", "grown"])
def test_a_fork_server_that_is_worn(name: str, value: float, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one takes its place when it is ready; until then the worn one forks, and no run waits, or begins cold."""
    with SubprocessFlowRunner().open() as opened:
        first = server_of(opened, stage, tmp_path)
        with monkeypatch.context() as worn:
            worn.setattr(headrace_subprocess.fork_server, name, value)
            assert server_of(opened, stage, tmp_path) == first
        while (second := server_of(opened, stage, tmp_path)) == first:
            pass
        await_end(first)
        assert server_of(opened, stage, tmp_path) == second


# The agent's end


def test_an_agent_that_is_killed(stage: Stage, tmp_path: Path) -> None:
    """The fork-server ends with its agent; a run goes on, and the next agent finds it and sees it end."""
    with Meeting() as meeting:
        order = stage.order(f"import os\n{PARENTS}\nprint(seen[1], file=open({str(tmp_path / 'server')!r}, 'w'))\n{meeting.lines}")
        program = f"""
import signal
import headrace_subprocess.fork_server
from headrace.model.orders import Order
from headrace.testing.stand_in import MODULE
from headrace_subprocess.flow_runner import SubprocessFlowRunner
headrace_subprocess.fork_server.SERVER = MODULE
with SubprocessFlowRunner().open() as opened:
    process = opened.start(Order(run_id="run-1", run_name="", epoch=1, environment={dict(order.environment)!r}))
    assert process.remark == "", process.remark
    signal.pause()
"""
        with subprocess.Popen([sys.executable, "-c", program]) as agent:
            meeting.await_one()
            agent.kill()
        await_end(int((tmp_path / "server").read_text()))
        with SubprocessFlowRunner().open() as opened:
            assert list(opened.running()) == [order.identity]
            found = opened.find(order.identity)
            assert found is not None
            assert found.wait(0) is None
            meeting.end()
            assert found.wait(SECONDS) == ExitStatus(0)


@pytest.mark.parametrize("arguments", [[], ["x"], ["0"], ["-1"], ["9" * 30], ["3", "4"]])
def test_a_server_that_nobody_asked_for(arguments: list[str]) -> None:
    """Started by hand it says in a sentence what it is, whatever it is given."""
    command = [sys.executable, *headrace_subprocess.fork_server.SERVER, *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("error: a fork-server is started by a flow runner")
