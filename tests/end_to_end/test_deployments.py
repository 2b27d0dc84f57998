"""`headrace deployment` and what `headrace flow-run` does with runs of deployments, in real processes, remembered in SQLite."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

import headrace
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.deployments import Archive, Code, Deployment, RunRequest
from headrace.model.filters import FlowRunFilter, Page
from headrace.model.moves import Move
from headrace.model.runs import FlowRun
from headrace.model.states import State
from headrace.settings import load

SECONDS = 60
COMMAND = (
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from headrace.cli.main import main; main()",
)
"""The command line, in a process that Ctrl+C reaches even where the tests were started in the background."""

CODE = """
import threading

from headrace import flow, get_run_logger, task


@task
def note(text):
    get_run_logger().warning("noted %s", text)


@flow
def inner():
    print("inside", flush=True)
    threading.Event().wait()


@flow
def errand(count: int, how: str = ""):
    note("it")
    print("printed", count, flush=True)
    if how == "wait":
        inner()
    if how == "fail":
        raise ValueError("on purpose")
    return count
"""

SCHEMA = {
    "type": "object",
    "properties": {"count": {"type": "integer"}, "how": {"type": "string", "default": ""}},
    "required": ["count"],
    "additionalProperties": False,
}

ARCHIVE = Archive(sha256="ab" * 32, files=1, size=830)


class Home:
    """A home with its command line, and code that is installed and not packed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "code").mkdir()
        (folder / "code" / "errands.py").write_text(CODE)
        self.path = folder / "home"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
        self.environment = {**kept, "HEADRACE_HOME": str(self.path), "PYTHONPATH": str(folder / "code"), "TZ": "UTC"}
        with self.open() as house:
            self.ids = deploy(house)

    def open(self) -> Any:
        return headrace.open(load({"HEADRACE_HOME": str(self.path)}), lasting=True)

    def __call__(self, *arguments: str) -> CompletedProcess[str]:
        """What comes of a command."""
        return subprocess.run(
            [*COMMAND, *arguments], env=self.environment, cwd=self.folder, capture_output=True, text=True, check=False, timeout=SECONDS
        )

    def done(self, *arguments: str) -> str:
        """What a command prints; it has nothing to say otherwise."""
        shown = self(*arguments)
        assert (shown.returncode, shown.stderr) == (0, "")
        return shown.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.done(*arguments, "--json"))

    @contextmanager
    def start(self, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
        """A command that goes on meanwhile."""
        process = subprocess.Popen(
            [*COMMAND, *arguments], env=self.environment, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        with process:
            try:
                yield process
            finally:
                process.kill()  # what a failed test left

    def runs(self) -> list[FlowRun]:
        with self.open() as house:
            found: list[FlowRun] = house.client.read_flow_runs(FlowRunFilter(root_only=True), Page())
        return found

    def serve(self) -> str:
        """Lets an agent run all that is due; what it says."""
        shown = self("agent", "start", "q", "--run-once")
        assert shown.returncode == 0, shown.stderr
        return shown.stderr

    @contextmanager
    def agent(self) -> Iterator[None]:
        """An agent that is there meanwhile."""
        with self.start("agent", "start", "q") as process:
            until(process, "Agent ")
            yield
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=SECONDS)


def deploy(house: Instance) -> dict[str, str]:
    """Three deployments; their ids by their names."""
    now = house.clock.now()

    def deployment(flow: str, name: str, code: Code, **more: Any) -> Deployment:
        ids = {"id": house.ids.new(), "created": now, "updated": now}
        return Deployment(**ids, name=name, flow_name=flow, code=code, parameter_schema=SCHEMA, **more)

    installed = Code(entrypoint="errands:errand")
    put = house.client.put_deployments(
        (
            deployment("errand", "nightly", installed, parameters={"count": 3}, tags=("a", "b"), description="does what is to be done"),
            deployment("errand", "weekly", installed, tags=("a",), flow_runner=Choice("subprocess", {"env": {"X": "1"}}), retries=2),
            deployment("other", "nightly", Code(entrypoint="x:y", archive=ARCHIVE), is_verified=False),
        )
    )
    return {found.full_name: found.id for found in put}


def until(process: "subprocess.Popen[str]", text: str) -> str:
    """Reads the standard error until a line has that text; gives what was read."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if text in line:
            return said
    raise AssertionError(f"{text!r} is not said, but: {said}")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home that no test changes."""
    return Home(tmp_path_factory.mktemp("kept"))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home of one's own."""
    return Home(tmp_path)


@pytest.fixture
def served(home: Home) -> Home:
    """A home with a work queue `q` that wants every run."""
    assert home("work-queue", "create", "q").returncode == 0
    return home


# ls


def names(home: Home, *options: str) -> list[str]:
    return [row["name"] for row in home.json("deployment", "ls", *options)]


def test_the_list(kept: Home) -> None:
    """All are listed by their whole names, the last one first; options narrow it down."""
    assert names(kept) == ["other/nightly", "errand/weekly", "errand/nightly"]
    assert names(kept, "--limit", "2") == ["other/nightly", "errand/weekly"]
    assert names(kept, "--flow", "errand") == ["errand/weekly", "errand/nightly"]
    assert names(kept, "--flow", "errand", "--flow", "other") == names(kept)
    assert names(kept, "--tag", "a") == ["errand/weekly", "errand/nightly"]
    assert names(kept, "--tag", "a", "--tag", "b") == ["errand/nightly"]
    assert names(kept, "--flow", "other", "--tag", "a") == []


def test_the_table_of_deployments(kept: Home) -> None:
    """It has whole ids and whole names."""
    heading, *lines = kept.done("deployment", "ls").splitlines()
    assert heading.split() == ["ID", "NAME", "FLOW", "RUNNER", "SCHEDULE", "AGE", "TAGS"]
    assert [line.split()[:3] for line in lines] == [
        [kept.ids["other/nightly"], "other/nightly", "universal"],
        [kept.ids["errand/weekly"], "errand/weekly", "subprocess"],
        [kept.ids["errand/nightly"], "errand/nightly", "universal"],
    ]
    assert lines[-1].endswith("a, b")


def test_empty_lists(kept: Home, tmp_path: Path) -> None:
    """They say what to type."""
    assert kept("deployment", "ls", "--flow", "none").stderr == "no deployment fits; list all with: headrace deployment ls\n"
    nothing = Home.__new__(Home)
    nothing.folder, nothing.environment = tmp_path, {**kept.environment, "HEADRACE_HOME": str(tmp_path)}
    shown = nothing("deployment", "ls")
    assert (shown.returncode, shown.stdout) == (0, "")
    assert shown.stderr == "nothing is deployed yet; write a spec and deploy it: headrace deployment create FILE\n"
    assert nothing.json("deployment", "ls") == []


# inspect


def test_a_row_of_json(kept: Home) -> None:
    """A deployment as JSON says everything about it; the list has the same rows, without the next time."""
    row = kept.json("deployment", "inspect", "errand/nightly")
    assert row.pop("next_time") is None
    assert row == kept.json("deployment", "ls")[-1]
    plain = {
        "id": kept.ids["errand/nightly"],
        "name": "errand/nightly",
        "flow_name": "errand",
        "description": "does what is to be done",
        "tags": ["a", "b"],
        "parameters": {"count": 3},
        "parameter_schema": SCHEMA,
        "flow_runner": {"name": "universal", "options": {}},
        "schedules": [],
        "code": {"entrypoint": "errands:errand", "archive": None, "serializer": None, "signature": None},
        "flow_version": None,
        "retries": 0,
        "retry_delay": 0.0,
        "is_verified": True,
        "max_restarts": 0,
        "is_paused": False,
        "version": 1,
    }
    assert {name: row[name] for name in plain} == plain
    assert row.keys() == plain.keys() | {"created", "updated"}


def test_a_deployment_in_lines(kept: Home) -> None:
    """What a person wants to know stands in a line each."""
    shown = kept.done("deployment", "inspect", "errand/weekly")
    lines = dict(re.split("  +", line, maxsplit=1) for line in shown.splitlines())
    assert (lines["name"], lines["tags"], lines["parameters"]) == ("errand/weekly", "a", "-")
    assert lines["takes"] == "count: a whole number (int); how: a text (str), or not given"
    assert lines["flow runner"] == 'subprocess {"env": {"X": "1"}}'
    assert (lines["code"], lines["entrypoint"]) == ("what is installed where it runs", "errands:errand")
    assert (lines["retries"], lines["verified"]) == ("2 at most, 0.00s apart", "yes")
    packed = dict(re.split("  +", line, maxsplit=1) for line in kept.done("deployment", "inspect", "other/nightly").splitlines())
    assert (packed["code"], packed["storage"]) == (f"1 file, 830 bytes, sha256 {'ab' * 32}", "the orchestration's own")
    assert packed["verified"] == "no"


def test_how_a_deployment_is_named(kept: Home) -> None:
    """By its whole name, by its own if that is the only one, by its id and the start of it."""
    weekly = kept.ids["errand/weekly"]
    for given in ("errand/weekly", "weekly", weekly, weekly[:-1], weekly.upper()):
        assert kept.json("deployment", "inspect", given)["id"] == weekly


@pytest.mark.parametrize("command", ["inspect", "run", "execute", "delete"])
def test_a_name_that_does_not_fit(kept: Home, command: str) -> None:
    """What nothing has, and what two have, is an error for every command."""
    shown = kept("deployment", command, "errand/daily")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr == "error: no deployment 'errand/daily'; list what is there with `headrace deployment ls`\n"
    shown = kept("deployment", command, "nightly")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr == "error: 'nightly' fits several deployments: other/nightly, errand/nightly; write one of them whole\n"


# run


def test_asking_for_a_run(home: Home) -> None:
    """It is said which run it is, and what is missing for it to start."""
    shown = home("deployment", "run", "errand/nightly", "--name", "otter")
    (run,) = home.runs()
    assert shown.returncode == 0
    assert shown.stdout == f"Created flow run 'otter' ({run.id}) of errand/nightly, due now\n"
    assert shown.stderr == "there is no work queue; try: headrace work-queue create NAME\n"
    assert (run.state.type, run.tags, run.parameters) == ("SCHEDULED", ("a", "b"), {"count": 3})
    home("work-queue", "create", "the q")
    shown = home("deployment", "run", "errand/nightly")
    assert shown.stderr == "no agent serves work queue 'the q'; try: headrace agent start 'the q'\n"
    assert re.match(r"Created flow run '[a-z]+-[a-z]+' \(", shown.stdout)


def test_what_a_run_is_given(home: Home) -> None:
    """Parameters go over the deployment's, `--param` over `--params`; tags come to its own. As JSON the run is shown as everywhere."""
    given = ["--params", '{"count": 1, "how": "so"}', "--param", "count=7", "--tag", "c", "--tag", "a", "--name", "otter"]
    row = home.json("deployment", "run", "errand/nightly", *given)
    assert (row["name"], row["tags"], row["parameters"]) == ("otter", ["a", "b", "c"], {"count": 7, "how": "so"})
    (listed,) = home.json("flow-run", "ls")
    assert {**listed, "late_seconds": None} == row  # on a busy machine it may be late by now


def test_a_run_for_later(home: Home) -> None:
    """`--at` a moment, `--in` a while; what is past is due at once, and that is said."""
    served = home("deployment", "run", "errand/nightly", "--at", "2100-01-01T09:30", "--name", "at")
    assert served.stdout.partition(", ")[2] == "due 2100-01-01 09:30:00 UTC (2100-01-01)\n"
    later = home("deployment", "run", "errand/nightly", "--in", "2h", "--name", "in")
    assert re.search(r", due \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(in (2h|1h|119m)\)\n", later.stdout)
    past = home("deployment", "run", "errand/nightly", "--at", "2001-01-01T09:30+02:00", "--name", "past")
    assert past.stdout.endswith(", due now\n")
    assert past.stderr.startswith("2001-01-01 07:30:00 UTC is past, so the run is due at once\n")
    runs = {run.name: run for run in home.runs()}
    due = {name: run.state.scheduled_time for name, run in runs.items()}
    assert due["at"].isoformat() == "2100-01-01T09:30:00+00:00"
    assert (due["past"], runs["past"].expected_start_time.isoformat()) == (runs["past"].created, "2001-01-01T07:30:00+00:00")
    assert 7190 < (due["in"] - runs["in"].created).total_seconds() <= 7200


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--at", "2100-01-01", "--in", "5m"], 2, "--at and --in cannot be given together"),
        (["--at", "soon"], 2, "write it as 2026-11-25T09:30"),
        (["--in", "soon"], 2, "write seconds, or numbers with w, d, h, m or s"),
        (["--param", "count"], 2, "write NAME=VALUE"),
        (["--param", "cuont=3"], 2, "did you mean 'count'?"),
        (["--param", "count=three"], 2, "takes a whole number (int)"),
        (["--params", "[1]"], 2, "it is no object by name"),
        (["--params", '{"count": "three"}'], 1, "parameter 'count' must be a whole number (int)"),
        ([], 1, "deployment 'errand/weekly' needs a value for parameter 'count'"),
        (["--param", "count=3", "--name", "a/b"], 1, "flow run name 'a/b' cannot be used"),
        (["--param", "count=3", "--tag", ""], 1, "every tag is a text of at least one character"),
    ],
)
def test_a_run_that_cannot_be(kept: Home, options: list[str], code: int, told: str) -> None:
    """What is wrong is said in a line before any run is made."""
    shown = kept("deployment", "run", "errand/weekly", *options)
    assert (shown.returncode, shown.stdout) == (code, "")
    assert shown.stderr.startswith("error: ")
    assert told in shown.stderr
    assert kept.runs() == []


# run --watch


@pytest.mark.parametrize(("how", "code", "state"), [("", 0, "Completed"), ("fail", 1, "Failed")])
def test_watching_a_run(served: Home, how: str, code: int, state: str) -> None:
    """Its lines are shown as they come, each once, to the last; the exit code says whether it completed."""
    with served.start("deployment", "run", "errand/nightly", "--watch", "--name", "otter", "--param", f"how={how}") as watching:
        until(watching, "no agent serves")
        served.serve()
        out, err = watching.communicate(timeout=SECONDS)
    (run,) = served.runs()
    assert watching.returncode == code
    assert out == f"Created flow run 'otter' ({run.id}) of errand/nightly, due now\n"
    lines = err.splitlines()
    for said in ("Began flow run 'otter' of flow 'errand'", "printed 3", "noted it"):
        assert sum(line.endswith(f" - {said}") for line in lines) == 1
    assert sum(f"Flow run 'otter' - Finished in state {state}" in line for line in lines) == 1
    assert lines[-1].startswith(f"Flow run 'otter' ended in state {state}(")


def test_watching_as_json(served: Home) -> None:
    """The run as it ended is printed; nothing else goes to the standard output."""
    with served.start("deployment", "run", "errand/nightly", "--watch", "--json") as watching:
        until(watching, "no agent serves")
        served.serve()
        out, _ = watching.communicate(timeout=SECONDS)
    assert (watching.returncode, json.loads(out)) == (0, served.json("flow-run", "ls")[0])


def test_no_longer_watching(served: Home) -> None:
    """Ctrl+C ends the watching, not the run, and says so."""
    with served.agent(), served.start("deployment", "run", "errand/nightly", "--watch", "--param", "how=wait") as watching:
        until(watching, "printed 3")
        watching.send_signal(signal.SIGINT)
        _, err = watching.communicate(timeout=SECONDS)
        (run,) = served.runs()
        assert watching.returncode == 130
        assert err.endswith(f"Not watched any more; the run goes on. See it with: headrace flow-run logs --follow {run.id}\n")
        assert run.state.is_running()
        assert served("flow-run", "cancel", run.id, "--wait").returncode == 0


# delete


def test_deleting(served: Home) -> None:
    """Runs that have not started go too, what ran stays; if one is not found, none is deleted."""
    ran = served.json("deployment", "run", "errand/nightly")
    served.serve()
    served.json("deployment", "run", "errand/nightly")
    refused = served("deployment", "delete", "errand/nightly", "errand/daily")
    assert (refused.returncode, len(names(served)), len(served.runs())) == (1, 3, 2)
    nightly, weekly = served.ids["errand/nightly"], served.ids["errand/weekly"]
    done = served.done("deployment", "delete", "errand/nightly", nightly, "weekly")
    assert done == f"deleted deployment 'errand/nightly' ({nightly})\ndeleted deployment 'errand/weekly' ({weekly})\n"
    assert names(served) == ["other/nightly"]
    assert [run.id for run in served.runs()] == [ran["id"]]
    assert served.json("flow-run", "inspect", ran["id"])["deployment_name"] is None
    assert re.search(rf"^deployment +deleted \({nightly}\)$", served.done("flow-run", "inspect", ran["id"]), re.MULTILINE)


# flow-run ls, inspect


def test_runs_of_a_deployment(home: Home) -> None:
    """A list may be narrowed down to some deployments, as they are named everywhere."""
    for name, given in (("errand/nightly", "one"), ("errand/weekly", "two"), ("errand/nightly", "three")):
        home("deployment", "run", name, "--name", given, "--param", "count=1")

    def found(*options: str) -> list[str]:
        return [row["name"] for row in home.json("flow-run", "ls", *options)]

    assert found("--deployment", "errand/nightly") == ["three", "one"]
    assert found("--deployment", "weekly") == ["two"]
    assert found("--deployment", "weekly", "--deployment", home.ids["errand/nightly"]) == ["three", "two", "one"]
    assert found("--deployment", "other/nightly") == []
    assert home("flow-run", "ls", "--deployment", "other/nightly").stderr.startswith("no flow run fits")
    assert home("flow-run", "ls", "--deployment", "daily").stderr.startswith("error: no deployment 'daily'")


def test_a_run_that_waits(home: Home) -> None:
    """It says which deployment it is of, which queues want it, and what is missing for it to start."""
    home("work-queue", "create", "tagged", "--tag", "a")
    home("work-queue", "create", "others", "--tag", "z")
    home("deployment", "run", "errand/weekly", "--name", "otter", "--param", "count=1")
    row = home.json("flow-run", "inspect", "otter")
    weekly = home.ids["errand/weekly"]
    assert (row["deployment"], row["deployment_name"], row["work_queues"]) == (weekly, "errand/weekly", ["tagged"])
    shown = home("flow-run", "inspect", "otter")
    lines = dict(re.split("  +", line, maxsplit=1) for line in shown.stdout.partition("\n\n")[0].splitlines())
    assert (lines["deployment"], lines["flow runner"], lines["work queues"]) == (f"errand/weekly ({weekly})", "subprocess", "tagged")
    assert shown.stderr == "no agent serves work queue 'tagged'; try: headrace agent start tagged\n"


def test_a_run_is_one_row_everywhere(home: Home) -> None:
    """Whichever command shows a run as JSON, what it has in common with the others has the same name and means the same."""
    asked = home.json("deployment", "run", "errand/nightly", "--name", "otter", "--in", "30m")
    assert (asked["deployment"], asked["deployment_name"]) == (home.ids["errand/nightly"], "errand/nightly")
    home("work-queue", "create", "q")
    commands = (
        ("flow-run", "ls"),
        ("flow-run", "inspect", "otter"),
        ("flow-run", "explain", "otter"),
        ("work-queue", "preview", "q"),
    )
    for command in commands:
        shown = json.loads(home(*command, "--json").stdout)
        row = shown[0] if command[1] == "ls" else shown["runs"][0] if command[1] == "preview" else shown
        assert {name: row[name] for name in asked} == asked, command
    home.done("deployment", "delete", "errand/nightly")
    assert home("flow-run", "inspect", "otter").returncode == 1


def test_a_run_of_a_deployment_that_is_gone(home: Home) -> None:
    """It has the id of its deployment, and no name for it."""
    home.done("deployment", "run", "errand/nightly", "--name", "otter", "--in", "30m", "--json")
    home.done("flow-run", "cancel", "otter")
    home.done("deployment", "delete", "errand/nightly")
    (row,) = home.json("flow-run", "ls")
    assert (row["deployment"], row["deployment_name"]) == (home.ids["errand/nightly"], None)


# delete, for programs


def test_deleting_for_programs(home: Home) -> None:
    """What was deleted is a list of the rows that it had."""
    deployments = home.json("deployment", "ls")
    asked = home.json("deployment", "run", "errand/nightly", "--in", "1h")
    deleted = home("flow-run", "delete", asked["id"], "--json")
    assert (deleted.returncode, json.loads(deleted.stdout)) == (0, [asked])
    assert deleted.stderr == f"deleted flow run {asked['name']!r} ({asked['id']})\n"
    deleted = home("deployment", "delete", "other/nightly", "weekly", "--json")
    assert (deleted.returncode, json.loads(deleted.stdout)) == (0, deployments[:2])
    assert home.json("deployment", "ls") == deployments[2:]
    assert home.json("flow-run", "ls") == []


# flow-run cancel


def test_cancelling_what_is_being_cancelled(home: Home) -> None:
    """It is said to be under way, and is no failure; it is cancelled already when it has ended so."""
    with home.open() as house:
        request = RunRequest(
            id=house.ids.new(), deployment_id=home.ids["errand/nightly"], name="otter", parameters={"count": 1}, holder="somebody"
        )
        run = house.client.request_run(request)
        assert home.done("flow-run", "cancel", "otter") == f"cancelling flow run 'otter' ({run.id})\n"
        again = home("flow-run", "cancel", "otter")
        assert (again.returncode, again.stdout) == (0, "")
        assert again.stderr == f"flow run 'otter' is being cancelled already ({run.id})\n"
        house.client.move_flow_run(Move(id="end", run_id=run.id, state=State.cancelled(), epoch=run.epoch))
    assert home("flow-run", "cancel", "otter").stderr == f"flow run 'otter' was cancelled already ({run.id})\n"


def test_cancelling_for_programs(home: Home) -> None:
    """The runs are shown as they are then, in the order in which they were given; a refusal is told by the exit code."""
    one, two = (home.json("deployment", "run", "errand/nightly", "--in", "1h", "--name", name) for name in ("one", "two"))
    shown = home("flow-run", "cancel", "two", "one", "--wait", "--json")
    rows = json.loads(shown.stdout)
    assert [(row["id"], row["state"]) for row in rows] == [(two["id"], "Cancelled"), (one["id"], "Cancelled")]
    assert (shown.returncode, rows[1].keys(), shown.stderr.count("cancelled flow run")) == (0, one.keys(), 2)
    with home.open() as house:
        request = RunRequest(
            id=house.ids.new(), deployment_id=home.ids["errand/nightly"], name="three", parameters={"count": 1}, holder="somebody"
        )
        run = house.client.request_run(request)
        house.client.move_flow_run(Move(id="end", run_id=run.id, state=State.crashed("gone"), epoch=run.epoch))
    refused = home("flow-run", "cancel", "three", "--json")
    assert (refused.returncode, json.loads(refused.stdout)[0]["state"]) == (1, "Crashed")


def test_cancelling_what_waits(home: Home) -> None:
    """It is cancelled at once; being told again is no failure."""
    row = home.json("deployment", "run", "errand/nightly", "--in", "1h", "--name", "otter")
    assert home.done("flow-run", "cancel", "otter", "--wait") == f"cancelled flow run 'otter' ({row['id']}): the run had not started\n"
    assert home.json("flow-run", "inspect", "otter")["state"] == "Cancelled"
    again = home("flow-run", "cancel", "otter")
    assert (again.returncode, again.stdout) == (0, "")
    assert again.stderr == f"flow run 'otter' was cancelled already ({row['id']})\n"


def test_cancelling_what_runs(served: Home) -> None:
    """Its processes are ended, and with them its subflow, which cannot be cancelled alone; what has ended cannot be cancelled any more."""
    with (
        served.agent(),
        served.start("deployment", "run", "errand/nightly", "--watch", "--name", "otter", "--param", "how=wait") as watching,
    ):
        until(watching, "inside")
        (inner,) = served.json("flow-run", "ls", "--flow", "inner")
        (outer,) = served.runs()
        refused = served("flow-run", "cancel", "otter", inner["id"])
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.endswith(f"cancel the run that it belongs to: headrace flow-run cancel {outer.id}\n")
        assert served.runs()[0].state.is_running()
        done = served.done("flow-run", "cancel", "otter", "--wait")
        assert done == f"cancelling flow run 'otter' ({outer.id})\ncancelled flow run 'otter' ({outer.id})\n"
        assert watching.communicate(timeout=SECONDS)[1].endswith("Flow run 'otter' ended in state Cancelled('Cancelled by a person.')\n")
        assert watching.returncode == 1
    assert {row["flow_name"]: row["state"] for row in served.json("flow-run", "ls")} == {"errand": "Cancelled", "inner": "Cancelled"}


def test_cancelling_what_has_ended(served: Home) -> None:
    """It is an error, and the others are cancelled all the same; if one is not found, none is."""
    served.done("deployment", "run", "errand/nightly", "--name", "ended", "--json")
    served.serve()
    served.done("deployment", "run", "errand/nightly", "--name", "waiting", "--in", "1h", "--json")
    missing = served("flow-run", "cancel", "waiting", "nobody")
    assert (missing.returncode, missing.stdout) == (1, "")
    shown = served("flow-run", "cancel", "ended", "waiting")
    assert shown.returncode == 1
    assert shown.stderr.startswith("error: flow run 'ended' cannot be cancelled: it has ended in state Completed(")
    assert shown.stdout.startswith("cancelled flow run 'waiting' (")


# flow-run logs --follow


def test_following_logs(served: Home) -> None:
    """Lines go to the standard output as they come, from the beginning to the end, and are those that are kept."""
    row = served.json("deployment", "run", "errand/nightly", "--param", "how=wait")
    with served.start("flow-run", "logs", row["id"], "--follow") as following, served.agent():
        assert following.stdout is not None
        said = ""
        while "inside" not in said:
            said += following.stdout.readline()
        served("flow-run", "cancel", row["id"])
        rest, _ = following.communicate(timeout=SECONDS)
    assert following.returncode == 0
    assert sorted((said + rest).splitlines()) == sorted(served.done("flow-run", "logs", row["id"]).splitlines())
    assert [line.count(" | ") for line in (said + rest).splitlines()] == [2] * (said + rest).count("\n")
    assert rest.count("Finished in state Cancelled(") == 1


def test_following_what_has_ended(served: Home) -> None:
    """All is shown, and that is all; with JSON an object a line, with a level only what is as grave."""
    row = served.json("deployment", "run", "errand/nightly")
    served.serve()
    assert served.done("flow-run", "logs", row["id"], "--follow") == served.done("flow-run", "logs", row["id"])
    lines = served.done("flow-run", "logs", row["id"], "--follow", "--json").splitlines()
    assert [json.loads(line) for line in lines] == served.json("flow-run", "logs", row["id"])
    (grave,) = served.done("flow-run", "logs", row["id"], "--follow", "--level", "warning").splitlines()
    assert grave.endswith(" - noted it")
    silent = served("flow-run", "logs", row["id"], "--follow", "--level", "critical")
    assert (silent.returncode, silent.stdout) == (0, "")
    assert silent.stderr.startswith("no lines of flow run ")
