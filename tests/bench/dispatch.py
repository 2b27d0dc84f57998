"""How long a run of a deployment takes to start, and how many are done in a second, with a real agent in a process of its own."""

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs

import headrace
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.deployments import Deployment, RunRequest
from headrace.model.filters import DeploymentFilter, EventFilter, FlowRunFilter, Page
from headrace.model.moves import Move
from headrace.model.states import State, StateType
from headrace.settings import load

SCRIPT = """
import time

loaded = time.time()

from headrace import flow


@flow
def stamp(path: str):
    begun = time.time()
    while not path:
        time.sleep(60)
    with open(path, "w") as file:
        file.write(f"{loaded} {begun}")
"""
SPEC = 'from headrace.deployments import DeploymentSpec\n\nDeploymentSpec(name="warm", flow_location="stamp.py")\n'


@attrs.frozen(kw_only=True)
class Parts:
    """Seconds: until an agent has the run, until its process loads the user's code, until that runs, and all of it."""

    claim: float
    start: float
    imports: float
    whole: float


SETTLING_SECONDS = 0.15
"""Until the agents, which have looked whether the end of a run gives them room, wait again."""


class Bench:
    """A home with a deployment that is started warm and one that is started cold, and a queue for both; with a `url` they are at the server there.

    `variables` are of its commands, and of its agents.
    """

    def __init__(self, folder: Path, url: str = "", **variables: str) -> None:
        self._folder = folder
        self._settings = {"HEADRACE_HOME": str(folder / "home"), "HEADRACE_API_URL": url}
        self._environment = {**os.environ, **self._settings, **variables}
        self._environment.pop("PYTHONDONTWRITEBYTECODE", None)
        (folder / "stamp.py").write_text(SCRIPT)
        (folder / "specs.py").write_text(SPEC)
        self._command("deployment", "create", "specs.py")
        self._command("work-queue", "create", "bench")

    def _command(self, *arguments: str) -> None:
        subprocess.run([_headrace(), *arguments], env=self._environment, cwd=self._folder, check=True, capture_output=True)

    @contextmanager
    def open(self) -> Iterator[tuple[Instance, Deployment, Deployment]]:
        """The house, and the two deployments."""
        with headrace.open(load(self._settings)) as house:
            (warm,) = house.client.read_deployments(DeploymentFilter(names=("warm",)), Page())
            runner = Choice("subprocess", {"warm": False})
            (cold,) = house.client.put_deployments((attrs.evolve(warm, id=house.ids.new(), name="cold", flow_runner=runner),))
            yield house, warm, cold

    @contextmanager
    def agent(self) -> Iterator[None]:
        """An agent at work."""
        with self.agents(1):
            yield

    @contextmanager
    def agents(self, count: int) -> Iterator[list[int]]:
        """So many agents at work, each in a home of its own but the first; their processes."""
        command = [_headrace(), "agent", "start", "bench"]
        with ExitStack() as stack:
            processes: list[int] = []
            for number in range(count):
                environment = {**self._environment, "HEADRACE_HOME": str(self._folder / f"home{number or ''}")}
                process = subprocess.Popen(command, env=environment, cwd=self._folder, stderr=subprocess.PIPE, text=True)
                stack.callback(process.wait)
                stack.callback(process.terminate)
                assert process.stderr is not None
                process.stderr.readline()
                threading.Thread(target=process.stderr.read, daemon=True).start()  # it goes on speaking
                processes.append(process.pid)
            yield processes

    def start(self, house: Instance, deployment: Deployment) -> float:
        """Seconds from asking for a run until its code writes down the time."""
        return self.parts(house, deployment).whole

    def parts(self, house: Instance, deployment: Deployment) -> "Parts":
        """How long each part of the way takes from asking for a run until its code writes down the time."""
        path = self._folder / house.ids.new()
        asked = time.time()
        run_id = request(house, deployment, str(path))
        ended(house, [run_id])
        loaded, begun = map(float, path.read_text().split())
        (claimed,) = [state.timestamp for state in house.client.read_states(run_id) if state.is_pending() and state.timestamp]
        claim = claimed.timestamp() - asked
        return Parts(claim=claim, start=loaded - asked - claim, imports=begun - loaded, whole=begun - asked)


def _headrace() -> str:
    return str(Path(sys.executable).with_name("headrace"))


def request(house: Instance, deployment: Deployment, path: str) -> str:
    """Asks for a run; its id."""
    parameters: dict[str, Any] = {"path": path}
    return house.client.request_run(RunRequest(id=house.ids.new(), deployment_id=deployment.id, name="bench", parameters=parameters)).id


def ended(house: Instance, run_ids: list[str]) -> None:
    """Returns when all have ended; raises where one did not complete."""
    wanted, waiting = FlowRunFilter(ids=tuple(run_ids)), True
    while waiting:
        cursor = house.client.read_last_event()
        states = [run.state for run in house.client.read_flow_runs(wanted, Page())]
        waiting = not all(state.is_terminal() for state in states)
        if waiting:
            house.client.wait_for_events(EventFilter(after=cursor), 5)
    assert all(state.is_completed() for state in states), states


def starts(folder: Path, rounds: int) -> tuple[float, float]:
    """Median milliseconds from asking for a run to the first line of its code: warm, and cold."""
    bench = Bench(folder)
    with bench.open() as (house, warm, cold), bench.agent():
        bench.start(house, warm)
        bench.start(house, cold)
        return tuple(  # type: ignore[return-value]
            statistics.median(bench.start(house, deployment) for _ in range(rounds)) * 1000 for deployment in (warm, cold)
        )


def parts(folder: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Median milliseconds of each part of the way to the first line: warm, cold, and warm by another Python."""
    bench = Bench(folder)
    found = {}
    with bench.open() as (house, warm, cold), bench.agent():
        runner = Choice("subprocess", {"python": another_python(folder)})
        (other,) = house.client.put_deployments((attrs.evolve(warm, id=house.ids.new(), name="other", flow_runner=runner),))
        for name, deployment in (("warm", warm), ("cold", cold), ("another Python, warm", other)):
            found[name] = _split(bench, house, deployment, rounds)
    return found


def parts_elsewhere(folder: Path, url: str, runner: Choice, rounds: int, **variables: str) -> dict[str, float]:
    """Median milliseconds of each part of the way to the first line, by a flow runner that starts runs elsewhere; they see the folder."""
    bench = Bench(folder, url, **variables)
    with bench.open() as (house, warm, _), bench.agent():
        (other,) = house.client.put_deployments((attrs.evolve(warm, id=house.ids.new(), name="other", flow_runner=runner),))
        return _split(bench, house, other, rounds)


def _split(bench: Bench, house: Instance, deployment: Deployment, rounds: int) -> dict[str, float]:
    for _ in range(2):
        bench.start(house, deployment)
    seen = [bench.parts(house, deployment) for _ in range(rounds)]
    names = {"claim": "claim", "start": "start", "imports": "import", "whole": "all"}
    return {said: statistics.median(getattr(each, part) for each in seen) * 1000 for part, said in names.items()}


def another_python(folder: Path) -> str:
    """This one by another path, in a virtual environment of its own that sees the same modules."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    (packages / "here.pth").write_text("\n".join(path for path in sys.path if path))
    return str(folder / "venv" / "bin" / "python")


def cancels(folder: Path, rounds: int) -> float:
    """Median milliseconds from the order to cancel a run that sleeps until nothing of it is left, and that is told."""
    bench = Bench(folder)
    seen = []
    with bench.open() as (house, warm, _), bench.agent():
        bench.start(house, warm)
        for _ in range(rounds):
            run_id = request(house, warm, "")
            until(house, run_id, StateType.RUNNING)
            time.sleep(SETTLING_SECONDS)
            begun = time.perf_counter()
            house.client.move_flow_run(Move(id=house.ids.new(), run_id=run_id, state=State(type=StateType.CANCELLING)))
            until(house, run_id, StateType.CANCELLED)
            seen.append(time.perf_counter() - begun)
    return statistics.median(seen) * 1000


def until(house: Instance, run_id: str, kind: StateType) -> None:
    """Returns when a run is in a state of that type."""
    while True:
        cursor = house.client.read_last_event()
        state = house.client.read_flow_run(run_id).state
        if state.type is kind:
            return
        assert not state.is_terminal(), state
        house.client.wait_for_events(EventFilter(after=cursor, subjects=(run_id,)), 5)


def memory_of_agent(folder: Path, count: int) -> tuple[float, float, float]:
    """Megabytes of an agent after its first hundred runs, and after so many; and how many runs it did in a second."""
    bench = Bench(folder)
    with bench.open() as (house, warm, _), bench.agents(1) as (process,):
        portion, done = 100, 0
        first, begun = 0.0, 0.0
        while done < count:
            ended(house, [request(house, warm, os.devnull) for _ in range(portion)])
            done += portion
            if done == portion:
                first, begun = megabytes(process), time.perf_counter()
        return first, megabytes(process), (done - portion) / (time.perf_counter() - begun)


def megabytes(process: int) -> float:
    """Of memory that a process has."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def starts_over_http(folder: Path, url: str, agents: int, rounds: int) -> float:
    """Median milliseconds from asking a server for a run to the first line of its code, warm, while so many agents wait for it."""
    bench = Bench(folder, url)
    with bench.open() as (house, warm, _), bench.agents(agents):

        def start() -> float:
            time.sleep(SETTLING_SECONDS)
            return bench.start(house, warm)

        for _ in range(agents * 2):  # most of them have started one, and are warm
            start()
        return statistics.median(start() for _ in range(rounds)) * 1000


def many(folder: Path, count: int) -> float:
    """Milliseconds that a run takes when so many are queued at once for one agent, each in a process of its own."""
    bench = Bench(folder)
    with bench.open() as (house, warm, _), bench.agent():
        bench.start(house, warm)
        begun = time.perf_counter()
        ended(house, [request(house, warm, os.devnull) for _ in range(count)])
        return (time.perf_counter() - begun) / count * 1000
