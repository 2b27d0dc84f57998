"""Many processes, one store: nobody sees an error, nothing is lost, and each run is run once.

Everything is done a few times here. `nox -s endurance` sets ENDURANCE_SECONDS: then what goes on goes on for so long, and what is many is many more.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

import headrace
from headrace.instance import Instance
from headrace.model.deployments import Deployment, RunRequest
from headrace.model.filters import DeploymentFilter, FlowRunFilter, LogFilter, Page, TaskRunFilter, WorkQueueFilter
from headrace.model.journals import JournalBatch, RunState
from headrace.model.logs import LogLine
from headrace.model.moves import Move
from headrace.model.queues import ClaimRequest
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.states import State, StateType
from headrace.settings import load

COMMAND = str(Path(sysconfig.get_path("scripts"), "headrace"))
ENDURANCE = float(os.environ.get("ENDURANCE_SECONDS", "0"))
SECONDS = 120 + 2 * ENDURANCE
"""After so long a process is stuck."""

LONG_LOG = 200_000_000
"""After a minute it would be several times as long, if it were never folded whole."""

COMPLAINTS = "Traceback|WARNING|ERROR|CRITICAL|locked"
BACKLOG = 100_000 if ENDURANCE else 20_000


class House:
    """A home of one's own and its command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(("HEADRACE_", "PYTHONUNBUFFERED"))}
        self.environment |= {"HEADRACE_HOME": str(self.home), "TZ": "UTC"}

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def start(self, *command: str, **variables: str) -> "subprocess.Popen[str]":
        pipe, environment = subprocess.PIPE, {**self.environment, **variables}
        return subprocess.Popen(command, env=environment, cwd=self.folder, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def headrace(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        return self.start(COMMAND, *arguments, **variables)

    def command(self, *arguments: str, **variables: str) -> str:
        """What a command printed, which ended well."""
        return finished(self.headrace(*arguments, **variables))

    def open(self) -> Any:
        return headrace.open(load({"HEADRACE_HOME": str(self.home)}), lasting=True)

    def is_sound(self, **variables: str) -> bool:
        return bool(json.loads(self.command("store", "check", "--json", **variables))["is_sound"])


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def finished(process: "subprocess.Popen[str]") -> str:
    """What a process printed, which ended well and complained of nothing."""
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    assert not re.search(COMPLAINTS, err), err
    return out


def all_finished(processes: "Sequence[subprocess.Popen[str]]") -> list[str]:
    """What each of them printed; they are read at once, since who is not read may wait for it with the store in his hands."""
    with ThreadPoolExecutor(len(processes)) as threads:
        return list(threads.map(finished, processes))


@contextmanager
def crowd(house: House, count: int, script: str, *arguments: str) -> Iterator["list[subprocess.Popen[str]]"]:
    """So many processes that have loaded headrace and opened nothing; they wait for a line. What is left of them is killed in the end."""
    house.write("script.py", script)
    processes = [house.start(sys.executable, "script.py", str(number), *arguments) for number in range(count)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.communicate(timeout=SECONDS)
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate(timeout=SECONDS)


def let_go(processes: "Sequence[subprocess.Popen[str]]") -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


def pages(read: Callable[[Page], Sequence[Any]]) -> Iterator[Any]:
    """All rows of a list."""
    after: str | None = None
    while page := read(Page(after=after, newest_first=False)):
        yield from page
        after = page[-1].id


def all_runs(house: Instance) -> list[FlowRun]:
    """Every flow run that the store has."""
    return list(pages(lambda page: house.client.read_flow_runs(FlowRunFilter(), page)))


# Writers


WRITES = """
import os
import sys
import time

from headrace import flow, get_run_logger, task

number, rounds, seconds, until = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
os.dup2(os.open(f"said-{number}", os.O_CREAT | os.O_WRONLY, 0o600), 2)  # into a pipe that nobody reads a process says only so much


@task
def step(what):
    get_run_logger().info("step %s", what)
    return what


@flow
def work(number, turn):
    get_run_logger().info("turn %s of %s", turn, number)
    futures = [step.submit(f"{number}.{turn}.{part}") for part in range(2)]
    step(f"{number}.{turn}.2")
    assert [future.result() for future in futures] == [f"{number}.{turn}.{part}" for part in range(2)]


print("ready", flush=True)
sys.stdin.readline()
turn, end = 0, time.monotonic() + seconds
while turn < rounds or time.monotonic() < end or (until and not os.path.exists(until)):
    work(number, turn)
    turn += 1
print(turn)
"""
"""Runs of a flow with three task runs and four lines of its own, so many times or so long, or until a file is there."""


@contextmanager
def writers(house: House, count: int, *, rounds: int = 0, seconds: float = 0, until: str = "") -> Iterator["list[subprocess.Popen[str]]"]:
    """Processes that are ready to run flows; none of them complains."""
    with crowd(house, count, WRITES, str(rounds), str(seconds), until) as processes:
        try:
            yield processes
        finally:
            for file in house.folder.glob("said-*"):
                assert not re.search(COMPLAINTS, said := file.read_text()), said


def test_many_processes_write(house: House) -> None:
    """Of 32 processes that run flows at once nobody sees an error, every run, task run and line is in the store, and the store's log stays short."""
    with house.open(), writers(house, 32, rounds=3, seconds=ENDURANCE) as processes:
        let_go(processes)
        turns = [int(printed) for printed in all_finished(processes)]
        assert (house.home / "headrace.db-wal").stat().st_size < LONG_LOG
    expected = {(number, turn) for number, count in enumerate(turns) for turn in range(count)}
    with house.open() as opened:
        runs = all_runs(opened)
        task_runs = list(pages(lambda page: opened.client.read_task_runs(TaskRunFilter(), page)))
        said = Counter(line.message for line in pages(lambda page: opened.client.read_logs(LogFilter(), page)))
    assert {run.state.type for run in (*runs, *task_runs)} == {StateType.COMPLETED}
    assert Counter((run.parameters["number"], run.parameters["turn"]) for run in runs) == Counter(expected)
    assert Counter(run.flow_run_id for run in task_runs) == dict.fromkeys((run.id for run in runs), 3)
    own = {f"turn {turn} of {number}" for number, turn in expected}
    own |= {f"step {number}.{turn}.{part}" for number, turn in expected for part in range(3)}
    assert {message: count for message, count in said.items() if message.startswith(("turn", "step"))} == dict.fromkeys(own, 1)
    assert house.is_sound()


FIRST = """
import sys

from headrace import flow


@flow
def first(number):
    return number


print("ready", flush=True)
sys.stdin.readline()
assert first(int(sys.argv[1])) == int(sys.argv[1])
"""


@pytest.mark.parametrize("turn", range(max(1, int(ENDURANCE / 10))))
def test_many_processes_make_the_first_call(house: House, turn: int) -> None:
    """Of 16 processes that begin at the same moment on a home that is not there all succeed; there is one store with one schema."""
    with crowd(house, 16, FIRST) as processes:
        assert not house.home.exists()
        let_go(processes)
        all_finished(processes)
    with house.open() as opened:
        runs = all_runs(opened)
    assert sorted(run.parameters["number"] for run in runs) == list(range(16))
    assert {run.state.type for run in runs} == {StateType.COMPLETED}
    assert [file.name for file in house.home.rglob("*.db")] == ["headrace.db"]
    assert house.is_sound()


# A backlog


SPECS = """
from headrace.deployments import DeploymentSpec

DeploymentSpec(name="plain", flow_location="errand.py", tags=["a"])
DeploymentSpec(name="other", flow_location="errand.py", tags=["b"])
"""

ERRAND = """
from headrace import flow, get_run_context


@flow
def errand(folder):
    with open(f"{folder}/{get_run_context().flow_run.id}", "a") as file:
        file.write("done\\n")
"""


def deploy(house: House) -> None:
    """Two deployments of a flow that writes a line into a file for each time it is run; `q` wants the runs of one, `own` those of the other."""
    house.write("errand.py", ERRAND)
    house.write("specs.py", SPECS)
    house.command("deployment", "create", "specs.py")
    house.command("work-queue", "create", "q", "--tag", "a")
    house.command("work-queue", "create", "own", "--tag", "b")


def deployment(opened: Instance, name: str = "plain") -> Deployment:
    (found,) = opened.client.read_deployments(DeploymentFilter(names=(name,)), Page())
    return found


def queue_id(opened: Instance, name: str = "q") -> str:
    (found,) = opened.client.read_work_queues(WorkQueueFilter(names=(name,)), Page())
    return found.id


def requested(opened: Instance, of: Deployment, folder: Path) -> FlowRun:
    request = RunRequest(id=opened.ids.new(), deployment_id=of.id, name="asked-for", parameters={"folder": str(folder)})
    return opened.client.request_run(request)


def pile_up(opened: Instance, count: int, folder: Path) -> None:
    """So many runs that are due, of the deployment that `q` wants, in few transactions."""
    client: Any = opened.client
    of, queue = deployment(opened), queue_id(opened)
    first = requested(opened, of, folder)
    for begin in range(1, count, 10_000):
        with client.store.writing() as writing:
            for _ in range(begin, min(begin + 10_000, count)):
                run_id = opened.ids.new()
                writing.add_flow_run(attrs.evolve(first, id=run_id, root_id=run_id))
                writing.assign(run_id, [queue])


@pytest.fixture(scope="module")
def piled(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A home in which a backlog waits."""
    house = House(tmp_path_factory.mktemp("piled"))
    deploy(house)
    with house.open() as opened:
        pile_up(opened, BACKLOG, house.folder)
    return house


@pytest.fixture
def empty(house: House, piled: House) -> House:
    """The same home as it was before the backlog, with a single run in it."""
    deploy(house)
    with house.open() as opened:
        pile_up(opened, 1, house.folder)
    return house


class Round:
    """All that is written of a run, a step at a time."""

    def __init__(self, opened: Instance, folder: Path) -> None:
        self._opened, self._folder = opened, folder
        self._of, self._queue = deployment(opened), queue_id(opened)
        self._run: FlowRun | None = None

    @property
    def steps(self) -> Mapping[str, Callable[[], None]]:
        return {
            "create": self.create,
            "claim": self.claim,
            "start": self.start,
            "journal": self.journal,
            "renew": self.renew,
            "end": self.end,
        }

    def create(self) -> None:
        requested(self._opened, self._of, self._folder)

    def claim(self) -> None:
        ids = self._opened.ids
        claimed = self._opened.client.claim_runs(ClaimRequest(id=ids.new(), agent_id=ids.new(), queue_ids=(self._queue,), limit=1))
        (self._run,) = claimed.runs

    def start(self) -> None:
        self._move(State.running())

    def journal(self) -> None:
        assert self._run is not None
        ids, now = self._opened.ids, self._opened.clock.now()
        state = attrs.evolve(State.completed(), timestamp=now)
        task_run = TaskRun(
            id=ids.new(),
            name="step-0",
            state=state,
            created=now,
            flow_run_id=self._run.id,
            task_name="step",
            task_key="step",
            call=0,
            revision=1,
        )
        line = LogLine(
            id=ids.new(),
            flow_run_id=self._run.id,
            task_run_id=task_run.id,
            timestamp=now,
            level=20,
            logger="headrace.task_runs",
            message="it",
        )
        states = (RunState(run_id=task_run.id, revision=1, state=state),)
        batch = JournalBatch(flow_run_id=self._run.id, epoch=self._run.epoch, task_runs=(task_run,), states=states, logs=(line,))
        assert not self._opened.client.write_journal(batch).stop

    def renew(self) -> None:
        assert self._run is not None
        assert not self._opened.client.renew_lease(self._run.id, self._run.epoch).stop

    def end(self) -> None:
        self._move(State.completed())

    def _move(self, state: State) -> None:
        assert self._run is not None
        move = Move(id=self._opened.ids.new(), run_id=self._run.id, state=state, epoch=self._run.epoch)
        assert self._opened.client.move_flow_run(move).state is not None


def connections(opened: Instance) -> list[Any]:
    """What the store writes and reads with, as long as one thread asks it."""
    client: Any = opened.client
    with client.store.reading() as reading:
        return [client.store._writer, reading._connection]


def effort(opened: Instance, step: Callable[[], None]) -> int:
    """How many steps SQLite takes."""
    taken: list[int] = []
    for connection in connections(opened):
        connection.set_progress_handler(lambda: taken.append(1), 1)
    step()
    for connection in connections(opened):
        connection.set_progress_handler(None, 0)
    return len(taken)


def statements(opened: Instance, step: Callable[[], None]) -> list[str]:
    """What SQLite is asked."""
    asked: list[str] = []
    for connection in connections(opened):
        connection.set_trace_callback(asked.append)
    step()
    for connection in connections(opened):
        connection.set_trace_callback(None)
    return [statement for statement in asked if statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"))]


def test_a_backlog_slows_no_writer(empty: House, piled: House) -> None:
    """Whatever is written of a run, and a claim, takes SQLite as many steps with a backlog as without, and hardly more time."""
    with empty.open() as without, piled.open() as with_it:
        rounds = [Round(opened, house.folder) for opened, house in ((without, empty), (with_it, piled))]
        for turn in rounds:
            for step in turn.steps.values():
                step()
        for name in rounds[0].steps:
            few, many = (effort(opened, turn.steps[name]) for opened, turn in zip((without, with_it), rounds, strict=True))
            assert many <= 1.1 * few + 20, name
        seconds: dict[str, list[list[float]]] = {name: [[], []] for name in rounds[0].steps}
        for _ in range(40):
            for name, taken in seconds.items():
                for turn, of_one in zip(rounds, taken, strict=True):
                    begin = time.perf_counter()
                    turn.steps[name]()
                    of_one.append(time.perf_counter() - begin)
        for name, taken in seconds.items():
            few_seconds, many_seconds = map(statistics.median, taken)
            assert many_seconds <= 3 * few_seconds, name


SMALL = {"json_each", "wanted", "limits", "agents", "work_queues", "CONSTANT", "doomed"}
"""What may be read whole."""


def test_nothing_is_searched_for_in_the_whole_backlog(piled: House) -> None:
    """Every statement of a claim and of all that is written of a run finds its rows by an index, as SQLite plans it for this very store."""
    with piled.open() as opened:
        turn = Round(opened, piled.folder)
        asked = {name: statements(opened, step) for name, step in turn.steps.items()}
        assert all(asked.values())
        reader = connections(opened)[1]
        for statement in {statement for each in asked.values() for statement in each}:
            aliases = {alias: table for table, alias in re.findall(r"(\w+) AS (\w+)", statement)}
            plan = [row[-1] for row in reader.execute(f"EXPLAIN QUERY PLAN {statement}")]
            scanned = [step.split()[1] for step in plan if step.startswith("SCAN ") and "INDEX leases_that_last" not in step]
            assert {aliases.get(table, table) for table in scanned} <= SMALL, (statement, plan)


def test_an_agent_of_another_queue_does_not_see_the_backlog(piled: House) -> None:
    """It takes the one run of its queue, runs it, and is done."""
    with piled.open() as opened:
        run = requested(opened, deployment(opened, "other"), piled.folder)
        finished_agents(piled, [["own"]])
        assert opened.client.read_flow_run(run.id).state.is_completed()
    assert (piled.folder / run.id).read_text() == "done\n"


# Agents


def finished_agents(house: House, queues: Sequence[Sequence[str]]) -> int:
    """Agents that begin at once and end when nothing is left to do; how many runs they started."""
    agents = [house.headrace("agent", "start", *names, "--run-once") for names in queues]
    try:
        said = [agent.communicate(timeout=SECONDS)[1] for agent in agents]
    finally:
        for agent in agents:
            agent.kill()
            agent.communicate()
    for agent, text in zip(agents, said, strict=True):
        assert agent.returncode == 0, text
        assert not re.search("Traceback|ERROR|CRITICAL|locked", text), text
    return sum(text.count("Submitting flow run") for text in said)


def assert_each_once(house: House, opened: Instance, runs: Sequence[FlowRun]) -> None:
    """Every run was taken once, ran once, and completed."""
    for run in runs:
        assert [state.name for state in opened.client.read_states(run.id)] == ["Scheduled", "Pending", "Running", "Completed"]
        assert (house.folder / "done" / run.id).read_text() == "done\n"
    assert sorted(os.listdir(house.folder / "done")) == sorted(run.id for run in runs)
    assert {opened.client.read_flow_run(run.id).epoch for run in runs} == {1}


def test_many_runs_at_once_and_one_agent(house: House) -> None:
    """A hundred runs that are due at the same time are all done by one agent, each once; how fast is for `nox -s bench` to say."""
    deploy(house)
    (house.folder / "done").mkdir()
    with house.open() as opened:
        of = deployment(opened)
        runs = [requested(opened, of, house.folder / "done") for _ in range(100 * max(1, int(ENDURANCE / 20)))]
        assert finished_agents(house, [["q"]]) == len(runs)
        assert_each_once(house, opened, runs)


def test_three_agents_on_overlapping_queues(house: House) -> None:
    """A run that all three could have is taken by one of them, whichever queue it is taken through."""
    deploy(house)
    (house.folder / "done").mkdir()
    house.command("work-queue", "create", "all")
    with house.open() as opened:
        both = [deployment(opened, name) for name in ("plain", "other")]
        runs = [requested(opened, of, house.folder / "done") for _ in range(30 * max(1, int(ENDURANCE / 20))) for of in both]
        assert finished_agents(house, [["q", "all"], ["all", "own"], ["own", "q"]]) == len(runs)
        assert_each_once(house, opened, runs)


# Commands


def test_a_deployment_is_made_twice_at_once(house: House) -> None:
    """Both commands end well, and there is one deployment in its first version."""
    deploy(house)
    house.write("again.py", SPECS.replace("plain", "again").replace("other", "once-more"))
    makers = [house.headrace("deployment", "create", "again.py") for _ in range(4)]
    all_finished(makers)
    with house.open() as opened:
        found = opened.client.read_deployments(DeploymentFilter(names=("again", "once-more")), Page())
    assert sorted((deployment.name, deployment.version) for deployment in found) == [("again", 1), ("once-more", 1)]


def test_a_work_queue_is_made_twice_at_once(house: House) -> None:
    """One command makes it; the others say that it is there already, and what changes it."""
    makers = [house.headrace("work-queue", "create", "q") for _ in range(4)]
    said = [(maker.communicate(timeout=SECONDS), maker.returncode) for maker in makers]
    assert sorted(code for _, code in said) == [0, 1, 1, 1]
    for (_, err), code in said:
        assert code == 0 or re.fullmatch(r"error: there is a work queue 'q' already; .*`headrace work-queue update`\n", err), err
    made = next(out.strip() for (out, _), code in said if code == 0)
    assert [row["id"] for row in json.loads(house.command("work-queue", "ls", "--json"))] == [made]


def test_settings_are_changed_at_once(house: House) -> None:
    """Each of the commands ends well, and the profile has what all of them have set."""
    values = {"log_level": "DEBUG", "lease_seconds": "30", "keep_runs_days": "7", "keep_details_days": "3"}
    all_finished([house.headrace("config", "set", f"{name}={value}") for name, value in values.items()])
    said = house.command("config", "view")
    assert all(re.search(rf"{name}\W+{value}\b", said) for name, value in values.items()), said


def test_the_store_is_cleared_while_it_is_written(house: House) -> None:
    """What has ended is forgotten, what goes on is not; nobody sees an error, and nothing is left half."""
    at_once = {"HEADRACE_KEEP_RUNS_DAYS": "1e-9", "HEADRACE_KEEP_DETAILS_DAYS": "1e-9"}
    stop = house.folder / "stop"
    with writers(house, 8, until=str(stop), seconds=ENDURANCE) as processes:
        let_go(processes)
        forgotten, end = 0, time.monotonic() + ENDURANCE
        while forgotten < 50 or time.monotonic() < end:
            forgotten += json.loads(house.command("store", "gc", "--json", **at_once))["runs"]
        stop.touch()
        made = sum(int(printed) for printed in all_finished(processes))
    with house.open() as opened:
        left = all_runs(opened)
    assert {run.state.type for run in left} <= {StateType.COMPLETED}
    assert made == forgotten + len(left)
    assert house.is_sound()


def test_the_store_is_copied_while_it_is_written(house: House) -> None:
    """Every copy is sound, is of one moment, and has all that was there when it was begun."""
    stop = house.folder / "stop"
    copies = House(house.folder / "copies")
    copies.home.mkdir(parents=True)
    with writers(house, 8, until=str(stop), seconds=ENDURANCE) as processes:
        let_go(processes)
        number, end = 0, time.monotonic() + ENDURANCE
        while number < 3 or time.monotonic() < end:
            number += 1
            with house.open() as opened:
                before = len(all_runs(opened))
            (copies.home / "headrace.db").unlink(missing_ok=True)
            house.command("store", "backup", str(copies.home / "headrace.db"))
            assert copies.is_sound()
            with copies.open() as opened:
                assert len(all_runs(opened)) >= before
            for file in copies.home.glob("headrace.db*"):
                file.unlink()
        stop.touch()
        all_finished(processes)
    assert house.is_sound()
