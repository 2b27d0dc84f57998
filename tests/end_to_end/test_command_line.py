"""The console command `headrace` on runs that scripts left in SQLite, each in a process of its own."""

import json
import os
import re
import struct
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

Headrace = Callable[..., CompletedProcess[str]]
Row = dict[str, Any]

COMMAND = str(Path(sysconfig.get_path("scripts"), "headrace"))
SCRIPT = """
from headrace import flow, get_run_logger, tags, task


@task
def greet(name):
    get_run_logger().warning("hello %s", name)
    return name


@task(task_run_name="read {path}")
def read(path):
    raise FileNotFoundError(path)


@flow(flow_run_name="greeting {name}")
def greetings(name):
    get_run_logger().debug("unseen")
    greet(name)
    greet(name + "!")


@flow(name="a-flow-with-a-long-name-that-fails", flow_run_name="failing", retries=1)
def failing():
    read("nowhere.csv")


@flow(flow_run_name="inner")
def inner():
    return 1


@flow(flow_run_name="outer")
def outer():
    return inner()


greetings("Ada")
with tags("prod", "eu"):
    greetings("水車")
with tags("prod"):
    try:
        failing()
    except FileNotFoundError:
        pass
outer()
"""
NAMES = ["inner", "outer", "failing", "greeting 水車", "greeting Ada"]
"""The names of the runs that the script leaves, the newest first."""


def environment_of(home: Path) -> dict[str, str]:
    """The environment of a user with this home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_") and name not in ("NO_COLOR", "COLUMNS")}
    return {**kept, "HEADRACE_HOME": str(home), "TZ": "UTC"}


def run_script(home: Path, source: str) -> None:
    """Runs a script with this home."""
    subprocess.run([sys.executable, "-c", source], env=environment_of(home), capture_output=True, check=True, timeout=120)


def command_line(home: Path) -> Headrace:
    """Runs `headrace` with this home."""

    def run(*arguments: str, more: Mapping[str, str] | None = None) -> CompletedProcess[str]:
        environment = {**environment_of(home), **(more or {})}
        return subprocess.run([COMMAND, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=120)

    return run


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the script has run; no test changes it."""
    folder = tmp_path_factory.mktemp("home")
    run_script(folder, SCRIPT)
    return folder


@pytest.fixture
def headrace(home: Path) -> Headrace:
    return command_line(home)


def rows(headrace: Headrace, *arguments: str) -> Any:
    """What a command says as JSON."""
    shown = headrace(*arguments, "--json")
    assert (shown.returncode, shown.stderr) == (0, "")
    return json.loads(shown.stdout)


def names(headrace: Headrace, *arguments: str) -> list[str]:
    """The names of the flow runs in a list."""
    return [row["name"] for row in rows(headrace, "flow-run", "ls", *arguments)]


# flow-run ls


def test_runs_are_listed_newest_first(headrace: Headrace) -> None:
    """The list is in the order of creation, the last one first, at most as many as asked for."""
    assert names(headrace) == NAMES
    assert names(headrace, "--limit", "2") == NAMES[:2]


@pytest.mark.parametrize(
    ("arguments", "places"),
    [
        (["--state", "FAILED"], [2]),
        (["--state", "completed"], [0, 1, 3, 4]),
        (["--state", "FAILED", "--state", "Completed", "--limit", "3"], [0, 1, 2]),
        (["--state", "Late"], []),
        (["--flow", "greetings"], [3, 4]),
        (["--flow", "greetings", "--flow", "inner"], [0, 3, 4]),
        (["--tag", "prod"], [2, 3]),
        (["--tag", "prod", "--tag", "eu"], [3]),
        (["--tag", "prod", "--state", "FAILED"], [2]),
        (["--name", "greeting 水車"], [3]),
        (["--name", "inner", "--name", "outer"], [0, 1]),
        (["--like", "NNE"], [0]),
        (["--like", "greet", "--tag", "eu"], [3]),
        (["--like", "%"], []),
    ],
)
def test_runs_are_chosen(headrace: Headrace, arguments: list[str], places: list[int]) -> None:
    """Options narrow the list: one of these states, flows, names; all of these tags; and all options at once."""
    assert names(headrace, *arguments) == [NAMES[place] for place in places]


@pytest.mark.parametrize("command", ["flow-run", "task-run"])
def test_a_state_that_there_is_not(headrace: Headrace, command: str) -> None:
    """It is typed wrong, and the states that there are are named; those that headrace knows are taken in any letters."""
    for more in ([], ["--state", "FAILED"], ["--json"]):
        refused = headrace(command, "ls", "--state", "nonsense", *more)
        error, hint = refused.stderr.splitlines()
        assert (refused.returncode, refused.stdout) == (2, "")
        assert error.startswith(
            "error: Invalid value for --state: no run is in a state 'nonsense'; types of states are SCHEDULED, PENDING, "
        )
        assert ": AwaitingRestart, AwaitingResume, AwaitingRetry, Cached, Late, " in error
        assert hint == f"try: headrace {command} ls --help"
    for state in ("awaitingretry", "TIMEDOUT", "Lost"):
        assert rows(headrace, command, "ls", "--state", state) == []


def test_a_state_with_a_name_of_its_own(tmp_path: Path) -> None:
    """A flow may call its states as it likes, and they are found by that."""
    script = "from headrace import State, flow\n@flow(flow_run_name='a')\ndef f():\n    return State.completed(name='Shipped')\nf()\n"
    run_script(tmp_path, script)
    assert names(command_line(tmp_path), "--state", "Shipped") == ["a"]
    assert names(command_line(tmp_path), "--state", "Shipped", "--flow", "g") == []


def test_a_row_of_json(headrace: Headrace) -> None:
    """A row says everything about its run in plain names."""
    (row,) = rows(headrace, "flow-run", "ls", "--name", "greeting 水車")
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", row["id"])
    assert (row["state"], row["state_type"], row["flow_name"]) == ("Completed", "COMPLETED", "greetings")
    assert (row["parameters"], row["tags"], row["deployment"], row["run_count"]) == ({"name": "水車"}, ["eu", "prod"], None, 1)
    assert row["created"] <= row["start_time"] <= row["end_time"]
    assert row["total_run_time"] > 0


def test_the_table(headrace: Headrace) -> None:
    """The table has whole ids, aligned columns, and no colours where it is no terminal."""
    shown = headrace("flow-run", "ls")
    heading, *lines = shown.stdout.splitlines()
    assert heading.split() == ["ID", "NAME", "STATE", "AGE", "FLOW"]
    assert [line[:36] for line in lines] == [row["id"] for row in rows(headrace, "flow-run", "ls")]
    assert "\x1b" not in shown.stdout
    assert lines[2].endswith("a-flow-with-a-long-name-that-fails")
    assert lines[4].index("Completed") == heading.index("STATE")


def test_empty_lists_say_what_to_type(headrace: Headrace, tmp_path: Path) -> None:
    """An empty list is no row on the output, and a sentence beside it."""
    shown = headrace("flow-run", "ls", "--tag", "none")
    assert (shown.returncode, shown.stdout) == (0, "")
    assert shown.stderr == "no flow run fits; list all with: headrace flow-run ls\n"
    fresh = command_line(tmp_path)
    assert fresh("flow-run", "ls").stderr == "no flow has run yet; run a script that calls one: python my_flow.py\n"
    assert fresh("task-run", "ls").stderr.startswith("no task has run yet; ")
    assert fresh("flow-run", "ls", "--json").stdout == "[]\n"


# flow-run inspect


def test_inspect(headrace: Headrace) -> None:
    """A run is shown whole, with its states, the oldest first, and its task runs counted by state."""
    found = rows(headrace, "flow-run", "inspect", "failing")
    assert (found["name"], found["state"], found["retries"], found["run_count"]) == ("failing", "Failed", 1, 2)
    states = [(state["type"], state["name"]) for state in found["states"]]
    assert states[0] == ("PENDING", "Pending")
    assert states[-1] == ("FAILED", "Failed")
    assert "FileNotFoundError: nowhere.csv" in found["states"][-1]["message"]
    assert found["task_runs"] == {"FAILED": len(rows(headrace, "task-run", "ls", "--flow-run", "failing"))}
    shown = headrace("flow-run", "inspect", "failing").stdout
    assert f"id               {found['id']}\n" in shown
    assert "retries          1 at most, 0.00s apart\n" in shown
    assert "WHEN                     STATE" in shown


def test_ids_may_be_short(headrace: Headrace) -> None:
    """A run is named by its id, the start of its id, or its name."""
    for row in rows(headrace, "flow-run", "ls"):
        for given in (row["id"], row["id"].upper(), row["id"][:-2], row["name"]):
            assert rows(headrace, "flow-run", "inspect", given)["id"] == row["id"]


def test_a_run_that_is_not_there(headrace: Headrace) -> None:
    """Whoever is not found is an error that says where to look, for every command."""
    for command in ("inspect", "logs", "delete"):
        shown = headrace("flow-run", command, "nobody")
        assert (shown.returncode, shown.stdout) == (1, "")
        assert shown.stderr == "error: no flow run 'nobody'; list what is there with `headrace flow-run ls`\n"


def test_a_name_that_several_have(tmp_path: Path) -> None:
    """Where several fit, nothing is chosen and the ids are named."""
    run_script(tmp_path, "from headrace import flow\n@flow(flow_run_name='twin')\ndef f(): return 1\nf()\nf()")
    headrace = command_line(tmp_path)
    ids = [row["id"] for row in rows(headrace, "flow-run", "ls")]
    shown = headrace("flow-run", "delete", "twin")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr == f"error: 'twin' fits several flow runs: {ids[0]}, {ids[1]}; write one of them whole\n"
    assert len(rows(headrace, "flow-run", "ls")) == 2


# flow-run logs


def test_logs(headrace: Headrace) -> None:
    """The lines of a run and its task runs are shown as its console showed them, the oldest first."""
    lines = headrace("flow-run", "logs", "greeting Ada").stdout.splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d\.\d{3} \| (INFO   |WARNING) \| (Flow|Task) run '.+' - .", line) for line in lines)
    messages = [line.split(" | ", 2)[2] for line in lines]
    assert messages[0] == "Flow run 'greeting Ada' - Created flow run 'greeting Ada' for flow 'greetings'"
    first, second = (row["name"] for row in reversed(rows(headrace, "task-run", "ls", "--flow-run", "greeting Ada")))
    said = [message for message in messages if "hello" in message]
    assert said == [f"Task run '{first}' - hello Ada", f"Task run '{second}' - hello Ada!"]


def test_logs_of_a_level(headrace: Headrace) -> None:
    """Only lines at least as grave are shown; none is said."""
    lines = rows(headrace, "flow-run", "logs", "greeting Ada", "--level", "warning")
    assert [(line["level"], line["level_name"], line["message"]) for line in lines] == [
        (30, "WARNING", "hello Ada"),
        (30, "WARNING", "hello Ada!"),
    ]
    assert {line["flow_run_id"] for line in lines} == {rows(headrace, "flow-run", "inspect", "greeting Ada")["id"]}
    silent = headrace("flow-run", "logs", "greeting Ada", "--level", "CRITICAL")
    assert (silent.returncode, silent.stdout) == (0, "")
    assert silent.stderr.startswith("no lines of flow run 'greeting Ada' fit; see how it went with: headrace flow-run inspect ")


def test_all_pages_of_logs(tmp_path: Path) -> None:
    """A run that said more than a page is shown to its last line, each line once and in order."""
    source = """
        from headrace import flow, get_run_logger
        @flow(flow_run_name="chatty")
        def f():
            for number in range(450):
                get_run_logger().warning("line %d", number)
        f()
    """
    run_script(tmp_path, "\n".join(line[8:] for line in source.splitlines()))
    headrace = command_line(tmp_path)
    said = [line["message"] for line in rows(headrace, "flow-run", "logs", "chatty", "--level", "WARNING")]
    assert said == [f"line {number}" for number in range(450)]
    assert headrace("flow-run", "logs", "chatty", "--level", "WARNING").stdout.count("\n") == 450


# flow-run delete


def test_delete(tmp_path: Path) -> None:
    """Runs are deleted with their task runs and subflows; if one is not found, none is deleted."""
    run_script(tmp_path, SCRIPT)
    headrace = command_line(tmp_path)
    refused = headrace("flow-run", "delete", "outer", "nobody")
    assert refused.returncode == 1
    assert names(headrace) == NAMES
    (greeting,) = rows(headrace, "flow-run", "ls", "--name", "greeting Ada")
    done = headrace("flow-run", "delete", "greeting Ada", greeting["id"], "outer")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == f"deleted flow run 'greeting Ada' ({greeting['id']})"
    assert names(headrace) == ["failing", "greeting 水車"]
    assert greeting["id"] not in {row["flow_run_id"] for row in rows(headrace, "task-run", "ls")}


def test_delete_of_a_run_with_its_subflow(tmp_path: Path) -> None:
    """A subflow that went with its parent is no error."""
    run_script(tmp_path, SCRIPT)
    headrace = command_line(tmp_path)
    done = headrace("flow-run", "delete", "outer", "inner")
    assert done.returncode == 0
    assert done.stderr.startswith("flow run 'inner' was gone already")
    assert names(headrace) == NAMES[2:]


# task-run


def test_task_runs(headrace: Headrace) -> None:
    """Task runs are listed newest first, of all flow runs or of one, by state too."""
    every = rows(headrace, "task-run", "ls", "--limit", "200")
    assert every == sorted(every, key=lambda row: row["id"], reverse=True)
    own = rows(headrace, "task-run", "ls", "--flow-run", "greeting Ada")
    assert [(row["task_name"], row["state"], row["run_count"]) for row in own] == [("greet", "Completed", 1)] * 2
    failed = rows(headrace, "task-run", "ls", "--state", "FAILED")
    assert {row["name"] for row in failed} == {"read nowhere.csv"}
    assert rows(headrace, "task-run", "ls", "--flow-run", "greeting Ada", "--state", "FAILED") == []
    table = headrace("task-run", "ls", "--flow-run", "failing", "--limit", "1").stdout.splitlines()
    assert table[0].split() == ["ID", "NAME", "STATE", "AGE", "FLOW", "RUN"]
    assert table[1].startswith(failed[0]["id"])
    assert table[1].endswith("failing")


def test_inspect_of_a_task_run(headrace: Headrace) -> None:
    """A task run is shown whole, with its states."""
    newest, *_ = rows(headrace, "task-run", "ls", "--state", "FAILED")
    found = rows(headrace, "task-run", "inspect", newest["id"])
    assert {name: found[name] for name in newest} == newest
    assert [state["type"] for state in found["states"]] == ["PENDING", "RUNNING", "FAILED"]
    shown = headrace("task-run", "inspect", newest["id"][:-1]).stdout
    assert f"flow run        {found['flow_run_id']} (failing)\n" in shown
    unknown = headrace("task-run", "inspect", "nobody")
    assert unknown.stderr == "error: no task run 'nobody'; list what is there with `headrace task-run ls`\n"


# The rest


def test_the_store_in_use(headrace: Headrace, home: Path) -> None:
    """`headrace version` tells that runs are in SQLite, and where."""
    found = rows(headrace, "version")
    assert (found["run_store"], found["home"]) == ("sqlite", str(home))
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["sqlite"])
    assert {"headrace-core", "headrace-sqlite"} <= found["dists"].keys()
    assert "sqlite" in {row["name"] for row in rows(headrace, "plugins")}


def test_a_blocked_store(headrace: Headrace) -> None:
    """Where the store is blocked, commands on runs say that none is there."""
    shown = headrace("flow-run", "ls", more={"HEADRACE_PLUGINS_BLOCKED": "headrace-sqlite"})
    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr.startswith("error: the run store in use is gone when its process ends")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_on_a_terminal(home: Path) -> None:
    """On a terminal of 80 columns no line is broken by the terminal, ids are whole, and states have their colours."""
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with subprocess.Popen([COMMAND, "flow-run", "ls"], env=environment_of(home), stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        sent = b""
        try:
            while piece := os.read(ours, 65536):
                sent += piece
        except OSError:  # how Linux says that the other side is closed
            pass
        os.close(ours)
    coloured = sent.decode()
    assert "\x1b[31mFailed" in coloured
    assert "\x1b[32mCompleted" in coloured
    lines = re.sub("\x1b\\[[0-9;]*m", "", coloured).splitlines()
    assert max(map(len, lines)) <= 80
    assert [line[:36] for line in lines if re.match("[0-9a-f]{8}-", line)] == [
        row["id"] for row in rows(command_line(home), "flow-run", "ls")
    ]
    assert "".join(line[69:].strip() for line in lines).count("a-flow-with-a-long-name-that-fails") == 1
