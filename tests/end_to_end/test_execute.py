"""`headrace deployment execute`: a run as a child of the command that asks for it, in real processes, remembered in SQLite."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import headrace
from headrace.instance import Instance
from headrace.model.deployments import Code, Deployment
from headrace.model.filters import FlowRunFilter, Page
from headrace.model.runs import FlowRun
from headrace.processes import ProcessFile, folder_of
from headrace.settings import load

SECONDS = 60
COMMAND = (
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from headrace.cli.main import main; main()",
)
"""The command line, in a process that Ctrl+C reaches even where the tests were started in the background."""

CODE = """
import os
import signal
import subprocess
import threading
import time

from headrace import flow, get_run_logger, task


@task
def note(text):
    get_run_logger().info("noted %s", text)


@flow(flow_run_name="errand of {text}")
def errand(how: str = "", text: str = "it"):
    note(text)
    if how == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("printed", text, os.getpid(), flush=True)
    if how == "wait":
        print("child", subprocess.Popen(["sleep", "600"]).pid, flush=True)
        threading.Event().wait()
    if how == "stubborn":
        while True:
            threading.Event().wait(1)
    if how == "fail":
        raise ValueError("on purpose")
    if how == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "exit":
        os._exit(7)
    if how == "chatty":
        for number in range(3):
            for line in range(100):
                get_run_logger().info("line %d", number * 100 + line)
            time.sleep(0.2)
    print("almost done", flush=True)
    return text


@flow
async def errand_async(text: str = "it"):
    print("awaited", text)
"""


def deploy(house: Instance) -> None:
    """Deploys the flows, as code that is installed where it runs."""
    now = house.clock.now()
    schema = {
        "type": "object",
        "properties": {"how": {"type": "string"}, "text": {"type": "string"}},
        "required": [],
        "additionalProperties": False,
    }
    house.client.put_deployments(
        tuple(
            Deployment(
                id=house.ids.new(),
                name="here",
                flow_name=flow,
                code=Code(entrypoint=entrypoint),
                parameter_schema=schema,
                tags=("own",),
                created=now,
                updated=now,
            )
            for flow, entrypoint in (("errand", "errands:errand"), ("errand-async", "errands:errand_async"), ("lost", "nowhere:lost"))
        )
    )


class Terminal:
    """A command that goes on while the test looks at what it says."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.said: list[str] = []

    def until(self, text: str) -> str:
        """Reads on until a line has that text; gives the line."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if text in line:
                return line
        raise AssertionError(f"{text!r} is not said, but: {''.join(self.said)}")

    def end(self) -> tuple[int, str]:
        """The exit code, and all that was said on the standard error."""
        _, rest = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, "".join(self.said) + rest


class Home:
    """A home with deployed flows, whose code is installed and not packed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.terminals: list[Terminal] = []
        (folder / "code").mkdir()
        (folder / "code" / "errands.py").write_text(CODE)
        self.path = folder / "home"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
        self.environment = {**kept, "HEADRACE_HOME": str(self.path), "PYTHONPATH": str(folder / "code"), "TZ": "UTC"}
        with self.open() as house:
            deploy(house)

    def open(self) -> Any:
        return headrace.open(load({"HEADRACE_HOME": str(self.path)}), lasting=True)

    def execute(self, name: str, *options: str, **variables: str) -> Terminal:
        return self.start("deployment", "execute", name, *options, **variables)

    def start(self, *arguments: str, **variables: str) -> Terminal:
        environment = {**self.environment, **variables}
        process = subprocess.Popen(
            [*COMMAND, *arguments], env=environment, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.terminals.append(Terminal(process))
        return self.terminals[-1]

    def runs(self) -> list[FlowRun]:
        with self.open() as house:
            found: list[FlowRun] = house.client.read_flow_runs(FlowRunFilter(), Page())
        return found

    def run(self) -> FlowRun:
        """The only run that there is."""
        (run,) = self.runs()
        return run


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    for terminal in home.terminals:
        with terminal.process:
            terminal.process.kill()
    for file in folder_of(home.path).glob("*.lock"):  # what a failed test left
        pid = ProcessFile(file.parent, file.stem).pid()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)


def is_gone(pid: int) -> bool:
    """Whether a process, which was told to end, has."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], SECONDS)[0])
    finally:
        os.close(descriptor)


# Ends


def test_a_run_that_completes(home: Home) -> None:
    """Its lines are shown, what it printed among them, and its end; it belongs to its deployment and has its tags."""
    terminal = home.execute("errand/here", "--param", "text=bread", "--tag", "more", "--name", "otter")
    out, err = terminal.process.communicate(timeout=SECONDS)
    run = home.run()
    assert terminal.process.returncode == 0, err
    assert out == f"Created flow run 'otter' ({run.id}) of errand/here\n"
    for said in ("Flow run 'otter' - Began flow run 'otter' of flow 'errand'\n", " - noted bread\n", "'otter' - almost done\n"):
        assert err.count(said) == 1
    assert err.count("Flow run 'otter' - Finished in state Completed()\n") == 1
    assert err.endswith("Flow run 'otter' ended in state Completed()\n")
    with home.open() as house:
        deployment = house.client.read_deployment(run.deployment_id)
    assert deployment.full_name == "errand/here"
    assert (run.tags, run.epoch, run.parameters) == (("more", "own"), 1, {"text": "bread"})


@pytest.mark.parametrize(("how", "code", "state"), [("", 0, "Completed"), ("fail", 1, "Failed"), ("die", 1, "Crashed")])
def test_for_programs(home: Home, how: str, code: int, state: str) -> None:
    """The standard output has the run as it ended, as JSON and nothing else; its lines go to the standard error, and the exit code is the run's."""
    terminal = home.execute("errand/here", "--param", f"how={how}", "--json")
    out, err = terminal.process.communicate(timeout=SECONDS)
    row = json.loads(out)
    assert terminal.process.returncode == code
    assert (row["id"], row["state"], row["deployment_name"]) == (home.run().id, state, "errand/here")
    assert f"({row['id']}) of errand/here\n" in err
    assert "printed it" in err
    shown = home.start("flow-run", "ls", "--json").process.communicate(timeout=SECONDS)[0]
    assert json.loads(shown) == [row]


def test_a_line_is_shown_once(home: Home) -> None:
    """However much is said while it runs, every line is shown, in order, and none twice."""
    code, said = home.execute("errand/here", "--params", '{"how": "chatty"}').end()
    assert code == 0
    lines = [line.rpartition(" - ")[2] for line in said.splitlines() if " - line " in line]
    assert lines == [f"line {number}" for number in range(300)]


def test_an_async_flow(home: Home) -> None:
    """It is run like any other."""
    code, said = home.execute("errand-async/here", "--param", "text=tea").end()
    assert (code, "awaited tea" in said) == (0, True)
    assert home.run().state.is_completed()


@pytest.mark.parametrize(
    ("how", "kind", "told"),
    [
        ("fail", "FAILED", "ValueError: on purpose"),
        ("die", "CRASHED", "signal 9"),
        ("exit", "CRASHED", "exit code 7"),
    ],
)
def test_a_run_that_does_not_complete(home: Home, how: str, kind: str, told: str) -> None:
    """The exit code is 1, and the last line says in which state it ended, and why."""
    code, said = home.execute("errand/here", "--param", f"how={how}").end()
    run = home.run()
    assert (code, run.state.type) == (1, kind)
    assert told in said.splitlines()[-1]
    assert "printed it" in said


def test_code_that_is_not_there(home: Home) -> None:
    """It is the run that failed, and it says so."""
    code, said = home.execute("lost/here").end()
    assert (code, home.run().state.type) == (1, "FAILED")
    assert "nowhere" in said.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["nowhere/here"], 1, "no deployment 'nowhere/here'; list what is there with `headrace deployment ls`"),
        (["here"], 1, "'here' fits several deployments: "),
        (["errand/here", "--param", "txt=a"], 2, "did you mean 'text'?"),
        (["errand/here", "--params", '{"text": 1}'], 1, "parameter 'text' must be "),
        (["errand/here", "--name", "a/b"], 1, "flow run name 'a/b' cannot be used"),
        (["errand/here", "--tag", ""], 1, "every tag is a text"),
    ],
)
def test_what_cannot_be_run(home: Home, arguments: list[str], code: int, told: str) -> None:
    """What is wrong is said in a line, and no run is made."""
    ended, said = home.execute(*arguments).end()
    assert (ended, told in said, home.runs()) == (code, True, [])
    assert said.startswith("error: ")


# Interrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(home: Home, number: signal.Signals) -> None:
    """Ctrl+C and the signal to end cancel the run, and nothing of it is left when the command ends."""
    terminal = home.execute("errand/here", "--param", "how=wait")
    child = int(terminal.until("child ").split()[-1])
    terminal.process.send_signal(number)
    code, said = terminal.end()
    run = home.run()
    assert (code, run.state.type) == (130, "CANCELLED"), said
    assert said.endswith(f"Flow run {run.name!r} ended in state Cancelled('Cancelled where it was executed.')\n")
    assert said.count("printed it") == 1
    assert is_gone(child)


def test_a_run_that_does_not_obey(home: Home) -> None:
    """It is killed after the time that it was given."""
    terminal = home.execute("errand/here", "--param", "how=stubborn", HEADRACE_GRACE_SECONDS="0.2")
    pid = int(terminal.until("printed it").split()[-1])
    terminal.process.send_signal(signal.SIGTERM)
    code, _ = terminal.end()
    assert (code, home.run().state.type, is_gone(pid)) == (130, "CANCELLED", True)


def test_interrupted_twice(home: Home) -> None:
    """The second time the command does not wait any more; the run is ended all the same."""
    terminal = home.execute("errand/here", "--param", "how=stubborn", HEADRACE_GRACE_SECONDS="3")
    terminal.until("printed it")
    terminal.process.send_signal(signal.SIGINT)
    terminal.until("Cancelling")
    terminal.process.send_signal(signal.SIGINT)
    code, said = terminal.end()
    assert (code, "ended in state" in said) == (130, False)
    run = home.run()
    waited = home.start("flow-run", "logs", run.id, "--follow")
    assert waited.end()[0] == 0
    assert home.run().state.is_cancelled()


def test_cancelled_from_elsewhere(home: Home) -> None:
    """Who executes it is told, as of any end that is no completion."""
    terminal = home.execute("errand/here", "--param", "how=wait", "--name", "otter")
    terminal.until("child ")
    cancelling = home.start("flow-run", "cancel", "otter", "--wait")
    out, err = cancelling.process.communicate(timeout=SECONDS)
    run = home.run()
    assert (cancelling.process.returncode, err) == (0, "")
    assert out == f"cancelling flow run 'otter' ({run.id})\ncancelled flow run 'otter' ({run.id})\n"
    code, said = terminal.end()
    assert (code, said.splitlines()[-1]) == (1, "Flow run 'otter' ended in state Cancelled('Cancelled by a person.')")


def test_its_supervisor_is_killed(home: Home) -> None:
    """The run's process ends with it; the command says how the run ended, since nobody else can."""
    terminal = home.execute("errand/here", "--param", "how=stubborn")
    pid = int(terminal.until("printed it").split()[-1])
    run = home.run()
    supervisor = ProcessFile(folder_of(home.path), f"{run.id}.{run.epoch}").pid()
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    code, said = terminal.end()
    assert (code, home.run().state.type, is_gone(pid)) == (1, "CRASHED", True)
    assert said.endswith("ended in state Crashed('The process of the run ended with signal 9 (SIGKILL) and could not say why.')\n")


def test_whoever_reads_goes_away(home: Home) -> None:
    """Who does not hear how it goes may still want to know how it ended: the command waits for the run, and its exit code tells."""
    terminal = home.execute("errand/here", "--param", "how=chatty")
    terminal.until("line 0\n")
    with terminal.process:
        assert terminal.process.stderr is not None
        terminal.process.stderr.close()
        assert terminal.process.wait(SECONDS) == 0
    run = home.run()
    assert home.start("flow-run", "logs", run.id, "--follow").end()[0] == 0
    assert home.run().state.is_completed()


# What it is given


def test_settings_reach_the_run(home: Home) -> None:
    """Those of the profile that was chosen, and the home that it moves to."""
    user = home.folder / "user"
    (user / ".headrace").mkdir(parents=True)
    (user / ".headrace" / "profiles.toml").write_text(f'[profiles.eu]\nhome = "{home.path}"\nlog_level = "ERROR"\n')
    del home.environment["HEADRACE_HOME"]
    home.environment["HOME"] = str(user)
    code, said = home.start("-p", "eu", "deployment", "execute", "errand/here").end()
    assert (code, "noted it" in said, "printed it" in said) == (0, False, True), said
    assert home.run().state.is_completed()
    assert [file.name for file in (user / ".headrace").iterdir()] == ["profiles.toml"]
